//! Files that are written aside and take their place whole.

use std::fs;
use std::io::{self, BufWriter, ErrorKind, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use super::fault::OutputError;
use crate::aside;

/// What the names of unfinished files begin with.
pub(super) const PREFIX: &str = ".elkbake-";

/// Bytes on their way through memory.
const BUFFER: usize = 128 << 10;

/// A file on its way to a place; nothing is at the place before [`Aside::finish`], and nothing remains of it when it is
/// dropped.
pub(super) struct Aside {
    file: BufWriter<NamedTempFile>,
    to: PathBuf,
}

impl Aside {
    /// Begins a file that will be `to`, in a folder of the same file system.
    pub(super) fn begin(folder: &Path, to: &Path) -> Result<Self, OutputError> {
        let file = aside::begin(folder, PREFIX).map_err(OutputError::io("cannot write in", folder))?;
        Ok(Self { file: BufWriter::with_capacity(BUFFER, file), to: to.to_owned() })
    }

    /// Begins a file beside its place. What is there already is replaced, if it is a file.
    pub(super) fn beside(to: &Path) -> Result<Self, OutputError> {
        check(to)?;
        Self::begin(aside::folder_of(to), to)
    }

    /// What an error in writing means.
    pub(super) fn failed(&self, error: io::Error) -> OutputError {
        OutputError::io("cannot write", &self.to)(error)
    }

    /// How much has been written.
    pub(super) fn position(&mut self) -> io::Result<u64> {
        self.file.stream_position()
    }

    /// Writes something that was written before once more.
    pub(super) fn rewrite(&mut self, at: u64, bytes: &[u8]) -> io::Result<()> {
        let end = self.file.stream_position()?;
        self.file.seek(SeekFrom::Start(at))?;
        self.file.write_all(bytes)?;
        self.file.seek(SeekFrom::Start(end)).map(drop)
    }

    /// Puts the file in its place, for good.
    pub(super) fn finish(self) -> Result<(), OutputError> {
        let to = self.to;
        let failed = |error| OutputError::io("cannot write", &to)(error);
        let file = self.file.into_inner().map_err(|error| failed(error.into_error()))?;
        aside::settle(file, &to).map_err(failed)
    }
}

impl Write for Aside {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Refuses a place that has no folder, or something in it that is no file.
pub(super) fn check(to: &Path) -> Result<(), OutputError> {
    match fs::symlink_metadata(to) {
        Ok(meta) if !meta.is_file() => {
            Err(OutputError::taken(to, "there is something that is no regular file; name another place"))
        }
        Err(error) if error.kind() == ErrorKind::NotFound && !aside::folder_of(to).is_dir() => {
            Err(OutputError::taken(to, "there is no such folder; make it, or name another place"))
        }
        Err(error) if error.kind() != ErrorKind::NotFound => Err(OutputError::io("cannot write", to)(error)),
        _ => Ok(()),
    }
}
