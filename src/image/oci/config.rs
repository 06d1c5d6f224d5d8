//! The configuration of an image, and what it tells of the program inside.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::document::{LONGEST_CONFIG, OciError, limit, shorten};
use super::raw::json;
use crate::digest::Digest;
use crate::name::Platform;
use crate::recipe::{Product, Version};

/// What an image says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// The processor it is for.
    pub architecture: String,
    /// The operating system it is for.
    pub os: String,
    /// The processor's variant.
    pub variant: Option<String>,
    /// When it was made.
    pub created: Option<String>,
    /// The user that it runs as.
    pub user: Option<String>,
    /// Its environment, in its own order.
    pub env: Vec<(String, String)>,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// What is started, and what with.
    pub entrypoint: Vec<String>,
    /// The arguments when nobody gives others.
    pub cmd: Vec<String>,
    /// The folder that it starts in.
    pub workdir: Option<String>,
    /// The ports that it says it listens on.
    pub ports: BTreeSet<String>,
    /// The folders that are to be kept outside of the container.
    pub volumes: BTreeSet<String>,
    /// The signal that asks it to stop.
    pub stop_signal: Option<String>,
    /// The digests of its unpacked layers, from the bottom up.
    pub diff_ids: Vec<Digest>,
    /// How it came about, step by step.
    pub history: Vec<History>,
}

/// One step in the making of an image.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Deserialize)]
pub struct History {
    /// What was done, in its maker's words.
    pub created_by: Option<String>,
    /// Whether that left no layer.
    #[serde(default)]
    pub empty_layer: bool,
}

#[derive(serde::Deserialize)]
struct RawConfig {
    architecture: String,
    os: String,
    variant: Option<String>,
    created: Option<String>,
    config: Option<RawRuntime>,
    rootfs: RawRootFs,
    #[serde(default)]
    history: Value,
}

#[derive(Default, serde::Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RawRuntime {
    user: Option<String>,
    env: Option<Vec<String>>,
    labels: Option<BTreeMap<String, Option<String>>>,
    // These decide on nothing here: what is written oddly makes no image unreadable.
    #[serde(default)]
    entrypoint: Value,
    #[serde(default)]
    cmd: Value,
    #[serde(default)]
    working_dir: Value,
    #[serde(default)]
    exposed_ports: Value,
    #[serde(default)]
    volumes: Value,
    #[serde(default)]
    stop_signal: Value,
}

#[derive(serde::Deserialize)]
struct RawRootFs {
    diff_ids: Option<Vec<Digest>>,
}

/// Reads the configuration of an image.
///
/// # Errors
/// Whatever is wrong with it, by name.
pub fn config(bytes: &[u8]) -> Result<Config, OciError> {
    const KIND: &str = "OCI configuration";
    limit(KIND, bytes.len() as u64, LONGEST_CONFIG)?;
    let raw: RawConfig = json(KIND, bytes)?;
    let inner = raw.config.unwrap_or_default();
    let given = |text: Option<String>| text.filter(|text| !text.is_empty());
    let pair = |line: String| match line.split_once('=') {
        Some((name, value)) => (name.to_owned(), value.to_owned()),
        None => (line, String::new()),
    };
    Ok(Config {
        architecture: raw.architecture,
        os: raw.os,
        variant: given(raw.variant),
        created: given(raw.created),
        user: given(inner.user),
        env: inner.env.unwrap_or_default().into_iter().map(pair).collect(),
        labels: inner.labels.unwrap_or_default().into_iter().map(|(k, v)| (k, v.unwrap_or_default())).collect(),
        entrypoint: words(inner.entrypoint),
        cmd: words(inner.cmd),
        workdir: given(word(inner.working_dir)),
        ports: keys(inner.exposed_ports),
        volumes: keys(inner.volumes),
        stop_signal: given(word(inner.stop_signal)),
        diff_ids: raw.rootfs.diff_ids.unwrap_or_default(),
        history: serde_json::from_value(raw.history).unwrap_or_default(),
    })
}

fn word(value: Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text),
        _ => None,
    }
}

/// A list of words; of old, Docker wrote a single one without the list.
fn words(value: Value) -> Vec<String> {
    match value {
        Value::Array(items) => items.into_iter().filter_map(word).collect(),
        other => word(other).into_iter().collect(),
    }
}

/// The keys of an object, which is how Docker writes sets.
fn keys(value: Value) -> BTreeSet<String> {
    match value {
        Value::Object(set) => set.into_iter().map(|(key, _)| key).collect(),
        _ => BTreeSet::new(),
    }
}

impl Config {
    /// The machine it is for, in its own words.
    #[must_use]
    pub fn platform(&self) -> super::IndexPlatform {
        super::IndexPlatform {
            os: shorten(&self.os),
            architecture: shorten(&self.architecture),
            variant: self.variant.as_deref().map(shorten),
        }
    }

    /// Whether it runs on a platform.
    #[must_use]
    pub fn is_for(&self, platform: &Platform) -> bool {
        self.os == Platform::OS && platform.accepts(&self.architecture, self.variant.as_deref())
    }

    /// The version that the labels state of the product in the image.
    ///
    /// Labels are inherited: on an image that was built on Ubuntu, `org.opencontainers.image.version` is Ubuntu's
    /// unless somebody replaced it. So a version counts only beside the name of a product that we know; the older
    /// `org.label-schema.version` also where no name stands beside it.
    #[must_use]
    pub fn product_version(&self) -> Option<Version> {
        let label = |name: &str| self.labels.get(name).map(String::as_str);
        let known = |name: &str| {
            let products = Product::ALL.iter().filter(|product| **product != Product::Generic);
            products.into_iter().any(|product| plain(name) == plain(product.as_str()))
        };
        let older = match label("org.label-schema.name") {
            Some(name) if !known(name) => None,
            _ => label("org.label-schema.version"),
        };
        let newer = match label("org.opencontainers.image.title") {
            Some(name) if known(name) => label("org.opencontainers.image.version"),
            _ => None,
        };
        older.and_then(version).or_else(|| newer.and_then(version))
    }

    /// The Java that the environment states.
    #[must_use]
    pub fn java_version(&self) -> Option<&str> {
        let found = self.env.iter().rev().find(|(name, _)| name == "JAVA_VERSION");
        found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty() && value.len() <= 100)
    }
}

/// `Fluent Bit`, `fluent-bit` and `fluentbit` are one name.
fn plain(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

/// Labels also hold commit hashes, `latest` and template text that nobody filled in.
fn version(text: &str) -> Option<Version> {
    let numbers = text.split(['-', '+', '_']).next().unwrap_or_default();
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|c| c.is_ascii_digit());
    let dotted = numbers.contains('.') && numbers.split('.').all(is_number);
    if dotted { text.parse().ok() } else { None }
}
