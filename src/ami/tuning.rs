//! What an AMI recipe says about the host, as the files that make it so.
//!
//! Pure: a recipe and its own files go in, a tree and its contents come out, so that both ways of delivery and every
//! check on a host mean the same files. Only what the recipe needs is written: no firewall rule, no firewall.

mod docker;
mod draft;
mod kernel;
mod release;

use std::path::Path;

use self::draft::Draft;
use crate::contents::Contents;
use crate::local::Local;
use crate::recipe::AmiRecipe;
use crate::tree::Tree;

pub use draft::TuningError;
pub use release::Identity;

/// All files that make a host what its recipe says.
#[derive(Clone, Debug)]
pub struct Tuning {
    tree: Tree,
    contents: Contents,
}

impl Tuning {
    /// The tuning of a recipe with its own files, which lie in the project's folder. Folders are in it only where their
    /// owner or mode is meant: all others are as the base has them, or 0755 of root's.
    ///
    /// # Errors
    /// When one of the recipe's own files has the path of one that elkbake writes, which a check finds before.
    pub fn of(ami: &AmiRecipe, local: &Local, project: &Path, identity: &Identity<'_>) -> Result<Self, TuningError> {
        let mut draft = written(ami)?;
        release::write(&mut draft, identity)?;
        draft.add_local(local, project)?;
        let (tree, contents) = draft.finish();
        Ok(Self { tree, contents })
    }

    /// Which files lie where.
    #[must_use]
    pub fn tree(&self) -> &Tree {
        &self.tree
    }

    /// Their bytes.
    #[must_use]
    pub fn contents(&self) -> &Contents {
        &self.contents
    }
}

/// What elkbake itself writes for a recipe, whatever it is called.
fn written(ami: &AmiRecipe) -> Result<Draft, TuningError> {
    let mut draft = Draft::default();
    kernel::write(&mut draft, ami)?;
    docker::write(&mut draft, ami)?;
    Ok(draft)
}

#[cfg(test)]
mod tests;
