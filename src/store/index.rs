//! The index: results under the key of what they were made from.
//!
//! An entry is two lines of JSON. The first has the format and the digest of the second, so that an entry which
//! a crash or a failing disk has damaged is noticed; it is as good as absent, since every result can be made again.

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;

use serde::Serialize;
use serde::de::{DeserializeOwned, IgnoredAny};

use super::disk;
use super::error::StoreError;
use super::folder::Store;
use crate::digest::Digest;

const FORMAT: u32 = 1;

/// Results are facts about blobs, a few KB; what is longer is damaged.
const LONGEST_ENTRY: u64 = 64 << 20;

#[derive(serde::Serialize, serde::Deserialize)]
struct Head {
    format: u32,
    digest: Digest,
}

#[derive(serde::Serialize, serde::Deserialize)]
struct Body<T> {
    // An entry that stands under another name than its own is damaged too.
    key: Digest,
    refers: Vec<Digest>,
    result: T,
}

impl Store {
    /// The result kept under a key, and marks it as used. An entry that is damaged, that another version of
    /// elkbake wrote otherwise, or that refers to a blob which is gone, is as good as absent.
    ///
    /// # Errors
    /// When the file is there and cannot be read.
    pub fn result<T: DeserializeOwned>(&self, key: &Digest) -> Result<Option<T>, StoreError> {
        let path = self.index_path(key);
        let Some(file) = disk::open(&path)? else { return Ok(None) };
        let meta = file.metadata().map_err(StoreError::reading(&path))?;
        let mut bytes = Vec::new();
        (&file).take(LONGEST_ENTRY).read_to_end(&mut bytes).map_err(StoreError::reading(&path))?;
        let Some(body) = parse::<T>(key, &bytes) else { return Ok(None) };
        if body.refers.iter().any(|digest| self.size(digest).is_none()) {
            return Ok(None);
        }
        disk::mark_used(&file, &meta, self.now);
        Ok(Some(body.result))
    }

    /// Keeps a result under a key, instead of the one that may be there. As long as the entry is in use,
    /// the blobs it refers to are kept with it; put them first.
    ///
    /// # Errors
    /// When the store may not be changed, its disk is full, or the result has no JSON form.
    pub fn keep<T: Serialize>(&self, key: &Digest, result: &T, refers: &[Digest]) -> Result<(), StoreError> {
        let file = self.enter(key, result, refers)?;
        file.sync_all().map_err(StoreError::changing("cannot write", &self.index_path(key)))
    }

    /// The same for what matters less, or only until the result that comes next is kept: the disk is not waited for, so
    /// that a power cut in the next seconds may take it away.
    ///
    /// # Errors
    /// As [`Store::keep`].
    pub fn keep_lightly<T: Serialize>(&self, key: &Digest, result: &T, refers: &[Digest]) -> Result<(), StoreError> {
        self.enter(key, result, refers).map(drop)
    }

    fn enter<T: Serialize>(&self, key: &Digest, result: &T, refers: &[Digest]) -> Result<File, StoreError> {
        let mut refers = refers.to_vec();
        refers.sort_unstable();
        refers.dedup();
        let entry =
            write(&Body { key: *key, refers, result }).map_err(|source| StoreError::Result { key: *key, source })?;
        let mut file = disk::aside(&self.tmp())?;
        file.write_all(&entry).map_err(StoreError::changing("cannot write", file.path()))?;
        disk::publish_guarded(file, &self.index_path(key), self.now)
    }

    /// Drops what is kept under a key, because it does not hold any more. What is not here is dropped already.
    ///
    /// # Errors
    /// When the store may not be changed.
    pub fn forget(&self, key: &Digest) -> Result<(), StoreError> {
        disk::drop_file(&self.index_path(key)).map(drop)
    }
}

/// The blobs that a whole entry refers to; `None` when the entry is damaged, or gone.
pub(super) fn refers(path: &Path, key: &Digest) -> Result<Option<Vec<Digest>>, StoreError> {
    let Some(file) = disk::open(path)? else { return Ok(None) };
    let mut bytes = Vec::new();
    file.take(LONGEST_ENTRY).read_to_end(&mut bytes).map_err(StoreError::reading(path))?;
    Ok(parse::<IgnoredAny>(key, &bytes).map(|body| body.refers))
}

fn write<T: Serialize>(body: &Body<T>) -> Result<Vec<u8>, serde_json::Error> {
    let body = serde_json::to_vec(body)?;
    let mut entry = serde_json::to_vec(&Head { format: FORMAT, digest: Digest::of(&body) })?;
    entry.push(b'\n');
    entry.extend(body);
    entry.push(b'\n');
    Ok(entry)
}

fn parse<T: DeserializeOwned>(key: &Digest, entry: &[u8]) -> Option<Body<T>> {
    let end = entry.iter().position(|&c| c == b'\n')?;
    let body = entry[end + 1..].strip_suffix(b"\n")?;
    let head: Head = serde_json::from_slice(&entry[..end]).ok()?;
    if head.format != FORMAT || head.digest != Digest::of(body) {
        return None;
    }
    serde_json::from_slice(body).ok().filter(|body: &Body<T>| body.key == *key)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::SystemTime;

    use proptest::prelude::*;

    use super::*;

    fn new() -> (tempfile::TempDir, Store) {
        let root = tempfile::tempdir().unwrap();
        let store = Store::open(root.path(), SystemTime::UNIX_EPOCH).unwrap();
        (root, store)
    }

    #[test]
    fn what_is_forgotten_is_absent() {
        let (_root, store) = new();
        let key = Digest::of(b"key");
        store.keep(&key, &1, &[]).unwrap();
        store.keep_lightly(&key, &2, &[]).unwrap();
        assert_eq!(store.result::<u8>(&key).unwrap(), Some(2));
        store.forget(&key).unwrap();
        assert_eq!(store.result::<u8>(&key).unwrap(), None);
        store.forget(&key).unwrap();
    }

    type Facts = (String, Vec<u64>);

    fn facts() -> Facts {
        ("line\nbreak \u{1f98c}".to_owned(), vec![0, u64::MAX])
    }

    #[test]
    fn a_result_is_read_as_it_was_kept_and_the_last_one_counts() {
        let (_root, store) = new();
        let key = Digest::of(b"key");
        assert_eq!(store.result::<Facts>(&key).unwrap(), None);
        store.keep(&key, &facts(), &[]).unwrap();
        assert_eq!(store.result::<Facts>(&key).unwrap(), Some(facts()));
        store.keep_lightly(&key, &"other", &[]).unwrap();
        assert_eq!(store.result::<String>(&key).unwrap().unwrap(), "other");
        assert_eq!(store.result::<Facts>(&key).unwrap(), None, "what means something else is absent");
    }

    #[test]
    fn any_damage_to_an_entry_makes_it_absent() {
        let (_root, store) = new();
        let key = Digest::of(b"key");
        store.keep(&key, &facts(), &[]).unwrap();
        let path = store.index_path(&key);
        let whole = fs::read(&path).unwrap();
        let put = |bytes: &[u8]| {
            fs::remove_file(&path).unwrap();
            fs::write(&path, bytes).unwrap();
        };
        assert!(parse::<Facts>(&key, &whole).is_some());
        for at in 0..whole.len() {
            assert!(parse::<Facts>(&key, &whole[..at]).is_none(), "cut at {at}");
            let mut flipped = whole.clone();
            flipped[at] ^= 1;
            assert!(parse::<Facts>(&key, &flipped).is_none(), "flipped at {at}");
        }
        put(&whole[..whole.len() / 2]);
        assert_eq!(store.result::<Facts>(&key).unwrap(), None);
        put(&vec![0; whole.len()]);
        assert_eq!(store.result::<Facts>(&key).unwrap(), None);
        store.keep(&key, &facts(), &[]).unwrap();
        assert_eq!(store.result::<Facts>(&key).unwrap(), Some(facts()));
    }

    #[test]
    fn an_entry_under_another_name_or_of_another_format_is_absent() {
        let (_root, store) = new();
        let (key, other) = (Digest::of(b"key"), Digest::of(b"other"));
        store.keep(&key, &facts(), &[]).unwrap();
        fs::copy(store.index_path(&key), store.index_path(&other)).unwrap();
        assert_eq!(store.result::<Facts>(&other).unwrap(), None);
        let text = fs::read_to_string(store.index_path(&key)).unwrap();
        fs::remove_file(store.index_path(&key)).unwrap();
        fs::write(store.index_path(&key), text.replace("\"format\":1", "\"format\":2")).unwrap();
        assert_eq!(store.result::<Facts>(&key).unwrap(), None);
    }

    #[test]
    fn a_result_whose_blob_is_gone_is_absent() {
        let (_root, store) = new();
        let key = Digest::of(b"key");
        let (blob, _) = store.put(&mut &b"blob"[..], None).unwrap();
        store.keep(&key, &1, &[blob, blob]).unwrap();
        assert_eq!(store.result::<u8>(&key).unwrap(), Some(1));
        store.drop_blob(&blob).unwrap();
        assert_eq!(store.result::<u8>(&key).unwrap(), None);
    }

    #[test]
    fn a_result_without_a_json_form_is_refused_and_the_old_one_stays() {
        let (_root, store) = new();
        let key = Digest::of(b"key");
        store.keep(&key, &1, &[]).unwrap();
        let odd = std::collections::BTreeMap::from([((1, 2), 3)]);
        let error = store.keep(&key, &odd, &[]).unwrap_err();
        assert!(error.to_string().contains(&key.to_string()), "{error}");
        assert_eq!(store.result::<u8>(&key).unwrap(), Some(1));
    }

    proptest! {
        #[test]
        fn no_bytes_make_an_entry_by_chance(bytes: Vec<u8>) {
            prop_assert!(parse::<IgnoredAny>(&Digest::of(b"key"), &bytes).is_none());
        }
    }
}
