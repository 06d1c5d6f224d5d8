//! From target to target.

use serde_json::Value;

use super::{current, project, targets, writes};
use crate::kitchen::project::Kitchen;
use crate::kitchen::registry::{Guard, Registry};

fn two(registry: &Registry, other: &Registry) -> Kitchen {
    let more = format!("[target.prod]\nregistry = \"{}/live\"\nmanifest = \"prod.json\"\n", other.host());
    project(registry).file("elkbake.toml", targets(registry) + &more)
}

fn prod(kitchen: &Kitchen) -> Value {
    let manifest: Value = serde_json::from_str(&kitchen.read("prod.json")).unwrap();
    manifest["recipes"]["app"]["current"].clone()
}

#[test]
fn an_image_is_copied_by_digest_with_its_record() {
    let (registry, other) = (Registry::start(), Registry::start());
    let kitchen = two(&registry, &other);
    kitchen.run(&["push", "--target", "reg"]).success();
    // Nothing of this machine is needed, neither the store nor the recipe.
    std::fs::remove_dir_all(kitchen.store()).unwrap();
    kitchen.write("images/app/etc/app.conf", "changed since\n");
    kitchen.run(&["promote", "--from", "reg", "--to", "prod", "--dry-run"]).success().says("would send");
    assert!(writes(&other).is_empty());
    kitchen.run(&["promote", "--from", "reg", "--to", "prod"]).success();
    let (from, to) = (current(&kitchen, "app"), prod(&kitchen));
    for same in ["digest", "tag", "key", "inputs", "platforms", "created"] {
        assert_eq!(from[same], to[same]);
    }
    assert_eq!(to["reference"], format!("{}/live/app@{}", other.host(), to["digest"].as_str().unwrap()));
    kitchen.run(&["verify", "--target", "prod"]).success();
    other.forget();
    kitchen.run(&["promote", "--from", "reg", "--to", "prod", "app"]).success().says("was there");
    assert!(writes(&other).is_empty());
}

#[test]
fn what_the_source_does_not_record_is_not_copied() {
    let (registry, other) = (Registry::start(), Registry::start());
    let kitchen = two(&registry, &other);
    kitchen.run(&["promote", "--from", "reg", "--to", "prod"]).code(3).complains("nothing is recorded");
    kitchen.run(&["push", "--target", "reg"]).success();
    kitchen.run(&["promote", "--from", "reg", "--to", "prod", "other"]).code(3).complains("no record of other");
    kitchen.run(&["promote", "--from", "reg", "--to", "reg"]).code(2).complains("itself");
    assert!(!kitchen.has("prod.json"));
}

#[test]
fn from_a_folder_to_a_registry_and_back() {
    let (registry, other) = (Registry::start(), Registry::start());
    let kitchen = two(&registry, &other);
    kitchen.run(&["push", "--target", "local"]).success();
    std::fs::remove_dir_all(kitchen.store()).unwrap();
    kitchen.run(&["promote", "--from", "local", "--to", "prod"]).success();
    kitchen.run(&["verify", "--target", "prod"]).success();
    std::fs::remove_dir_all(kitchen.project().join(".elkbake")).unwrap();
    std::fs::remove_file(kitchen.project().join("bake-manifest.json")).unwrap();
    std::fs::remove_dir_all(kitchen.store()).unwrap();
    kitchen.run(&["promote", "--from", "prod", "--to", "local"]).success();
    kitchen.run(&["verify", "--target", "local"]).success();
}

#[test]
fn a_damaged_layout_is_not_promoted() {
    let (registry, other) = (Registry::start(), Registry::start());
    let kitchen = two(&registry, &other);
    kitchen.run(&["push", "--target", "local"]).success();
    std::fs::remove_dir_all(kitchen.store()).unwrap();
    let blobs = kitchen.project().join(".elkbake/local/app/blobs/sha256");
    for blob in std::fs::read_dir(&blobs).unwrap() {
        let path = blob.unwrap().path();
        let mut bytes = std::fs::read(&path).unwrap();
        if bytes.starts_with(&[0x1f, 0x8b]) {
            *bytes.last_mut().unwrap() ^= 1;
            std::fs::remove_file(&path).unwrap();
            std::fs::write(&path, bytes).unwrap();
        }
    }
    kitchen.run(&["promote", "--from", "local", "--to", "prod"]).code(3).complains("blobs/sha256");
    assert!(!kitchen.has("prod.json") && writes(&other).is_empty());
}

#[test]
fn a_target_that_lets_nobody_in_says_who_was_tried() {
    let (registry, other) = (Registry::start(), Registry::start());
    let kitchen = two(&registry, &other);
    kitchen.run(&["push", "--target", "reg"]).success();
    other.guard(Guard::Basic { user: "me".to_owned(), password: "secret".to_owned() });
    kitchen.run(&["promote", "--from", "reg", "--to", "prod"]).code(4).complains("docker login");
}

#[test]
fn a_tag_that_is_another_images_stays_and_what_differs_is_shown() {
    let (registry, other) = (Registry::start(), Registry::start());
    let kitchen = two(&registry, &other);
    kitchen.run(&["push", "--target", "reg"]).success();
    let record = current(&kitchen, "app");
    let tag = record["tag"].as_str().unwrap().to_owned();
    // Under the same tag, somebody has put what differs in a file and a setting.
    kitchen.write("images/app/etc/app.conf", "a = another\n");
    let recipe = kitchen.read("recipes/app.toml");
    kitchen.write("recipes/app.toml", format!("{recipe}[config]\nuser = \"1000\"\n"));
    kitchen.run(&["push", "--target", "prod"]).success();
    let theirs = prod(&kitchen);
    let (kind, bytes) = other.named("live/app", theirs["tag"].as_str().unwrap()).unwrap();
    other.manifest("live/app", Some(&tag), &kind, &bytes);
    other.forget();
    for and in [&["--dry-run"][..], &[]] {
        let ran = kitchen.run(&[&["promote", "--from", "reg", "--to", "prod"], and].concat()).code(7);
        let ran = ran.complains(theirs["digest"].as_str().unwrap()).complains(record["digest"].as_str().unwrap());
        ran.complains("user").complains("etc/app.conf").complains("elkbake diff");
    }
    assert!(writes(&other).is_empty());
    assert_eq!(prod(&kitchen), theirs, "the record stays too");
    let (_, still) = other.named("live/app", &tag).unwrap();
    assert_eq!(still, bytes);
}
