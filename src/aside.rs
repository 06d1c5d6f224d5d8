//! Files that are written aside and take their place whole and for good, and folders that one run at a time changes.

use std::fs::{File, Permissions, TryLockError};
use std::io::{self, ErrorKind};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use rustix::io::Errno;
use tempfile::NamedTempFile;

/// How long to wait before asking again whether another run is done.
const PAUSE: Duration = Duration::from_millis(20);

/// Begins a file that is written aside, in a folder of the file system that it is for. It has mode 0666 less the umask, as
/// other programs would make it.
///
/// # Errors
/// When the system cannot.
pub fn begin(folder: &Path, prefix: &str) -> io::Result<NamedTempFile> {
    tempfile::Builder::new().prefix(prefix).permissions(Permissions::from_mode(0o666)).tempfile_in(folder)
}

/// Puts a file that was written aside in its place, for good: its bytes are on the disk before its name is.
///
/// # Errors
/// When the system cannot; what was at the place is still there then, or all of the file is.
pub fn settle(file: NamedTempFile, to: &Path) -> io::Result<()> {
    file.as_file().sync_all()?;
    file.persist(to).map_err(|error| error.error)?;
    sync_folder(folder_of(to))
}

/// Makes what was renamed in or into a folder last.
///
/// # Errors
/// When the system cannot.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    match File::open(folder)?.sync_all() {
        // Some network file systems sync no folders; they have no more lasting way to offer.
        Err(error) if error.kind() == ErrorKind::InvalidInput => Ok(()),
        synced => synced,
    }
}

/// The folder that a file is in.
#[must_use]
pub fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// What came of waiting for a folder.
#[derive(Debug)]
pub enum Turn {
    /// Nobody else changes it until this is dropped, by its death too: a lock of the system's leaves no file behind.
    Mine(File),
    /// The file system has no locks.
    NoLocks,
    /// The person wanted to stop.
    Stopped,
}

/// Waits until no other run changes what is in a folder.
///
/// # Errors
/// When the folder cannot be opened or locked.
pub fn wait_for(folder: &Path, stop: &dyn Fn() -> bool) -> io::Result<Turn> {
    let opened = File::open(folder)?;
    loop {
        match opened.try_lock() {
            Ok(()) => return Ok(Turn::Mine(opened)),
            Err(TryLockError::WouldBlock) if stop() => return Ok(Turn::Stopped),
            Err(TryLockError::WouldBlock) => std::thread::sleep(PAUSE),
            Err(TryLockError::Error(error)) if has_no_locks(&error) => return Ok(Turn::NoLocks),
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
}

/// NFS locks what is open for writing only, which a folder never is, and nothing at all where no lock daemon runs.
fn has_no_locks(error: &io::Error) -> bool {
    let errno = error.raw_os_error().map(Errno::from_raw_os_error);
    error.kind() == ErrorKind::Unsupported || matches!(errno, Some(Errno::BADF | Errno::NOLCK))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_file_takes_its_place_whole() {
        let dir = tempfile::tempdir().unwrap();
        let to = dir.path().join("a");
        std::fs::write(&to, "old").unwrap();
        let mut file = NamedTempFile::new_in(dir.path()).unwrap();
        file.write_all(b"new").unwrap();
        assert_eq!(std::fs::read(&to).unwrap(), b"old");
        settle(file, &to).unwrap();
        assert_eq!(std::fs::read(&to).unwrap(), b"new");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
        assert_eq!((folder_of(Path::new("a")), folder_of(&to)), (Path::new("."), dir.path()));
    }

    #[test]
    fn a_folder_is_waited_for_until_its_turn_comes_or_nobody_wants_it_any_more() {
        let dir = tempfile::tempdir().unwrap();
        let Turn::Mine(held) = wait_for(dir.path(), &|| false).unwrap() else { panic!("nobody has it") };
        assert!(matches!(wait_for(dir.path(), &|| true).unwrap(), Turn::Stopped));
        std::thread::scope(|scope| {
            let other = scope.spawn(|| wait_for(dir.path(), &|| false).unwrap());
            drop(held);
            assert!(matches!(other.join().unwrap(), Turn::Mine(_)));
        });
        assert!(wait_for(&dir.path().join("none"), &|| false).is_err());
        for (errno, expected) in
            [(Errno::BADF, true), (Errno::NOLCK, true), (Errno::OPNOTSUPP, true), (Errno::IO, false)]
        {
            assert_eq!(has_no_locks(&errno.into()), expected, "{errno}");
        }
    }
}
