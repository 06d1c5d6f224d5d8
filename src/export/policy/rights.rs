//! What somebody is to be allowed.

use crate::name::{RecipeName, Reference};
use crate::project::Target;
use crate::recipe::Recipe;

/// What a push is to be allowed.
#[derive(Clone, Copy, Debug)]
pub struct Rights<'r> {
    /// The target's name.
    pub name: &'r str,
    /// The target.
    pub target: &'r Target,
    /// What is pushed there.
    pub recipes: &'r [(RecipeName, Recipe)],
    /// Where their bases are read, which may be a mirror.
    pub bases: &'r [Reference],
    /// Whether repositories are made and changed.
    pub provision: bool,
}
