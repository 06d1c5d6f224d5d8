//! Archives from anywhere, read with suspicion.
//!
//! Whoever made an archive may have wanted to write outside of it, to fill the disk, or to show two readers two
//! different things. What is refused is refused with the entry's name, before anything is made of the rest.

use crate::contents::Contents;
use crate::tree::Tree;

/// What an archive holds: paths from its own root, modes as it states them, everything owned by `0:0`.
#[derive(Clone, Debug, Default)]
pub struct Unpacked {
    /// Which files lie where.
    pub tree: Tree,
    /// Their bytes.
    pub contents: Contents,
}
