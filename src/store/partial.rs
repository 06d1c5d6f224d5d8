//! Downloads that go on where an earlier process stopped.
//!
//! Beside the bytes stands a note: how many of them are known to be right, their digest, and the validator
//! they belong to. Bytes after that, and all bytes when the digest does not fit, are thrown away on opening:
//! after a power cut a file may be long enough and yet hold zeros, and where no digest is expected of the whole,
//! nothing else would notice. So nothing here needs a sync before the end.

use std::fmt;
use std::fs::{File, TryLockError};
use std::io::{Read, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::blob::check;
use super::disk;
use super::error::StoreError;
use super::folder::Store;
use crate::digest::{Digest, Hasher};

const FORMAT: u32 = 1;

/// A killed process loses no more than this. Writing a note takes some 50 µs, receiving this much takes
/// 10 ms at the very best.
const STEP: u64 = 1 << 20;

/// A validator is a header's value, so the note is short; what is longer is damaged.
const LONGEST_NOTE: u64 = 64 << 10;

/// A download that goes on where an earlier process stopped. It is exclusive: nobody else can open it until it is
/// committed or dropped. What is dropped can be gone on with later.
pub struct Partial<'s> {
    store: &'s Store,
    data: PathBuf,
    note: PathBuf,
    file: File,
    validator: Option<String>,
    hasher: Hasher,
    noted: u64,
    over: bool,
}

#[derive(serde::Serialize, serde::Deserialize)]
struct Note {
    format: u32,
    validator: Option<String>,
    size: u64,
    digest: Digest,
}

impl Store {
    /// Opens the partial download of a name (any text; it is not written down, since addresses may carry
    /// secrets), exclusive to this caller; `None` while another thread or process has it open.
    ///
    /// That one may finish the download: ask [`Store::size`] before asking here again.
    ///
    /// # Errors
    /// When the store may not be changed, its disk is full, or it cannot be locked.
    pub fn partial(&self, name: &str) -> Result<Option<Partial<'_>>, StoreError> {
        let data = self.partial_path(name);
        let opened = File::options().read(true).write(true).create(true).truncate(false).open(&data);
        let file = opened.map_err(StoreError::changing("cannot lock", &data))?;
        match file.try_lock() {
            // Whoever held the lock before may have made a blob of this very file, or dropped it.
            Ok(()) if !disk::is_at(&file, &data).map_err(StoreError::changing("cannot lock", &data))? => Ok(None),
            Ok(()) => self.resumed(data, file).map(Some),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(StoreError::changing("cannot lock", &data)(error)),
        }
    }

    fn partial_path(&self, name: &str) -> PathBuf {
        self.home.join("partial").join(Digest::of(name.as_bytes()).hex())
    }

    fn resumed(&self, data: PathBuf, file: File) -> Result<Partial<'_>, StoreError> {
        let mut partial = Partial {
            store: self,
            note: data.with_extension("json"),
            file,
            data,
            validator: None,
            hasher: Hasher::default(),
            noted: 0,
            over: false,
        };
        partial.resume()?;
        Ok(partial)
    }
}

impl Partial<'_> {
    /// Takes over what is here as far as it is known to be right.
    fn resume(&mut self) -> Result<(), StoreError> {
        if let Some(note) = read_note(&self.note)
            && let Ok(hasher) = disk::hash((&self.file).take(note.size))
            && hasher.clone().finish() == (note.digest, note.size)
        {
            self.noted = note.size;
            self.hasher = hasher;
            self.validator = note.validator;
        }
        self.cut()
    }

    /// Shortens the file to what is known to be right.
    fn cut(&self) -> Result<(), StoreError> {
        self.file.set_len(self.len()).map_err(StoreError::changing("cannot write", &self.data))
    }

    /// How many bytes are here, from earlier and from now.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.hasher.size()
    }

    /// Whether there is nothing to go on with.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The validator (`ETag`) that the bytes here belong to.
    #[must_use]
    pub fn validator(&self) -> Option<&str> {
        self.validator.as_deref()
    }

    /// Throws away what is here and begins anew, with the validator of what comes.
    ///
    /// # Errors
    /// When the file cannot be changed.
    pub fn restart(&mut self, validator: Option<&str>) -> Result<(), StoreError> {
        self.hasher = Hasher::default();
        self.noted = 0;
        self.validator = validator.map(str::to_owned);
        self.cut()?;
        disk::drop_file(&self.note).map(drop)
    }

    /// Adds bytes: all of them, or none where it fails.
    ///
    /// # Errors
    /// When they cannot be written, as on a full disk.
    pub fn append(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        // At its place, not at the end: what an earlier failure left behind must not come between.
        if let Err(error) = self.file.write_all_at(bytes, self.len()) {
            let _ = self.cut();
            return Err(StoreError::changing("cannot write", &self.data)(error));
        }
        self.hasher.update(bytes);
        if self.len() - self.noted >= STEP {
            // The bytes are here; without a note they are just fetched again after a kill.
            let _ = self.write_note();
        }
        Ok(())
    }

    fn write_note(&mut self) -> Result<(), StoreError> {
        let (digest, size) = self.hasher.clone().finish();
        let note = Note { format: FORMAT, validator: self.validator.clone(), size, digest };
        let failed = |error| StoreError::changing("cannot write", &self.note)(error);
        let mut aside = disk::aside(&self.store.tmp())?;
        aside.write_all(&serde_json::to_vec(&note).map_err(|error| failed(error.into()))?).map_err(failed)?;
        aside.persist(&self.note).map_err(|error| failed(error.error))?;
        self.noted = size;
        Ok(())
    }

    /// Makes the whole a blob; wrong bytes are thrown away.
    ///
    /// # Errors
    /// [`StoreError::Mismatch`] when the bytes are not those of `expected`. When they cannot be made a blob for
    /// another reason, they stay and can be committed later.
    pub fn commit(mut self, expected: Option<Digest>) -> Result<(Digest, u64), StoreError> {
        let (got, size) = self.hasher.clone().finish();
        if let Err(mismatch) = check(expected, got) {
            self.discard();
            return Err(mismatch.into());
        }
        let to = self.store.place(&got)?;
        self.cut()?;
        disk::move_to_place(&self.file, &self.data, &to, self.store.now)?;
        self.over = true;
        // Left behind, it would fit no bytes and be thrown away with them.
        let _ = disk::drop_file(&self.note);
        Ok((got, size))
    }

    fn discard(&mut self) {
        self.over = true;
        // Even if the file itself could not be dropped, its bytes never count again.
        let _ = self.file.set_len(0);
        let _ = disk::drop_file(&self.note);
        let _ = disk::drop_open(&self.file, &self.data);
    }
}

impl fmt::Debug for Partial<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Partial").field("data", &self.data).field("len", &self.len()).finish_non_exhaustive()
    }
}

impl Drop for Partial<'_> {
    fn drop(&mut self) {
        if self.over {
            return;
        } else if self.is_empty() {
            return self.discard();
        } else if self.noted != self.len() {
            // As in `append`: without it, less can be gone on with.
            let _ = self.write_note();
        }
        if let Ok(meta) = self.file.metadata() {
            disk::mark_used(&self.file, &meta, self.store.now);
        }
    }
}

fn read_note(path: &Path) -> Option<Note> {
    let mut bytes = Vec::new();
    File::open(path).ok()?.take(LONGEST_NOTE).read_to_end(&mut bytes).ok()?;
    serde_json::from_slice(&bytes).ok().filter(|note: &Note| note.format == FORMAT)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::SystemTime;

    use proptest::prelude::*;
    use proptest::test_runner::TestRunner;

    use super::*;
    use crate::digest::Mismatch;

    fn new() -> (tempfile::TempDir, Store) {
        let root = tempfile::tempdir().unwrap();
        let store = Store::open(root.path(), SystemTime::UNIX_EPOCH).unwrap();
        (root, store)
    }

    fn left(store: &Store) -> usize {
        ["partial", "tmp"].map(|name| fs::read_dir(store.home.join(name)).unwrap().count()).iter().sum()
    }

    fn open(store: &Store) -> Partial<'_> {
        store.partial("p").unwrap().unwrap()
    }

    /// What all that was appended hashes to, without the syncs of making it a blob.
    fn content(partial: Partial) -> Digest {
        match partial.commit(Some(Digest::of(b"nobody appends this"))) {
            Err(StoreError::Mismatch(Mismatch::Digest { got, .. })) => got,
            other => panic!("{other:?}"),
        }
    }

    /// Tries a law on one store: making a store for each case would sync several folders each time.
    fn holds<S: Strategy>(cases: u32, of: &S, law: impl Fn(&Store, S::Value) -> Result<(), TestCaseError>) {
        let (_root, store) = new();
        let config = ProptestConfig { cases, source_file: Some(file!()), ..ProptestConfig::default() };
        TestRunner::new(config).run(of, |value| law(&store, value)).unwrap();
    }

    #[test]
    fn any_split_over_any_openings_gives_the_same_blob() {
        let bytes = || prop::collection::vec(any::<u8>(), 0..50);
        let pieces = prop::collection::vec((bytes(), any::<bool>()), 0..8);
        holds(16, &pieces, |store, pieces| {
            let mut whole = Vec::new();
            let mut partial = open(store);
            for (bytes, reopen) in &pieces {
                partial.append(bytes).unwrap();
                whole.extend(bytes);
                if *reopen {
                    drop(partial);
                    partial = open(store);
                }
                prop_assert_eq!(partial.len(), whole.len() as u64);
            }
            let expected = Digest::of(&whole);
            prop_assert_eq!(partial.commit(None).unwrap(), (expected, whole.len() as u64));
            prop_assert_eq!(store.bytes(&expected, 1000).unwrap().unwrap(), whole);
            prop_assert_eq!(left(store), 0);
            Ok(())
        });
    }

    #[test]
    fn another_validator_begins_anew() {
        holds(16, &any::<(Vec<u8>, Vec<u8>, u8, u8)>(), |store, (old, new, first, second)| {
            let (first, second) = (format!("\"{first}\""), format!("\"{second}\""));
            let mut partial = open(store);
            partial.restart(Some(&first)).unwrap();
            partial.append(&old).unwrap();
            drop(partial);
            let mut partial = open(store);
            prop_assert_eq!(partial.validator(), Some(first.as_str()).filter(|_| !old.is_empty()));
            partial.restart(Some(&second)).unwrap();
            prop_assert!(partial.is_empty());
            partial.append(&new).unwrap();
            drop(partial);
            let partial = open(store);
            prop_assert_eq!(partial.validator(), Some(second.as_str()).filter(|_| !new.is_empty()));
            prop_assert_eq!(content(partial), Digest::of(&new));
            Ok(())
        });
    }

    #[test]
    fn wrong_bytes_are_thrown_away() {
        let (_root, store) = new();
        let mut partial = open(&store);
        partial.append(b"wrong").unwrap();
        let error = partial.commit(Some(Digest::of(b"right"))).unwrap_err();
        assert!(matches!(error, StoreError::Mismatch(Mismatch::Digest { .. })), "{error:?}");
        assert_eq!((left(&store), store.size(&Digest::of(b"wrong"))), (0, None));
        assert!(open(&store).is_empty());
        assert_eq!(left(&store), 0, "an empty one leaves nothing");
    }

    #[test]
    fn a_whole_that_is_here_already_is_not_kept_twice() {
        let (_root, store) = new();
        store.put(&mut &b"whole"[..], None).unwrap();
        let mut partial = open(&store);
        partial.append(b"whole").unwrap();
        partial.commit(None).unwrap();
        assert_eq!((left(&store), store.size(&Digest::of(b"whole"))), (0, Some(5)));
    }

    /// Leaves some bytes behind and returns where they are.
    fn begun(store: &Store, bytes: &[u8]) -> (PathBuf, PathBuf) {
        let mut partial = open(store);
        partial.append(bytes).unwrap();
        (partial.data.clone(), partial.note.clone())
    }

    #[test]
    fn bytes_that_a_power_cut_has_spoilt_are_not_gone_on_with() {
        let (_root, store) = new();
        for spoilt in [&b"\0\0\0\0\0"[..], b"beg", b"", b"begum"] {
            let (data, _) = begun(&store, b"begun");
            fs::write(&data, spoilt).unwrap();
            assert!(open(&store).is_empty(), "{spoilt:?}");
        }
        for note in [&b""[..], b"\0\0\0", b"{\"format\":1", b"{\"format\":2}"] {
            let (_, path) = begun(&store, b"begun");
            fs::remove_file(&path).unwrap();
            fs::write(&path, note).unwrap();
            assert!(open(&store).is_empty(), "{note:?}");
        }
    }

    #[test]
    fn bytes_after_the_last_note_are_cut_off() {
        let (_root, store) = new();
        let (data, _) = begun(&store, b"begun");
        fs::write(&data, b"begun\0\0\0\0").unwrap();
        let mut partial = open(&store);
        assert_eq!(partial.len(), 5);
        partial.append(b" and done").unwrap();
        assert_eq!(partial.commit(None).unwrap().0, Digest::of(b"begun and done"));
    }

    #[test]
    fn nobody_else_opens_it_meanwhile_and_then_the_blob_is_there() {
        let (root, store) = new();
        let other = Store::open(root.path(), SystemTime::UNIX_EPOCH).unwrap();
        let mut first = open(&store);
        first.append(b"whole").unwrap();
        assert!(other.partial("p").unwrap().is_none());
        first.commit(None).unwrap();
        assert_eq!(other.size(&Digest::of(b"whole")), Some(5));
        assert!(open(&other).is_empty());
    }

    #[test]
    fn names_do_not_meet_and_are_not_written_down() {
        let (root, store) = new();
        let mut one = store.partial("../../x?token=secret").unwrap().unwrap();
        let two = store.partial("").unwrap().unwrap();
        one.append(b"1").unwrap();
        drop((one, two));
        assert!(!root.path().join("x?token=secret").exists());
        for entry in fs::read_dir(store.home.join("partial")).unwrap() {
            let path = entry.unwrap().path();
            assert!(!String::from_utf8_lossy(&fs::read(&path).unwrap()).contains("secret"), "{}", path.display());
        }
    }
}
