//! A layer, once it is made.

use crate::digest::Digest;

/// A layer whose bytes are in the store.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Layer {
    /// The compressed bytes.
    pub digest: Digest,
    /// How many.
    pub size: u64,
    /// The tar stream inside.
    pub diff_id: Digest,
    /// How long that is.
    pub unpacked: u64,
    /// What it is called in manifests.
    pub media_type: String,
    /// The text of its listing, a blob of the store too.
    pub listing: Digest,
}
