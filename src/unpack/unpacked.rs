//! What comes out of an archive.

use crate::contents::Contents;
use crate::tree::Tree;

/// What an archive holds: paths from its own root, modes as it states them, everything owned by `0:0`.
///
/// Every entry's folder is there, as a folder of 0755 where the archive does not mention it. The root is not.
#[derive(Clone, Debug, Default)]
pub struct Unpacked {
    /// Which files lie where.
    pub tree: Tree,
    /// Their bytes.
    pub contents: Contents,
}
