//! What is planned of an image: its layers on each platform, from the bottom up.

use std::fmt;

use crate::digest::Digest;
use crate::name::{Platform, Repository};
use crate::recipe::{From, Product, Version};

/// What a bake makes of an image recipe.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct ImagePlan {
    /// Whose rules it has to keep.
    pub product: Product,
    /// The version of that.
    pub version: Version,
    /// The repository in each target.
    pub repository: Repository,
    /// What it is built on.
    pub from: From,
    /// The image on each platform.
    pub platforms: Vec<PlatformPlan>,
}

/// An image on one platform.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct PlatformPlan {
    /// Which platform.
    pub platform: Platform,
    /// Its layers, from the bottom up.
    pub layers: Vec<PlannedLayer>,
}

/// One layer.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct PlannedLayer {
    /// What is in it.
    #[serde(flatten)]
    pub what: LayerKind,
    /// The digest of all that decides on its bytes: the store and registries find a ready layer by it.
    pub input: Digest,
    /// The layer's own digest, where it is made already by others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// The bytes it has in a registry, where they are known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// The bytes it is made from, where they are known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_size: Option<u64>,
}

/// What is in a layer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(tag = "what", content = "name", rename_all = "lowercase")]
pub enum LayerKind {
    /// A layer of the base, taken as it is.
    Base,
    /// Paths of the base that are not to be seen any more.
    Remove,
    /// An archive.
    Archive(String),
    /// A plugin.
    Plugin(String),
    /// Jars without some of their classes.
    Jar(String),
    /// What a command leaves behind.
    Run(String),
    /// The recipe's own files.
    Files,
}

impl fmt::Display for LayerKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Base => f.write_str("base"),
            Self::Remove => f.write_str("remove"),
            Self::Archive(name) => write!(f, "archive {name}"),
            Self::Plugin(name) => write!(f, "plugin {name}"),
            Self::Jar(name) => write!(f, "jar {name}"),
            Self::Run(name) => write!(f, "run {name}"),
            Self::Files => f.write_str("files"),
        }
    }
}
