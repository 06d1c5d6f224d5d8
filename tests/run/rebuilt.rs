//! Commands that are run again, to see whether they leave the same.

use super::{kitchen, recipe};
use crate::kitchen::engine::Engine;

const PROJECT: &str = "[target.test]\noci = \"out\"\nmanifest = \"test.json\"\n\
    [target.prod]\noci = \"out2\"\nmanifest = \"prod.json\"\n[defaults]\ntarget = \"test\"\n";

#[test]
fn building_again_runs_it_again_and_is_the_same() {
    let engine = Engine::start();
    let kitchen = kitchen(&engine).recipe("app", &recipe(&["put:/etc/a=1"], "")).file("elkbake.toml", PROJECT);
    kitchen.run(&["push", "app"]).success();
    let before = kitchen.read("test.json");
    kitchen.run(&["verify", "--rebuild", "app", "--record-nondeterminism"]).success().says("the same");
    assert_eq!((engine.asked("/start"), kitchen.read("test.json")), (2, before));
    engine.clean();
}

#[test]
fn what_differs_is_named_by_entry_and_field() {
    let engine = Engine::start();
    let kitchen = kitchen(&engine).recipe("app", &recipe(&["put:/etc/a=1", "random:/etc/b"], ""));
    kitchen.run(&["build", "app"]).success();
    let ran = kitchen.run(&["verify", "--rebuild", "app"]).code(1).says("not the same");
    let ran = ran.says("first difference: linux/amd64, layer 1 (run step), entry `etc/b`, ");
    assert!(!ran.stdout.contains("noted"), "{}", ran.stdout);
    let ran = kitchen.run(&["verify", "--rebuild", "app", "--record-nondeterminism"]).code(1);
    ran.complains("is recorded of no target").complains("push it first");
    assert!(!kitchen.has("bake-manifest.json"));
    kitchen.run(&["verify", "--record-nondeterminism"]).code(2);
    // A file that nobody needs is left out, and what is left is the same.
    kitchen.write("recipes/app.toml", recipe(&["put:/etc/a=1", "random:/etc/b"], "except = [\"/etc/b\"]\n"));
    kitchen.run(&["build", "app"]).success();
    kitchen.run(&["verify", "--rebuild", "app"]).success();
    engine.clean();
}

#[test]
fn whoever_deploys_sees_in_the_records_what_cannot_be_built_again() {
    let engine = Engine::start();
    let kitchen = kitchen(&engine).recipe("app", &recipe(&["random:/etc/b"], "")).file("elkbake.toml", PROJECT);
    kitchen.run(&["push", "app"]).success();
    kitchen.run(&["push", "app", "--target", "prod"]).success();
    let noted = |manifest: &str| -> serde_json::Value {
        let manifest: serde_json::Value = serde_json::from_str(&kitchen.read(manifest)).unwrap();
        manifest["recipes"]["app"]["current"]["nondeterminism"].clone()
    };
    kitchen.run(&["verify", "--rebuild"]).code(1);
    assert!(noted("test.json").is_null());
    let args = ["verify", "--rebuild", "--record-nondeterminism"];
    kitchen.run(&args).code(1).says("  noted in the records of prod, test\n");
    let place = "linux/amd64, layer 1 (run step), entry `etc/b`, content";
    assert_eq!((noted("test.json"), noted("prod.json")), (place.into(), place.into()));
    let before = kitchen.read("test.json");
    let told = kitchen.run(&[&args[..], &["--json"]].concat()).code(1).json();
    assert_eq!(told["verified"][0]["noted"], serde_json::json!(["prod", "test"]));
    let ran = kitchen.run(&["verify"]).success();
    ran.complains(&format!("does not come out the same when it is built again: {place}"));
    assert_eq!(kitchen.run(&["verify", "--json"]).success().json()["standing"][0]["nondeterminism"], place);
    // Nothing of it is lost when the image is pushed once more.
    kitchen.run(&["push", "app"]).success();
    assert_eq!(kitchen.read("test.json"), before);
    engine.clean();
}
