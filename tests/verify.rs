//! `elkbake verify`, as a user sees it.

use std::time::SystemTime;

use elkbake::bake::built::Built;
use elkbake::digest::Digest;
use elkbake::store::Store;

use crate::kitchen::built::{Packed, Tarball, image, layer};
use crate::kitchen::project::Kitchen;
use crate::kitchen::registry::Registry;

/// A project on a base in a registry, with an archive, and a recipe that builds on the first.
fn market() -> (Registry, Kitchen) {
    let registry = Registry::start();
    registry.image("elastic/es", "8.19.3", &["linux/amd64", "linux/arm64"]);
    let archive = Tarball::new().folder("tool").file("tool/run", b"#!").bytes();
    let url = registry.url(&registry.file("tool.tar", &archive));
    let platforms = "platforms = [\"linux/amd64\", \"linux/arm64\"]";
    let text = format!(
        "kind = \"image\"\nproduct = \"generic\"\nversion = \"1\"\nfrom = \"{}\"\n{platforms}\n[[archive]]\nname = \"tool\"\nurl = \"{url}\"\ninto = \"/opt\"\n",
        registry.reference("elastic/es:8.19.3")
    );
    let child =
        format!("kind = \"image\"\nproduct = \"generic\"\nversion = \"1\"\nfrom = \"recipe:es\"\n{platforms}\n");
    let kitchen = Kitchen::new()
        .recipe("es", &text)
        .recipe("child", &child)
        .file("images/es/etc/motd", "hello\n")
        .file("images/child/etc/child", "child\n");
    kitchen.run(&["build"]).success();
    (registry, kitchen)
}

fn store(kitchen: &Kitchen) -> Store {
    Store::open(&kitchen.store(), SystemTime::UNIX_EPOCH).unwrap()
}

/// What was built of a recipe, for a test to tamper with.
fn built(kitchen: &Kitchen, recipe: &str) -> Built {
    let plan = kitchen.run(&["plan", recipe, "--json"]).success().json();
    let key: Digest = plan["plans"][0]["key"].as_str().unwrap().parse().unwrap();
    store(kitchen).result(&key).unwrap().unwrap()
}

fn left_overs(kitchen: &Kitchen) -> usize {
    let entries = std::fs::read_dir(kitchen.store()).unwrap();
    entries.filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().starts_with(".verify-")).count()
}

#[test]
fn what_was_built_is_built_again_from_its_inputs_and_is_the_same() {
    let (registry, kitchen) = market();
    // What a killed run left goes, and what another run is using stays.
    let (killed, running) = (kitchen.store().join(".verify-killed"), kitchen.store().join(".verify-running"));
    drop(Store::open(&killed, SystemTime::UNIX_EPOCH).unwrap());
    let held = Store::open(&running, SystemTime::UNIX_EPOCH).unwrap();
    registry.forget();
    let ran = kitchen.run(&["verify", "--rebuild"]).success().says("es 1-").says("child 1-");
    assert_eq!(ran.stdout.matches("the same when it is built again").count(), 2, "{}", ran.stdout);
    assert!(!killed.exists() && running.exists());
    drop(held);
    std::fs::remove_dir_all(running).unwrap();
    assert_eq!(left_overs(&kitchen), 0);
    assert!(registry.requests_to("/files/tool.tar").is_empty(), "the archive is at hand");
    let document = kitchen.run(&["verify", "--rebuild", "child", "--offline", "--json"]).success().json();
    assert_eq!(document["verified"].as_array().unwrap().len(), 1);
    let one = &document["verified"][0];
    assert_eq!((&one["same"], &one["digest"]), (&true.into(), &one["rebuilt"]));
}

#[test]
fn the_first_entry_and_field_that_differ_are_told() {
    let kitchen = Kitchen::new()
        .recipe("app", "kind = \"image\"\nproduct = \"generic\"\nversion = \"1\"\nfrom = \"scratch\"\nplatforms = [\"linux/amd64\"]\n")
        .file("images/app/etc/motd", "hello\n");
    kitchen.run(&["build"]).success();
    let right = built(&kitchen, "app");
    let store = store(&kitchen);
    // As an elkbake would have built it that writes another time, or compresses otherwise.
    let what = right.platforms[0].layers[0].what.clone();
    let late = layer(&store, what, Tarball::new().folder("etc/").file("etc/motd", b"hello\n"), Packed::Gzip);
    let forged = image(&store, right.key, &[("linux/amd64", vec![late])]);
    store.keep(&right.key, &forged, &[]).unwrap();
    let ran = kitchen.run(&["verify", "--rebuild"]).code(1).says("not the same");
    let ran = ran.says("linux/amd64, layer 0 (files), entry `etc/`, owner: 1000:0 and then 0:0");
    assert!(ran.stderr.is_empty() || !ran.stderr.contains("error"), "{}", ran.stderr);
    let document = kitchen.run(&["verify", "--rebuild", "--json"]).code(1).json();
    let difference = &document["verified"][0]["difference"];
    assert_eq!((&difference["entry"], &difference["field"]), (&"etc/".into(), &"owner".into()));
    assert_eq!(document["verified"][0]["rebuilt"], right.platforms[0].manifest.digest.to_string());

    // The layers are right, the configuration is another.
    let forged = image(&store, right.key, &[("linux/amd64", right.platforms[0].layers.clone())]);
    store.keep(&right.key, &forged, &[]).unwrap();
    kitchen.run(&["verify", "--rebuild"]).code(1).says("linux/amd64, configuration, /config/Cmd");
    store.keep(&right.key, &right, &[]).unwrap();
    kitchen.run(&["verify", "--rebuild"]).success();
}

#[test]
fn what_was_never_built_or_has_another_key_cannot_be_compared() {
    let (_registry, kitchen) = market();
    kitchen.write("images/es/etc/motd", "bye\n");
    let ran = kitchen.run(&["verify", "--rebuild", "es"]).code(3);
    ran.complains("neither built here nor recorded").complains("`elkbake build es`");
    for lock in ["es", "child"] {
        std::fs::remove_file(kitchen.project().join(format!("recipes/{lock}.lock"))).unwrap();
        kitchen.run(&["verify", "--rebuild", lock]).code(3).complains("it has no lock yet");
        kitchen.run(&["diff", "child", "child"]).code(3).complains("is not built: it has no lock yet");
        assert!(!kitchen.has(&format!("recipes/{lock}.lock")), "who only looks makes nothing");
    }
    kitchen.run(&["verify", "es"]).code(3).complains("nothing is recorded");
    kitchen.run(&["verify", "--rebuild", "none"]).code(3).complains("there is no recipe none");
}

#[test]
fn what_another_machine_has_recorded_is_compared_by_its_digest() {
    let (_registry, kitchen) = market();
    let right = built(&kitchen, "es");
    let record = |digest: &Digest| {
        serde_json::json!({
            "format": 1, "target": "local",
            "recipes": { "es": { "current": {
                "kind": "image", "digest": digest, "tag": "1-x", "key": right.key, "version": "1",
                "elkbake": "0.1.0", "created": "2026-01-02T03:04:05Z", "pushed_at": "2026-01-02T03:04:05Z",
            } } },
        })
        .to_string()
    };
    std::fs::remove_dir_all(kitchen.store()).unwrap();
    kitchen.write("bake-manifest.json", record(&right.top().unwrap().digest));
    kitchen.run(&["verify", "--rebuild", "es"]).success().says("the same when it is built again");
    kitchen.write("bake-manifest.json", record(&Digest::of(b"another")));
    kitchen.run(&["verify", "--rebuild", "es"]).code(1).says("not the same");
    let store = store(&kitchen);
    assert_eq!(store.result::<Built>(&right.key).unwrap(), None, "what is built to verify is not kept");
}

#[test]
fn what_a_lock_says_of_its_base_is_not_believed() {
    let (registry, kitchen) = market();
    let lock = kitchen.read("recipes/es.lock");
    assert!(lock.contains("\"/etc\" = \"folder 0755 0:0\""), "{lock}");
    // By hand, and before the first build on this machine: the lie is in the image and has its key.
    kitchen.write("recipes/es.lock", lock.replace("\"/etc\" = \"folder 0755 0:0\"", "\"/etc\" = \"folder 0700 0:0\""));
    std::fs::remove_dir_all(kitchen.store()).unwrap();
    kitchen.run(&["build"]).success();
    let ran = kitchen.run(&["verify", "--rebuild", "es"]).code(1).says("not the same");
    let ran = ran.says("linux/amd64, layer 2 (files), entry `etc/`, mode: 0700 and then 0755");
    ran.says("its lock is wrong: linux/amd64, /etc: `folder 0700 0:0`, and the base has `folder 0755 0:0`");
    let document = kitchen.run(&["verify", "--rebuild", "child", "--json"]).code(1).json();
    let child = &document["verified"][0];
    assert_eq!((&child["lock"]["what"], &child["lock"]["said"]), (&"/etc".into(), &"folder 0700 0:0".into()));
    assert_eq!(child["same"], false, "it is in what it builds on");

    // A lie that is in no image is one all the same.
    let version = "[base.platform.there]\n\"/nowhere\" = \"folder 0755 0:0\"";
    kitchen.write("recipes/es.lock", lock.replacen("[base.platform.there]", version, 1));
    std::fs::remove_dir_all(kitchen.store()).unwrap();
    kitchen.run(&["build", "es"]).success();
    let ran = kitchen.run(&["verify", "--rebuild", "es"]).code(1).says("the same when it is built again");
    ran.says("/nowhere: `folder 0755 0:0`, and the base has `nothing`").says("run `elkbake lock`");

    // Where the base cannot be read, that is said.
    kitchen.write("recipes/es.lock", &lock);
    std::fs::remove_dir_all(kitchen.store()).unwrap();
    kitchen.run(&["build", "es"]).success();
    registry.forget();
    let ran =
        kitchen.run(&["verify", "--rebuild", "es", "--offline"]).success().says("the same when it is built again");
    ran.complains("is not at hand: what the lock of es says of its base is believed");
    kitchen.run(&["verify", "--rebuild", "es"]).success();
}

#[test]
fn where_all_recipes_are_of_hosts_there_is_no_image_to_look_at() {
    let host = "kind = \"ami\"\nversion = \"1\"\nregion = \"eu-west-1\"\nbase = { id = \"ami-0123456789abcdef0\" }\n";
    let kitchen = Kitchen::new().recipe("host", host);
    for command in [&["verify", "--rebuild"][..], &["inspect"]] {
        kitchen.run(command).code(3).complains("are of hosts").complains("about container images");
    }
}
