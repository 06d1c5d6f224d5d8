//! A recipe's own files, read from the checkout: content and paths count, owners and modes come from rules.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::name::ImagePath;
use crate::recipe::{FileRule, Glob};
use crate::tree::Tree;

/// The files of one recipe.
#[derive(Clone, Debug, Default)]
pub struct Local {
    /// What they become in the image or on the host.
    pub tree: Tree,
    /// Where each file's bytes are: its path from the project's folder.
    pub sources: BTreeMap<ImagePath, PathBuf>,
}

/// Why a recipe's files could not be read.
#[derive(Debug, thiserror::Error)]
pub enum LocalError {}

/// Reads the folder (`images/NAME`) of a recipe in a project. A folder that is not there is an empty one.
///
/// # Errors
/// When something in it cannot be read or may not be in an image.
pub fn read(project: &Path, folder: &str, rules: &BTreeMap<Glob, FileRule>) -> Result<Local, LocalError> {
    let _ = (project, folder, rules);
    todo!()
}
