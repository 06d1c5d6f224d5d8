//! Reading everything, to find what a failing disk or a careless hand has damaged.

use std::fmt;
use std::fs::File;
use std::io;
use std::path::PathBuf;

use super::disk;
use super::error::StoreError;
use super::folder::Store;
use super::index;
use super::list::{self, Listed};
use super::usage::Count;
use crate::digest::{Digest, Hasher};

/// What an audit has found.
#[derive(Debug, Default)]
pub struct Audit {
    /// The blobs that are what their names say.
    pub sound: Count,
    /// The blobs that are not; they were dropped, unless it says otherwise.
    pub broken: Vec<Broken>,
    /// The results that are whole, with all blobs they refer to.
    pub entries: Count,
    /// The results that are not; they were dropped, unless it says otherwise.
    pub broken_entries: Vec<BrokenEntry>,
    /// What lies in the store's folders and is not the store's. It is left alone.
    pub strangers: Vec<PathBuf>,
}

impl Audit {
    /// Whether nothing was wrong; strangers do no harm.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.broken.is_empty() && self.broken_entries.is_empty()
    }
}

/// A blob that is not what its name says.
#[derive(Debug)]
pub struct Broken {
    /// What it should be.
    pub digest: Digest,
    /// What it is.
    pub damage: Damage,
    /// Why it is still there, if it is.
    pub left: Option<StoreError>,
}

/// What is wrong with a blob.
#[derive(Debug)]
pub enum Damage {
    /// It holds other bytes.
    Bytes {
        /// Their digest.
        found: Digest,
        /// How many there are.
        size: u64,
    },
    /// Its bytes cannot be had.
    Unreadable(io::Error),
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes { found, size } => write!(f, "its {size} bytes are {found}"),
            Self::Unreadable(error) => write!(f, "it cannot be read: {error}"),
        }
    }
}

/// A result that cannot be used.
#[derive(Debug)]
pub struct BrokenEntry {
    /// Under which key it was kept.
    pub key: Digest,
    /// What is wrong with it.
    pub damage: EntryDamage,
    /// Why it is still there, if it is.
    pub left: Option<StoreError>,
}

/// What is wrong with a result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EntryDamage {
    /// It is not what was written.
    Torn,
    /// These blobs, to which it refers, are not here.
    Missing(Vec<Digest>),
}

impl fmt::Display for EntryDamage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Torn => f.write_str("it is not what was written"),
            Self::Missing(digests) => {
                f.write_str("these blobs are missing:")?;
                digests.iter().try_for_each(|digest| write!(f, " {digest}"))
            }
        }
    }
}

impl Store {
    /// Reads every blob and every result, and drops those that are damaged. `each` is told every blob and
    /// its size before it is read.
    ///
    /// # Errors
    /// When the store's folders or results cannot be read. A blob that cannot be read is a finding, and so is
    /// a damaged one that cannot be dropped.
    pub fn audit(&self, each: &mut dyn FnMut(&Digest, u64)) -> Result<Audit, StoreError> {
        let mut audit = Audit::default();
        let listing = list::blobs(&self.home)?;
        audit.strangers = listing.strangers;
        for blob in &listing.ours {
            each(&blob.digest, blob.size);
            self.audit_blob(blob, &mut audit);
        }
        // After the blobs, because an entry falls with the blobs it refers to.
        let listing = list::entries(&self.home)?;
        audit.strangers.extend(listing.strangers);
        for entry in &listing.ours {
            self.audit_entry(entry, &mut audit)?;
        }
        Ok(audit)
    }

    fn audit_blob(&self, blob: &Listed, audit: &mut Audit) {
        let path = self.blob_path(&blob.digest);
        let (damage, dropped) = match File::open(&path) {
            // Another elkbake has dropped it meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return,
            // It may well be sound, so it is not dropped.
            Err(error) => (Damage::Unreadable(io::Error::from(error.kind())), Err(StoreError::reading(&path)(error))),
            Ok(file) => match disk::hash(&file).map(Hasher::finish) {
                Ok((found, size)) if found == blob.digest => return audit.sound.add(size),
                Ok((found, size)) => (Damage::Bytes { found, size }, disk::drop_open(&file, &path)),
                Err(error) => (Damage::Unreadable(error), disk::drop_open(&file, &path)),
            },
        };
        audit.broken.push(Broken { digest: blob.digest, damage, left: dropped.err() });
    }

    fn audit_entry(&self, entry: &Listed, audit: &mut Audit) -> Result<(), StoreError> {
        let path = self.index_path(&entry.digest);
        let damage = match index::refers(&path, &entry.digest)? {
            None => EntryDamage::Torn,
            Some(refers) => {
                let missing: Vec<_> = refers.into_iter().filter(|digest| self.size(digest).is_none()).collect();
                if missing.is_empty() {
                    audit.entries.add(entry.size);
                    return Ok(());
                }
                EntryDamage::Missing(missing)
            }
        };
        let left = match disk::drop_file(&path) {
            Ok(true) => None,
            // Another elkbake has dropped it meanwhile.
            Ok(false) => return Ok(()),
            Err(error) => Some(error),
        };
        audit.broken_entries.push(BrokenEntry { key: entry.digest, damage, left });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;
    use std::time::SystemTime;

    use super::*;

    fn new() -> (tempfile::TempDir, Store) {
        let root = tempfile::tempdir().unwrap();
        let store = Store::open(root.path(), SystemTime::UNIX_EPOCH).unwrap();
        (root, store)
    }

    fn replace(path: &Path, bytes: &[u8]) {
        fs::remove_file(path).unwrap();
        fs::write(path, bytes).unwrap();
    }

    #[test]
    fn a_sound_store_is_clean_and_every_blob_is_told() {
        let (_root, store) = new();
        let (one, _) = store.put(&mut &b"one"[..], None).unwrap();
        let (three, _) = store.put(&mut &b"three"[..], None).unwrap();
        store.keep(&Digest::of(b"key"), &1, &[one]).unwrap();
        let mut told = Vec::new();
        let audit = store.audit(&mut |digest, size| told.push((*digest, size))).unwrap();
        assert!(audit.is_clean() && audit.strangers.is_empty());
        assert_eq!((audit.sound, audit.entries.count), (Count { count: 2, bytes: 8 }, 1));
        told.sort_by_key(|(_, size)| *size);
        assert_eq!(told, [(one, 3), (three, 5)]);
    }

    #[test]
    fn a_damaged_blob_is_named_and_dropped_and_the_results_fall_with_it() {
        let (_root, store) = new();
        let (good, _) = store.put(&mut &b"good"[..], None).unwrap();
        let (bad, _) = store.put(&mut &b"bad"[..], None).unwrap();
        let (falls, stays) = (Digest::of(b"falls"), Digest::of(b"stays"));
        store.keep(&falls, &1, &[good, bad]).unwrap();
        store.keep(&stays, &2, &[good]).unwrap();
        replace(&store.blob_path(&bad), b"b");

        let audit = store.audit(&mut |_, _| {}).unwrap();
        let [broken] = &audit.broken[..] else { panic!("{audit:?}") };
        assert_eq!(broken.digest, bad);
        assert!(matches!(broken.damage, Damage::Bytes { found, size: 1 } if found == Digest::of(b"b")), "{broken:?}");
        assert_eq!(broken.damage.to_string(), format!("its 1 bytes are {}", Digest::of(b"b")));
        assert!(broken.left.is_none());
        let [entry] = &audit.broken_entries[..] else { panic!("{audit:?}") };
        assert_eq!((entry.key, &entry.damage), (falls, &EntryDamage::Missing(vec![bad])));
        assert_eq!((store.size(&bad), store.size(&good)), (None, Some(4)));
        assert!(!store.index_path(&falls).exists());
        assert_eq!(store.result::<u8>(&stays).unwrap(), Some(2));
        assert!(store.audit(&mut |_, _| {}).unwrap().is_clean());
    }

    #[test]
    fn a_torn_result_is_named_and_dropped() {
        let (_root, store) = new();
        let key = Digest::of(b"key");
        store.keep(&key, &1, &[]).unwrap();
        replace(&store.index_path(&key), b"{");
        let audit = store.audit(&mut |_, _| {}).unwrap();
        assert_eq!(audit.broken_entries[0].damage, EntryDamage::Torn);
        assert!(!audit.is_clean() && !store.index_path(&key).exists());
    }

    #[test]
    fn strangers_are_named_and_left_alone() {
        let (_root, store) = new();
        let (digest, _) = store.put(&mut &b"blob"[..], None).unwrap();
        let blob = store.blob_path(&digest);
        let strangers = [
            store.home.join("blobs/README"),
            store.home.join("blobs/sha256/zz-top"),
            // In another folder than its own a blob is never found.
            blob.parent().unwrap().join(Digest::of(b"elsewhere").hex()),
            blob.with_extension("bak"),
            store.home.join("index/notes"),
        ];
        for path in &strangers {
            fs::write(path, "mine").unwrap();
        }
        let audit = store.audit(&mut |_, _| {}).unwrap();
        let sorted = |mut paths: Vec<PathBuf>| {
            paths.sort();
            paths
        };
        assert!(audit.is_clean());
        assert_eq!(sorted(audit.strangers), sorted(strangers.to_vec()));
        assert!(strangers.iter().all(|path| path.exists()));
    }
}
