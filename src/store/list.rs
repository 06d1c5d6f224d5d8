//! What lies in the store's folders, in the order of the names.

use std::ffi::OsStr;
use std::fs::{self, Metadata};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::error::StoreError;
use crate::digest::Digest;

/// A file that belongs to the store.
pub(super) struct Listed {
    /// Its name: a blob's digest, or an entry's key.
    pub(super) digest: Digest,
    pub(super) size: u64,
    pub(super) used: SystemTime,
}

/// The files of one kind, and what lies between them that is none.
#[derive(Default)]
pub(super) struct Listing {
    pub(super) ours: Vec<Listed>,
    pub(super) strangers: Vec<PathBuf>,
}

/// All blobs.
pub(super) fn blobs(home: &Path) -> Result<Listing, StoreError> {
    let mut listing = Listing::default();
    for (path, meta) in folder(&home.join("blobs"))? {
        if !(meta.is_dir() && path.ends_with("sha256")) {
            listing.strangers.push(path);
        }
    }
    for (path, meta) in folder(&home.join("blobs/sha256"))? {
        let prefix = path.file_name().and_then(OsStr::to_str).filter(|name| name.len() == 2 && meta.is_dir());
        match prefix {
            Some(prefix) => sort(folder(&path)?, prefix, &mut listing)?,
            None => listing.strangers.push(path),
        }
    }
    Ok(listing)
}

/// All entries of the index.
pub(super) fn entries(home: &Path) -> Result<Listing, StoreError> {
    let mut listing = Listing::default();
    sort(folder(&home.join("index"))?, "", &mut listing)?;
    Ok(listing)
}

fn sort(found: Vec<(PathBuf, Metadata)>, prefix: &str, into: &mut Listing) -> Result<(), StoreError> {
    for (path, meta) in found {
        let name = path.file_name().and_then(OsStr::to_str).filter(|name| name.starts_with(prefix) && meta.is_file());
        match name.and_then(|name| Digest::from_hex(name).ok()) {
            Some(digest) => {
                let used = meta.modified().map_err(StoreError::reading(&path))?;
                into.ours.push(Listed { digest, size: meta.len(), used });
            }
            None => into.strangers.push(path),
        }
    }
    Ok(())
}

/// What is in a folder; nothing when the folder is not there. Links are not followed.
pub(super) fn folder(path: &Path) -> Result<Vec<(PathBuf, Metadata)>, StoreError> {
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(StoreError::reading(path)(error)),
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry.map_err(StoreError::reading(path))?;
        match entry.metadata() {
            Ok(meta) => found.push((entry.path(), meta)),
            // Another elkbake has finished with it meanwhile.
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(StoreError::reading(&entry.path())(error)),
        }
    }
    found.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(found)
}
