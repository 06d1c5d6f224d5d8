//! Taking away what has not been used for long.

use std::collections::BTreeSet;
use std::fs::{self, File, TryLockError};
use std::io::ErrorKind;
use std::path::Path;
use std::time::{Duration, SystemTime};

use super::disk;
use super::error::StoreError;
use super::folder::{self, Store};
use super::usage::{self, Usage};
use super::{index, list};
use crate::digest::Digest;

/// What [`Store::gc`] has taken away, and what it has not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Freed {
    /// What is gone.
    pub freed: Usage,
    /// What is still there.
    pub kept: Usage,
}

/// What counts as used, and what came of it so far.
struct Collection<'s> {
    home: &'s Path,
    keep: Duration,
    now: SystemTime,
    done: Freed,
}

impl Store {
    /// Drops the blobs, results and partial downloads that were not used within `keep` before `now`, and all
    /// that killed processes left in `tmp`. A result that is kept keeps the blobs it refers to.
    ///
    /// A root without a store has nothing to drop, and gets none. Files that are not the store's are left alone.
    ///
    /// # Errors
    /// [`StoreError::Busy`] while a [`Store`] is open on this root, here or in another process; when the
    /// store may not be changed.
    pub fn gc(root: &Path, keep: Duration, now: SystemTime) -> Result<Freed, StoreError> {
        let home = folder::home(root);
        match disk::must_be_folder(&home) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Freed::default()),
            Err(source) => return Err(StoreError::Root { path: root.to_owned(), source }),
        }
        let lock = exclude_others(root, &home)?;
        let mut collection = Collection { home: &home, keep, now, done: Freed::default() };
        // Entries first: killed in between, blobs remain that nothing refers to, not the other way round.
        let referred = collection.entries()?;
        collection.blobs(&referred)?;
        collection.partials()?;
        collection.leftovers()?;
        drop(lock);
        Ok(collection.done)
    }
}

fn exclude_others(root: &Path, home: &Path) -> Result<File, StoreError> {
    let path = folder::lock_path(home);
    let failed = |error| StoreError::changing("cannot lock", &path)(error);
    let file = File::options().read(true).write(true).create(true).truncate(false).open(&path).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::Busy { path: root.to_owned() }),
        Err(TryLockError::Error(error)) => Err(failed(error)),
    }
}

impl Collection<'_> {
    fn is_old(&self, used: SystemTime) -> bool {
        // What was used in the future was used by a clock that is wrong: just now, as far as anybody knows.
        self.now.duration_since(used).unwrap_or_default() >= self.keep
    }

    /// Drops entries, and tells which blobs the others refer to.
    fn entries(&mut self) -> Result<BTreeSet<Digest>, StoreError> {
        let mut referred = BTreeSet::new();
        for entry in list::entries(self.home)?.ours {
            let path = self.home.join("index").join(entry.digest.hex());
            let refers = if self.is_old(entry.used) { None } else { index::refers(&path, &entry.digest)? };
            if let Some(refers) = refers {
                referred.extend(refers);
                self.done.kept.entries.add(entry.size);
            } else {
                disk::drop_file(&path)?;
                self.done.freed.entries.add(entry.size);
            }
        }
        Ok(referred)
    }

    fn blobs(&mut self, referred: &BTreeSet<Digest>) -> Result<(), StoreError> {
        for blob in list::blobs(self.home)?.ours {
            if self.is_old(blob.used) && !referred.contains(&blob.digest) {
                disk::drop_file(&folder::blob_path(self.home, &blob.digest))?;
                self.done.freed.blobs.add(blob.size);
            } else {
                self.done.kept.blobs.add(blob.size);
            }
        }
        Ok(())
    }

    fn partials(&mut self) -> Result<(), StoreError> {
        for files in usage::partials(self.home)?.values() {
            // Every few bytes that come change the file, so its own time says when it was used.
            let used = files.iter().filter_map(|(_, meta)| meta.modified().ok()).max();
            if used.is_none_or(|used| self.is_old(used)) {
                files.iter().try_for_each(|(path, _)| disk::drop_file(path).map(drop))?;
                self.done.freed.partials.add(usage::size(files));
            } else {
                self.done.kept.partials.add(usage::size(files));
            }
        }
        Ok(())
    }

    fn leftovers(&mut self) -> Result<(), StoreError> {
        for (path, meta) in list::folder(&self.home.join("tmp"))? {
            if meta.is_dir() {
                fs::remove_dir_all(&path).map_err(StoreError::changing("cannot drop", &path))?;
            } else {
                disk::drop_file(&path)?;
            }
            self.done.freed.leftovers.add(meta.len());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Count;

    const HOUR: Duration = Duration::from_hours(1);

    fn at(hours: u32) -> SystemTime {
        SystemTime::UNIX_EPOCH + HOUR * (500_000 + hours)
    }

    #[test]
    fn what_was_used_lately_is_kept_and_the_rest_is_dropped() {
        let root = tempfile::tempdir().unwrap();
        let old = Store::open(root.path(), at(0)).unwrap();
        let (unused, _) = old.put(&mut &b"unused"[..], None).unwrap();
        let (used, _) = old.put(&mut &b"used"[..], None).unwrap();
        old.keep(&Digest::of(b"unused"), &1, &[]).unwrap();
        old.keep(&Digest::of(b"used"), &2, &[]).unwrap();
        drop(old);
        let new = Store::open(root.path(), at(9)).unwrap();
        new.bytes(&used, 9).unwrap().unwrap();
        assert_eq!(new.result::<u8>(&Digest::of(b"used")).unwrap(), Some(2));
        let (fresh, _) = new.put(&mut &b"fresh!"[..], None).unwrap();
        drop(new);

        let done = Store::gc(root.path(), HOUR * 5, at(10)).unwrap();
        assert_eq!(done.freed.blobs, Count { count: 1, bytes: 6 });
        assert_eq!(done.kept.blobs, Count { count: 2, bytes: 10 });
        assert_eq!((done.freed.entries.count, done.kept.entries.count), (1, 1));
        let store = Store::open(root.path(), at(10)).unwrap();
        assert_eq!([unused, used, fresh].map(|digest| store.size(&digest)), [None, Some(4), Some(6)]);
        assert_eq!(store.result::<u8>(&Digest::of(b"unused")).unwrap(), None);
        assert_eq!(store.result::<u8>(&Digest::of(b"used")).unwrap(), Some(2));
        assert_eq!(store.usage().unwrap(), done.kept);
    }

    #[test]
    fn a_result_in_use_keeps_its_blobs_however_old_they_are() {
        let root = tempfile::tempdir().unwrap();
        let old = Store::open(root.path(), at(0)).unwrap();
        let (blob, _) = old.put(&mut &b"layer"[..], None).unwrap();
        old.keep(&Digest::of(b"key"), &1, &[blob]).unwrap();
        drop(old);
        let new = Store::open(root.path(), at(9)).unwrap();
        assert_eq!(new.result::<u8>(&Digest::of(b"key")).unwrap(), Some(1));
        drop(new);
        assert_eq!(Store::gc(root.path(), HOUR, at(9)).unwrap().freed, Usage::default());
        assert_eq!(Store::gc(root.path(), HOUR, at(10)).unwrap().kept, Usage::default());
    }

    #[test]
    fn a_damaged_result_keeps_nothing() {
        let root = tempfile::tempdir().unwrap();
        let store = Store::open(root.path(), at(0)).unwrap();
        let key = Digest::of(b"key");
        store.keep(&key, &1, &[]).unwrap();
        fs::remove_file(store.index_path(&key)).unwrap();
        fs::write(store.index_path(&key), "torn").unwrap();
        drop(store);
        assert_eq!(Store::gc(root.path(), HOUR, at(0)).unwrap().freed.entries.count, 1);
    }

    #[test]
    fn partials_go_by_age_and_leftovers_always() {
        let root = tempfile::tempdir().unwrap();
        // The file's own clock counts here, so the test has to use it too.
        let store = Store::open(root.path(), SystemTime::UNIX_EPOCH).unwrap();
        store.partial("p").unwrap().unwrap().append(b"begun").unwrap();
        let leftover = store.tmp().join(".tmp123");
        fs::write(&leftover, "killed").unwrap();
        let used = fs::metadata(&leftover).unwrap().modified().unwrap();
        drop(store);
        let done = Store::gc(root.path(), HOUR, used).unwrap();
        assert_eq!(done.freed.leftovers, Count { count: 1, bytes: 6 });
        assert_eq!((done.freed.partials.count, done.kept.partials.count), (0, 1));
        let done = Store::gc(root.path(), HOUR, used + HOUR * 2).unwrap();
        assert_eq!((done.freed.partials.count, done.kept), (1, Usage::default()));
        assert_eq!(fs::read_dir(root.path().join("v1/partial")).unwrap().count(), 0);
    }

    #[test]
    fn nothing_is_dropped_while_others_use_the_store() {
        let root = tempfile::tempdir().unwrap();
        let store = Store::open(root.path(), at(0)).unwrap();
        let (digest, _) = store.put(&mut &b"in use"[..], None).unwrap();
        let error = Store::gc(root.path(), Duration::ZERO, at(99)).unwrap_err();
        assert!(matches!(error, StoreError::Busy { .. }), "{error:?}");
        assert!(error.to_string().contains(&root.path().display().to_string()), "{error}");
        assert_eq!(store.size(&digest), Some(6));
        drop(store);
        assert_eq!(Store::gc(root.path(), Duration::ZERO, at(0)).unwrap().freed.blobs.count, 1);
    }

    #[test]
    fn what_is_not_the_stores_is_left_alone() {
        let root = tempfile::tempdir().unwrap();
        drop(Store::open(root.path(), at(0)).unwrap());
        let strangers = ["blobs/README", "blobs/sha256/x", "index/notes.txt", "partial/mine", "mine"];
        let strangers = strangers.map(|name| root.path().join("v1").join(name));
        for path in &strangers {
            fs::write(path, "mine").unwrap();
        }
        assert_eq!(Store::gc(root.path(), Duration::ZERO, at(9999)).unwrap(), Freed::default());
        assert!(strangers.iter().all(|path| path.exists()));
    }

    #[test]
    fn a_root_without_a_store_gets_none() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("none");
        assert_eq!(Store::gc(&root, HOUR, at(0)).unwrap(), Freed::default());
        assert!(!root.exists());
        fs::write(&root, "").unwrap();
        assert!(matches!(Store::gc(&root, HOUR, at(0)), Err(StoreError::Root { .. })));
    }
}
