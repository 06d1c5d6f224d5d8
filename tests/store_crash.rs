//! The store under what happens to it in life: processes killed at any instant, several at once, a full disk,
//! a folder that may only be read.
//!
//! What has to happen in a process of its own happens in this very binary, started again with the name of
//! one test and a variable that makes a child of it; without the variable that test has nothing to do.

use std::collections::BTreeMap;
use std::env;
use std::fmt::Debug;
use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::thread;
use std::time::{Duration, SystemTime};

use elkbake::digest::Digest;
use elkbake::store::{Audit, Freed, Store, StoreError};

/// Set to the store's folder in a child.
const CHILD: &str = "ELKBAKE_TEST_STORE_CHILD";

const NOW: SystemTime = SystemTime::UNIX_EPOCH;

/// What a child says on its error stream, which the test harness does not write to, when it is at work.
const READY: &str = "at work";

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
    page.into_iter().cycle().take(size).collect()
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
    (kind, turn, turn.to_string().repeat(5000))
}

/// The root of the child's store, in a child.
fn root() -> Option<PathBuf> {
    env::var_os(CHILD).map(PathBuf::from)
}

/// This binary as a command that runs one test as a child, by way of another program where `through` names one.
fn child(test: &str, root: &Path, through: &[&str]) -> Command {
    let this = env::current_exe().unwrap();
    let mut command = match through {
        [] => Command::new(this),
        [program, arguments @ ..] => {
            let mut command = Command::new(program);
            command.args(arguments).arg(this);
            command
        }
    };
    command.args([&format!("store_crash::{test}"), "--exact", "--nocapture"]).env(CHILD, root).stdout(Stdio::null());
    command
}

/// A child that has said that it is at work.
struct Working {
    child: Child,
    errors: BufReader<ChildStderr>,
}

impl Working {
    fn start(test: &str, root: &Path) -> Self {
        let mut child = child(test, root, &[]).stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut errors = BufReader::new(child.stderr.take().unwrap());
        let mut said = String::new();
        errors.read_line(&mut said).unwrap();
        assert_eq!(said.trim_end(), READY);
        Self { child, errors }
    }

    /// Ends it by SIGKILL: no handler, no guard, no flush.
    fn kill(mut self) {
        self.child.kill().unwrap();
        let status = self.child.wait().unwrap();
        assert_eq!(status.signal(), Some(9), "{}", io::read_to_string(self.errors).unwrap());
    }

    fn finish(mut self) {
        let said = io::read_to_string(self.errors).unwrap();
        assert!(self.child.wait().unwrap().success(), "{said}");
    }
}

fn say_ready() {
    writeln!(io::stderr(), "{READY}").unwrap();
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
    const ROUNDS: u64 = 150;
    let dir = tempfile::tempdir().unwrap();
    // Two at a time, so that one is killed while the other is at work in the same store.
    thread::scope(|scope| {
        for seed in [1, 2] {
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
    noise(0, 4_000_000)
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
    let mut partial = store.partial(name).unwrap();
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
    for round in 0..60 {
        let child = Working::start("child_that_downloads_until_it_is_killed", dir.path());
        thread::sleep(Duration::from_micros(numbers.below(15_000)));
        child.kill();
        let store = Store::open(dir.path(), NOW).unwrap();
        assert_whole(&store);
        // Every other time it is the next child that has to cope with what this one left.
        if round % 2 == 0 {
            resumed += u64::from(go_on(&store, "download", &whole) > 0);
            store.drop_blob(&Digest::of(&whole)).unwrap();
        }
    }
    assert!(resumed > 0, "at least one of them was killed with something to go on with");
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

    assert_full(store.put(&mut &large[..], None).unwrap_err(), &root);
    assert_eq!(store.size(&Digest::of(&large)), None);
    assert_full(store.keep(&key(1), &(1, 2, "x".repeat(4 << 20)), &[]).unwrap_err(), &root);
    assert_eq!(store.result::<Entry>(&key(1)).unwrap(), Some(entry(1, 1)), "the old one stays");
    assert_eq!(before, listing(&root), "nothing half-written remains");

    let mut blob = store.write().unwrap();
    let error = blob.write_all(&large).unwrap_err();
    assert_full(error.downcast::<StoreError>().unwrap(), &root);
    drop(blob);

    let mut partial = store.partial("p").unwrap();
    partial.append(b"begun").unwrap();
    assert_full(partial.append(&large).unwrap_err(), &root);
    assert_eq!(partial.len(), 5, "it is as it was before");
    drop(partial);
    let mut partial = store.partial("p").unwrap();
    partial.append(b" and done").unwrap();
    assert_eq!(partial.commit(None).unwrap().0, Digest::of(b"begun and done"));
    let audit = store.audit(&mut |_, _| {}).unwrap();
    assert!(audit.is_clean() && audit.sound.count == 2, "{audit:?}");
    say_done();
}

fn assert_full(error: StoreError, root: &Path) {
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

/// What a child says at its end, so that one which never ran its test is noticed.
const DONE: &str = "has seen everything";

fn say_done() {
    writeln!(io::stderr(), "{DONE}").unwrap();
}

/// Runs a child to its end, which has to be a good one.
fn run(test: &str, root: &Path, through: &[&str]) {
    let output = child(test, root, through).stderr(Stdio::piped()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains(DONE), "{said}");
}

/// How to run a program where its mounts are seen by nobody else: as root, or as root of a user namespace. None
/// where the system allows neither, as in most containers.
fn mounting(dir: &Path) -> Option<&'static [&'static str]> {
    let ways: [&[&str]; 2] = [&["unshare", "-m", "--"], &["unshare", "-rm", "--"]];
    ways.into_iter().find(|way| {
        let mut tried = Command::new(way[0]);
        tried.args(&way[1..]).args(["mount", "-t", "tmpfs", "none"]).arg(dir);
        tried.output().is_ok_and(|output| output.status.success())
    })
}

#[test]
fn a_full_disk_is_said_clearly_and_leaves_nothing_half_written() {
    const TEST: &str = "child_with_little_room";
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
    const TEST: &str = "child_that_may_only_read";
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
    folders().iter().for_each(|path| permit(path, 0o555));
    if tempfile::tempfile_in(dir.path()).is_err() {
        permit(&dir.path().join("v1/lock"), 0o444);
        run(TEST, dir.path(), &[]);
    }
    folders().iter().for_each(|path| permit(path, 0o755));
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
