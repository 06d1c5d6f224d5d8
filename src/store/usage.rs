//! How much is in the store.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::Metadata;
use std::path::{Path, PathBuf};

use super::error::StoreError;
use super::folder::Store;
use super::list::{self, Listing};
use crate::digest::Digest;

/// Some files of one kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Count {
    /// How many.
    pub count: u64,
    /// How many bytes they hold together.
    pub bytes: u64,
}

impl Count {
    pub(super) fn add(&mut self, bytes: u64) {
        self.count += 1;
        self.bytes += bytes;
    }
}

/// How much of each kind is there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Usage {
    /// Blobs.
    pub blobs: Count,
    /// Results in the index.
    pub entries: Count,
    /// Downloads that are not whole yet.
    pub partials: Count,
    /// What is being written just now, or was when a process was killed.
    pub leftovers: Count,
}

impl Usage {
    /// The bytes of all kinds together.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.blobs.bytes + self.entries.bytes + self.partials.bytes + self.leftovers.bytes
    }
}

impl Store {
    /// How much is in the store.
    ///
    /// # Errors
    /// When its folders cannot be read.
    pub fn usage(&self) -> Result<Usage, StoreError> {
        let mut usage = Usage { blobs: total(&list::blobs(&self.home)?), ..Usage::default() };
        usage.entries = total(&list::entries(&self.home)?);
        for files in partials(&self.home)?.values() {
            usage.partials.add(size(files));
        }
        for (_, meta) in list::folder(&self.tmp())? {
            usage.leftovers.add(meta.len());
        }
        Ok(usage)
    }
}

fn total(listing: &Listing) -> Count {
    let mut total = Count::default();
    listing.ours.iter().for_each(|listed| total.add(listed.size));
    total
}

/// The files of each partial download: its bytes, its note.
pub(super) fn partials(home: &Path) -> Result<BTreeMap<Digest, Vec<(PathBuf, Metadata)>>, StoreError> {
    let mut partials = BTreeMap::<_, Vec<_>>::new();
    for (path, meta) in list::folder(&home.join("partial"))? {
        let name = path.file_name().and_then(OsStr::to_str).map(|name| name.strip_suffix(".json").unwrap_or(name));
        if let Some(Ok(name)) = name.map(Digest::from_hex) {
            partials.entry(name).or_default().push((path, meta));
        }
    }
    Ok(partials)
}

pub(super) fn size(files: &[(PathBuf, Metadata)]) -> u64 {
    files.iter().map(|(_, meta)| meta.len()).sum()
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;

    #[test]
    fn everything_is_counted_as_what_it_is() {
        let root = tempfile::tempdir().unwrap();
        let store = Store::open(root.path(), SystemTime::UNIX_EPOCH).unwrap();
        assert_eq!(store.usage().unwrap(), Usage::default());
        store.put(&mut &b"12345"[..], None).unwrap();
        store.put(&mut &b"123"[..], None).unwrap();
        store.keep(&Digest::of(b"key"), &1, &[]).unwrap();
        store.partial("p").unwrap().unwrap().append(b"1234567").unwrap();
        let aside = store.write().unwrap();
        let usage = store.usage().unwrap();
        assert_eq!(usage.blobs, Count { count: 2, bytes: 8 });
        assert_eq!((usage.entries.count, usage.partials.count, usage.leftovers.count), (1, 1, 1));
        assert!(usage.partials.bytes > 7, "the note counts too");
        assert!(usage.bytes() > 15);
        drop(aside);
        assert_eq!(store.usage().unwrap().leftovers, Count::default());
    }
}
