//! `elkbake store`, as a user sees it, and the store as other commands use it.

use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant, SystemTime};

use elkbake::digest::Digest;

use crate::kitchen::project::Kitchen;
use crate::kitchen::registry::{Fault, Registry};

const FILE: &[u8] = b"an agent for every host";

/// A recipe with one download.
fn market() -> (Registry, Kitchen) {
    let registry = Registry::start();
    let url = registry.url(&registry.file("agent.tar.gz", FILE));
    let text = format!(
        "kind = \"image\"\nproduct = \"generic\"\nversion = \"1\"\nfrom = \"scratch\"\n\
         [[archive]]\nname = \"agent\"\nurl = \"{url}\"\ninto = \"/opt\"\n"
    );
    (registry, Kitchen::new().recipe("app", &text))
}

fn blob(store: &Path, bytes: &[u8]) -> PathBuf {
    let hex = Digest::of(bytes).hex();
    store.join("v1/blobs/sha256").join(&hex[..2]).join(hex)
}

/// Makes a file say that it was used some days ago.
fn age(path: &Path, days: u64) {
    let file = std::fs::File::options().read(true).open(path).unwrap();
    file.set_modified(SystemTime::now() - Duration::from_hours(24 * days)).unwrap();
}

/// Flips the last bit of a file, however it is protected.
fn spoil(path: &Path) {
    let mut bytes = std::fs::read(path).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::remove_file(path).unwrap();
    std::fs::write(path, bytes).unwrap();
}

/// A run that holds the store until it is killed.
struct Busy<'r>(Child, &'r Registry);

impl<'r> Busy<'r> {
    fn start(kitchen: &Kitchen, registry: &'r Registry) -> Self {
        let path = "/files/agent.tar.gz";
        registry.forget();
        registry.fault(path, 1, Fault::Stall);
        let child = kitchen.command(&["lock"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let begun = Instant::now();
        while registry.requests_to(path).is_empty() {
            assert!(begun.elapsed() < Duration::from_secs(60), "it does not ask");
            std::thread::sleep(Duration::from_millis(5));
        }
        Self(child, registry)
    }
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
        self.1.forget();
    }
}

#[test]
fn its_place_is_said_by_option_variable_and_cache_folder_in_this_order() {
    let kitchen = Kitchen::new();
    let place = |kitchen: &Kitchen, args: &[&str]| {
        let ran = kitchen.run(&[&["store", "path"], args].concat()).success();
        ran.stdout.trim_end().to_owned()
    };
    assert_eq!(Path::new(&place(&kitchen, &[])), kitchen.store());
    let kitchen = kitchen.env("XDG_CACHE_HOME", "relative");
    assert_eq!(Path::new(&place(&kitchen, &[])), kitchen.store(), "a relative path there is to be ignored");
    let kitchen = kitchen.env("XDG_CACHE_HOME", "/xdg");
    assert_eq!(place(&kitchen, &[]), "/xdg/elkbake");
    let kitchen = kitchen.env("ELKBAKE_STORE", "/named");
    assert_eq!(place(&kitchen, &[]), "/named");
    assert_eq!(place(&kitchen, &["--store", "/told"]), "/told");
    let here = kitchen.project().join("near");
    assert_eq!(Path::new(&place(&kitchen, &["--store", "near"])), here);
    let kitchen = kitchen.env("ELKBAKE_STORE", "");
    assert_eq!(place(&kitchen, &[]), "/xdg/elkbake", "an empty variable says nothing");
    assert!(!kitchen.store().exists() && !here.exists(), "to tell the place does not make it");
}

#[test]
fn what_is_locked_lies_where_the_store_was_named() {
    let (_registry, kitchen) = market();
    let (told, named) = (kitchen.project().join("told"), kitchen.project().join("named"));
    let kitchen = kitchen.env("ELKBAKE_STORE", named.to_str().unwrap());
    kitchen.run(&["lock", "--store", "told"]).success();
    assert!(blob(&told, FILE).exists() && !named.exists());
    kitchen.run(&["lock", "--update"]).success();
    assert!(blob(&named, FILE).exists() && !kitchen.store().exists());
}

#[test]
fn gc_drops_what_is_old_and_keeps_what_is_fresh() {
    let (_registry, kitchen) = market();
    kitchen.run(&["store", "gc"]).success().says("dropped 0 blobs");
    assert!(!kitchen.store().exists(), "there is nothing to make a store for");
    kitchen.run(&["lock"]).success();
    let blob = blob(&kitchen.store(), FILE);
    kitchen.run(&["store", "gc"]).success().says("dropped 0 blobs").says("kept    1 blob,");
    age(&blob, 29);
    kitchen.run(&["store", "gc"]).success().says("kept    1 blob,");
    age(&blob, 31);
    let freed = kitchen.run(&["store", "gc", "--json"]).success().json();
    assert_eq!((&freed["freed"]["blobs"]["count"], &freed["kept"]["blobs"]["count"]), (&1.into(), &0.into()));
    assert_eq!(freed["freed"]["blobs"]["bytes"], FILE.len());
    assert!(!blob.exists());
    kitchen.run(&["lock", "--update"]).success();
    age(&blob, 2);
    kitchen.run(&["store", "gc", "--keep", "49h"]).success().says("kept    1 blob,");
    kitchen.run(&["store", "gc", "--keep", "47h"]).success().says("dropped 1 blob,");
    kitchen.run(&["lock", "--update"]).success();
    kitchen.run(&["store", "gc", "--keep", "0"]).success().says("dropped 1 blob,").says("kept    0 blobs");
}

#[test]
fn gc_waits_for_nobody_and_takes_nothing_from_others() {
    let (registry, kitchen) = market();
    kitchen.run(&["lock"]).success();
    std::fs::remove_file(kitchen.project().join("recipes/app.lock")).unwrap();
    let busy = Busy::start(&kitchen, &registry);
    let ran = kitchen.run(&["store", "gc", "--keep", "0"]).code(3);
    ran.complains("is in use by another elkbake").complains(kitchen.store().to_str().unwrap());
    assert!(blob(&kitchen.store(), FILE).exists());
    drop(busy);
    kitchen.run(&["store", "gc", "--keep", "0"]).success().says("dropped 1 blob,");
}

#[test]
fn verify_names_and_drops_what_the_disk_has_spoilt() {
    let (_registry, kitchen) = market();
    kitchen.run(&["store", "verify"]).success().says("0 blobs (0 B) and 0 results sound");
    assert!(!kitchen.store().exists(), "who looks for damage makes nothing");
    kitchen.run(&["lock"]).success();
    kitchen.run(&["store", "verify"]).success().says("1 blob (23 B)");
    let blob = blob(&kitchen.store(), FILE);
    spoil(&blob);
    let ran = kitchen.run(&["store", "verify"]).code(1).says(&format!("corrupt blob {}", Digest::of(FILE)));
    ran.says("dropped").says("0 blobs (0 B)");
    assert!(!blob.exists());
    kitchen.run(&["store", "verify"]).success();
}

#[test]
fn verify_tells_programs_too() {
    let (_registry, kitchen) = market();
    kitchen.run(&["lock"]).success();
    spoil(&blob(&kitchen.store(), FILE));
    std::fs::write(kitchen.store().join("v1/blobs/README"), "mine").unwrap();
    let found = kitchen.run(&["store", "verify", "--json"]).code(1).json();
    assert_eq!(found["corrupt_blobs"][0]["digest"], Digest::of(FILE).to_string());
    assert_eq!(found["corrupt_blobs"][0]["dropped"], true);
    assert!(found["strangers"][0].as_str().unwrap().ends_with("blobs/README"));
    assert!(kitchen.store().join("v1/blobs/README").exists());
}

#[test]
fn a_spoilt_blob_is_fetched_again() {
    let (registry, kitchen) = market();
    kitchen.run(&["lock"]).success();
    let blob = blob(&kitchen.store(), FILE);
    spoil(&blob);
    kitchen.run(&["store", "verify"]).code(1);
    registry.forget();
    kitchen.run(&["lock", "--update"]).success().says("unchanged");
    assert_eq!(std::fs::read(&blob).unwrap(), FILE);
    assert_eq!(registry.requests().len(), 1);
}

#[test]
fn a_spoilt_configuration_heals_without_a_hand() {
    let registry = Registry::start();
    let image = registry.image("elk/base", "1", &["linux/amd64"]);
    let text = format!(
        "kind = \"image\"\nproduct = \"generic\"\nversion = \"1\"\nplatforms = [\"linux/amd64\"]\nfrom = \"{}/elk/base:1\"\n",
        registry.host()
    );
    let kitchen = Kitchen::new().recipe("app", &text);
    kitchen.run(&["lock"]).success();
    let hex = image.configs[0].hex();
    let path = kitchen.store().join("v1/blobs/sha256").join(&hex[..2]).join(&hex);
    let sound = std::fs::read(&path).unwrap();
    spoil(&path);
    kitchen.run(&["lock", "--update"]).success().says("unchanged");
    assert_eq!(std::fs::read(&path).unwrap(), sound);
}

#[test]
fn a_spoilt_download_with_a_known_checksum_heals_without_a_hand() {
    let (_registry, kitchen) = market();
    let text = kitchen.read("recipes/app.toml") + &format!("checksum = \"{}\"\n", Digest::of(FILE));
    kitchen.write("recipes/app.toml", text);
    kitchen.run(&["lock"]).success();
    let blob = blob(&kitchen.store(), FILE);
    std::fs::remove_file(&blob).unwrap();
    std::fs::write(&blob, &FILE[..5]).unwrap();
    kitchen.run(&["lock", "--update"]).success();
    assert!(kitchen.read("recipes/app.lock").contains(&format!("size = {}", FILE.len())));
    assert_eq!(std::fs::read(&blob).unwrap(), FILE);
}

#[test]
fn a_store_that_can_be_none_is_told_before_anything_is_asked() {
    let (registry, kitchen) = market();
    kitchen.write("occupied", "by a file");
    for command in [&["lock"][..], &["store", "gc"], &["store", "verify"]] {
        let ran = kitchen.run(&[command, &["--store", "occupied"]].concat()).code(3);
        ran.complains("occupied").complains("--store DIR");
    }
    kitchen.run(&["lock", "--store", "/proc/elkbake"]).code(3).complains("/proc/elkbake").complains("--store DIR");
    assert!(registry.requests().is_empty() && !kitchen.has("recipes/app.lock"));
    assert_eq!(kitchen.read("occupied"), "by a file");
}

#[test]
fn a_store_that_can_only_be_read_is_told() {
    let (_registry, kitchen) = market();
    std::fs::create_dir_all(kitchen.store()).unwrap();
    let mark = |mode| {
        let mode = std::os::unix::fs::PermissionsExt::from_mode(mode);
        std::fs::set_permissions(kitchen.store(), mode).unwrap();
    };
    mark(0o555);
    // Whoever may write everywhere (root) is not stopped by modes, and then nothing is wrong.
    let stopped = std::fs::write(kitchen.store().join("probe"), "").is_err();
    let ran = kitchen.run(&["lock"]);
    mark(0o755);
    if stopped {
        ran.code(3).complains(kitchen.store().to_str().unwrap()).complains("--store DIR");
    } else {
        ran.success();
    }
}

#[test]
fn two_locks_at_once_both_succeed() {
    let (_registry, kitchen) = market();
    let start = || kitchen.command(&["lock"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let runs: Vec<Child> = (0..4).map(|_| start()).collect();
    for run in runs {
        let ended = run.wait_with_output().unwrap();
        assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    }
    kitchen.run(&["lock", "--check"]).success();
    kitchen.run(&["store", "verify"]).success().says("1 blob");
    let left = std::fs::read_dir(kitchen.store().join("v1/tmp")).unwrap().count();
    assert_eq!(left, 0);
}
