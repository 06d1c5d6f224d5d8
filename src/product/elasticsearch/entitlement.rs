//! `entitlement-policy.yaml`: what a plugin may do, since Elasticsearch 8.18 and 9.0.
//!
//! For each Java module of the plugin, or for `ALL-UNNAMED`, a list of entitlements. Read as strictly as a node does,
//! which does not start with a policy that it cannot read.

use std::collections::BTreeSet;

use super::descriptor::Triple;
use crate::product::plugin::InstallError;
use crate::product::yaml::{self, Node, Value};

/// The policy's name in a package.
pub(super) const FILE: &str = "entitlement-policy.yaml";

/// The scope of a plugin that is not in modules.
pub(super) const UNNAMED: &str = "ALL-UNNAMED";

/// The first version whose nodes go by these policies.
pub(super) const SINCE: Triple = (8, 18, 0);

/// What stands alone.
const PLAIN: [&str; 5] = [
    "inbound_network",
    "load_native_libraries",
    "manage_threads",
    "outbound_network",
    "set_https_connection_properties",
];

/// What Elasticsearch gives to its own modules only.
const MODULES_ONLY: [&str; 2] = ["create_class_loader", "write_all_system_properties"];

/// The last two are known by later versions, whose messages do not name them either.
const BASE_FOLDERS: [&str; 5] = ["config", "data", "home", "shared_data", "shared_repo"];

/// Reads a policy: what it grants, one line each, sorted.
///
/// `modules` are the Java modules of a plugin that has some.
pub(super) fn read(
    text: &str,
    version: Triple,
    modules: Option<&BTreeSet<String>>,
) -> Result<Vec<String>, InstallError> {
    let root = yaml::read(text).map_err(|error| refuse(error.line, error.message))?;
    let Value::Map(scopes) = &root.value else {
        return Err(refuse(root.line, "the policy is no mapping of scopes"));
    };
    let mut granted = BTreeSet::new();
    for (scope, line, list) in scopes {
        check_scope(scope, *line, modules)?;
        let Value::List(entitlements) = &list.value else {
            return Err(refuse(*line, format!("`{scope}` is no list of entitlements")));
        };
        for entitlement in entitlements {
            granted.extend(read_one(entitlement, version)?);
        }
    }
    Ok(granted.into_iter().collect())
}

fn refuse(line: usize, message: impl Into<String>) -> InstallError {
    let help =
        "a node does not start with a policy that it cannot read; use a release of the plugin for this Elasticsearch";
    InstallError::rule(&format!("{FILE}:{line}"), message, help)
}

fn check_scope(scope: &str, line: usize, modules: Option<&BTreeSet<String>>) -> Result<(), InstallError> {
    match modules {
        None if scope == UNNAMED => Ok(()),
        None => Err(refuse(
            line,
            format!("the scope is `{scope}`, and the plugin is in no modules: its only scope is `{UNNAMED}`"),
        )),
        Some(modules) if modules.contains(scope) => Ok(()),
        Some(modules) => {
            let names: Vec<_> = modules.iter().map(String::as_str).collect();
            Err(refuse(line, format!("the scope is `{scope}`, and the plugin's modules are {}", names.join(", "))))
        }
    }
}

fn read_one(node: &Node, version: Triple) -> Result<Vec<String>, InstallError> {
    let (name, value) = match &node.value {
        Value::Text { text, .. } => (text.as_str(), None),
        Value::Map(map) => match &map[..] {
            [(name, _, value)] => (name.as_str(), Some(value)),
            _ => return Err(refuse(node.line, "there is more than one entitlement in an item of the list")),
        },
        Value::Empty | Value::List(_) => return Err(refuse(node.line, "this is no entitlement")),
    };
    if MODULES_ONLY.contains(&name) {
        return Err(refuse(node.line, format!("`{name}` is for Elasticsearch's own modules only")));
    }
    match (name, value) {
        (name, None) if PLAIN.contains(&name) => Ok(vec![name.to_owned()]),
        (name, Some(_)) if PLAIN.contains(&name) => Err(refuse(node.line, format!("`{name}` takes no parameters"))),
        ("files" | "write_system_properties", None) => Err(refuse(node.line, format!("`{name}` has no parameters"))),
        ("files", Some(value)) => {
            let paths = only(value, "paths")?;
            let files = paths.iter().map(|path| read_file(path, version)).collect::<Result<Vec<_>, _>>()?;
            Ok(files.into_iter().flatten().collect())
        }
        ("write_system_properties", Some(value)) => only(value, "properties")?.iter().map(property).collect(),
        (name, _) => Err(refuse(node.line, format!("`{name}` is no entitlement that a plugin can have"))),
    }
}

/// The list that an entitlement has for its only parameter, which need not be named.
fn only<'n>(value: &'n Node, parameter: &str) -> Result<&'n [Node], InstallError> {
    let list = match &value.value {
        Value::Map(map) => match &map[..] {
            [(name, _, node)] if name == parameter => &node.value,
            _ => return Err(refuse(value.line, format!("its only parameter is `{parameter}`"))),
        },
        other => other,
    };
    match list {
        Value::List(list) if !list.is_empty() => Ok(list),
        _ => Err(refuse(value.line, format!("`{parameter}` is no list, or an empty one"))),
    }
}

fn property(node: &Node) -> Result<String, InstallError> {
    let name = node.value.text().ok_or_else(|| refuse(node.line, "this is no name of a system property"))?;
    Ok(format!("write_system_properties: {name}"))
}

/// What a policy says of one file or folder.
#[derive(Default)]
struct File<'n> {
    path: Option<&'n str>,
    relative_path: Option<&'n str>,
    relative_to: Option<&'n str>,
    path_setting: Option<&'n str>,
    base: Option<&'n str>,
    mode: Option<&'n str>,
    platform: Option<&'n str>,
}

impl<'n> File<'n> {
    fn read(node: &'n Node, early: bool) -> Result<Self, InstallError> {
        let Value::Map(map) = &node.value else {
            return Err(refuse(node.line, "this is no mapping that names a file"));
        };
        let mut file = Self::default();
        for (key, line, value) in map {
            if key == "exclusive" || (key == "ignore_url" && early) {
                flag(value)?;
                continue;
            }
            let text = value.value.text().ok_or_else(|| refuse(*line, format!("`{key}` is no text")))?;
            let field = match key.as_str() {
                "path" => &mut file.path,
                "relative_path" => &mut file.relative_path,
                "relative_to" => &mut file.relative_to,
                "path_setting" => &mut file.path_setting,
                "relative_path_setting" if early => &mut file.path_setting,
                "basedir_if_relative" => &mut file.base,
                "mode" => &mut file.mode,
                "platform" => &mut file.platform,
                _ => return Err(refuse(*line, format!("`{key}` is no key of a file"))),
            };
            *field = Some(text);
        }
        Ok(file)
    }
}

/// In all the spellings that YAML has, and without quotes, which would make a text of it.
fn flag(node: &Node) -> Result<(), InstallError> {
    const SPELLINGS: [&str; 6] = ["true", "false", "yes", "no", "on", "off"];
    match &node.value {
        Value::Text { text, quoted: false } if SPELLINGS.iter().any(|known| known.eq_ignore_ascii_case(text)) => Ok(()),
        other => {
            let shown = other.text().unwrap_or_default();
            Err(refuse(node.line, format!("`{shown}` is neither true nor false")))
        }
    }
}

/// One line on a file, where it is one for Linux.
fn read_file(node: &Node, version: Triple) -> Result<Option<String>, InstallError> {
    // 8.19 and 9.1 know which folder a setting's path starts from; before, that was no matter of the policy.
    let early = version < (8, 19, 0) || ((9, 0, 0)..(9, 1, 0)).contains(&version);
    let wrong = |message: String| Err(refuse(node.line, message));
    let file = File::read(node, early)?;
    let mode = match file.mode {
        Some(mode @ ("read" | "read_write")) => mode,
        Some(mode) => return wrong(format!("the mode `{mode}` is neither `read` nor `read_write`")),
        None => return wrong("a file has no `mode`".to_owned()),
    };
    if let Some(platform) = file.platform.filter(|platform| !["linux", "macos", "windows"].contains(platform)) {
        return wrong(format!("the platform `{platform}` is not `linux`, `macos` or `windows`"));
    }
    if let Some(folder) = file.relative_to.iter().chain(&file.base).find(|folder| !BASE_FOLDERS.contains(folder)) {
        return wrong(format!("`{folder}` is not `config`, `data` or `home`"));
    }
    let line = match (file.path, file.relative_path, file.path_setting) {
        (Some(path), None, None) if path.starts_with('/') || is_of_windows(path) => format!("files: {mode} {path}"),
        (Some(path), None, None) => return wrong(format!("`path` is `{path}`, which is not absolute")),
        (None, Some(path), None) if path.starts_with('/') || is_of_windows(path) => {
            return wrong(format!("`relative_path` is `{path}`, which is not relative"));
        }
        (None, Some(path), None) => match file.relative_to {
            Some(folder) => format!("files: {mode} {path} in {folder}"),
            None => return wrong("a `relative_path` has no `relative_to`".to_owned()),
        },
        (None, None, Some(setting)) if file.base.is_some() || early => {
            format!("files: {mode} what the setting {setting} names")
        }
        (None, None, Some(_)) => return wrong("a `path_setting` has no `basedir_if_relative`".to_owned()),
        _ => return wrong("a file has one of `path`, `relative_path` and `path_setting`".to_owned()),
    };
    if file.relative_to.is_some() && file.relative_path.is_none() && !early {
        return wrong("`relative_to` is for a `relative_path` only".to_owned());
    }
    if file.base.is_some() && file.path_setting.is_none() {
        return wrong("`basedir_if_relative` is for a `path_setting` only".to_owned());
    }
    Ok(Some(line).filter(|_| file.platform.is_none_or(|platform| platform == "linux")))
}

/// `C:…` and `\\server`, which are absolute elsewhere.
fn is_of_windows(path: &str) -> bool {
    let mut chars = path.chars();
    let (first, second) = (chars.next(), chars.next());
    path.starts_with("\\\\") || (first.is_some_and(char::is_alphabetic) && second == Some(':'))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NINE: Triple = (9, 2, 0);

    #[track_caller]
    fn refused(line: usize, text: &str, part: &str) {
        let error = read(text, NINE, None).unwrap_err().to_string();
        assert!(error.starts_with(&format!("entitlement-policy.yaml:{line}: ")) && error.contains(part), "{error}");
    }

    fn file(keys: &str) -> String {
        format!("ALL-UNNAMED:\n  - files:\n      - {}", keys.replace('\n', "\n        "))
    }

    #[test]
    fn a_policy_says_what_is_granted() {
        // The form of discovery-ec2's.
        let text = "ALL-UNNAMED:\n  - manage_threads\n  - outbound_network\n  - files:\n    - relative_path: \".aws/\"\n      \
                    relative_to: home\n      mode: read\n    - path: /etc/x\n      mode: read_write\n      exclusive: true\n    \
                    - path: C:\\x\n      platform: windows\n      mode: read\n    - path_setting: x.path\n      \
                    basedir_if_relative: config\n      mode: read\n  - write_system_properties:\n      properties:\n        - a.b\n";
        let granted = [
            "files: read .aws/ in home",
            "files: read what the setting x.path names",
            "files: read_write /etc/x",
            "manage_threads",
            "outbound_network",
            "write_system_properties: a.b",
        ];
        assert_eq!(read(text, NINE, None).unwrap(), granted);
        assert_eq!(read("ALL-UNNAMED: [outbound_network]", NINE, None).unwrap(), ["outbound_network"]);
        assert_eq!(read("ALL-UNNAMED: []\n", NINE, None).unwrap(), [""; 0]);
    }

    #[test]
    fn scopes_are_the_plugins_own() {
        refused(1, "my.module:\n  - outbound_network", "its only scope is `ALL-UNNAMED`");
        let modules = ["my.module".to_owned()].into();
        assert!(read("my.module:\n  - outbound_network", NINE, Some(&modules)).is_ok());
        let error = read("\nother:\n  - outbound_network", NINE, Some(&modules)).unwrap_err().to_string();
        assert_eq!(error, "entitlement-policy.yaml:2: the scope is `other`, and the plugin's modules are my.module");
        assert!(read("ALL-UNNAMED:\n  - outbound_network", NINE, Some(&modules)).is_err());
    }

    #[test]
    fn what_is_no_policy_is_refused_with_its_line() {
        refused(1, "", "no mapping of scopes");
        refused(1, "- a", "no mapping of scopes");
        refused(1, "ALL-UNNAMED: a", "no list of entitlements");
        refused(2, "ALL-UNNAMED:\n  - read_everything", "`read_everything` is no entitlement that a plugin can have");
        refused(2, "ALL-UNNAMED:\n  - create_class_loader", "own modules only");
        refused(2, "ALL-UNNAMED:\n  - outbound_network: {}", "takes no parameters");
        refused(2, "ALL-UNNAMED:\n  - files", "has no parameters");
        refused(3, "ALL-UNNAMED:\n  - manage_threads\n  - [a]", "no entitlement");
        refused(2, "ALL-UNNAMED:\n  - a: b\n    c: d", "more than one");
        refused(2, "ALL-UNNAMED:\n  - write_system_properties: {names: [a]}", "its only parameter is `properties`");
        refused(2, "ALL-UNNAMED:\n  - write_system_properties: []", "no list, or an empty one");
        refused(2, "ALL-UNNAMED:\n\t- a", "tab");
        refused(3, "ALL-UNNAMED:\n  - manage_threads\nALL-UNNAMED: []", "a second time");
    }

    #[test]
    fn files_are_named_in_one_way() {
        refused(3, &file("path: /a"), "no `mode`");
        refused(3, &file("path: /a\nmode: write"), "neither `read` nor `read_write`");
        refused(3, &file("path: a\nmode: read"), "not absolute");
        refused(3, &file("relative_path: /a\nrelative_to: home\nmode: read"), "not relative");
        refused(3, &file("relative_path: a\nmode: read"), "no `relative_to`");
        refused(3, &file("relative_path: a\nrelative_to: tmp\nmode: read"), "not `config`, `data` or `home`");
        refused(3, &file("path: /a\npath_setting: b\nmode: read"), "one of");
        refused(3, &file("path_setting: b\nmode: read"), "no `basedir_if_relative`");
        refused(3, &file("path: /a\nrelative_to: home\nmode: read"), "for a `relative_path` only");
        refused(3, &file("path: /a\nmode: read\nplatform: aix"), "not `linux`, `macos` or `windows`");
        refused(5, &file("path: /a\nmode: read\nexclusive: maybe"), "neither true nor false");
        refused(5, &file("path: /a\nmode: read\nexclusive: \"true\""), "neither true nor false");
        for right in ["path: /a\nmode: read\nexclusive: yes", "relative_path: a\nrelative_to: shared_repo\nmode: read"]
        {
            assert!(read(&file(right), NINE, None).is_ok(), "{right}, as Elasticsearch 8.19.21 has it");
        }
        refused(4, &file("path: /a\nignore_url: true\nmode: read"), "no key of a file");
        assert!(read(&file("path_setting: b\nignore_url: true\nmode: read"), (8, 18, 2), None).is_ok());
    }

    proptest! {
        #[test]
        fn any_text_is_a_policy_or_refused(text in "(ALL-UNNAMED|files|path|mode|read|[-:\\[\\]{} \n/a,]){0,20}") {
            let _ = read(&text, NINE, None);
        }
    }
}
