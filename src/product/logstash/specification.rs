//! What a gem says of itself, in the YAML that RubyGems put into it.

use std::collections::BTreeMap;

use super::version::{Requirement, Version};
use super::yaml::{self, Node, Value};

/// What a gem says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Specification {
    /// Its name: letters, digits, `.`, `-` and `_`.
    pub(super) name: String,
    /// Its version.
    pub(super) version: Version,
    /// What it runs on.
    pub(super) platform: GemPlatform,
    /// The gems it needs, to run or to be developed, in its own order.
    pub(super) dependencies: Vec<Dependency>,
    /// The versions of Ruby that it runs on.
    pub(super) required_ruby_version: Requirement,
    /// The versions of RubyGems that can install it.
    pub(super) required_rubygems_version: Requirement,
    /// What would have to be compiled.
    pub(super) extensions: Vec<String>,
    /// The folders that are searched for its code.
    pub(super) require_paths: Vec<String>,
    /// Where its programs are.
    pub(super) bindir: Option<String>,
    /// Its programs.
    pub(super) executables: Vec<String>,
    /// All its files.
    pub(super) files: Vec<String>,
    /// Those that are documentation.
    pub(super) extra_rdoc_files: Vec<String>,
    /// Pairs of texts; Logstash knows its plugins by them.
    pub(super) metadata: BTreeMap<String, String>,
    /// The day on which it was made, `2024-01-31`.
    pub(super) date: String,
    /// The number of the rules by which it is written.
    pub(super) format: u32,
    /// The version of RubyGems that made it.
    pub(super) rubygems_version: String,
    /// All else that is a text.
    pub(super) texts: BTreeMap<&'static str, String>,
    /// All else that is a list of texts.
    pub(super) lists: BTreeMap<&'static str, Vec<String>>,
}

/// What a gem runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum GemPlatform {
    /// Any Ruby.
    Ruby,
    /// `JRuby`.
    Java,
}

impl GemPlatform {
    /// What stands behind the version in names: nothing, or `-java`.
    #[must_use]
    pub(super) fn suffix(self) -> &'static str {
        match self {
            Self::Ruby => "",
            Self::Java => "-java",
        }
    }
}

/// A gem that a gem needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Dependency {
    /// Its name.
    pub(super) name: String,
    /// Which versions of it will do.
    pub(super) requirement: Requirement,
    /// Whether it is needed by those only who work on the gem.
    pub(super) is_for_development: bool,
}

/// Attributes of which nothing is known but that they are texts.
const TEXTS: [&str; 7] =
    ["autorequire", "description", "email", "homepage", "post_install_message", "signing_key", "summary"];

/// The same for lists of texts; `email` may be either.
const LISTS: [&str; 6] = ["authors", "cert_chain", "email", "licenses", "rdoc_options", "requirements"];

/// The day that RubyGems takes where a gem names none.
const NO_DATE: &str = "1980-01-02";

impl Specification {
    /// Reads a gem's metadata.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        let node = yaml::read(text).map_err(|error| error.to_string())?;
        let map = Fields::of(&node, "Gem::Specification")?;
        let own = |key| move |what: String| format!("`{key}`: {what}");
        let platform = map.text("platform")?;
        Ok(Self {
            name: gem_name(&map.text("name")?.unwrap_or_default())?,
            version: version(map.get("version").ok_or("it has no `version`")?).map_err(own("version"))?,
            platform: match platform.as_deref() {
                None | Some("ruby" | "") => GemPlatform::Ruby,
                Some("java" | "jruby") => GemPlatform::Java,
                Some(other) => return Err(format!("it is for the platform `{other}`, and Logstash runs JRuby")),
            },
            dependencies: map.items("dependencies")?.map(dependency).collect::<Result<_, _>>()?,
            required_ruby_version: map.requirement("required_ruby_version")?,
            required_rubygems_version: map.requirement("required_rubygems_version")?,
            extensions: map.paths("extensions", &[])?,
            require_paths: map.paths("require_paths", &["lib"])?,
            bindir: Some(map.text("bindir")?.unwrap_or_else(|| "bin".to_owned())),
            executables: map.texts("executables")?,
            files: map.texts("files")?,
            extra_rdoc_files: map.texts("extra_rdoc_files")?,
            metadata: map.pairs("metadata")?,
            date: map.date("date")?,
            format: match map.text("specification_version")?.as_deref() {
                None => 4,
                Some(text) => text.parse().map_err(|_| "`specification_version` is no number".to_owned())?,
            },
            rubygems_version: map.text("rubygems_version")?.unwrap_or_default(),
            texts: map.all(&TEXTS, Fields::text_unless_list)?,
            lists: map.all(&LISTS, Fields::list_unless_text)?,
        })
    }

    /// What its folder and its files are called: `NAME-VERSION`, for `JRuby` with `-java` behind it.
    #[must_use]
    pub(super) fn full_name(&self) -> String {
        format!("{}-{}{}", self.name, self.version, self.platform.suffix())
    }

    /// The gems that it needs to run.
    pub(super) fn needs(&self) -> impl Iterator<Item = &Dependency> {
        self.dependencies.iter().filter(|dependency| !dependency.is_for_development)
    }
}

/// A map with names for what is wrong in it.
struct Fields<'n>(&'n [(String, std::rc::Rc<Node>)]);

impl<'n> Fields<'n> {
    fn of(node: &'n Node, class: &str) -> Result<Self, String> {
        let tag = node.tag.as_deref().and_then(|tag| tag.strip_prefix("!ruby/object:"));
        // The name that RubyGems had for it before 2009.
        let tag = tag.map(|tag| if tag == "Gem::Version::Requirement" { "Gem::Requirement" } else { tag });
        match (&node.value, tag) {
            (Value::Map(entries), Some(tag)) if tag == class => Ok(Self(entries)),
            _ => Err(format!("there is no {class} where one belongs")),
        }
    }

    fn get(&self, key: &str) -> Option<&'n Node> {
        let (_, node) = self.0.iter().find(|(k, _)| k == key)?;
        (node.value != Value::Null).then_some(node)
    }

    fn text(&self, key: &str) -> Result<Option<String>, String> {
        self.get(key).map(|node| text(node).ok_or_else(|| format!("`{key}` is no text"))).transpose()
    }

    fn items(&self, key: &str) -> Result<impl Iterator<Item = &'n Node> + use<'n>, String> {
        let items = match self.get(key).map(|node| &node.value) {
            None => &[][..],
            Some(Value::List(items)) => items,
            Some(_) => return Err(format!("`{key}` is no list")),
        };
        Ok(items.iter().map(|item| &**item))
    }

    fn texts(&self, key: &str) -> Result<Vec<String>, String> {
        self.items(key)?.map(|node| text(node).ok_or_else(|| format!("`{key}` holds what is no text"))).collect()
    }

    /// Texts that become a part of a comment, which no line break may end.
    fn paths(&self, key: &str, default: &[&str]) -> Result<Vec<String>, String> {
        let paths =
            if self.get(key).is_some() { self.texts(key)? } else { default.iter().map(|s| (*s).to_owned()).collect() };
        if paths.iter().any(|path| path.contains(char::is_control)) {
            return Err(format!("`{key}` holds a control character"));
        }
        Ok(paths)
    }

    fn pairs(&self, key: &str) -> Result<BTreeMap<String, String>, String> {
        let entries = match self.get(key).map(|node| &node.value) {
            None => &[][..],
            Some(Value::Map(entries)) => entries,
            Some(_) => return Err(format!("`{key}` is no map")),
        };
        let pair = |(name, node): &(String, std::rc::Rc<Node>)| Some((name.clone(), text(node)?));
        entries.iter().map(|entry| pair(entry).ok_or_else(|| format!("`{key}` holds what is no text"))).collect()
    }

    fn requirement(&self, key: &str) -> Result<Requirement, String> {
        match self.get(key) {
            None => Ok(Requirement::any()),
            Some(node) => requirement(node).map_err(|what| format!("`{key}`: {what}")),
        }
    }

    fn date(&self, key: &str) -> Result<String, String> {
        let Some(text) = self.text(key)? else { return Ok(NO_DATE.to_owned()) };
        let day = text.get(..10).unwrap_or_default();
        let is_day =
            day.bytes().enumerate().all(|(i, c)| if matches!(i, 4 | 7) { c == b'-' } else { c.is_ascii_digit() });
        if day.is_empty() || !is_day || text[10..].starts_with(|c: char| c != ' ' && c != 'T') {
            return Err(format!("`{key}` is no date"));
        }
        Ok(day.to_owned())
    }

    fn text_unless_list(&self, key: &str) -> Result<Option<String>, String> {
        match self.get(key).map(|node| &node.value) {
            Some(Value::List(_)) if LISTS.contains(&key) => Ok(None),
            _ => self.text(key),
        }
    }

    fn list_unless_text(&self, key: &str) -> Result<Option<Vec<String>>, String> {
        match self.get(key).map(|node| &node.value) {
            None => Ok(None),
            Some(Value::Text(_)) if TEXTS.contains(&key) => Ok(None),
            Some(Value::Text(text)) => Ok(Some(vec![text.clone()])),
            Some(_) => self.texts(key).map(Some),
        }
    }

    fn all<T>(
        &self,
        keys: &[&'static str],
        get: impl Fn(&Self, &str) -> Result<Option<T>, String>,
    ) -> Result<BTreeMap<&'static str, T>, String> {
        let values = keys.iter().map(|key| Ok(get(self, key)?.map(|value| (*key, value))));
        values.filter_map(Result::transpose).collect()
    }
}

fn text(node: &Node) -> Option<String> {
    match &node.value {
        Value::Text(text) if node.tag.is_none() => Some(text.clone()),
        _ => None,
    }
}

/// What RubyGems takes for a gem's name; in particular nothing that means something to Ruby.
fn gem_name(name: &str) -> Result<String, String> {
    let right = !name.is_empty()
        && name.len() <= 200
        && !name.starts_with('.')
        && name.bytes().all(|c| c.is_ascii_alphanumeric() || b"._-".contains(&c));
    right.then(|| name.to_owned()).ok_or_else(|| "its name is not made of letters, digits, `.`, `-` and `_`".to_owned())
}

fn version(node: &Node) -> Result<Version, String> {
    let text = Fields::of(node, "Gem::Version")?.text("version")?.unwrap_or_default();
    Version::parse(&text).ok_or_else(|| "it is no version of a gem".to_owned())
}

fn requirement(node: &Node) -> Result<Requirement, String> {
    let map = Fields::of(node, "Gem::Requirement")?;
    let condition = |node: &Node| {
        let Value::List(pair) = &node.value else { return Err("a condition is no pair".to_owned()) };
        let [relation, wanted] = &pair[..] else { return Err("a condition is no pair".to_owned()) };
        let relation = text(relation).ok_or("a condition has no relation")?;
        Ok(format!("{relation} {}", version(wanted)?))
    };
    let conditions: Vec<_> = map.items("requirements")?.map(condition).collect::<Result<_, _>>()?;
    Requirement::parse(conditions.iter().map(String::as_str))
        .ok_or_else(|| "a condition has no known relation".to_owned())
}

fn dependency(node: &Node) -> Result<Dependency, String> {
    let map = Fields::of(node, "Gem::Dependency").map_err(|what| format!("`dependencies`: {what}"))?;
    let name = gem_name(&map.text("name")?.unwrap_or_default()).map_err(|what| format!("`dependencies`: {what}"))?;
    // Gems of before 2011 have the second name only, later ones both.
    let key = if map.get("requirement").is_some() { "requirement" } else { "version_requirements" };
    Ok(Dependency {
        requirement: map.requirement(key).map_err(|what| format!("the gem `{name}` that it needs: {what}"))?,
        is_for_development: match map.text("type")?.as_deref() {
            None | Some(":runtime") => false,
            Some(":development") => true,
            Some(other) => return Err(format!("nobody knows the kind `{other}` in which it needs `{name}`")),
        },
        name,
    })
}
