//! `elkbake load`.

use super::{kitchen, recipe};
use crate::kitchen::engine::{Engine, Fault};

const PLAIN: &str = "kind = \"image\"\nproduct = \"generic\"\nversion = \"1\"\nfrom = \"rootfs:base.tar\"\n";

#[test]
fn an_image_is_put_there_under_its_tag_with_the_layers_that_are_missing() {
    let engine = Engine::start();
    let kitchen = kitchen(&engine).recipe("app", PLAIN).file("images/app/etc/file", "1");
    let told = kitchen.run(&["load", "app", "--json"]).success().json();
    let name = told["image"].as_str().unwrap().to_owned();
    assert!(name.starts_with("app:1-") && told["layers"] == 2 && told["was_there"] == false, "{told}");
    assert_eq!(engine.state().images.values().next().unwrap().names, [name]);
    kitchen.run(&["load", "app"]).success().says("(was there)");
    kitchen.write("images/app/etc/file", "2");
    kitchen.run(&["load", "app"]).success().says("1 of 2 layers sent");
    // What is loaded is meant to stay.
    kitchen.run(&["sweep", "--all"]).success().says("nothing removed");
    assert_eq!(engine.left(), (0, 2, 0));
}

#[test]
fn all_layers_are_sent_where_the_engine_wants_them() {
    let engine = Engine::start();
    let kitchen = kitchen(&engine).recipe("app", PLAIN).file("images/app/etc/file", "1");
    kitchen.run(&["load", "app"]).success();
    engine.fault(Fault::Podman);
    kitchen.write("images/app/etc/file", "2");
    kitchen.run(&["load", "app"]).success().says("2 of 2 layers sent");
}

#[test]
fn layers_that_engines_may_not_read_are_sent_plain() {
    let engine = Engine::start();
    let zstd = format!("compression = \"zstd\"\n{PLAIN}");
    let kitchen = kitchen(&engine).recipe("app", &zstd).file("images/app/etc/file", "1");
    kitchen.run(&["load", "app"]).success();
    assert!(engine.state().images.values().next().unwrap().files.contains_key("etc/file"));
}

#[test]
fn an_engine_that_refuses_is_quoted() {
    let engine = Engine::start();
    let kitchen = kitchen(&engine).recipe("app", &recipe(&["put:/etc/a=1"], ""));
    kitchen.run(&["build", "app"]).success();
    engine.fault(Fault::Says("/load", 500, "no space left on device"));
    kitchen.run(&["load", "app"]).code(6).complains("no space left on device").complains("make room");
    engine.heal();
    engine.clean();
    kitchen.run(&["load", "app", "--platform", "linux/arm64"]).code(3);
}
