//! A tuning while it is put together.

use std::path::Path;

use crate::ami::lean::lean;
use crate::contents::Contents;
use crate::local::{Local, LocalError};
use crate::name::{ImagePath, NameError};
use crate::tree::{Entry, Mode, Node, Owner, Said, Tree};

/// Why there is no tuning.
#[derive(Debug, thiserror::Error)]
pub enum TuningError {
    /// One path has two files.
    #[error("{0} is written by elkbake itself: say it in the recipe, or give the file another name")]
    Taken(ImagePath),
    /// A path that is none.
    #[error(transparent)]
    Name(#[from] NameError),
    /// One of the recipe's own files cannot be read any more.
    #[error(transparent)]
    Local(#[from] LocalError),
}

#[derive(Debug, Default)]
pub(super) struct Draft {
    tree: Tree,
    contents: Contents,
}

impl Draft {
    /// Adds a file that people and programs read.
    pub(super) fn text(&mut self, path: &str, text: impl Into<String>) -> Result<(), TuningError> {
        self.file(path, Mode::new(0o644), text.into().into_bytes())
    }

    /// Adds a program.
    pub(super) fn program(&mut self, path: &str, text: &str) -> Result<(), TuningError> {
        self.file(path, Mode::new(0o755), text.as_bytes().to_vec())
    }

    /// Adds a file of root's that elkbake writes: what is to be run is a program.
    pub(super) fn file(&mut self, path: &str, mode: Mode, bytes: Vec<u8>) -> Result<(), TuningError> {
        let program = std::str::from_utf8(&bytes).ok().filter(|_| mode == Mode::new(0o755)).map(lean);
        let bytes = program.map_or(bytes, String::into_bytes);
        let node = self.contents.add_bytes(bytes);
        self.put(path.parse()?, mode, node)
    }

    /// Adds a symbolic link.
    pub(super) fn link(&mut self, path: &str, target: &str) -> Result<(), TuningError> {
        self.put(path.parse()?, Mode::new(0o777), Node::Link(target.to_owned()))
    }

    /// Adds what makes systemd start a unit of elkbake's own with another unit, or before it.
    pub(super) fn wanted(&mut self, unit: &str, by: &[&str], how: &str) -> Result<(), TuningError> {
        by.iter().try_for_each(|by| {
            self.link(&format!("/etc/systemd/system/{by}.{how}/{unit}"), &format!("/etc/systemd/system/{unit}"))
        })
    }

    fn put(&mut self, path: ImagePath, mode: Mode, node: Node) -> Result<(), TuningError> {
        let entry = Entry { mode, owner: Owner::default(), node };
        match self.tree.insert(path.clone(), entry) {
            None => Ok(()),
            Some(_) => Err(TuningError::Taken(path)),
        }
    }

    /// Adds the recipe's own files. A folder of which nothing is said is no more than the way to a file.
    pub(super) fn add_local(&mut self, local: &Local, project: &Path) -> Result<(), TuningError> {
        self.contents.add_folder(project.join(&local.folder), local.files());
        for (path, entry) in local.tree.iter() {
            if entry.node == Node::Folder && said(local, path) == Said::default() {
                continue;
            }
            if self.tree.insert(path.clone(), entry.clone()).is_some() {
                return Err(TuningError::Taken(path.clone()));
            }
        }
        Ok(())
    }

    pub(super) fn finish(self) -> (Tree, Contents) {
        (self.tree, self.contents)
    }
}

fn said(local: &Local, path: &ImagePath) -> Said {
    local.said.get(path).copied().unwrap_or_default()
}
