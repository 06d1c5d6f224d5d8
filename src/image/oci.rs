//! The JSON documents of images, read strictly from bytes that nobody vouches for but their digest.
//!
//! The few fields that count are read into types of our own: `oci-spec` keeps maps in random order, takes any
//! text for a digest, and its errors do not say which document was wrong.

mod config;
mod document;
mod raw;
mod read;

pub use config::{Config, History, config};
pub use document::{
    Descriptor, Document, Index, IndexEntry, IndexPlatform, LAYER_TAR, LONGEST_CONFIG, LONGEST_MANIFEST, Manifest,
    OciError, REF_NAME,
};
pub use read::{document, layout_index};

#[cfg(test)]
mod tests;
