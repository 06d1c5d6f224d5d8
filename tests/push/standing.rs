//! What is recorded, held against what is there.

use serde_json::Value;

use super::{current, project};
use crate::kitchen::registry::{Fault, Registry};

#[test]
fn a_tag_that_was_moved_or_dropped_is_told() {
    let registry = Registry::start();
    let kitchen = project(&registry);
    kitchen.run(&["verify", "--target", "reg"]).code(3).complains("elkbake push --target reg");
    kitchen.run(&["push", "--target", "reg"]).success();
    kitchen.run(&["verify", "--target", "reg"]).success().says("as recorded");
    let tag = current(&kitchen, "app")["tag"].as_str().unwrap().to_owned();
    let other = registry.image("team/app", "other", &["linux/amd64"]);
    let (kind, bytes) = registry.named("team/app", "other").unwrap();
    registry.manifest("team/app", Some(&tag), &kind, &bytes);
    let ran = kitchen.run(&["verify", "--target", "reg", "--json"]).code(1);
    let flaws = &ran.json()["standing"][0]["flaws"];
    assert_eq!(flaws[0], format!("the tag is {} now", other.digest));
    registry.take_tag("team/app", &tag);
    kitchen.run(&["verify", "--target", "reg", "app"]).code(1).says("nothing has the tag");
}

#[test]
fn a_blob_that_is_gone_is_told() {
    let registry = Registry::start();
    let kitchen = project(&registry);
    let push: Value = kitchen.run(&["push", "--target", "reg", "--json"]).success().json();
    let digest = push["pushes"][0]["digest"].as_str().unwrap().to_owned();
    let (_, index) = registry.named("team/app", &digest).unwrap();
    let index: Value = serde_json::from_slice(&index).unwrap();
    let (_, manifest) = registry.named("team/app", index["manifests"][0]["digest"].as_str().unwrap()).unwrap();
    let manifest: Value = serde_json::from_slice(&manifest).unwrap();
    let config = manifest["config"]["digest"].as_str().unwrap();
    registry.take_blob(&config.parse().unwrap());
    kitchen.run(&["verify", "--target", "reg"]).code(1).says(config);
}

#[test]
fn a_registry_that_does_not_answer_leaves_the_question_open() {
    let registry = Registry::start();
    let kitchen = project(&registry);
    kitchen.run(&["push", "--target", "reg"]).success();
    registry.fault("/*", usize::MAX, Fault::HangUp);
    kitchen.run(&["verify", "--target", "reg"]).code(4);
    kitchen.run(&["verify", "--target", "reg", "--offline"]).code(3).complains("--offline");
}

#[test]
fn a_damaged_layout_is_told() {
    let registry = Registry::start();
    let kitchen = project(&registry);
    kitchen.run(&["push", "--target", "local"]).success();
    let layer =
        std::fs::read_dir(kitchen.project().join(".elkbake/local/app/blobs/sha256")).unwrap().find_map(|blob| {
            let path = blob.unwrap().path();
            std::fs::read(&path).unwrap().starts_with(&[0x1f, 0x8b]).then_some(path)
        });
    let layer = layer.unwrap();
    std::fs::remove_file(&layer).unwrap();
    kitchen.run(&["verify", "--target", "local"]).code(1).says(layer.file_name().unwrap().to_str().unwrap());
}
