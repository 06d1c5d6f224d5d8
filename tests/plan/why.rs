//! What changed since the last record, or since another lock.

use elkbake::digest::Digest;
use serde_json::{Value, json};

use super::{SCRATCH, market};
use crate::kitchen::project::Kitchen;

/// A manifest that says that these inputs were published.
fn recorded(kitchen: &Kitchen, name: &str, plan: &Value, inputs: &Value) {
    let record = json!({
        "kind": "image",
        "tag": plan["tag"],
        "key": plan["key"],
        "version": plan["work"]["version"].as_str().unwrap_or("1"),
        "inputs": inputs,
        "elkbake": "0.1.0",
        "created": "2026-11-21T03:04:05Z",
        "pushed_at": "2026-11-21T03:05:06Z",
    });
    let manifest = json!({ "format": 1, "target": "local", "recipes": { name: { "current": record } } });
    kitchen.write("bake-manifest.json", manifest.to_string());
}

fn plan(kitchen: &Kitchen) -> Value {
    kitchen.run(&["plan", "--json"]).success().json()["plans"][0].clone()
}

#[test]
fn every_changed_input_is_named() {
    let (registry, kitchen) = market();
    let before = plan(&kitchen);
    recorded(&kitchen, "es", &before, &before["inputs"]);
    kitchen.run(&["plan", "--why"]).success().says("why: nothing changed since the last record");

    let mut inputs = before["inputs"].clone();
    inputs["format"] = json!(Digest::of(b"an earlier format"));
    let mut earlier = before.clone();
    earlier["key"] = json!(Digest::of(b"another key"));
    recorded(&kitchen, "es", &earlier, &inputs);
    kitchen.run(&["plan", "--why"]).success().says("why: since the last record\n    the key format changed\n");

    registry.docker_image("elasticsearch", "8.19.3", &["linux/amd64", "linux/arm64"]);
    kitchen.write("plugins/local.zip", "from here, but newer");
    kitchen.write("images/es/etc/motd", "farewell\n");
    std::fs::remove_file(kitchen.project().join("images/es/usr/share/elasticsearch/config/elasticsearch.yml")).unwrap();
    kitchen.run(&["lock", "--update"]).success();
    let ran = kitchen.run(&["plan", "--why"]).success().says("why: since the last record");
    let ran = ran.says("file /etc/motd changed").says("file /usr/share/elasticsearch/config/elasticsearch.yml removed");
    let ran =
        ran.says("base changed in the lock").says("plugin local changed in the lock").says("the key format changed");
    assert!(!ran.stdout.contains("archive agent changed"), "{}", ran.stdout);
    let why = kitchen.run(&["plan", "--why", "--json"]).success().json()["plans"][0]["why"].clone();
    assert_eq!(why["since_record"]["key"], earlier["key"]);
    assert!(
        why["since_record"]["changes"]
            .as_array()
            .unwrap()
            .contains(&json!({ "input": "file /etc/motd", "kind": "changed" }))
    );
}

#[test]
fn without_a_record_that_is_said() {
    let kitchen = Kitchen::new().recipe("app", SCRATCH);
    kitchen.run(&["plan", "--why"]).success().says("why: nothing is recorded of this recipe yet");
    recorded(&kitchen, "other", &plan(&kitchen), &json!({}));
    kitchen.run(&["plan", "--why"]).success().says("why: nothing is recorded of this recipe yet");
}

#[test]
fn a_record_that_cannot_be_read_is_told() {
    let kitchen = Kitchen::new().recipe("app", SCRATCH);
    for (manifest, told) in [
        ("{\"format\": 9}", "has format 9, this elkbake reads up to 1"),
        ("{", "bake-manifest.json: "),
        ("<<<<<<< HEAD\n", "bake-manifest.json: "),
    ] {
        kitchen.write("bake-manifest.json", manifest);
        kitchen.run(&["plan", "--why"]).code(3).complains(told);
        kitchen.run(&["plan"]).success();
    }
}

#[test]
fn another_lock_is_compared_pin_by_pin() {
    let (registry, kitchen) = market();
    kitchen.run(&["lock"]).success();
    kitchen.write("old.lock", kitchen.read("recipes/es.lock"));
    kitchen.run(&["plan", "--why", "--against", "old.lock"]).success().says("why: old.lock has the same pins");
    registry.file("agent.tar.gz", b"another agent");
    kitchen.run(&["lock", "--update=agent"]).success();
    let ran = kitchen.run(&["plan", "--why", "--against", "old.lock"]).success().says("why: since old.lock");
    let moved = format!("{} -> ", Digest::of(b"an agent"));
    assert!(ran.says("archive agent").stdout.contains(&moved), "the old digest is told");
    std::fs::remove_file(kitchen.project().join("recipes/es.lock")).unwrap();
    kitchen.run(&["plan", "--why", "--against", "old.lock"]).success().says("why: since old.lock");
    kitchen.run(&["plan", "--why", "--against", "none.lock"]).code(3).complains("cannot read none.lock");
    kitchen.run(&["plan", "--against", "old.lock"]).code(2);
    kitchen.write("old.lock", "format = 1\nx = 1\n");
    kitchen.run(&["plan", "--why", "--against", "old.lock"]).code(3).complains("old.lock:2:1");
}
