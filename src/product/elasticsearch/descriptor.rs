//! A plugin's descriptor: what Elasticsearch reads before anything else, and refuses for every key that it does not know.

use std::collections::BTreeMap;

use super::java::JavaVersion;
use crate::product::java_properties::{self, Property};
use crate::product::plugin::InstallError;

/// Major, minor and patch.
pub(super) type Triple = (u64, u64, u64);

/// The descriptor of a plugin made for one exact version.
pub(super) const CLASSIC: &str = "plugin-descriptor.properties";

/// The descriptor of a plugin made for the stable API.
pub(super) const STABLE: &str = "stable-plugin-descriptor.properties";

/// Longer ones are not read: real ones have a few lines.
pub(super) const LONGEST: u64 = 64 << 10;

/// The first version that knows stable plugins, and no bootstrap plugins any more.
const STABLE_SINCE: Triple = (8, 4, 0);

/// The first version that knows `modulename`.
const MODULES_SINCE: Triple = (8, 3, 0);

/// What a descriptor says, as far as anything follows from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Descriptor {
    /// Which of the two files it is.
    pub(super) file: &'static str,
    pub(super) name: String,
    pub(super) version: String,
    /// The Elasticsearch that it was built for.
    pub(super) elasticsearch: String,
    pub(super) java: JavaVersion,
    /// The plugins whose classes it sees.
    pub(super) extends: Vec<String>,
    /// Whether its classes are in Java modules.
    pub(super) modular: bool,
}

impl Descriptor {
    /// Whether it is a plugin for the stable API.
    pub(super) fn is_stable(&self) -> bool {
        self.file == STABLE
    }
}

/// Reads a descriptor as an Elasticsearch of `version` does.
pub(super) fn read(file: &'static str, bytes: &[u8], version: Triple) -> Result<Descriptor, InstallError> {
    let stable = file == STABLE;
    if stable && version < STABLE_SINCE {
        let message = "stable plugins are known from Elasticsearch 8.4 on";
        return Err(InstallError::rule(&file, message, "use the plugin's release for this version of Elasticsearch"));
    }
    let properties = java_properties::read(bytes).map_err(|error| {
        InstallError::rule(&format!("{file}:{}", error.line), error.message, "correct the descriptor in the package")
    })?;
    let mut keys = Keys { file, properties };
    // First, because it explains all that would be missing.
    if let Some(opensearch) = keys.properties.get("opensearch.version") {
        let message = format!("it is a plugin for OpenSearch {}, which Elasticsearch refuses", opensearch.value);
        return Err(InstallError::rule(&file, message, "use the plugin's release for Elasticsearch"));
    }
    let name = keys.filled("name")?;
    keys.given("description")?;
    let plugin_version = keys.given("version")?;
    let elasticsearch = keys.filled("elasticsearch.version")?;
    let java = keys.java()?;
    let (extends, modular) = if stable { (Vec::new(), keys.flag("modular")?) } else { keys.classic(version)? };
    keys.finish(version)?;
    Ok(Descriptor { file, name, version: plugin_version, elasticsearch, java, extends, modular })
}

/// The names in `extended.plugins`, which nothing is trimmed from.
pub(super) fn extended(text: &str) -> Vec<String> {
    if text.is_empty() { Vec::new() } else { text.split(',').map(str::to_owned).collect() }
}

/// Keys that nobody has asked for yet.
struct Keys {
    file: &'static str,
    properties: BTreeMap<String, Property>,
}

impl Keys {
    fn classic(&mut self, version: Triple) -> Result<(Vec<String>, bool), InstallError> {
        let extends = extended(&self.take("extended.plugins"));
        if self.flag("has.native.controller")? {
            let message = "it brings a native controller, a program that Elasticsearch would start";
            return Err(InstallError::rule(
                &self.file,
                message,
                "Elasticsearch allows that to its own modules only; leave the plugin out",
            ));
        }
        self.flag("licensed")?;
        let bootstrap = version < STABLE_SINCE && self.bootstrap()?;
        if bootstrap {
            // It has options for Java instead of a class.
            if !self.take("classname").is_empty() {
                return Err(self.wrong("`classname` is set, and `type` is `bootstrap`", "keep one of the two"));
            }
        } else {
            self.filled("classname")?;
        }
        let modular = version >= MODULES_SINCE && !self.take("modulename").trim().is_empty();
        Ok((extends, modular))
    }

    /// Whether it is a plugin that only sets options of Java, as there were before 8.4.
    fn bootstrap(&mut self) -> Result<bool, InstallError> {
        let kind = self.take("type");
        let options = self.take("java.opts");
        match kind.to_ascii_lowercase().as_str() {
            "bootstrap" => Ok(true),
            "" | "isolated" if options.is_empty() => Ok(false),
            "" | "isolated" => Err(self
                .wrong("`java.opts` is set, and `type` is not `bootstrap`", "correct the descriptor in the package")),
            _ => Err(self.wrong(format!("`type` is `{kind}`"), "it is `isolated` or `bootstrap`")),
        }
    }

    fn java(&mut self) -> Result<JavaVersion, InstallError> {
        let text = self.filled("java.version")?;
        text.parse().map_err(|()| {
            self.wrong(format!("`java.version` is `{text}`"), "it is a version of Java, as in `17` or `1.8`")
        })
    }

    fn flag(&mut self, key: &str) -> Result<bool, InstallError> {
        match self.take(key).as_str() {
            "true" => Ok(true),
            "false" => Ok(false),
            blank if blank.trim().is_empty() => Ok(false),
            other => Err(self.wrong(format!("`{key}` is `{other}`"), "it is `true` or `false`")),
        }
    }

    fn take(&mut self, key: &str) -> String {
        self.properties.remove(key).map(|property| property.value).unwrap_or_default()
    }

    fn given(&mut self, key: &str) -> Result<String, InstallError> {
        let property = self.properties.remove(key);
        let help = "use a complete package, or ask its author for one";
        property.map(|property| property.value).ok_or_else(|| self.wrong(format!("`{key}` is missing"), help))
    }

    fn filled(&mut self, key: &str) -> Result<String, InstallError> {
        let value = self.given(key)?;
        if value.trim().is_empty() {
            return Err(self.wrong(format!("`{key}` is empty"), "use a complete package, or ask its author for one"));
        }
        Ok(value)
    }

    fn finish(self, (major, minor, _): Triple) -> Result<(), InstallError> {
        let unknown: Vec<_> = self.properties.keys().map(|key| format!("`{key}`")).collect();
        if unknown.is_empty() {
            return Ok(());
        }
        let what = if self.file == STABLE { "stable plugins" } else { "plugins" };
        let message = format!("Elasticsearch {major}.{minor} does not know {} of {what}", unknown.join(", "));
        Err(InstallError::rule(&self.file, message, "use the plugin's release for this version of Elasticsearch"))
    }

    fn wrong(&self, message: impl Into<String>, help: &str) -> InstallError {
        InstallError::rule(&self.file, message, help)
    }
}
