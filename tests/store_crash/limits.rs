//! The store where it cannot grow, and where it may not be changed.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::fs;
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use elkbake::digest::Digest;
use elkbake::store::{Store, StoreError};

use super::child::{CHILD, mounting, root, run, say_done};
use super::{Entry, NOW, entry, key};

/// Fills the disk below its store and looks at what remains.
#[test]
fn child_with_little_room() {
    let Some(root) = root() else { return };
    let store = Store::open(&root, NOW).unwrap();
    let small = Digest::of(b"small");
    store.put(&mut &b"small"[..], None).unwrap();
    store.keep(&key(1), &entry(1, 1), &[small]).unwrap();
    let before = listing(&root);
    let large = vec![7; 4 << 20];

    assert_full(&store.put(&mut &large[..], None).unwrap_err(), &root);
    assert_eq!(store.size(&Digest::of(&large)), None);
    assert_full(&store.keep(&key(1), &(1, 2, "x".repeat(4 << 20)), &[]).unwrap_err(), &root);
    assert_eq!(store.result::<Entry>(&key(1)).unwrap(), Some(entry(1, 1)), "the old one stays");
    assert_eq!(before, listing(&root), "nothing half-written remains");

    let mut blob = store.write().unwrap();
    let error = blob.write_all(&large).unwrap_err();
    assert_full(&error.downcast::<StoreError>().unwrap(), &root);
    drop(blob);

    let mut partial = store.partial("p").unwrap().unwrap();
    partial.append(b"begun").unwrap();
    assert_full(&partial.append(&large).unwrap_err(), &root);
    assert_eq!(partial.len(), 5, "it is as it was before");
    drop(partial);
    let mut partial = store.partial("p").unwrap().unwrap();
    partial.append(b" and done").unwrap();
    assert_eq!(partial.commit(None).unwrap().0, Digest::of(b"begun and done"));
    let audit = store.audit(&mut |_, _| {}).unwrap();
    assert!(audit.is_clean() && audit.sound.count == 2, "{audit:?}");
    say_done();
}

fn assert_full(error: &StoreError, root: &Path) {
    assert!(matches!(error, StoreError::Full { .. }), "{error:?}");
    let text = error.to_string();
    assert!(text.contains("`elkbake store gc`") && text.contains(root.to_str().unwrap()), "{text}");
}

/// All files below a folder with what they hold.
fn listing(root: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let entries = folders(root).into_iter().flat_map(|folder| fs::read_dir(folder).unwrap());
    let files = entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_file());
    files.map(|path| (path.clone(), fs::read(path).unwrap())).collect()
}

#[test]
fn a_full_disk_is_said_clearly_and_leaves_nothing_half_written() {
    const TEST: &str = "limits::child_with_little_room";
    // A file that may not grow beyond 1 MiB (counted in half KB), its signal ignored: this works everywhere.
    let dir = tempfile::tempdir().unwrap();
    run(TEST, dir.path(), &["sh", "-c", "trap '' XFSZ; ulimit -f 2048; exec \"$0\" \"$@\""]);
    // And a disk of 1 MiB where one can be had.
    let dir = tempfile::tempdir().unwrap();
    if let Some(way) = mounting(dir.path()) {
        let mount = format!("mount -t tmpfs -o size=1m none \"${CHILD}\" && exec \"$0\" \"$@\"");
        run(TEST, dir.path(), &[way, &["sh", "-c", &mount]].concat());
    }
}

/// A store with a sound blob, a result, and a damaged blob.
fn some_store(root: &Path) -> (Digest, Digest) {
    let store = Store::open(root, NOW).unwrap();
    let (sound, _) = store.put(&mut &b"sound"[..], None).unwrap();
    let (damaged, _) = store.put(&mut &b"damaged"[..], None).unwrap();
    store.keep(&key(1), &entry(1, 1), &[sound]).unwrap();
    let path = root.join("v1/blobs/sha256").join(&damaged.hex()[..2]).join(damaged.hex());
    fs::remove_file(&path).unwrap();
    fs::write(&path, "torn").unwrap();
    (sound, damaged)
}

fn assert_read_only<T: Debug>(result: Result<T, StoreError>, root: &Path) {
    let error = result.unwrap_err();
    assert!(matches!(error, StoreError::ReadOnly { .. }), "{error:?}");
    let text = error.to_string();
    assert!(text.contains(root.to_str().unwrap()) && text.contains("--store DIR"), "{text}");
    assert!(text.contains("ELKBAKE_STORE"), "{text}");
}

fn assert_reads_only(root: &Path, sound: &Digest) {
    // Later than what is there, so that it would be marked as used if it could.
    let store = Store::open(root, SystemTime::UNIX_EPOCH + Duration::from_hours(1)).unwrap();
    assert_eq!(store.bytes(sound, 99).unwrap().unwrap(), b"sound");
    assert_eq!(store.result::<Entry>(&key(1)).unwrap(), Some(entry(1, 1)));
    assert_eq!(store.usage().unwrap().blobs.count, 2);
    assert_read_only(store.write(), root);
    assert_read_only(store.put(&mut &b"new"[..], None), root);
    assert_read_only(store.keep(&key(2), &1, &[]), root);
    assert_read_only(store.partial("p"), root);
    drop(store);
    assert_read_only(Store::gc(root, Duration::ZERO, NOW), root);
}

#[test]
fn child_that_may_only_read() {
    let Some(root) = root() else { return };
    let (sound, damaged) = (Digest::of(b"sound"), Digest::of(b"damaged"));
    assert_reads_only(&root, &sound);
    let store = Store::open(&root, NOW).unwrap();
    assert_eq!(store.bytes(&damaged, 99).unwrap(), None, "damaged bytes are not served, dropped or not");
    assert_read_only(store.drop_blob(&damaged), &root);
    let audit = store.audit(&mut |_, _| {}).unwrap();
    assert_eq!((audit.sound.count, audit.broken[0].digest), (1, damaged));
    assert!(matches!(audit.broken[0].left, Some(StoreError::ReadOnly { .. })), "{audit:?}");
    say_done();
}

#[test]
fn a_store_that_may_only_be_read_serves_what_it_has_and_says_why_it_takes_nothing() {
    const TEST: &str = "limits::child_that_may_only_read";
    // Links to where not even root may make a file: this works everywhere.
    let dir = tempfile::tempdir().unwrap();
    let (sound, _) = some_store(dir.path());
    fs::remove_file(dir.path().join("v1/lock")).unwrap();
    symlink("/sys/kernel/uevent_seqnum", dir.path().join("v1/lock")).unwrap();
    for name in ["tmp", "partial"] {
        fs::remove_dir(dir.path().join("v1").join(name)).unwrap();
        symlink("/sys/kernel", dir.path().join("v1").join(name)).unwrap();
    }
    assert_reads_only(dir.path(), &sound);
    // A file system that is mounted read-only, where one can be had.
    let dir = tempfile::tempdir().unwrap();
    if let Some(way) = mounting(dir.path()) {
        some_store(dir.path());
        let mount = format!(
            "mount --bind \"${CHILD}\" \"${CHILD}\" && mount -o remount,bind,ro \"${CHILD}\" && exec \"$0\" \"$@\""
        );
        run(TEST, dir.path(), &[way, &["sh", "-c", &mount]].concat());
    }
    // Folders without write permission, where that counts: not for root.
    let dir = tempfile::tempdir().unwrap();
    some_store(dir.path());
    let folders = || folders(dir.path());
    for path in folders() {
        permit(&path, 0o555);
    }
    if tempfile::tempfile_in(dir.path()).is_err() {
        permit(&dir.path().join("v1/lock"), 0o444);
        run(TEST, dir.path(), &[]);
    }
    for path in folders() {
        permit(&path, 0o755);
    }
}

fn permit(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn folders(root: &Path) -> Vec<PathBuf> {
    let mut found = vec![root.to_owned()];
    let mut at = 0;
    while let Some(folder) = found.get(at).cloned() {
        at += 1;
        let below = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        found.extend(below.filter(|path| path.is_dir() && !path.is_symlink()));
    }
    found
}

#[test]
fn where_no_store_can_be_made_is_said_with_what_to_do() {
    for root in ["/sys/elkbake-store", "/proc/elkbake/store", "/dev/null", "/dev/null/store"] {
        let error = Store::open(Path::new(root), NOW).unwrap_err();
        assert!(matches!(error, StoreError::Root { .. }), "{error:?}");
        let text = error.to_string();
        assert!(text.contains(root) && text.contains("--store DIR") && text.contains("ELKBAKE_STORE"), "{text}");
    }
}
