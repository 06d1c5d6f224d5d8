//! A layer: what goes into one, and what is known of it once it is made.

mod order;
mod write;

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use crate::contents::Contents;
use crate::digest::Digest;
use crate::image::tar::Attribute;
use crate::name::ImagePath;
use crate::recipe::Compression;
use crate::store::StoreError;
use crate::tree::Amended;

pub use write::{write, write_plain};

/// What goes into a layer.
#[derive(Clone, Copy, Debug)]
pub struct Spec<'a> {
    /// What it puts where.
    pub tree: &'a Amended<'a>,
    /// Paths below that it removes. One that it also puts is replaced: nothing shines through from below.
    pub removed: &'a BTreeSet<ImagePath>,
    /// The bytes of the tree's files.
    pub contents: &'a Contents,
    /// What is to be said of its files beside.
    pub beside: &'a Beside,
    /// How it is compressed.
    pub compression: Compression,
}

/// What a tree does not say of its files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Beside {
    /// Which files are further names of others, by the first of the names, which the tree has too.
    pub twins: BTreeMap<ImagePath, ImagePath>,
    /// Extended attributes; of a file with several names, at the first of them.
    pub attributes: BTreeMap<ImagePath, Vec<Attribute>>,
}

impl Beside {
    /// Nothing.
    pub const NOTHING: &'static Self = &Self { twins: BTreeMap::new(), attributes: BTreeMap::new() };
}

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

/// Why a layer could not be made.
#[derive(Debug, thiserror::Error)]
pub enum LayerError {
    /// The bytes of a file cannot be had, or are others than they were.
    #[error("{path} cannot be put into a layer: {source}")]
    Content {
        /// The file's place in the image.
        path: ImagePath,
        /// Why.
        source: io::Error,
    },
    /// Engines would take a name for something else, or could not take it at all.
    #[error("{path} cannot be in a layer: {why}")]
    Entry {
        /// The entry's place in the image.
        path: ImagePath,
        /// Why.
        why: String,
    },
    /// The layer cannot be put into the store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Whoever was told of the progress wants it to end, or the compressor failed.
    #[error("the layer was not made to its end: {0}")]
    Ended(#[source] io::Error),
}
