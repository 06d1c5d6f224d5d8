//! Files that must not be in an image, or not with this owner and mode.

use super::rule::Rule;
use super::rules::{
    FB_MODE, FB_OWNER, FB_UNREADABLE, FIRELENS_PATH, KEY_CONTAINER, KEYSTORE, LITTER, NO_PROGRAM, NODE_DATA,
    PLUGINS_FILE, PRIVATE_KEY, SINCEDB, STRAY_PLUGIN_FILE,
};
use super::secret;
use super::subject::{Found, Scene};
use crate::finding::Severity;
use crate::name::ImagePath;
use crate::recipe::{ImageRecipe, Product};
use crate::tree::{Entry, Node, Tree};

/// The folder whose entries Elasticsearch takes for plugins.
const PLUGINS: &str = "/usr/share/elasticsearch/plugins/";

/// The user of Elastic's images.
const ELASTIC_UID: u32 = 1000;

/// What `ssh-keygen` calls private keys.
const SSH_KEYS: [&str; 4] = ["id_rsa", "id_dsa", "id_ecdsa", "id_ed25519"];

/// Something in an archive that must not be in the image.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {} [{}]", .rule.title, .rule.code)]
pub struct Misplaced {
    path: ImagePath,
    rule: &'static Rule,
}

impl Misplaced {
    /// Whether it is a secret, which nothing that publishes may let through.
    #[must_use]
    pub fn is_secret(&self) -> bool {
        secret::RULES.iter().any(|rule| rule.code == self.rule.code)
    }

    /// What to do about it.
    #[must_use]
    pub fn help(&self) -> String {
        format!("leave it out by `except` of that archive. {}", self.rule.fix)
    }
}

/// Checks what an archive brings, as far as names tell it: what the recipe's own files must not be, that must not be either.
///
/// # Errors
/// The first entry of which a rule says that it is an error.
pub fn brought(tree: &Tree, product: Product) -> Result<(), Misplaced> {
    for (path, entry) in tree.iter() {
        // Of the recipe's own files the content says it.
        let key = SSH_KEYS.contains(&path.file_name()) && matches!(entry.node, Node::File { .. });
        let rule = if key { Some(&PRIVATE_KEY) } else { misplaced(path, entry, product).map(|(rule, _)| rule) };
        if let Some(rule) = rule.filter(|rule| rule.severity == Severity::Error) {
            return Err(Misplaced { path: path.clone(), rule });
        }
    }
    Ok(())
}

pub(super) fn check(scene: &Scene<'_>, image: &ImageRecipe, found: &mut Found) {
    check_programs(scene, image, found);
    for (path, entry) in scene.subject.local.tree.iter() {
        if let Some((rule, message)) = misplaced(path, entry, image.product) {
            found.add(rule, scene.file(path), message);
        }
        if image.product == Product::Filebeat && is_filebeat_config(path) {
            check_filebeat(scene, image, (path, entry), found);
        }
    }
}

/// Files of the recipe that the container is to start.
fn check_programs(scene: &Scene<'_>, image: &ImageRecipe, found: &mut Found) {
    let Some(config) = &image.config else { return };
    let entrypoint = config.entrypoint.as_deref().unwrap_or_default();
    // `tini -- PROGRAM`, as Elastic's images have it.
    let behind = entrypoint.iter().skip_while(|word| *word != "--").nth(1);
    let by_entrypoint = entrypoint.first().into_iter().chain(behind).map(|word| ("config.entrypoint", word));
    // Without an entrypoint of the recipe it may be the base's, and the first word an argument of that.
    let of_cmd = config.cmd.as_deref().unwrap_or_default().first();
    let by_cmd = of_cmd.filter(|word| entrypoint.is_empty() && is_script(scene, word)).map(|word| ("config.cmd", word));
    for (key, word) in by_entrypoint.chain(by_cmd) {
        let path = word.parse::<ImagePath>().ok();
        let entry = path.as_ref().and_then(|path| scene.subject.local.tree.get(path));
        if let Some(Entry { mode, node: Node::File { .. }, .. }) = entry
            && mode.bits() & 0o111 == 0
        {
            found.add(&NO_PROGRAM, scene.key(key), format!("`{word}` has the mode {mode}"));
        }
    }
}

fn is_script(scene: &Scene<'_>, path: &str) -> bool {
    let text = path.parse().map(|path| scene.subject.local.text(scene.subject.project, &path));
    matches!(text, Ok(Ok(Some(text))) if text.starts_with("#!"))
}

/// What must not be there at all.
fn misplaced(path: &ImagePath, entry: &Entry, product: Product) -> Option<(&'static Rule, String)> {
    let (text, name) = (path.as_str(), path.file_name());
    let folder = entry.node == Node::Folder;
    if matches!(name, "elasticsearch.keystore" | "kibana.keystore" | "logstash.keystore" | "filebeat.keystore") {
        return Some((&KEYSTORE, format!("`{text}` is baked in")));
    }
    let holds_key = matches!(extension(name).to_ascii_lowercase().as_str(), "p12" | "pfx" | "jks" | "ppk");
    let public = ["trust", "cacerts"].iter().any(|word| name.to_ascii_lowercase().contains(word));
    if holds_key && !public && !folder {
        return Some((&KEY_CONTAINER, format!("`{text}` is baked in")));
    }
    match product {
        Product::Elasticsearch => {
            let in_plugins = text.strip_prefix(PLUGINS).filter(|rest| !rest.contains('/'));
            let half_done = |name: &str| name.starts_with(".installing-") || name.starts_with(".removing-");
            if name == "elasticsearch-plugins.yml" {
                Some((&PLUGINS_FILE, format!("`{text}` is baked in")))
            } else if in_plugins.is_some_and(|name| !folder || half_done(name)) {
                Some((&STRAY_PLUGIN_FILE, format!("`{text}` is no plugin")))
            } else {
                let data = text.starts_with("/usr/share/elasticsearch/data/") && !folder;
                data.then(|| (&NODE_DATA, format!("`{text}` is data of a node")))
            }
        }
        Product::Logstash | Product::Filebeat => {
            let sincedb = path.components().any(|part| part.trim_start_matches('.').starts_with("sincedb"));
            let registry =
                text.starts_with("/usr/share/filebeat/data/registry") || text.contains("/data/plugins/inputs/");
            ((sincedb || registry) && !folder).then(|| (&SINCEDB, format!("`{text}` is baked in")))
        }
        Product::FluentBit if text == "/fluent-bit/etc/fluent-bit.conf" => {
            Some((&FIRELENS_PATH, format!("`{text}` will be hidden in a FireLens container")))
        }
        _ => None,
    }
}

/// What stands after the last dot of a name.
fn extension(name: &str) -> &str {
    name.rsplit_once('.').map_or("", |(_, extension)| extension)
}

fn is_filebeat_config(path: &ImagePath) -> bool {
    let text = path.as_str();
    let folder = ["/modules.d/", "/inputs.d/"].iter().any(|folder| text.contains(folder));
    path.file_name() == "filebeat.yml" || (folder && extension(path.file_name()) == "yml")
}

fn check_filebeat(scene: &Scene<'_>, image: &ImageRecipe, (path, entry): (&ImagePath, &Entry), found: &mut Found) {
    let config = image.config.as_ref();
    let words = config.into_iter().flat_map(|config| config.cmd.iter().chain(&config.entrypoint).flatten());
    let mut words = words.map(String::as_str);
    let lax = |word: &str| matches!(word, "--strict.perms=false" | "-strict.perms=false");
    let lax = words.any(lax);
    if !matches!(entry.node, Node::File { .. }) {
        return;
    }
    if entry.mode.bits() & 0o022 != 0 && !lax {
        found.add(&FB_MODE, scene.file(path), format!("`{path}` will have the mode {}", entry.mode));
    }
    let user = config.and_then(|config| config.user.as_deref()).map(|user| user.split(':').next().unwrap_or(user));
    let runs_as = match user {
        None | Some("filebeat") => Some(ELASTIC_UID),
        Some("root") => Some(0),
        // Which number another name has only the base knows.
        Some(user) => user.parse().ok(),
    };
    if entry.owner.uid != 0 && runs_as.is_some_and(|uid| uid != entry.owner.uid) && !lax {
        found.add(&FB_OWNER, scene.file(path), format!("`{path}` will belong to {}", entry.owner));
    }
    // Its image's user is of group 0; which groups another user has only the base knows.
    let bits = entry.mode.bits();
    let by_group = bits & 0o040 != 0 && (user.is_some() || entry.owner.gid == 0);
    let by_owner = bits & 0o400 != 0 && runs_as.is_none_or(|uid| uid == entry.owner.uid);
    if runs_as != Some(0) && bits & 0o004 == 0 && !by_group && !by_owner {
        let message = format!("`{path}` will have the mode {} and belong to {}", entry.mode, entry.owner);
        found.add(&FB_UNREADABLE, scene.file(path), message);
    }
}

/// What editors and Git leave behind. Of what is inside a `.git` only the folder itself is named.
pub(super) fn check_litter(scene: &Scene<'_>, found: &mut Found) {
    for (path, _) in scene.subject.local.tree.iter() {
        let name = path.file_name();
        let swap = name.starts_with('.') && matches!(extension(name), "swp" | "swo");
        if matches!(name, ".git" | ".svn") || (name.len() > 1 && name.ends_with('~')) || swap {
            found.add(&LITTER, scene.file(path), format!("`{path}` would be baked in"));
        }
    }
}
