//! What an AMI recipe says about the host, as the files that make it so.
//!
//! A recipe and its own files go in, a tree and its contents come out, so that both ways of delivery and every check on a
//! host mean the same files. Only what the recipe needs is written: no firewall rule, no firewall. What belongs into files
//! that the base's packages own is put under `/etc/elkbake`, and `host/apply.sh` merges it in on the host.

mod agent;
mod docker;
mod draft;
mod firewall;
mod host;
mod kernel;
mod release;
mod tmpfiles;

use std::path::Path;

use self::draft::Draft;
use super::{checks, storage};
use crate::contents::Contents;
use crate::local::Local;
use crate::name::ImagePath;
use crate::recipe::AmiRecipe;
use crate::tree::Tree;

/// Three files to read, one on the host.
const APPLY: &str =
    concat!(include_str!("host/apply.sh"), include_str!("host/apply/docker.sh"), include_str!("host/apply/start.sh"),);

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
    /// When one of the recipe's own files has the path of one that elkbake writes, which a check finds before, or cannot be
    /// read any more.
    pub fn of(ami: &AmiRecipe, local: &Local, project: &Path, identity: &Identity<'_>) -> Result<Self, TuningError> {
        let mut draft = written(ami, &docker::own_keys(local, project)?)?;
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

/// The paths that elkbake writes for a recipe.
pub(super) fn paths(ami: &AmiRecipe) -> Vec<ImagePath> {
    let written = written(ami, &[]).map(|draft| draft.finish().0).unwrap_or_default();
    written.into_iter().map(|(path, _)| path).chain(release::PATH.parse()).collect()
}

/// What elkbake itself writes for a recipe, whatever it is called. `daemon_keys` are those of a `daemon.json` among the
/// recipe's own files.
fn written(ami: &AmiRecipe, daemon_keys: &[String]) -> Result<Draft, TuningError> {
    let mut draft = Draft::default();
    draft.program("/usr/libexec/elkbake/apply", APPLY)?;
    kernel::write(&mut draft, ami)?;
    tmpfiles::write(&mut draft, ami)?;
    volumes(&mut draft, ami)?;
    docker::write(&mut draft, ami, daemon_keys)?;
    agent::write(&mut draft, ami)?;
    host::write(&mut draft, ami)?;
    firewall::write(&mut draft, ami)?;
    for (path, mode, bytes) in checks::files(ami) {
        draft.file(path, mode, bytes)?;
    }
    Ok(draft)
}

fn volumes(draft: &mut Draft, ami: &AmiRecipe) -> Result<(), TuningError> {
    storage::files(ami).into_iter().try_for_each(|(path, mode, bytes)| draft.file(&path, mode, bytes))?;
    storage::links(ami).iter().try_for_each(|(path, target)| draft.link(path, target))
}

#[cfg(test)]
mod tests;
