//! Targets that are folders.

use serde_json::Value;

use super::project;
use crate::build::{recipe, rootfs};
use crate::kitchen::project::Kitchen;
use crate::kitchen::registry::Registry;

#[test]
fn where_nothing_is_said_there_is_a_folder() {
    let kitchen = Kitchen::new().recipe("app", &recipe("rootfs:base.tar.gz", "")).file("base.tar.gz", rootfs());
    let push = kitchen.run(&["push", "--json"]).success().json()["pushes"][0].clone();
    let digest = push["digest"].as_str().unwrap();
    assert_eq!(push["reference"], format!("oci:.elkbake/local/app@{digest}"));
    let index: Value = serde_json::from_str(&kitchen.read(".elkbake/local/app/index.json")).unwrap();
    assert_eq!(index["manifests"][0]["digest"], digest);
    assert_eq!(index["manifests"][0]["annotations"]["org.opencontainers.image.ref.name"], push["tag"]);
    let manifest: Value = serde_json::from_str(&kitchen.read("bake-manifest.json")).unwrap();
    assert_eq!(manifest["recipes"]["app"]["current"]["layout"], ".elkbake/local/app");
    kitchen.run(&["push"]).success().says("was there");
    kitchen.write("images/app/etc/app.conf", "a = 2\n");
    let push = kitchen.run(&["push", "--json"]).success().json()["pushes"][0].clone();
    let place = &push["repositories"][0];
    assert_eq!((place["sent"].as_u64(), place["present"].as_u64()), (Some(2), Some(1)), "the base is there: {push}");
    assert!(place["bytes"].as_u64().unwrap() < 4000, "{push}");
    kitchen.run(&["verify"]).success().says("as recorded");
    kitchen.run(&["plan", "--why"]).success();
}

#[test]
fn layers_that_only_a_registry_has_are_fetched_for_a_folder() {
    let registry = Registry::start();
    let kitchen = project(&registry);
    kitchen.run(&["push", "--target", "local"]).success();
    kitchen.run(&["verify", "--target", "local"]).success().says("as recorded");
}

#[test]
fn a_tag_in_a_folder_is_not_moved() {
    let kitchen = Kitchen::new().recipe("app", &recipe("scratch", "")).file("images/app/a", "1");
    kitchen.run(&["push"]).success();
    let index = kitchen.read(".elkbake/local/app/index.json");
    kitchen.write("images/app/a", "2");
    let tag = kitchen.build("app")["tag"].as_str().unwrap().to_owned();
    let mut other: Value = serde_json::from_str(&index).unwrap();
    other["manifests"][0]["annotations"]["org.opencontainers.image.ref.name"] = tag.as_str().into();
    kitchen.write(".elkbake/local/app/index.json", other.to_string());
    kitchen.run(&["push"]).code(7).complains("a tag is never moved").complains("layers are the same");
    assert_eq!(kitchen.read(".elkbake/local/app/index.json"), other.to_string());
}

#[test]
fn a_folder_that_is_something_else_is_left_alone() {
    let kitchen = Kitchen::new().recipe("app", &recipe("scratch", "")).file(".elkbake/local/app/notes.txt", "mine");
    kitchen.run(&["push"]).code(3).complains("no OCI layout");
    assert!(!kitchen.has("bake-manifest.json"));
}
