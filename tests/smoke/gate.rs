//! What was tested goes into the record, and `push --require-test` lets nothing else through.

use serde_json::json;

use super::recipe;
use crate::kitchen::engine::Engine;
use crate::kitchen::project::Kitchen;
use crate::kitchen::registry::Registry;
use crate::push::{current, targets};

#[test]
fn only_what_was_tested_is_let_through_and_the_test_is_recorded() {
    let (engine, registry) = (Engine::start(), Registry::start());
    let kitchen = Kitchen::new()
        .env("DOCKER_HOST", &engine.address())
        .file("elkbake.toml", targets(&registry))
        .recipe("app", &recipe(&["hang"], "[test]\n"))
        .file("images/app/etc/app.conf", "a = 1\n");
    let push = ["push", "app", "--target", "reg", "--require-test"];
    let refused = kitchen.run(&push).code(7).complains("app 1-").complains("has passed no test on linux/amd64");
    refused.complains("hint: `elkbake test app --platform linux/amd64` tests it");
    assert!(!kitchen.has("reg.json"));
    kitchen.run(&["test", "app"]).success();
    kitchen.run(&push).success();
    let record = current(&kitchen, "app");
    let test = &record["tests"][0];
    assert_eq!((&test["digest"], &test["platform"]), (&record["platforms"][0]["digest"], &json!("linux/amd64")));
    assert_eq!((&test["checks"][0]["name"], &test["engine"]), (&json!("started"), &json!("Docker 9.9")));
    // On a machine that has not tested it, the record says so.
    kitchen.run(&[&push[..], &["--store", "other"]].concat()).success();
    assert_eq!(current(&kitchen, "app"), record);
    // Another image has to be tested anew, and one that fails counts as if it never had been.
    kitchen.write("images/app/etc/app.conf", "a = 2\n");
    kitchen.run(&push).code(7);
    kitchen.run(&["test", "app"]).success();
    kitchen.run(&push).success();
    kitchen.write("recipes/app.toml", recipe(&["exit:1"], "[test]\n"));
    kitchen.run(&["test", "app"]).code(1);
    kitchen.run(&push).code(7);
    assert_eq!(current(&kitchen, "app")["tests"].as_array().unwrap().len(), 1);
    engine.clean();
}

#[test]
fn a_test_after_the_push_is_recorded_by_the_next() {
    let (engine, registry) = (Engine::start(), Registry::start());
    let kitchen = Kitchen::new()
        .env("DOCKER_HOST", &engine.address())
        .file("elkbake.toml", targets(&registry))
        .recipe("app", &recipe(&["hang"], "[test]\n"));
    let push = ["push", "app", "--target", "reg"];
    kitchen.run(&push).success();
    assert_eq!(current(&kitchen, "app")["tests"], json!(null));
    kitchen.run(&[&push[..], &["--require-test"]].concat()).code(7);
    kitchen.run(&["test", "app"]).success();
    kitchen.run(&push).success();
    assert_eq!(current(&kitchen, "app")["tests"].as_array().unwrap().len(), 1);
    engine.clean();
}
