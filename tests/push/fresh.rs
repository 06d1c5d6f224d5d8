//! Fresh machines, which find in the registry what others have pushed, and have no record of it.

use serde_json::Value;

use super::{current, project, writes};
use crate::build::recipe;
use crate::kitchen::project::Kitchen;
use crate::kitchen::registry::Registry;

/// Leaves nothing of what a push has left on a machine.
pub(super) fn make_fresh(kitchen: &Kitchen, manifest: &str) {
    std::fs::remove_dir_all(kitchen.store()).unwrap();
    std::fs::remove_file(kitchen.project().join(manifest)).unwrap();
}

/// Whether no layer is in the store, made or fetched.
pub(super) fn has_no_layer(kitchen: &Kitchen) -> bool {
    kitchen.stored().values().all(|blob| !blob.starts_with(&[0x1f, 0x8b]))
}

/// A record without the time of its push.
pub(super) fn timeless(mut record: Value) -> Value {
    assert!(record["pushed_at"].take().is_string());
    record
}

#[test]
fn what_has_the_keys_tag_is_recorded_without_a_build() {
    let registry = Registry::start();
    let kitchen = project(&registry);
    kitchen.run(&["push", "--target", "reg"]).success();
    let before = timeless(current(&kitchen, "app"));
    make_fresh(&kitchen, "reg.json");
    registry.forget();
    kitchen.run(&["push", "--target", "reg", "--dry-run"]).success().says("was there");
    assert!(!kitchen.has("reg.json"));
    kitchen.run(&["push", "--target", "reg"]).success().says("was there");
    assert_eq!(timeless(current(&kitchen, "app")), before);
    assert!(writes(&registry).is_empty() && has_no_layer(&kitchen));
    kitchen.run(&["verify", "--target", "reg"]).success();
}

#[test]
fn what_builds_on_another_recipe_is_recorded_with_that_ones_digest() {
    let registry = Registry::start();
    let kitchen = project(&registry).recipe("child", &recipe("recipe:app", "[config]\nuser = \"1000\"\n"));
    kitchen.run(&["push", "--target", "reg"]).success();
    let before = timeless(current(&kitchen, "child"));
    make_fresh(&kitchen, "reg.json");
    kitchen.run(&["push", "child", "--target", "reg"]).success().says("was there");
    assert_eq!(timeless(current(&kitchen, "child")), before);
    assert!(has_no_layer(&kitchen));
}

#[test]
fn what_does_not_say_that_it_is_of_the_key_is_not_recorded() {
    let registry = Registry::start();
    let kitchen = project(&registry);
    kitchen.run(&["push", "--target", "reg"]).success();
    let tag = current(&kitchen, "app")["tag"].as_str().unwrap().to_owned();
    make_fresh(&kitchen, "reg.json");
    registry.image("team/app", &tag, &["linux/amd64", "linux/arm64"]);
    kitchen.run(&["push", "--target", "reg"]).code(7).complains("elkbake diff");
    assert!(!kitchen.has("reg.json"));
}
