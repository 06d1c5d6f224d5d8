//! The manifest as a file: read, changed and put back whole, by one run at a time.
//!
//! Runs that push different recipes at once each add theirs to what the others wrote. The lock for that is the folder
//! that the file is in, so that no lock file is left for anybody to ignore; it goes with the process that has it.

use std::fs::{self, File, Metadata};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{MetadataExt, fchown};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use super::interrupt::Interrupt;
use crate::aside::{self, Turn};
use crate::record::{self, LONGEST_MANIFEST, Manifest, RecordError};

/// Links that lead to links are followed this far, as the system does.
const MOST_LINKS: usize = 40;

/// How often a change is tried anew because somebody without a lock wrote in between.
const TRIES: usize = 20;

/// Why a manifest could not be read or changed.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// It is no manifest, of a newer format, or too long.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// It has the records of another target.
    #[error("{} has the records of target `{found}`, not of `{wanted}`", path.display())]
    OtherTarget {
        /// The file.
        path: PathBuf,
        /// The target that it says.
        found: String,
        /// The target that is wanted.
        wanted: String,
    },
    /// The file cannot be read or written.
    #[error("{action} {}: {source}", path.display())]
    Io {
        /// What was tried: `cannot write`.
        action: &'static str,
        /// Which file or folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The user asked to stop.
    #[error("interrupted")]
    Interrupted,
}

impl LedgerError {
    fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { action, path: path.to_owned(), source }
    }
}

/// Reads and changes manifests.
#[derive(Clone, Copy, Debug)]
pub struct Ledger<'i> {
    interrupt: &'i Interrupt,
}

impl<'i> Ledger<'i> {
    /// Waits for other runs as long as nobody wants to stop.
    #[must_use]
    pub fn new(interrupt: &'i Interrupt) -> Self {
        Self { interrupt }
    }

    /// What was recorded of a target; `None` where nothing was yet.
    ///
    /// # Errors
    /// When the file cannot be read, is no manifest, or is another target's.
    pub fn read(&self, path: &Path, target: &str) -> Result<Option<Manifest>, LedgerError> {
        let manifest = Self::whole(path, path)?;
        if let Some(manifest) = manifest.as_ref().filter(|manifest| manifest.target != target) {
            return Err(LedgerError::OtherTarget {
                path: path.to_owned(),
                found: manifest.target.clone(),
                wanted: target.to_owned(),
            });
        }
        Ok(manifest)
    }

    /// What a file says, of whichever target; `None` where there is no such file. Errors call it `name`.
    ///
    /// # Errors
    /// When it cannot be read, or is no manifest.
    pub fn whole(path: &Path, name: &Path) -> Result<Option<Manifest>, LedgerError> {
        match bytes(path).map_err(LedgerError::io("cannot read", name))? {
            Some(bytes) => Ok(Some(record::parse(name, &bytes)?)),
            None => Ok(None),
        }
    }

    /// Changes the manifest of a target and writes it back, if it is another one then; tells whether it was. A file
    /// that is not there is made, and its folder too. Where the path is a link, the file that it leads to is changed.
    ///
    /// `change` may be called more than once, each time with what the file says now.
    ///
    /// # Errors
    /// When the file cannot be read or written, is no manifest, or is another target's: it is as it was then.
    pub fn update(
        &self,
        path: &Path,
        target: &str,
        mut change: impl FnMut(&mut Manifest),
    ) -> Result<bool, LedgerError> {
        let place = followed(path).map_err(LedgerError::io("cannot read", path))?;
        let folder = aside::folder_of(&place);
        fs::create_dir_all(folder).map_err(LedgerError::io("cannot make", folder))?;
        let turn = aside::wait_for(folder, &|| self.interrupt.requested());
        let turn = match turn.map_err(LedgerError::io("cannot lock", folder))? {
            Turn::Stopped => return Err(LedgerError::Interrupted),
            turn => turn,
        };
        for _ in 0..TRIES {
            let before = self.read(&place, target)?;
            let old = before.clone().unwrap_or_else(|| Manifest::new(target));
            let mut manifest = old.clone();
            change(&mut manifest);
            if manifest == old {
                return Ok(false);
            }
            let text = manifest.to_text(&place)?;
            let file = written(&place, &text, matches!(turn, Turn::Mine(_)))?;
            // Not by us: an editor, a checkout, or a run on a file system that cannot lock.
            if self.read(&place, target)? != before {
                continue;
            }
            aside::settle(file, &place).map_err(LedgerError::io("cannot write", &place))?;
            return Ok(true);
        }
        let source = io::Error::new(ErrorKind::ResourceBusy, "somebody else changes it all the time");
        Err(LedgerError::io("cannot write", &place)(source))
    }
}

/// Writes a manifest aside, as it will be.
fn written(place: &Path, text: &str, is_alone: bool) -> Result<NamedTempFile, LedgerError> {
    let folder = aside::folder_of(place);
    let failed = |error| LedgerError::io("cannot write", place)(error);
    let name = place.file_name().unwrap_or_default().to_string_lossy();
    let prefix = format!(".{name}.elkbake-");
    if is_alone {
        drop_leftovers(folder, &prefix);
    }
    let mut file = aside::begin(folder, &prefix).map_err(LedgerError::io("cannot write in", folder))?;
    if let Ok(meta) = fs::metadata(place) {
        keep_rights(file.as_file(), &meta).map_err(failed)?;
    }
    file.write_all(text.as_bytes()).map_err(failed)?;
    Ok(file)
}

/// What killed runs left: nobody else is at work here. Where it cannot be dropped it harms nobody.
fn drop_leftovers(folder: &Path, prefix: &str) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with(prefix) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Gives a new file the mode of the old one, and its owner where we may: who bakes as root in somebody's checkout does
/// not take the file away from them.
fn keep_rights(file: &File, old: &Metadata) -> io::Result<()> {
    let new = file.metadata()?;
    if (new.uid(), new.gid()) != (old.uid(), old.gid()) {
        let _ = fchown(file, Some(old.uid()), Some(old.gid()));
    }
    file.set_permissions(old.permissions())
}

/// Where a path leads when it is a link, or a link to one; the last need not be there.
fn followed(path: &Path) -> io::Result<PathBuf> {
    let mut place = path.to_owned();
    for _ in 0..MOST_LINKS {
        match fs::read_link(&place) {
            Ok(to) => place = aside::folder_of(&place).join(to),
            // It is no link, or it is not there.
            Err(error) if matches!(error.kind(), ErrorKind::InvalidInput | ErrorKind::NotFound) => return Ok(place),
            Err(error) => return Err(error),
        }
    }
    Err(io::Error::other("too many links"))
}

/// All of a file, and of one that is too long a little more than that, so that whoever parses it can say so.
fn bytes(path: &Path) -> io::Result<Option<Vec<u8>>> {
    // Looked at before it is opened: to open a pipe would wait for its writer.
    match fs::metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Ok(meta) if !meta.is_file() => return Err(io::Error::new(ErrorKind::InvalidInput, "it is no regular file")),
        found => found?,
    };
    let mut bytes = Vec::new();
    File::open(path)?.take(LONGEST_MANIFEST as u64 + 1).read_to_end(&mut bytes)?;
    Ok(Some(bytes))
}

#[cfg(test)]
mod tests;
