//! What the store asks of the file system, each act with the syncs that it needs.

use std::fs::{self, File, FileTimes, Metadata, Permissions};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::time::SystemTime;

use tempfile::NamedTempFile;

use super::error::StoreError;
use crate::digest::Hasher;

/// Nothing that is in its place is ever changed there, so nobody, not even its owner, may open it for
/// writing: an editor or a script that is pointed at a blob by mistake cannot tear it. Renaming over it and
/// dropping it ask the folder's permission, not the file's. Who may read is for the umask to say.
const READ_ONLY: u32 = 0o444;

/// Bytes on their way through memory: enough that system calls cost nothing beside hashing.
pub(super) const BUFFER: usize = 128 << 10;

/// Makes a folder and tells whether it was not there.
pub(super) fn make_folder(path: &Path) -> io::Result<bool> {
    match fs::create_dir(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => must_be_folder(path).map(|()| false),
        // A read-only file system may say so before it says that the folder is there.
        Err(error) => must_be_folder(path).map(|()| false).map_err(|_| error),
    }
}

/// Fails with the reason when something other than a folder is at a path.
pub(super) fn must_be_folder(path: &Path) -> io::Result<()> {
    if fs::metadata(path)?.is_dir() { Ok(()) } else { Err(io::Error::new(ErrorKind::NotADirectory, "it is no folder")) }
}

/// Begins a file aside; it is gone when dropped.
pub(super) fn aside(folder: &Path) -> Result<NamedTempFile, StoreError> {
    tempfile::Builder::new()
        .permissions(Permissions::from_mode(READ_ONLY))
        .tempfile_in(folder)
        .map_err(StoreError::changing("cannot write in", folder))
}

/// Puts a file that was written aside in its place, its bytes on the disk before it has its name: what is there is
/// whole.
///
/// The name is not waited for. Should the power fail in the next seconds, the file may be absent again, and whatever is
/// absent is fetched or made anew; a disk that is waited for after each of a build's small files takes longer than the
/// build.
pub(super) fn publish(file: NamedTempFile, to: &Path, now: SystemTime) -> Result<(), StoreError> {
    mark(file.as_file(), now);
    file.as_file().sync_all().map_err(StoreError::changing("cannot write", file.path()))?;
    file.persist(to).map_err(|error| StoreError::changing("cannot write", to)(error.error)).map(drop)
}

/// The same for a file in which damage shows by itself, so that its name may come first. Whoever syncs the file that
/// comes back waits once for both: with a file's bytes its new name goes to the disk, on ext4 and XFS with all names
/// that were given before.
pub(super) fn publish_guarded(file: NamedTempFile, to: &Path, now: SystemTime) -> Result<File, StoreError> {
    mark(file.as_file(), now);
    file.persist(to).map_err(|error| StoreError::changing("cannot write", to)(error.error))
}

/// [`publish`] for an open file that stands elsewhere in the store under a name of its own.
pub(super) fn move_to_place(file: &File, from: &Path, to: &Path, now: SystemTime) -> Result<(), StoreError> {
    mark(file, now);
    file.sync_all().map_err(StoreError::changing("cannot write", from))?;
    fs::rename(from, to).map_err(StoreError::changing("cannot write", to))?;
    // Only now: had it been read-only before and the process been killed between, it could not be gone on with.
    if let Ok(meta) = file.metadata() {
        let _ = file.set_permissions(Permissions::from_mode(meta.mode() & READ_ONLY));
    }
    Ok(())
}

/// Notes that a file was used. That it cannot be noted is no failure: all that comes of it is that the file
/// may be dropped earlier than it should be.
pub(super) fn mark_used(file: &File, meta: &Metadata, now: SystemTime) {
    // Never back in time: another process may have started later and been faster.
    if meta.modified().is_ok_and(|used| used < now) {
        mark(file, now);
    }
}

fn mark(file: &File, now: SystemTime) {
    let _ = file.set_times(FileTimes::new().set_modified(now));
}

/// Removes a file and tells whether it was there.
pub(super) fn drop_file(path: &Path) -> Result<bool, StoreError> {
    match fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(StoreError::changing("cannot drop", path)(error)),
    }
}

/// Removes an open file, unless another has taken its place meanwhile.
pub(super) fn drop_open(file: &File, path: &Path) -> Result<(), StoreError> {
    if is_at(file, path).map_err(StoreError::reading(path))? { drop_file(path).map(drop) } else { Ok(()) }
}

/// Whether an open file is the one that a path leads to.
pub(super) fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    let open = file.metadata()?;
    match fs::symlink_metadata(path) {
        Ok(there) => Ok((there.dev(), there.ino()) == (open.dev(), open.ino())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Opens a file that may be absent.
pub(super) fn open(path: &Path) -> Result<Option<File>, StoreError> {
    match File::open(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(StoreError::reading(path)(error)),
    }
}

/// Hashes what a file holds, to its end.
pub(super) fn hash(mut from: impl Read) -> io::Result<Hasher> {
    let mut hasher = Hasher::default();
    let mut buffer = vec![0; BUFFER];
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return Ok(hasher),
            Ok(n) => hasher.update(&buffer[..n]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
