//! What the documents of images say, what they may be called, and what can be wrong with them.

use std::collections::BTreeMap;

use crate::digest::Digest;

/// Longer manifests are refused. Registries promise to take 4 MiB and no more.
pub const LONGEST_MANIFEST: u64 = 4 << 20;

/// Longer configurations are refused: they hold one line of history for each layer.
pub const LONGEST_CONFIG: u64 = 8 << 20;

/// More layers than any engine stacks.
pub(super) const MOST_LAYERS: usize = 1000;

/// More platforms and attestations than anybody builds.
pub(super) const MOST_ENTRIES: usize = 1000;

/// A layer as a plain tarball.
pub const LAYER_TAR: &str = "application/vnd.oci.image.layer.v1.tar";

/// The annotation that names an image in a layout: its tag, as a rule.
pub const REF_NAME: &str = "org.opencontainers.image.ref.name";

pub(super) const INDEX_TYPES: [&str; 2] =
    ["application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json"];
pub(super) const MANIFEST_TYPES: [&str; 2] =
    ["application/vnd.oci.image.manifest.v1+json", "application/vnd.docker.distribution.manifest.v2+json"];
pub(super) const CONFIG_TYPES: [&str; 2] =
    ["application/vnd.oci.image.config.v1+json", "application/vnd.docker.container.image.v1+json"];
pub(super) const LAYER_TYPES: [&str; 6] = [
    LAYER_TAR,
    "application/vnd.oci.image.layer.v1.tar+gzip",
    "application/vnd.oci.image.layer.v1.tar+zstd",
    "application/vnd.docker.image.rootfs.diff.tar",
    "application/vnd.docker.image.rootfs.diff.tar.gzip",
    "application/vnd.docker.image.rootfs.diff.tar.zstd",
];

/// Why bytes are no document of an image.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OciError {
    /// Nothing that long is read.
    #[error("the {kind} has {size} bytes; up to {limit} are read")]
    TooLong {
        /// What it should be.
        kind: &'static str,
        /// How long it is.
        size: u64,
        /// How long it may be.
        limit: u64,
    },
    /// No JSON, or a field that is missing or of another kind.
    #[error("the {kind} cannot be read: {message}")]
    Json {
        /// What it should be.
        kind: &'static str,
        /// What is wrong, and where.
        message: String,
    },
    /// A kind of document or of content that images are not made of.
    #[error("{subject} has the media type `{found}`: {help}")]
    MediaType {
        /// Which document or part.
        subject: String,
        /// What it says it is.
        found: String,
        /// What that means.
        help: &'static str,
    },
    /// It can be read, and makes no sense.
    #[error("the {kind} is wrong: {message}")]
    Wrong {
        /// What it should be.
        kind: &'static str,
        /// What is wrong.
        message: String,
    },
}

/// Points to bytes.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Descriptor {
    /// Which bytes.
    pub digest: Digest,
    /// How many.
    pub size: u64,
    /// What they are.
    pub media_type: String,
}

/// An image for one platform.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// Its configuration.
    pub config: Descriptor,
    /// Its layers, from the bottom up.
    pub layers: Vec<Descriptor>,
    /// What it says beside.
    pub annotations: BTreeMap<String, String>,
}

/// What an index says of the machine that an entry is for, in its own words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexPlatform {
    /// The operating system: `linux`.
    pub os: String,
    /// The processor: `amd64`.
    pub architecture: String,
    /// The processor's variant: `v8`.
    pub variant: Option<String>,
}

impl std::fmt::Display for IndexPlatform {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        self.variant.iter().try_for_each(|variant| write!(f, "/{variant}"))
    }
}

/// One image or further index of an index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexEntry {
    /// The machine it is for; layouts often leave it to the configuration.
    pub platform: Option<IndexPlatform>,
    /// Where it is.
    pub descriptor: Descriptor,
    /// What it is called, in a layout.
    pub ref_name: Option<String>,
}

impl IndexEntry {
    /// Whether this leads to a further index.
    #[must_use]
    pub fn is_index(&self) -> bool {
        INDEX_TYPES.contains(&self.descriptor.media_type.as_str())
    }
}

/// The same image for several platforms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Index {
    /// Its images, in its own order; attestations are left out.
    pub entries: Vec<IndexEntry>,
}

/// What a registry holds under a tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Document {
    /// Several platforms.
    Index(Index),
    /// One.
    Manifest(Manifest),
}

/// A text from outside, short enough for an error.
pub(super) fn shorten(text: &str) -> String {
    text.chars().take(100).collect()
}

pub(super) fn limit(kind: &'static str, size: u64, limit: u64) -> Result<(), OciError> {
    if size > limit { Err(OciError::TooLong { kind, size, limit }) } else { Ok(()) }
}
