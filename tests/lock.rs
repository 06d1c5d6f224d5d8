//! `elkbake lock`, as a user sees it: what it writes, what it asks for, and how it ends.

mod bases;
mod ends;
mod wires;

use crate::kitchen::project::Kitchen;
use crate::kitchen::registry::{Fault, Image, Registry};

/// A recipe on a base of the registry, with a plugin by path, one by URL, and an archive that states its checksum.
fn recipe(registry: &Registry, checksum: &str) -> String {
    format!(
        r#"kind = "image"
product = "elasticsearch"
version = "8.19.3"
from = "{host}/elasticsearch:8.19.3"
platforms = ["linux/amd64", "linux/arm64"]

[[plugin]]
name = "local"
path = "plugins/local.zip"

[[plugin]]
name = "far"
url = "{far}"

[[archive]]
name = "agent"
url = "{agent}"
into = "/opt"
{checksum}
"#,
        host = registry.host(),
        far = registry.url("/files/far.zip"),
        agent = registry.url("/files/agent.tar.gz"),
    )
}

/// All that the recipe above asks for.
fn market() -> (Registry, Image, Kitchen) {
    let registry = Registry::start();
    let image = registry.image("elasticsearch", "8.19.3", &["linux/amd64", "linux/arm64"]);
    registry.file("far.zip", b"from far away");
    registry.file("agent.tar.gz", b"an agent");
    let checksum = format!("checksum = \"{}\"", elkbake::digest::Digest::of(b"an agent"));
    let text = recipe(&registry, &checksum);
    (registry, image, Kitchen::new().recipe("es", &text).file("plugins/local.zip", "from here"))
}

/// A recipe on a base of the registry and nothing else.
fn plain(registry: &Registry) -> Kitchen {
    Kitchen::new().recipe("app", &generic(&format!("{}/elk/base:1", registry.host())))
}

/// A recipe of no product.
fn generic(from: &str) -> String {
    format!(
        "kind = \"image\"\nproduct = \"generic\"\nversion = \"1\"\nfrom = \"{from}\"\nplatforms = [\"linux/amd64\"]\n"
    )
}

/// What lies in `recipes/`.
fn recipes(kitchen: &Kitchen) -> Vec<String> {
    let entries = std::fs::read_dir(kitchen.project().join("recipes")).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn every_input_is_pinned_by_digest() {
    let (_registry, image, kitchen) = market();
    kitchen.run(&["lock"]).success().says("recipes/es.lock made");
    let lock = kitchen.read("recipes/es.lock");
    let digest = |bytes: &[u8]| elkbake::digest::Digest::of(bytes).to_string();
    for pinned in [
        image.digest.to_string(),
        image.manifests[0].to_string(),
        image.manifests[1].to_string(),
        image.layers[1].0.to_string(),
        digest(b"from here"),
        digest(b"from far away"),
        digest(b"an agent"),
        "user = \"1000:0\"".to_owned(),
        "created = \"2026-01-02T03:04:05Z\"".to_owned(),
        "product_version = \"8.19.3\"".to_owned(),
        "size = 13".to_owned(),
        format!("published = \"{}\"", digest(b"an agent")),
    ] {
        assert!(lock.contains(&pinned), "no {pinned} in\n{lock}");
    }
    assert_eq!(recipes(&kitchen), ["es.lock", "es.toml"]);
}

#[test]
fn a_second_run_writes_the_same_and_asks_nobody() {
    let (registry, _, kitchen) = market();
    kitchen.run(&["lock"]).success();
    let first = kitchen.read("recipes/es.lock");
    registry.forget();
    kitchen.run(&["lock"]).success().says("recipes/es.lock unchanged");
    kitchen.run(&["lock", "--offline"]).success().says("recipes/es.lock unchanged");
    assert_eq!(kitchen.read("recipes/es.lock"), first);
    assert!(registry.requests().is_empty(), "{:?}", registry.requests());
}

#[test]
fn another_machine_writes_the_same_lock() {
    let (_registry, _, kitchen) = market();
    kitchen.run(&["lock"]).success();
    let first = kitchen.read("recipes/es.lock");
    std::fs::remove_file(kitchen.project().join("recipes/es.lock")).unwrap();
    let other = kitchen.env("HOME", "/nonexistent").env("TZ", "Asia/Tokyo").env("LC_ALL", "tr_TR.UTF-8");
    let store = other.project().join("other-store");
    other.run(&["lock", "--store", store.to_str().unwrap()]).success();
    assert_eq!(other.read("recipes/es.lock"), first);
}

#[test]
fn a_tag_that_moves_does_not_move_the_pin_until_it_is_asked_to() {
    let registry = Registry::start();
    let old = registry.image("elk/base", "1", &["linux/amd64"]);
    let kitchen = plain(&registry);
    kitchen.run(&["lock"]).success();
    let new = registry.docker_image("elk/base", "1", &["linux/amd64"]);
    assert_ne!(old.digest, new.digest);
    kitchen.run(&["lock"]).success().says("unchanged");
    assert!(kitchen.read("recipes/app.lock").contains(&old.digest.to_string()));

    let told =
        format!("base: {host}/elk/base:1 {} -> {host}/elk/base:1 {}", old.digest, new.digest, host = registry.host());
    kitchen.run(&["lock", "--update=base"]).success().says("recipes/app.lock changed").says(&told);
    assert!(kitchen.read("recipes/app.lock").contains(&new.digest.to_string()));
    registry.image("elk/base", "1", &["linux/amd64"]);
    kitchen.run(&["lock", "--update"]).success().says("changed").says(&format!("{} -> ", new.digest));
    kitchen.run(&["lock", "--update"]).success().says("unchanged");
}

#[test]
fn only_the_named_input_moves() {
    let (registry, _, kitchen) = market();
    kitchen.run(&["lock"]).success();
    registry.file("far.zip", b"from farther away");
    registry.docker_image("elasticsearch", "8.19.3", &["linux/amd64", "linux/arm64"]);
    registry.forget();
    let ran = kitchen.run(&["lock", "--update=far"]).success().says("plugin far: ");
    assert_eq!(ran.stdout.lines().count(), 2, "{}", ran.stdout);
    assert!(registry.requests().iter().all(|request| request.path() == "/files/far.zip"));
}

#[test]
fn an_input_that_no_recipe_has_cannot_move() {
    let (_registry, _, kitchen) = market();
    kitchen
        .run(&["lock", "--update=nosuch"])
        .code(2)
        .complains("--update=nosuch")
        .complains("hint: inputs are called base");
    assert!(!kitchen.has("recipes/es.lock"));
}

#[test]
fn check_writes_nothing_and_tells_what_is_missing_or_stale() {
    let (registry, _, kitchen) = market();
    kitchen.run(&["lock", "--check"]).code(1).says("recipes/es.lock missing");
    assert!(!kitchen.has("recipes/es.lock") && registry.requests().is_empty());
    kitchen.run(&["lock"]).success();
    kitchen.run(&["lock", "--check"]).success().says("unchanged");
    let (lock, text) = (kitchen.read("recipes/es.lock"), kitchen.read("recipes/es.toml"));
    kitchen.write(
        "recipes/es.toml",
        text.replace("far.zip", "further.zip").replace("elasticsearch:8.19.3", "elasticsearch:9"),
    );
    registry.forget();
    let ran = kitchen.run(&["lock", "--check"]).code(1).says("recipes/es.lock stale");
    let ran = ran.says("base: the recipe asks for").says("plugin far: the recipe asks for");
    assert!(!ran.stdout.contains("agent"), "{}", ran.stdout);
    assert_eq!(kitchen.read("recipes/es.lock"), lock);
    assert!(registry.requests().is_empty());
}

#[test]
fn what_became_of_locks_is_told_to_programs() {
    let (_registry, image, kitchen) = market();
    let state = |args: &[&str], code| kitchen.run(args).code(code).json()["locks"][0].clone();
    let missing = state(&["lock", "--check", "--json"], 1);
    assert_eq!(missing["state"], "missing");
    let made = state(&["lock", "--json"], 0);
    assert_eq!(
        (&made["recipe"], &made["lock"], &made["state"]),
        (&"es".into(), &"recipes/es.lock".into(), &"made".into())
    );
    kitchen.write("recipes/es.toml", kitchen.read("recipes/es.toml").replace("name = \"agent\"", "name = \"scout\""));
    let stale = state(&["lock", "--check", "--json"], 1);
    assert_eq!(stale["state"], "stale");
    assert!(stale["stale"][0].as_str().unwrap().contains("archive"), "{stale}");
    let changed = state(&["lock", "--json"], 0);
    assert_eq!(changed["state"], "changed");
    assert_eq!(changed["moved"][0]["input"], "archive agent");
    assert!(changed["moved"][0]["to"].is_null() && changed["moved"][1]["from"].is_null());
    assert!(!changed.to_string().contains(&image.digest.to_string()), "the base has not moved");
}

#[test]
fn only_a_changed_request_is_asked_anew() {
    let (registry, _, kitchen) = market();
    kitchen.run(&["lock"]).success();
    kitchen.write("recipes/es.toml", kitchen.read("recipes/es.toml").replace("far.zip", "further.zip"));
    registry.file("further.zip", b"further");
    registry.forget();
    kitchen.run(&["lock"]).success().says("changed").says("plugin far: ");
    let asked: Vec<_> = registry.requests().iter().map(|request| request.path().to_owned()).collect();
    assert_eq!(asked, ["/files/further.zip"]);
}

#[test]
fn a_single_manifest_is_a_base_for_its_own_platform() {
    let registry = Registry::start();
    let image = registry.image("elk/base", "many", &["linux/amd64"]);
    let kitchen = plain(&registry);
    let at = format!("{}/elk/base@{}", registry.host(), image.manifests[0]);
    kitchen.write("recipes/app.toml", generic(&at));
    kitchen.run(&["lock"]).success();
    assert!(kitchen.read("recipes/app.lock").contains(&format!("manifest = \"{}\"", image.manifests[0])));
    kitchen.write("recipes/app.toml", generic(&at).replace("amd64", "arm64"));
    kitchen.run(&["lock"]).code(3).complains("base: ").complains("is not made for linux/arm64; it is for linux/amd64");
}

#[test]
fn a_layer_is_read_once_and_what_is_in_it_stands_in_the_lock() {
    let (registry, image, kitchen) = market();
    kitchen.run(&["lock"]).success();
    assert_eq!([0, 1].map(|on| registry.requests_to(&image.blob_path(on)).len()), [1, 1]);
    let lock = kitchen.read("recipes/es.lock");
    let known = "[base.platform.there]\n\"/opt\" = \"nothing\"\n\"/usr\" = \"nothing\"\n";
    assert!(lock.contains("read_for = \"elasticsearch\"") && lock.contains(known), "{lock}");
    std::fs::remove_file(kitchen.project().join("recipes/es.lock")).unwrap();
    kitchen.run(&["lock"]).success();
    assert_eq!(kitchen.read("recipes/es.lock"), lock);
    assert_eq!(registry.requests_to(&image.blob_path(0)).len(), 1);
}

#[test]
fn what_a_lock_knows_it_keeps_without_the_layers() {
    let (registry, image, kitchen) = market();
    kitchen.run(&["lock"]).success();
    let lock = kitchen.read("recipes/es.lock");
    registry.forget();
    let other = kitchen.project().join("other-store");
    let other = ["--store", other.to_str().unwrap()];
    kitchen.run(&[&["lock"][..], &other].concat()).success().says("unchanged");
    assert!(registry.requests().is_empty());
    // Where more has to be known, the layers are read.
    kitchen.write("recipes/es.toml", kitchen.read("recipes/es.toml").replace("/opt", "/etc/kitchen/agent"));
    kitchen.run(&[&["lock", "--offline"][..], &other].concat()).success().says("unchanged");
    kitchen.run(&[&["lock"][..], &other].concat()).success().says("changed");
    assert_eq!(registry.requests_to(&image.blob_path(0)).len(), 1);
    assert_ne!(kitchen.read("recipes/es.lock"), lock);
}

#[test]
fn a_base_whose_layers_cannot_be_had_is_not_locked() {
    let (registry, image, kitchen) = market();
    registry.fault(&image.blob_path(0), 9, Fault::Status(404, None));
    kitchen.run(&["lock"]).code(4).complains("base: ").complains("not found");
    assert!(!kitchen.has("recipes/es.lock"));
}

#[test]
fn what_two_runs_move_at_one_time_is_moved_by_both() {
    let (registry, _, kitchen) = market();
    kitchen.run(&["lock"]).success();
    let before = kitchen.read("recipes/es.lock");
    registry.image("elasticsearch", "8.19.3", &["linux/arm64", "linux/amd64"]);
    registry.file("far.zip", b"from farther away");
    // The first run gets no manifest until the second has come and gone. Only what is answered is seen: the refusal.
    registry.fault("/v2/elasticsearch/manifests/8.19.3", 1, Fault::Status(429, Some("0".to_owned())));
    registry.fault("/v2/elasticsearch/manifests/8.19.3", usize::MAX, Fault::Hold);
    let mut slow = kitchen.command(&["lock", "--update=base"]).spawn().unwrap();
    while registry.requests_to("/v2/elasticsearch/manifests/8.19.3").len() < 2 {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    kitchen.run(&["lock", "--update=far"]).success();
    let between = kitchen.read("recipes/es.lock");
    registry.release();
    assert!(slow.wait().unwrap().success());
    let after = kitchen.read("recipes/es.lock");
    let far = elkbake::digest::Digest::of(b"from farther away").to_string();
    assert!(!before.contains(&far) && between.contains(&far) && after.contains(&far), "{after}");
    assert_ne!(after, between, "the base moved too");
}
