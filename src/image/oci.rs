//! The JSON documents of images, read strictly from bytes that nobody vouches for but their digest.
//!
//! The few fields that count are read into types of our own: `oci-spec` keeps maps in random order, takes any
//! text for a digest, and its errors do not say which document was wrong.

mod config;
mod raw;

use crate::digest::Digest;

pub use config::{Config, config};

/// Longer manifests are refused. Registries promise to take 4 MiB and no more.
pub const LONGEST_MANIFEST: u64 = 4 << 20;

/// Longer configurations are refused: they hold one line of history for each layer.
pub const LONGEST_CONFIG: u64 = 8 << 20;

/// More layers than any engine stacks.
const MOST_LAYERS: usize = 1000;

/// More platforms and attestations than anybody builds.
const MOST_ENTRIES: usize = 1000;

/// A layer as a plain tarball.
pub const LAYER_TAR: &str = "application/vnd.oci.image.layer.v1.tar";

const INDEX_TYPES: [&str; 2] =
    ["application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json"];
const MANIFEST_TYPES: [&str; 2] =
    ["application/vnd.oci.image.manifest.v1+json", "application/vnd.docker.distribution.manifest.v2+json"];
const CONFIG_TYPES: [&str; 2] =
    ["application/vnd.oci.image.config.v1+json", "application/vnd.docker.container.image.v1+json"];
const LAYER_TYPES: [&str; 6] = [
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
#[derive(Clone, Debug, PartialEq, Eq)]
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

/// Reads a manifest or an index. `media_type` is what the registry or a descriptor says it is; a document that
/// says something else of itself is refused, because two readers would take it for two things.
///
/// # Errors
/// Whatever is wrong with it, by name.
pub fn document(media_type: &str, bytes: &[u8]) -> Result<Document, OciError> {
    const KIND: &str = "OCI manifest";
    let said = media_type.split(';').next().unwrap_or_default().trim();
    limit(KIND, bytes.len() as u64, LONGEST_MANIFEST)?;
    if INDEX_TYPES.contains(&said) {
        return raw::index(said, bytes).map(Document::Index);
    }
    if MANIFEST_TYPES.contains(&said) {
        return raw::manifest(said, bytes).map(Document::Manifest);
    }
    let help = if said.starts_with("application/vnd.docker.distribution.manifest.v1") {
        "this format of 2015 has no digests of its parts; push the image again with any Docker from 1.10 on"
    } else {
        "an image has an OCI or Docker (schema 2) manifest or index"
    };
    Err(OciError::MediaType { subject: format!("the {KIND}"), found: shorten(said), help })
}

/// Reads the `index.json` of an OCI layout, which need not say what it is.
///
/// # Errors
/// Whatever is wrong with it, by name.
pub fn layout_index(bytes: &[u8]) -> Result<Index, OciError> {
    limit("OCI index", bytes.len() as u64, LONGEST_MANIFEST)?;
    raw::index(INDEX_TYPES[0], bytes)
}

/// A text from outside, short enough for an error.
fn shorten(text: &str) -> String {
    text.chars().take(100).collect()
}

fn limit(kind: &'static str, size: u64, limit: u64) -> Result<(), OciError> {
    if size > limit { Err(OciError::TooLong { kind, size, limit }) } else { Ok(()) }
}

#[cfg(test)]
mod tests;
