//! The store under what happens to it in life: processes killed at any instant, several at once, a full disk,
//! a folder that may only be read.

pub mod child;
mod limits;

use std::io::{self, Write};
use std::thread;
use std::time::{Duration, SystemTime};

use elkbake::digest::Digest;
use elkbake::store::{Audit, Freed, Store, StoreError};

use child::{Working, root, say_ready};

const NOW: SystemTime = SystemTime::UNIX_EPOCH;

/// The same numbers in every run: chance comes from when the system lets whom run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}

/// How many different blobs, entries and downloads there are: few, so that the same ones are written, dropped
/// and written again while others look at them.
const KINDS: u64 = 24;

/// Bytes that look like nothing else, made fast enough for a child that lives a few milliseconds.
fn noise(seed: u64, size: usize) -> Vec<u8> {
    let mut numbers = Numbers(seed + 1);
    let page: Vec<u8> = (0..512).flat_map(|_| numbers.below(u64::MAX).to_le_bytes()).collect();
    let mut bytes = page.repeat(size.div_ceil(page.len()));
    bytes.truncate(size);
    bytes
}

/// The bytes of a kind: from none to some hundred KB, which are more than one write.
fn content(kind: u64) -> Vec<u8> {
    noise(kind, if kind % 8 == 7 { 300_000 } else { usize::try_from(kind * kind * 61).unwrap() })
}

/// A blob that is never dropped, so that an entry may refer to it.
fn lasting(kind: u64) -> Vec<u8> {
    format!("lasting {kind}").into_bytes()
}

fn key(kind: u64) -> Digest {
    Digest::of(format!("key {kind}").as_bytes())
}

type Entry = (u64, u64, String);

/// One of the results kept under a key: each is longer than a page.
fn entry(kind: u64, turn: u64) -> Entry {
    (kind, turn, turn.to_string().repeat(2000))
}

#[test]
fn child_that_writes_until_it_is_killed() {
    let Some(root) = root() else { return };
    let store = Store::open(&root, NOW).unwrap();
    let contents: Vec<_> = (0..KINDS).map(content).collect();
    let mut numbers = Numbers(u64::from(std::process::id()) + 1);
    say_ready();
    loop {
        let kind = numbers.below(KINDS);
        let bytes = &contents[usize::try_from(kind).unwrap()];
        match numbers.below(4) {
            0 => store.drop_blob(&Digest::of(bytes)).unwrap(),
            1 => {
                let (blob, _) = store.put(&mut &lasting(kind)[..], None).unwrap();
                store.keep(&key(kind), &entry(kind, numbers.below(1000)), &[blob]).unwrap();
            }
            _ => {
                let mut blob = store.write().unwrap();
                let middle = bytes.len() / 2;
                blob.write_all(&bytes[..middle]).unwrap();
                blob.write_all(&bytes[middle..]).unwrap();
                blob.commit(Some(Digest::of(bytes))).unwrap();
            }
        }
    }
}

/// Every visible blob has exactly the bytes of its name, and every entry of the index is whole.
fn assert_whole(store: &Store) -> Audit {
    let audit = store.audit(&mut |_, _| {}).unwrap();
    assert!(audit.is_clean() && audit.strangers.is_empty(), "{audit:?}");
    for kind in 0..KINDS {
        if let Some(found) = store.result::<Entry>(&key(kind)).unwrap() {
            assert_eq!(found, entry(kind, found.1));
        }
    }
    audit
}

#[test]
fn no_kill_leaves_a_torn_blob_or_result_behind() {
    const ROUNDS: u64 = 100;
    let dir = tempfile::tempdir().unwrap();
    // Three at a time, so that each is killed while the others are at work in the same store.
    thread::scope(|scope| {
        for seed in [1, 2, 3] {
            let root = dir.path();
            scope.spawn(move || {
                let mut numbers = Numbers(seed);
                for _ in 0..ROUNDS {
                    let child = Working::start("child_that_writes_until_it_is_killed", root);
                    thread::sleep(Duration::from_micros(numbers.below(15_000)));
                    child.kill();
                    assert_whole(&Store::open(root, NOW).unwrap());
                }
            });
        }
    });
    let store = Store::open(dir.path(), NOW).unwrap();
    let audit = assert_whole(&store);
    assert!(audit.sound.count > 0 && audit.entries.count > 0, "the children came to write: {audit:?}");
    let leftovers = store.usage().unwrap().leftovers;
    assert!(leftovers.count > 0, "some were killed in the middle");
    drop(store);
    assert_eq!(Store::gc(dir.path(), Duration::MAX, NOW).unwrap().freed.leftovers, leftovers);
}

/// More than a partial download may lose in a kill, some times over.
fn download() -> Vec<u8> {
    noise(0, 3_000_000)
}

#[test]
fn child_that_downloads_until_it_is_killed() {
    let Some(root) = root() else { return };
    let store = Store::open(&root, NOW).unwrap();
    let whole = download();
    say_ready();
    loop {
        go_on(&store, "download", &whole);
        store.drop_blob(&Digest::of(&whole)).unwrap();
    }
}

/// Brings a download to its end from where it stopped, and tells where that was.
fn go_on(store: &Store, name: &str, whole: &[u8]) -> usize {
    let mut partial = loop {
        // Another process may be at it.
        match store.partial(name).unwrap() {
            Some(partial) => break partial,
            None => thread::sleep(Duration::from_millis(1)),
        }
    };
    if partial.validator() != Some("\"etag\"") {
        partial.restart(Some("\"etag\"")).unwrap();
    }
    let begin = usize::try_from(partial.len()).unwrap();
    for piece in whole[begin..].chunks(50_000) {
        partial.append(piece).unwrap();
    }
    // Nothing is expected, so that nothing but the store itself vouches for what an earlier process left.
    assert_eq!(partial.commit(None).unwrap().0, Digest::of(whole));
    begin
}

#[test]
fn a_download_that_was_killed_goes_on_to_the_right_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let whole = download();
    let mut numbers = Numbers(3);
    let mut resumed = 0;
    // Until enough were killed with something to go on with; longer and longer, for the sake of slow machines.
    for round in 0..400 {
        if resumed == 8 {
            return;
        }
        let child = Working::start("child_that_downloads_until_it_is_killed", dir.path());
        thread::sleep(Duration::from_micros(numbers.below(10_000 + round * 500)));
        child.kill();
        let store = Store::open(dir.path(), NOW).unwrap();
        assert_whole(&store);
        // Every other time it is the next child that has to cope with what this one left.
        if round % 2 == 0 {
            resumed += u64::from(go_on(&store, "download", &whole) > 0);
            store.drop_blob(&Digest::of(&whole)).unwrap();
        }
    }
    assert_eq!(resumed, 8, "too few could be gone on with");
}

#[test]
fn child_that_puts_the_same_blobs_as_others() {
    let Some(root) = root() else { return };
    let store = Store::open(&root, NOW).unwrap();
    say_ready();
    // Begins with its parent's word, so that all begin together.
    io::stdin().read_line(&mut String::new()).unwrap();
    for kind in 0..KINDS {
        let bytes = content(kind);
        store.put(&mut &bytes[..], Some(Digest::of(&bytes))).unwrap();
        assert_eq!(store.bytes(&Digest::of(&bytes), u64::MAX).unwrap(), Some(bytes));
        store.keep(&key(kind), &entry(kind, 1), &[]).unwrap();
        // Whoever waited for the other finds nothing to go on with, and brings the same bytes.
        go_on(&store, &format!("download {}", kind % 2), &lasting(kind % 2));
    }
}

#[test]
fn many_who_put_the_same_blobs_at_once_do_not_disturb_each_other() {
    let dir = tempfile::tempdir().unwrap();
    let start = || Working::start("child_that_puts_the_same_blobs_as_others", dir.path());
    let mut children = [start(), start(), start()];
    for working in &mut children {
        working.child.stdin.take().unwrap().write_all(b"go\n").unwrap();
    }
    children.into_iter().for_each(Working::finish);
    let store = Store::open(dir.path(), NOW).unwrap();
    let audit = assert_whole(&store);
    assert_eq!((audit.sound.count, audit.entries.count), (KINDS + 2, KINDS));
    let usage = store.usage().unwrap();
    assert_eq!((usage.leftovers.count, usage.partials.count), (0, 0));
}

#[test]
fn nothing_is_collected_while_another_process_uses_the_store() {
    let dir = tempfile::tempdir().unwrap();
    let child = Working::start("child_that_writes_until_it_is_killed", dir.path());
    let busy = Store::gc(dir.path(), Duration::ZERO, NOW);
    child.kill();
    assert!(matches!(busy, Err(StoreError::Busy { .. })), "{busy:?}");
    // The lock went with the process: no stale lock is ever left for a person to remove.
    let Freed { freed, kept } = Store::gc(dir.path(), Duration::ZERO, NOW).unwrap();
    assert_eq!((kept.bytes(), freed.partials.count), (0, 0));
}
