use std::os::unix::fs::symlink;
use std::thread;

use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::digest::Digest;
use crate::name::RecipeName;
use crate::record::Record;

fn record(tag: &str) -> Record {
    let text = serde_json::json!({
        "kind": "image", "tag": tag, "key": Digest::of(tag.as_bytes()), "version": "1", "elkbake": "0.1.0",
        "digest": Digest::of(tag.as_bytes()), "created": "2026-01-02T03:04:05Z", "pushed_at": "2026-01-02T03:04:05Z",
    });
    serde_json::from_value(text).unwrap()
}

fn name(name: &str) -> RecipeName {
    name.parse().unwrap()
}

fn publish(path: &Path, recipe: &str, tag: &str) -> Result<bool, LedgerError> {
    let interrupt = Interrupt::default();
    Ledger::new(&interrupt).update(path, "prod", |manifest| manifest.publish(&name(recipe), &record(tag)))
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn what_was_written_is_read_and_nothing_else_is_left_in_the_folder() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a/b/prod.json");
    let interrupt = Interrupt::default();
    let ledger = Ledger::new(&interrupt);
    assert!(!ledger.update(&path, "prod", |_| ()).unwrap(), "nothing was changed, and nothing is written");
    assert_eq!(ledger.read(&path, "prod").unwrap(), None);
    assert!(publish(&path, "es", "1-a").unwrap());
    let manifest = ledger.read(&path, "prod").unwrap().unwrap();
    assert_eq!(manifest.recipes[&name("es")].current, record("1-a"));
    assert_eq!(names(path.parent().unwrap()), ["prod.json"]);
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.starts_with("{\n  \"format\": 1,\n  \"target\": \"prod\",\n") && text.ends_with("}\n"), "{text}");
}

#[test]
fn a_change_that_is_none_writes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("prod.json");
    publish(&path, "es", "1-a").unwrap();
    // As somebody's formatter left it.
    let text = fs::read_to_string(&path).unwrap().replace('\n', "");
    fs::write(&path, &text).unwrap();
    let before = fs::metadata(&path).unwrap().ino();
    assert!(!publish(&path, "es", "1-a").unwrap());
    assert_eq!((fs::read_to_string(&path).unwrap(), fs::metadata(&path).unwrap().ino()), (text, before));
}

#[test]
fn another_targets_manifest_and_one_of_a_newer_format_stay_as_they_are() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("prod.json");
    for (text, told) in [
        (r#"{"format":1,"target":"staging","recipes":{}}"#, "has the records of target `staging`, not of `prod`"),
        (r#"{"format":2,"target":"prod","new":1}"#, "has format 2, this elkbake reads up to 1"),
        ("<<<<<<< HEAD", "expected value"),
        ("", "EOF"),
    ] {
        fs::write(&path, text).unwrap();
        let error = publish(&path, "es", "1-a").unwrap_err().to_string();
        assert!(error.contains(told) && error.contains("prod.json"), "{error}");
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
    }
    assert_eq!(names(dir.path()), ["prod.json"]);
}

#[test]
fn the_mode_stays_and_a_link_stays_a_link() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("real")).unwrap();
    let (path, real) = (dir.path().join("prod.json"), dir.path().join("real/m.json"));
    // Relative, by way of another, to what is not there yet.
    symlink("second.json", &path).unwrap();
    symlink("real/m.json", dir.path().join("second.json")).unwrap();
    publish(&path, "es", "1-a").unwrap();
    fs::set_permissions(&real, fs::Permissions::from_mode(0o640)).unwrap();
    publish(&path, "kibana", "1-a").unwrap();
    assert_eq!(fs::metadata(&real).unwrap().mode() & 0o7777, 0o640);
    assert!(fs::symlink_metadata(&path).unwrap().is_symlink());
    assert_eq!(record::parse(&real, &fs::read(&real).unwrap()).unwrap().recipes.len(), 2);
    symlink("loop.json", dir.path().join("loop.json")).unwrap();
    let error = publish(&dir.path().join("loop.json"), "es", "1-a").unwrap_err().to_string();
    assert!(error.contains("too many links"), "{error}");
}

#[test]
fn what_is_no_file_and_a_place_that_cannot_be_written_are_told() {
    let dir = tempfile::tempdir().unwrap();
    let error = publish(dir.path(), "es", "1-a").unwrap_err().to_string();
    assert!(error.contains("it is no regular file"), "{error}");
    // Where not even root may make a file.
    let error = publish(Path::new("/sys/kernel/prod.json"), "es", "1-a").unwrap_err().to_string();
    assert!(error.starts_with("cannot write in /sys/kernel: "), "{error}");
    let error = publish(Path::new("/dev/null/prod.json"), "es", "1-a").unwrap_err().to_string();
    assert!(error.contains("/dev/null"), "{error}");
}

#[test]
fn what_killed_runs_left_goes_and_what_is_others_stays() {
    let dir = tempfile::tempdir().unwrap();
    for name in [".prod.json.elkbake-abc", ".prod.json.swp", ".staging.json.elkbake-abc", ".elkbake-abc"] {
        fs::write(dir.path().join(name), "").unwrap();
    }
    publish(&dir.path().join("prod.json"), "es", "1-a").unwrap();
    assert_eq!(names(dir.path()), [".elkbake-abc", ".prod.json.swp", ".staging.json.elkbake-abc", "prod.json"]);
}

#[test]
fn who_writes_without_the_lock_is_not_overwritten() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("prod.json");
    let interrupt = Interrupt::default();
    let mut calls = 0;
    let change = |manifest: &mut Manifest| {
        calls += 1;
        if calls == 1 {
            let mut theirs = Manifest::new("prod");
            theirs.publish(&name("kibana"), &record("1-k"));
            fs::write(&path, theirs.to_text(&path).unwrap()).unwrap();
        }
        manifest.publish(&name("es"), &record("1-a"));
    };
    assert!(Ledger::new(&interrupt).update(&path, "prod", change).unwrap());
    let both = Ledger::new(&interrupt).read(&path, "prod").unwrap().unwrap();
    assert_eq!((both.recipes.len(), calls), (2, 2));
}

#[test]
fn all_who_push_at_once_land_and_who_waits_can_stop() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("prod.json");
    thread::scope(|scope| {
        for i in 0..16 {
            let path = &path;
            scope.spawn(move || publish(path, &format!("r{i}"), "1-a").unwrap());
        }
    });
    let interrupt = Interrupt::default();
    assert_eq!(Ledger::new(&interrupt).read(&path, "prod").unwrap().unwrap().recipes.len(), 16);
    let held = File::open(dir.path()).unwrap();
    held.lock().unwrap();
    interrupt.request();
    let stopped = Ledger::new(&interrupt).update(&path, "prod", |_| ());
    assert!(matches!(stopped, Err(LedgerError::Interrupted)), "{stopped:?}");
}
