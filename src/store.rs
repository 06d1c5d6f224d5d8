//! The local store: blobs by digest, and an index from keys to results.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::digest::{Digest, Verifying};

/// Why the store could not do what it should.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The disk or its permissions.
    #[error("{action} {}: {source}", path.display())]
    Io {
        /// What was tried: `cannot write`.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Bytes given to the store are not what they were said to be.
    #[error(transparent)]
    Mismatch(#[from] crate::digest::Mismatch),
}

/// The store.
pub struct Store {
    root: PathBuf,
}

/// A blob that is being written; nothing of it is seen before [`BlobWriter::commit`].
pub struct BlobWriter<'s> {
    store: &'s Store,
}

/// A download that goes on where an earlier process stopped.
pub struct Partial<'s> {
    store: &'s Store,
}

impl Store {
    /// Opens the store in a folder, which is made when missing.
    pub fn open(root: &Path) -> Result<Self, StoreError> {
        todo!()
    }
    /// The size of a blob that is here.
    pub fn size(&self, digest: &Digest) -> Option<u64> {
        todo!()
    }
    /// Opens a blob; the reader fails at the end unless the bytes are right.
    pub fn read(&self, digest: &Digest) -> Result<Option<Verifying<File>>, StoreError> {
        todo!()
    }
    /// Begins a blob.
    pub fn write(&self) -> Result<BlobWriter<'_>, StoreError> {
        todo!()
    }
    /// Puts bytes from a reader.
    pub fn put(&self, from: &mut dyn Read, expected: Option<Digest>) -> Result<(Digest, u64), StoreError> {
        todo!()
    }
    /// Opens the partial download of a name (any text), exclusive to this process.
    pub fn partial(&self, name: &str) -> Result<Partial<'_>, StoreError> {
        todo!()
    }
    /// The result kept under a key.
    pub fn result<T: serde::de::DeserializeOwned>(&self, key: &Digest) -> Result<Option<T>, StoreError> {
        todo!()
    }
    /// Keeps a result under a key.
    pub fn keep<T: serde::Serialize>(&self, key: &Digest, result: &T) -> Result<(), StoreError> {
        todo!()
    }
}

impl Write for BlobWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        todo!()
    }
    fn flush(&mut self) -> io::Result<()> {
        todo!()
    }
}

impl BlobWriter<'_> {
    /// Makes the blob visible.
    pub fn commit(self, expected: Option<Digest>) -> Result<(Digest, u64), StoreError> {
        todo!()
    }
}

impl Partial<'_> {
    /// How many bytes are here from earlier.
    pub fn len(&self) -> u64 {
        todo!()
    }
    /// The validator (ETag) that the bytes here belong to.
    pub fn validator(&self) -> Option<&str> {
        todo!()
    }
    /// Throws away what is here and begins anew, with the validator of what comes.
    pub fn restart(&mut self, validator: Option<&str>) -> Result<(), StoreError> {
        todo!()
    }
    /// Adds bytes.
    pub fn append(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        todo!()
    }
    /// Makes the whole a blob; wrong bytes are thrown away.
    pub fn commit(self, expected: Option<Digest>) -> Result<(Digest, u64), StoreError> {
        todo!()
    }
}
