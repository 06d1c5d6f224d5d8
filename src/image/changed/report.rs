//! What an engine says of a container, and what a layer holds of that.

use std::collections::BTreeSet;

use crate::contents::Contents;
use crate::image::below::BelowError;
use crate::image::layer::Beside;
use crate::image::scan::ScanError;
use crate::name::ImagePath;
use crate::tree::Tree;

/// What engines put into containers, whatever the image has there.
const OF_ENGINES: [&str; 10] = [
    "/.dockerenv",
    "/dev",
    "/etc/hostname",
    "/etc/hosts",
    "/etc/mtab",
    "/etc/resolv.conf",
    "/proc",
    "/run/.containerenv",
    "/run/secrets",
    "/sys",
];

/// What an engine says of a container, and what of it counts.
#[derive(Clone, Copy)]
pub struct Report<'a> {
    /// Paths that are new or others. `None` where the engine cannot tell: then all that it sends is held against what lies
    /// below.
    pub touched: Option<&'a BTreeSet<ImagePath>>,
    /// Paths that are gone, or were before they were filled anew, as far as the engine tells.
    pub removed: &'a BTreeSet<ImagePath>,
    /// Where something was mounted.
    pub mounts: &'a [ImagePath],
    /// What is not to be in the layer, with all that is in it.
    pub left_out: &'a dyn Fn(&ImagePath) -> bool,
}

/// What a layer has to hold.
#[derive(Clone, Debug)]
pub struct Changed {
    /// What it puts where.
    pub tree: Tree,
    /// What it removes.
    pub removed: BTreeSet<ImagePath>,
    /// Hard links and extended attributes.
    pub beside: Beside,
    /// The bytes of its files.
    pub contents: Contents,
}

/// Why a change is in no layer.
#[derive(Debug, thiserror::Error)]
pub enum ChangedError {
    /// The engine's stream cannot be read.
    #[error("the files of the container: {0}")]
    Stream(#[from] ScanError),
    /// The image below cannot be read.
    #[error(transparent)]
    Below(#[from] BelowError),
    /// Layers hold no such thing.
    #[error(
        "{path} is {what}, which a layer does not hold: remove it at the end of the command, or name it in `except`"
    )]
    Kind {
        /// What was left there.
        path: String,
        /// What it is.
        what: &'static str,
    },
}

impl Report<'_> {
    /// Whether a path may be another than it was below.
    pub(super) fn is_touched(&self, path: &ImagePath) -> bool {
        let is_told = |touched: &BTreeSet<ImagePath>| touched.contains(path) || self.removed.contains(path);
        self.touched.is_none_or(is_told) && !self.is_out(path)
    }

    /// Whether a path is the engine's or a mount's, or to be left out.
    pub(super) fn is_out(&self, path: &ImagePath) -> bool {
        let mut at = Some(path.clone());
        while let Some(this) = at {
            if OF_ENGINES.contains(&this.as_str()) || self.mounts.contains(&this) || (self.left_out)(&this) {
                return true;
            }
            at = this.parent();
        }
        false
    }

    /// The paths in which engines make folders for their own.
    pub(super) fn engines(&self) -> impl Iterator<Item = ImagePath> {
        OF_ENGINES.iter().filter_map(|path| path.parse().ok()).chain(self.mounts.iter().cloned())
    }
}
