//! The manifest's file while the machine does its worst.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use elkbake::bake::interrupt::Interrupt;
use elkbake::bake::ledger::Ledger;
use elkbake::digest::Digest;
use elkbake::record::{self, Record};

use crate::store_crash::child::{Working, mounting, root, run, say_done, say_ready};

const FILE: &str = "prod.json";

fn published(tag: &str, size: usize) -> Record {
    let digest = Digest::of(tag.as_bytes());
    let text = serde_json::json!({
        "kind": "image", "tag": tag, "key": digest, "version": "1", "digest": digest, "created": "",
        "elkbake": "x".repeat(size), "pushed_at": "2026-01-01T00:00:00Z",
    });
    serde_json::from_value(text).unwrap()
}

fn publish(path: &Path, recipe: &str, record: &Record) -> Result<bool, elkbake::bake::ledger::LedgerError> {
    let (interrupt, recipe) = (Interrupt::default(), recipe.parse().unwrap());
    Ledger::new(&interrupt).update(path, "prod", |manifest| manifest.publish(&recipe, record))
}

/// Says after each change that it was made, in a file of its own: what was said must never be lost.
#[test]
fn child_that_records_until_it_is_killed() {
    let Some(root) = root() else { return };
    let me = format!("r{}", std::process::id());
    say_ready();
    for turn in 0_u32.. {
        // Longer than a page, so that it is not written at once.
        publish(&root.join("m").join(FILE), &me, &published(&format!("1-{turn}"), 3000)).unwrap();
        fs::write(root.join(&me), turn.to_string()).unwrap();
    }
}

#[test]
fn no_kill_loses_a_record_or_tears_the_file() {
    const CAME_TO_WRITE: usize = 8;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("m").join(FILE);
    let came = || fs::read_dir(dir.path()).unwrap().count();
    // Two at a time, so that each is killed while the other is at work on the same file.
    std::thread::scope(|scope| {
        for seed in 1..=2 {
            let (root, path) = (dir.path(), &path);
            scope.spawn(move || {
                // Until enough came to write, whom the kill left with nothing to say included; longer and longer, for
                // the sake of slow disks.
                for round in (0..300_u64).take_while(|round| *round < 20 || came() <= 2 * CAME_TO_WRITE) {
                    let child = Working::start("manifest::crash::child_that_records_until_it_is_killed", root);
                    let most = 10_000 + round * 1_000;
                    std::thread::sleep(Duration::from_micros((round * 7_919 + seed * 3_571) % most));
                    child.kill();
                    // Whole at every instant, for those who wait for no lock too.
                    if let Ok(bytes) = fs::read(path) {
                        record::parse(path, &bytes).unwrap();
                    }
                }
            });
        }
    });
    // As the next push finds it: it waits for nobody, and clears up.
    publish(&path, "last", &published("1-0", 1)).unwrap();
    let names: Vec<_> = fs::read_dir(path.parent().unwrap()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, [FILE], "nothing is left for anybody to ignore");
    let manifest = record::parse(&path, &fs::read(&path).unwrap()).unwrap();
    let mut said = BTreeSet::new();
    for entry in fs::read_dir(dir.path()).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        let Ok(turn) = fs::read_to_string(entry.path()).unwrap_or_default().parse::<u32>() else { continue };
        let current = &manifest.recipes[&name.parse().unwrap()].current;
        let recorded: u32 = current.tag.as_str().strip_prefix("1-").unwrap().parse().unwrap();
        // Killed between the two, it has recorded one more than it said.
        assert!(recorded == turn || recorded == turn + 1, "{name} said {turn} and {recorded} is recorded");
        said.insert(name);
    }
    assert!(said.len() >= CAME_TO_WRITE, "only {} came to write", said.len());
}

#[test]
fn child_with_little_room_for_records() {
    let Some(root) = root() else { return };
    let path = root.join(FILE);
    publish(&path, "es", &published("1-a", 1)).unwrap();
    let before = fs::read(&path).unwrap();
    let error = publish(&path, "kibana", &published("1-k", 4 << 20)).unwrap_err().to_string();
    assert!(error.starts_with("cannot write ") && error.contains(FILE), "{error}");
    assert_eq!(fs::read(&path).unwrap(), before);
    assert_eq!(fs::read_dir(&root).unwrap().count(), 1, "nothing half-written remains");
    publish(&path, "kibana", &published("1-k", 1)).unwrap();
    say_done();
}

#[test]
fn a_full_disk_leaves_the_old_records() {
    const TEST: &str = "manifest::crash::child_with_little_room_for_records";
    // A limit for the size of a file is a full disk that can be had everywhere.
    let dir = tempfile::tempdir().unwrap();
    run(TEST, dir.path(), &["sh", "-c", "trap '' XFSZ; ulimit -f 2048; exec \"$0\" \"$@\""]);
    let dir = tempfile::tempdir().unwrap();
    if let Some(way) = mounting(dir.path()) {
        let mount = "mount -t tmpfs -o size=1m none \"$ELKBAKE_TEST_STORE_CHILD\" && exec \"$0\" \"$@\"";
        run(TEST, dir.path(), &[way, &["sh", "-c", mount]].concat());
    }
}

#[test]
fn child_that_may_only_read_records() {
    let Some(root) = root() else { return };
    let path = root.join(FILE);
    let before = fs::read(&path).unwrap();
    assert!(!publish(&path, "es", &published("1-a", 1)).unwrap(), "what is there needs no writing");
    let error = publish(&path, "es", &published("1-b", 1)).unwrap_err().to_string();
    assert!(error.starts_with("cannot write in ") && error.contains(root.to_str().unwrap()), "{error}");
    assert_eq!(fs::read(&path).unwrap(), before);
    say_done();
}

#[test]
fn a_folder_that_may_only_be_read_is_told() {
    const TEST: &str = "manifest::crash::child_that_may_only_read_records";
    let dir = tempfile::tempdir().unwrap();
    publish(&dir.path().join(FILE), "es", &published("1-a", 1)).unwrap();
    if let Some(way) = mounting(tempfile::tempdir().unwrap().path()) {
        let mount = "mount --bind \"$ELKBAKE_TEST_STORE_CHILD\" \"$ELKBAKE_TEST_STORE_CHILD\" && \
            mount -o remount,bind,ro \"$ELKBAKE_TEST_STORE_CHILD\" && exec \"$0\" \"$@\"";
        run(TEST, dir.path(), &[way, &["sh", "-c", mount]].concat());
    }
    // Without write permission, where that counts: not for root.
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o555)).unwrap();
    if tempfile::tempfile_in(dir.path()).is_err() {
        run(TEST, dir.path(), &[]);
    }
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
}
