//! A recipe's own files, read from the checkout: content and paths count, owners and modes come from rules.
//!
//! A checkout's owners, modes and times differ from machine to machine (umask, Git's one executable bit), so none
//! of them is looked at. Without a rule a folder is 0755, a file 0644, a file directly inside a folder called `bin`
//! or `sbin` 0755, and all belong to `0:0`. A pattern that ends in a slash is for folders, and only such a one says
//! their mode: what makes files 0640 would otherwise lock up the folders that they are in. Two kinds of files never reach an image: `.gitkeep`, which stands for an
//! empty folder because Git knows none, and `.DS_Store`, which a file manager drops everywhere.

mod seen;
mod walk;

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use crate::digest::Digest;
use crate::name::{ImagePath, NameError};
use crate::tree::{Node, Said, Tree};

pub use seen::Seen;
pub use walk::{read, read_again};

/// Of a longer file only this much is looked at by checks.
pub const LONGEST_CHECKED_TEXT: u64 = 1 << 20;

/// Where a NUL says that a file is no text, as Git tells them apart.
const BINARY_PROBE: usize = 8 << 10;

/// The files of one recipe.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Local {
    /// What they become in the image or on the host.
    pub tree: Tree,
    /// Where they are: the path of the folder that holds them from the project's folder.
    pub folder: PathBuf,
    /// Folders of which a rule says the owner or the mode. All others stay as an image has them that has them already.
    pub said: BTreeMap<ImagePath, Said>,
}

/// Why a recipe's files could not be read.
#[derive(Debug, thiserror::Error)]
pub enum LocalError {
    /// The operating system says no.
    #[error("{path} cannot be read: {source}")]
    Unreadable {
        /// What, from the project's folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Something else than a folder stands where the recipe's files belong.
    #[error("{0} is no folder: the files of a recipe are in a folder of its name")]
    NoFolder(PathBuf),
    /// The recipe's folder, or one above it, is a link to somewhere else.
    #[error("{path} is a link that leaves the project, to {target}: put the files themselves there")]
    LeavesProject {
        /// The folder.
        path: PathBuf,
        /// Where it is in truth.
        target: PathBuf,
    },
    /// A link points above the root of the image.
    #[error("{path} is a link to `{target}`, which lies above the root of the image: link to a path inside it")]
    LeavesImage {
        /// The link.
        path: PathBuf,
        /// The text it holds.
        target: String,
    },
    /// A device, a socket or a pipe.
    #[error("{path} is a {kind}: only files, folders and symbolic links can be in an image")]
    Special {
        /// What.
        path: PathBuf,
        /// Of which kind.
        kind: &'static str,
    },
    /// A name that is not UTF-8.
    #[error("the name {0:?} is not UTF-8: rename it")]
    Encoding(PathBuf),
    /// A link whose target is not UTF-8.
    #[error("{0} is a link to a name that is not UTF-8: rename its target")]
    LinkEncoding(PathBuf),
    /// A name that no image can hold.
    #[error("{path} cannot be in an image: {source}")]
    Name {
        /// What.
        path: PathBuf,
        /// Why.
        source: NameError,
    },
}

impl Local {
    /// The files among them, with the digests of their bytes.
    pub fn files(&self) -> impl Iterator<Item = (&ImagePath, &Digest)> {
        self.tree.iter().filter_map(|(path, entry)| match &entry.node {
            Node::File { digest, .. } => Some((path, digest)),
            Node::Folder | Node::Link(_) => None,
        })
    }

    /// Whether a file is among them.
    #[must_use]
    pub fn has_file(&self, path: &ImagePath) -> bool {
        self.tree.get(path).is_some_and(|entry| matches!(entry.node, Node::File { .. }))
    }

    /// Where one of them is, from the project's folder.
    #[must_use]
    pub fn source(&self, path: &ImagePath) -> PathBuf {
        self.folder.join(path.as_str().trim_start_matches('/'))
    }

    /// The text of one of the files, for checks: `None` where there is no such file or it is no text.
    ///
    /// Of a file of more than [`LONGEST_CHECKED_TEXT`] bytes it is the beginning; what is not UTF-8 is replaced.
    ///
    /// # Errors
    /// When the file cannot be read any more.
    pub fn text(&self, project: &Path, path: &ImagePath) -> Result<Option<String>, LocalError> {
        if !self.has_file(path) {
            return Ok(None);
        }
        let source = self.source(path);
        let fail = |error| LocalError::Unreadable { path: source.clone(), source: error };
        let mut file = open(&project.join(&source)).map_err(fail)?;
        // Most big files show with their beginning that they are no texts.
        let mut bytes = Vec::with_capacity(BINARY_PROBE);
        file.by_ref().take(BINARY_PROBE as u64).read_to_end(&mut bytes).map_err(fail)?;
        if bytes.contains(&0) {
            return Ok(None);
        }
        if bytes.len() == BINARY_PROBE {
            file.take(LONGEST_CHECKED_TEXT - BINARY_PROBE as u64).read_to_end(&mut bytes).map_err(fail)?;
        }
        let lossy = |error: std::string::FromUtf8Error| String::from_utf8_lossy(error.as_bytes()).into_owned();
        Ok(Some(String::from_utf8(bytes).unwrap_or_else(lossy)))
    }
}

/// Opens a file that was seen to be one. Should a link or a pipe have taken its place since, it fails, and at once.
fn open(path: &Path) -> io::Result<File> {
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
    OpenOptions::new().read(true).custom_flags(flags).open(path)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::fs;

    use super::*;

    #[test]
    fn texts_are_given_to_checks_and_binaries_are_not() {
        let long = "x".repeat(3 << 20);
        let files = [("images/es/t", "ä"), ("images/es/b", "a\0b"), ("images/es/long", long.as_str())];
        let project = tempfile::TempDir::new().unwrap();
        fs::create_dir_all(project.path().join("images/es")).unwrap();
        for (path, text) in files {
            fs::write(project.path().join(path), text).unwrap();
        }
        fs::write(project.path().join("images/es/latin"), b"\xe4").unwrap();
        let local = read(project.path(), "images/es", &BTreeMap::new()).unwrap();
        let text = |path: &str| local.text(project.path(), &path.parse().unwrap()).unwrap();
        assert_eq!(text("/t").as_deref(), Some("ä"));
        assert_eq!(text("/b"), None);
        assert_eq!(text("/none"), None);
        assert_eq!(text("/latin").as_deref(), Some("\u{fffd}"));
        assert_eq!(text("/long").unwrap().len(), 1 << 20);
        fs::remove_file(project.path().join("images/es/t")).unwrap();
        assert!(local.text(project.path(), &"/t".parse().unwrap()).is_err());
    }
}
