//! The store's folder: how it is opened, and where in it things are.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::disk;
use super::error::{StoreError, only_reading};
use crate::aside::sync_folder;
use crate::digest::Digest;

/// The folder of this layout. A change that older elkbakes would not understand gets a new one.
const LAYOUT: &str = "v1";

/// Where the store keeps its things, outermost first, as they are made.
const FOLDERS: [&str; 5] = ["blobs", "blobs/sha256", "index", "partial", "tmp"];

/// Blobs by digest and results by key, in a folder that other elkbakes may use at the same time.
#[derive(Debug)]
pub struct Store {
    pub(super) home: PathBuf,
    pub(super) now: SystemTime,
    // Held as long as the store is open, so that nothing is collected under it.
    _shared: Option<File>,
}

impl Store {
    /// Opens the store in a folder, which is made when missing. What is read or written from then on is
    /// marked as used at `now`.
    ///
    /// A store that is there but may not be changed opens too: reading works, every change says why it does
    /// not. Waits while [`Store::gc`] is at work on the same store.
    ///
    /// # Errors
    /// [`StoreError::Root`] when there can be no store in this folder; [`StoreError::Io`] when it cannot be locked.
    pub fn open(root: &Path, now: SystemTime) -> Result<Self, StoreError> {
        let home = home(root);
        match lay_out(root, &home) {
            Ok(()) => {}
            Err((_, error)) if only_reading(&error) && home.is_dir() => {}
            Err((path, source)) => return Err(StoreError::Root { path, source }),
        }
        let shared = share(&lock_path(&home))?;
        Ok(Self { home, now, _shared: shared })
    }

    /// Where a blob is, if it is there.
    pub(super) fn blob_path(&self, digest: &Digest) -> PathBuf {
        blob_path(&self.home, digest)
    }

    pub(super) fn index_path(&self, key: &Digest) -> PathBuf {
        self.home.join("index").join(key.hex())
    }

    pub(super) fn tmp(&self) -> PathBuf {
        self.home.join("tmp")
    }
}

/// The folder in a root where this layout is.
pub(super) fn home(root: &Path) -> PathBuf {
    root.join(LAYOUT)
}

pub(super) fn lock_path(home: &Path) -> PathBuf {
    home.join("lock")
}

pub(super) fn blob_path(home: &Path, digest: &Digest) -> PathBuf {
    let hex = digest.hex();
    // A level of 256 folders keeps each of them small enough for any file system and for `ls`.
    home.join("blobs/sha256").join(&hex[..2]).join(hex)
}

/// Makes the folders, or tells which could not be made and why.
fn lay_out(root: &Path, home: &Path) -> Result<(), (PathBuf, io::Error)> {
    let at = |path: &Path| {
        let path = path.to_owned();
        move |error| (path, error)
    };
    if root.as_os_str().is_empty() {
        return Err(at(root)(io::Error::new(ErrorKind::InvalidInput, "its name is empty")));
    }
    match fs::create_dir_all(root) {
        // What stands in the way is better said than that something exists.
        Err(error) if error.kind() == ErrorKind::AlreadyExists => disk::must_be_folder(root).map_err(at(root))?,
        made => made.map_err(at(root))?,
    }
    let mut changed = disk::make_folder(home).map_err(at(home))?;
    for path in FOLDERS.map(|name| home.join(name)) {
        changed |= disk::make_folder(&path).map_err(at(&path))?;
    }
    if changed {
        for path in [&home.join("blobs"), home, root] {
            sync_folder(path).map_err(at(path))?;
        }
    }
    Ok(())
}

/// Takes part in the lock. A store that may only be read is locked where that is possible: nobody can collect
/// it through the same mount, and through another one a reader just finds blobs absent.
fn share(path: &Path) -> Result<Option<File>, StoreError> {
    match File::options().read(true).write(true).create(true).truncate(false).open(path) {
        Ok(file) => {
            wait(|| file.lock_shared()).map_err(StoreError::changing("cannot lock", path))?;
            Ok(Some(file))
        }
        Err(error) if only_reading(&error) => {
            Ok(File::open(path).ok().filter(|file| wait(|| file.lock_shared()).is_ok()))
        }
        Err(error) => Err(StoreError::changing("cannot lock", path)(error)),
    }
}

/// Waits for a lock; a signal on the way does not end the wait.
pub(super) fn wait(lock: impl Fn() -> io::Result<()>) -> io::Result<()> {
    loop {
        match lock() {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            done => return done,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    const NOW: SystemTime = SystemTime::UNIX_EPOCH;

    fn refused(root: &Path) -> String {
        let error = Store::open(root, NOW).unwrap_err();
        assert!(matches!(error, StoreError::Root { .. }), "{error:?}");
        let text = error.to_string();
        assert!(text.contains("--store DIR") && text.contains("ELKBAKE_STORE"), "{text}");
        text
    }

    #[test]
    fn a_store_is_made_with_the_folders_above_it() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("a/b");
        drop(Store::open(&root, NOW).unwrap());
        drop(Store::open(&root, NOW).unwrap());
        assert!(root.join("v1/blobs/sha256").is_dir());
    }

    #[test]
    fn what_is_no_folder_is_refused_by_its_name() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        fs::write(&file, "mine").unwrap();
        assert!(refused(&file).contains("file for the store: it is no folder"));
        assert!(refused(&file.join("below")).contains("Not a directory"));
        let one = dir.path().join("one");
        symlink("two", &one).unwrap();
        symlink("one", dir.path().join("two")).unwrap();
        assert!(refused(&one).contains("symbolic links"));
        assert!(refused(Path::new("")).contains("empty"));
        fs::create_dir(dir.path().join("root")).unwrap();
        fs::write(dir.path().join("root/v1"), "").unwrap();
        assert!(refused(&dir.path().join("root")).contains("root/v1 for the store: it is no folder"));
        assert_eq!(fs::read(&file).unwrap(), b"mine");
    }

    #[test]
    fn a_link_to_a_folder_is_as_good_as_the_folder() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("real")).unwrap();
        symlink("real", dir.path().join("link")).unwrap();
        drop(Store::open(&dir.path().join("link"), NOW).unwrap());
        assert!(dir.path().join("real/v1/tmp").is_dir());
    }

    #[test]
    fn another_layout_in_the_same_root_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("v2")).unwrap();
        fs::write(dir.path().join("v2/theirs"), "theirs").unwrap();
        drop(Store::open(dir.path(), NOW).unwrap());
        Store::gc(dir.path(), std::time::Duration::ZERO, NOW).unwrap();
        assert_eq!(fs::read(dir.path().join("v2/theirs")).unwrap(), b"theirs");
    }
}
