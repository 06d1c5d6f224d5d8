//! What lies below a layer: the image so far, as far as anybody asks.

use crate::name::ImagePath;
use crate::tree::{Entry, Tree};

/// Why an answer could not be had: layers may have to be fetched for it, and may be wrong.
pub type BelowError = Box<dyn std::error::Error + Send + Sync>;

/// The image that a layer is put on. Asking may fetch and read layers, so nobody asks without need.
pub trait Below: Sync {
    /// What lies at a path; links on the way or at the end are not followed.
    ///
    /// # Errors
    /// When the layers cannot be had or read.
    fn entry(&self, path: &ImagePath) -> Result<Option<Entry>, BelowError>;

    /// The names in a folder, sorted; none where there is no such folder.
    ///
    /// # Errors
    /// When the layers cannot be had or read.
    fn names(&self, folder: &ImagePath) -> Result<Vec<String>, BelowError>;

    /// All bytes of a file; `None` where there is no such file.
    ///
    /// # Errors
    /// When it is longer than `limit`; when the layers cannot be had or read.
    fn bytes(&self, path: &ImagePath, limit: u64) -> Result<Option<Vec<u8>>, BelowError>;
}

/// An image whose files are all at hand.
#[derive(Clone, Debug, Default)]
pub struct AtHand {
    /// Which files lie where.
    pub tree: Tree,
    /// Their bytes.
    pub contents: crate::contents::Contents,
}

impl Below for AtHand {
    fn entry(&self, path: &ImagePath) -> Result<Option<Entry>, BelowError> {
        Ok(self.tree.get(path).cloned())
    }

    fn names(&self, folder: &ImagePath) -> Result<Vec<String>, BelowError> {
        Ok(self.tree.names(folder).map(str::to_owned).collect())
    }

    fn bytes(&self, path: &ImagePath, limit: u64) -> Result<Option<Vec<u8>>, BelowError> {
        match self.tree.get(path).map(|entry| &entry.node) {
            Some(crate::tree::Node::File { digest, .. }) => Ok(Some(self.contents.bytes(digest, limit)?)),
            _ => Ok(None),
        }
    }
}
