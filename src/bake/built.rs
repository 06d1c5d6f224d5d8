//! What a bake made: kept in the store under the plan's key, and all that later steps need to know.

use crate::digest::Digest;
use crate::image::oci::Descriptor;
use crate::name::Platform;
use crate::plan::LayerKind;
use crate::product::PluginFacts;

/// The annotation with the key that an image was made under.
pub const KEY: &str = "elkbake.key";

/// The annotation with the digest of what an image was built on.
pub const BASE_DIGEST: &str = "org.opencontainers.image.base.digest";

/// An image on all its platforms.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Built {
    /// The key it was made under.
    pub key: Digest,
    /// The index, where there is more than one platform.
    pub index: Option<Descriptor>,
    /// The image on each platform, in the recipe's order; never empty.
    pub platforms: Vec<BuiltImage>,
}

/// An image on one platform.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct BuiltImage {
    /// Which platform.
    pub platform: Platform,
    /// Its OCI manifest, a blob of the store.
    pub manifest: Descriptor,
    /// Its configuration, a blob of the store.
    pub config: Descriptor,
    /// Its layers, from the bottom up.
    pub layers: Vec<BuiltLayer>,
    /// The plugins that were added, in the recipe's order.
    pub plugins: Vec<PluginFacts>,
}

/// One layer. Those of the base need not be in the store.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct BuiltLayer {
    /// What is in it.
    #[serde(flatten)]
    pub what: LayerKind,
    /// Where its compressed bytes are.
    pub descriptor: Descriptor,
    /// The tar stream inside.
    pub diff_id: Digest,
    /// The text of its listing, where it was read or made.
    pub listing: Option<Digest>,
}

impl Built {
    /// What a registry is asked for to get all of it.
    #[must_use]
    pub fn top(&self) -> Option<&Descriptor> {
        self.index.as_ref().or_else(|| self.platforms.first().map(|image| &image.manifest))
    }
}
