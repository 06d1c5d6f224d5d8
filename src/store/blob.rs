//! Blobs: bytes under their own digest.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, BufWriter, ErrorKind, Read, Seek, Write};
use std::path::PathBuf;

use tempfile::NamedTempFile;

use super::disk;
use super::error::StoreError;
use super::folder::Store;
use crate::digest::{Digest, Hasher, Mismatch, Verifying};

/// A blob that is being written; nothing of it is seen before [`BlobWriter::commit`], and nothing remains of
/// it when it is dropped.
///
/// Its write errors are [`io::Error`]s around a [`StoreError`], so that they say the file and what to do.
pub struct BlobWriter<'s> {
    store: &'s Store,
    file: BufWriter<NamedTempFile>,
    hasher: Hasher,
}

impl Store {
    /// The size of a blob that is here.
    #[must_use]
    pub fn size(&self, digest: &Digest) -> Option<u64> {
        fs::symlink_metadata(self.blob_path(digest)).ok().filter(fs::Metadata::is_file).map(|meta| meta.len())
    }

    /// Opens a blob and marks it as used; the reader fails at the end unless the bytes are right. Who meets
    /// that failure calls [`Store::drop_blob`] and gets the blob again from where it came.
    ///
    /// # Errors
    /// When the file is there and cannot be opened.
    pub fn read(&self, digest: &Digest) -> Result<Option<Verifying<File>>, StoreError> {
        let Some((file, size)) = self.open_blob(digest)? else { return Ok(None) };
        Ok(Some(Verifying::new(file, *digest, Some(size))))
    }

    /// A blob's file as it is, marked as used: for who verifies on the way, and does not begin at the beginning.
    ///
    /// # Errors
    /// When the file is there and cannot be opened.
    pub fn unverified(&self, digest: &Digest) -> Result<Option<File>, StoreError> {
        Ok(self.open_blob(digest)?.map(|(file, _)| file))
    }

    /// A blob that is read at random, its bytes verified before. One with wrong bytes is dropped and as good as absent.
    ///
    /// # Errors
    /// When the file is there and cannot be read.
    pub fn file(&self, digest: &Digest) -> Result<Option<File>, StoreError> {
        let Some((mut file, size)) = self.open_blob(digest)? else { return Ok(None) };
        match io::copy(&mut Verifying::new(&file, *digest, Some(size)), &mut io::sink()).and_then(|_| file.rewind()) {
            Ok(()) => Ok(Some(file)),
            Err(error) if error.kind() == ErrorKind::InvalidData => {
                // Where it cannot be dropped, whoever puts it again is told why; until then it is absent.
                let _ = disk::drop_open(&file, &self.blob_path(digest));
                Ok(None)
            }
            Err(error) => Err(StoreError::reading(&self.blob_path(digest))(error)),
        }
    }

    /// A file without a name, for bytes that are needed for a while only.
    ///
    /// # Errors
    /// When the store may not be changed, or its disk is full.
    pub fn scratch(&self) -> Result<File, StoreError> {
        let tmp = self.tmp();
        tempfile::tempfile_in(&tmp).map_err(StoreError::changing("cannot write in", &tmp))
    }

    /// The same with all bytes of a reader in it, ready to be read from its beginning.
    ///
    /// # Errors
    /// As [`Store::scratch`]; when the reader fails, as one does at its end whose bytes are not the right ones.
    pub fn scratch_copy(&self, from: &mut dyn Read) -> Result<File, StoreError> {
        let mut file = self.scratch()?;
        let failed = |error| StoreError::changing("cannot write in", &self.tmp())(error);
        pour(from, |bytes| file.write_all(bytes).map_err(failed))?;
        file.rewind().map_err(failed)?;
        Ok(file)
    }

    /// All bytes of a blob, verified, and marks it as used. A blob with wrong bytes is dropped and as good as absent.
    ///
    /// # Errors
    /// [`StoreError::Limit`] when it is longer than `limit`; when the file is there and cannot be read.
    pub fn bytes(&self, digest: &Digest, limit: u64) -> Result<Option<Vec<u8>>, StoreError> {
        let Some((file, size)) = self.open_blob(digest)? else { return Ok(None) };
        if size > limit {
            return Err(StoreError::Limit { digest: *digest, size, limit });
        }
        let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or(0));
        match Verifying::new(&file, *digest, Some(size)).read_to_end(&mut bytes) {
            Ok(_) => Ok(Some(bytes)),
            Err(error) if error.kind() == ErrorKind::InvalidData => {
                // Where it cannot be dropped, whoever puts it again is told why; until then it is absent.
                let _ = disk::drop_open(&file, &self.blob_path(digest));
                Ok(None)
            }
            Err(error) => Err(StoreError::reading(&self.blob_path(digest))(error)),
        }
    }

    fn open_blob(&self, digest: &Digest) -> Result<Option<(File, u64)>, StoreError> {
        let path = self.blob_path(digest);
        let Some(file) = disk::open(&path)? else { return Ok(None) };
        let meta = file.metadata().map_err(StoreError::reading(&path))?;
        disk::mark_used(&file, &meta, self.now);
        Ok(Some((file, meta.len())))
    }

    /// Drops a blob, because its bytes were found to be wrong. One that is not here is dropped already.
    ///
    /// # Errors
    /// When the store may not be changed.
    pub fn drop_blob(&self, digest: &Digest) -> Result<(), StoreError> {
        disk::drop_file(&self.blob_path(digest)).map(drop)
    }

    /// Begins a blob.
    ///
    /// # Errors
    /// When the store may not be changed, or its disk is full.
    pub fn write(&self) -> Result<BlobWriter<'_>, StoreError> {
        let file = BufWriter::with_capacity(disk::BUFFER, disk::aside(&self.tmp())?);
        Ok(BlobWriter { store: self, file, hasher: Hasher::default() })
    }

    /// Puts bytes from a reader, to its end.
    ///
    /// # Errors
    /// When they cannot be read or written, or are not those of `expected`: then nothing is put.
    pub fn put(&self, from: &mut dyn Read, expected: Option<Digest>) -> Result<(Digest, u64), StoreError> {
        let mut blob = self.write()?;
        pour(from, |bytes| blob.add(bytes))?;
        blob.commit(expected)
    }

    /// Where a blob is to be put, its folder made. One that is there already is replaced all the same: its size says
    /// nothing about what the disk has done to it, and the new bytes are known to be right.
    pub(super) fn place(&self, digest: &Digest) -> Result<PathBuf, StoreError> {
        let path = self.blob_path(digest);
        if let Some(folder) = path.parent() {
            disk::make_folder(folder).map_err(StoreError::changing("cannot make", folder))?;
        }
        Ok(path)
    }
}

impl BlobWriter<'_> {
    fn add(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        self.file.write_all(bytes).map_err(|error| self.failed(error))?;
        self.hasher.update(bytes);
        Ok(())
    }

    fn failed(&self, error: io::Error) -> StoreError {
        StoreError::changing("cannot write", self.file.get_ref().path())(error)
    }

    /// Makes the blob visible, once its bytes are on the disk.
    ///
    /// # Errors
    /// [`StoreError::Mismatch`] when the bytes are not those of `expected`; when they cannot be written to the
    /// end. Then nothing remains of them.
    pub fn commit(self, expected: Option<Digest>) -> Result<(Digest, u64), StoreError> {
        let (got, size) = self.hasher.finish();
        check(expected, got)?;
        let to = self.store.place(&got)?;
        let aside = self.file.get_ref().path().to_owned();
        let file = self.file.into_inner().map_err(|e| StoreError::changing("cannot write", &aside)(e.into_error()))?;
        disk::publish(file, &to, self.store.now)?;
        Ok((got, size))
    }
}

impl fmt::Debug for BlobWriter<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BlobWriter").field("size", &self.hasher.size()).finish_non_exhaustive()
    }
}

impl Write for BlobWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = self.file.write(bytes).map_err(|error| io::Error::new(error.kind(), self.failed(error)))?;
        self.hasher.update(&bytes[..n]);
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush().map_err(|error| io::Error::new(error.kind(), self.failed(error)))
    }
}

/// Hands on all bytes of a reader.
fn pour(from: &mut dyn Read, mut to: impl FnMut(&[u8]) -> Result<(), StoreError>) -> Result<(), StoreError> {
    let mut buffer = vec![0; disk::BUFFER];
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(n) => to(&buffer[..n])?,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => {
                return Err(error.downcast::<Mismatch>().map_or_else(StoreError::Source, StoreError::Mismatch));
            }
        }
    }
}

/// Fails unless bytes are those that were expected, where any were.
pub(super) fn check(expected: Option<Digest>, got: Digest) -> Result<(), Mismatch> {
    match expected {
        Some(expected) if expected != got => Err(Mismatch::Digest { expected, got }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::time::{Duration, SystemTime};

    use super::*;

    fn new() -> (tempfile::TempDir, Store) {
        let root = tempfile::tempdir().unwrap();
        let store = Store::open(root.path(), SystemTime::UNIX_EPOCH + Duration::from_hours(24)).unwrap();
        (root, store)
    }

    fn empty_tmp(store: &Store) -> bool {
        fs::read_dir(store.tmp()).unwrap().next().is_none()
    }

    #[test]
    fn a_blob_that_is_read_at_random_is_verified_before() {
        let (_root, store) = new();
        let (digest, _) = store.put(&mut &b"blob"[..], None).unwrap();
        let mut text = String::new();
        store.file(&digest).unwrap().unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text, "blob");
        let path = store.blob_path(&digest);
        fs::remove_file(&path).unwrap();
        fs::write(&path, "blub").unwrap();
        assert!(store.file(&digest).unwrap().is_none());
        assert!(!path.exists(), "wrong bytes are dropped");
    }

    #[test]
    fn a_copy_without_a_name_is_whole_or_none_and_leaves_nothing() {
        let (_root, store) = new();
        let digest = Digest::of(b"text");
        let mut text = String::new();
        let mut right = Verifying::new(&b"text"[..], digest, Some(4));
        store.scratch_copy(&mut right).unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text, "text");
        let mut wrong = Verifying::new(&b"test"[..], digest, Some(4));
        assert!(matches!(store.scratch_copy(&mut wrong), Err(StoreError::Mismatch(_))));
        assert!(empty_tmp(&store) && store.size(&digest).is_none());
    }

    #[test]
    fn a_blob_is_read_as_it_was_put() {
        let (_root, store) = new();
        let long = vec![7; 300_000];
        for bytes in [&b""[..], b"x", &long] {
            let digest = Digest::of(bytes);
            assert_eq!((store.size(&digest), store.bytes(&digest, 9).unwrap()), (None, None));
            assert!(store.read(&digest).unwrap().is_none());
            let size = bytes.len() as u64;
            assert_eq!(store.put(&mut &bytes[..], Some(digest)).unwrap(), (digest, size));
            assert_eq!(store.size(&digest), Some(size));
            assert_eq!(store.bytes(&digest, size).unwrap().unwrap(), bytes);
            let mut read = Vec::new();
            store.read(&digest).unwrap().unwrap().read_to_end(&mut read).unwrap();
            assert_eq!(read, bytes);
        }
        assert!(empty_tmp(&store));
    }

    #[test]
    fn nothing_of_a_blob_is_seen_before_its_commit() {
        let (_root, store) = new();
        let digest = Digest::of(b"halves");
        let mut blob = store.write().unwrap();
        blob.write_all(b"hal").unwrap();
        blob.flush().unwrap();
        blob.write_all(b"ves").unwrap();
        assert_eq!(store.size(&digest), None);
        blob.commit(None).unwrap();
        assert_eq!(store.bytes(&digest, 6).unwrap().unwrap(), b"halves");

        store.write().unwrap().write_all(b"given up").unwrap();
        assert_eq!(store.size(&Digest::of(b"given up")), None);
        assert!(empty_tmp(&store));
    }

    #[test]
    fn bytes_that_are_not_the_expected_ones_are_not_put() {
        let (_root, store) = new();
        let error = store.put(&mut &b"wrong"[..], Some(Digest::of(b"right"))).unwrap_err();
        assert!(matches!(error, StoreError::Mismatch(Mismatch::Digest { .. })), "{error:?}");
        let mut short = Verifying::new(&b"right"[..], Digest::of(b"right!"), Some(6));
        let error = store.put(&mut short, None).unwrap_err();
        assert!(matches!(error, StoreError::Mismatch(Mismatch::Short { .. })), "{error:?}");
        assert_eq!(store.size(&Digest::of(b"wrong")), None);
        assert_eq!(store.size(&Digest::of(b"right")), None);
        assert!(empty_tmp(&store));
    }

    #[test]
    fn a_source_that_fails_puts_nothing() {
        struct Failing;
        impl Read for Failing {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::Error::other("cable pulled"))
            }
        }
        let (_root, store) = new();
        let error = store.put(&mut (&b"begun"[..]).chain(Failing), None).unwrap_err();
        assert_eq!(error.to_string(), "cannot read what is to be stored: cable pulled");
        assert_eq!(store.size(&Digest::of(b"begun")), None);
        assert!(empty_tmp(&store));
    }

    /// Does to a blob what a failing disk does.
    fn damage(store: &Store, digest: &Digest, bytes: &[u8]) {
        let path = store.blob_path(digest);
        fs::remove_file(&path).unwrap();
        fs::write(&path, bytes).unwrap();
    }

    #[test]
    fn a_damaged_blob_is_never_served_and_can_be_put_again() {
        let (_root, store) = new();
        let digest = Digest::of(b"whole");
        for torn in [&b""[..], b"who", b"whale", b"whole and more"] {
            store.put(&mut &b"whole"[..], None).unwrap();
            damage(&store, &digest, torn);
            let mut sink = Vec::new();
            assert!(store.read(&digest).unwrap().unwrap().read_to_end(&mut sink).is_err());
            assert_eq!(store.bytes(&digest, 99).unwrap(), None);
            assert_eq!(store.size(&digest), None, "it was dropped");
            store.put(&mut &b"whole"[..], None).unwrap();
            assert_eq!(store.bytes(&digest, 5).unwrap().unwrap(), b"whole");
        }
    }

    #[test]
    fn right_bytes_replace_whatever_is_there() {
        let (_root, store) = new();
        let (digest, _) = store.put(&mut &b"whole"[..], None).unwrap();
        for spoilt in [&b"who"[..], b"whale"] {
            damage(&store, &digest, spoilt);
            store.put(&mut &b"whole"[..], None).unwrap();
            assert_eq!(store.bytes(&digest, 5).unwrap().unwrap(), b"whole");
        }
    }

    #[test]
    fn a_blob_that_is_too_long_is_not_read() {
        let (_root, store) = new();
        let (digest, _) = store.put(&mut &b"12345"[..], None).unwrap();
        let error = store.bytes(&digest, 4).unwrap_err();
        assert!(matches!(error, StoreError::Limit { size: 5, limit: 4, .. }), "{error:?}");
        assert_eq!(store.size(&digest), Some(5), "it is right all the same");
    }

    #[test]
    fn reading_marks_a_blob_as_used_and_never_back_in_time() {
        let (root, store) = new();
        let (digest, _) = store.put(&mut &b"used"[..], None).unwrap();
        let used = || fs::metadata(store.blob_path(&digest)).unwrap().modified().unwrap();
        assert_eq!(used(), store.now);
        let later = store.now + Duration::from_mins(1);
        let other = Store::open(root.path(), later).unwrap();
        other.bytes(&digest, 9).unwrap().unwrap();
        assert_eq!(used(), later);
        store.bytes(&digest, 9).unwrap().unwrap();
        assert_eq!(used(), later);
    }

    #[test]
    fn nobody_can_open_a_blob_for_writing_by_mistake() {
        let (_root, store) = new();
        let (digest, _) = store.put(&mut &b"kept"[..], None).unwrap();
        let mode = fs::metadata(store.blob_path(&digest)).unwrap().permissions().mode();
        assert_eq!(mode & 0o333, 0, "{mode:o}");
        store.drop_blob(&digest).unwrap();
        store.drop_blob(&digest).unwrap();
        assert_eq!(store.size(&digest), None);
    }
}
