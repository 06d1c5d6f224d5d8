//! `elkbake manifest merge`, as a user sees it; and the file itself under kills, a full disk and a folder that may only
//! be read.

mod crash;

use serde_json::{Value, json};

use crate::kitchen::project::Kitchen;

/// A manifest that says that these tags were pushed, each in its own second.
fn manifest(target: &str, tags: &[(&str, &str, u32)]) -> String {
    let mut recipes = json!({});
    for (name, tag, second) in tags {
        let digest = elkbake::digest::Digest::of(tag.as_bytes());
        recipes[name] = json!({ "current": {
            "kind": "image", "tag": tag, "key": digest, "version": "1", "digest": digest, "elkbake": "0.1.0",
            "created": "2026-01-01T00:00:00Z", "pushed_at": format!("2026-01-01T00:00:{second:02}Z"),
        } });
    }
    json!({ "format": 1, "target": target, "recipes": recipes }).to_string()
}

fn tag(manifest: &Value, recipe: &str) -> Value {
    manifest["recipes"][recipe]["current"]["tag"].clone()
}

/// Three runners that started from the same records, and pushed different recipes.
fn fleet() -> Kitchen {
    Kitchen::new()
        .file("prod.json", manifest("prod", &[("es", "1-a", 1), ("kibana", "1-k", 1)]))
        .file("records/1/prod.json", manifest("prod", &[("es", "1-b", 2), ("kibana", "1-k", 1)]))
        .file("records/2/prod.json", manifest("prod", &[("es", "1-a", 1), ("kibana", "1-l", 3)]))
        .file("records/3/prod.json", manifest("prod", &[("beats", "1-x", 2)]))
}

#[test]
fn the_records_of_a_fleet_are_joined_in_any_order() {
    let kitchen = fleet();
    let files = ["records/1/prod.json", "records/2/prod.json", "records/3/prod.json", "prod.json"];
    let printed = kitchen.run(&[&["manifest", "merge"], &files[..]].concat()).success();
    let mut backwards = files;
    backwards.reverse();
    assert_eq!(kitchen.run(&[&["manifest", "merge"], &backwards[..]].concat()).success().stdout, printed.stdout);
    let joined = printed.json();
    assert_eq!(
        (tag(&joined, "es"), tag(&joined, "kibana"), tag(&joined, "beats")),
        (json!("1-b"), json!("1-l"), json!("1-x"))
    );
    assert_eq!(joined["recipes"]["es"]["history"][0]["tag"], "1-a");
    assert_eq!(joined["recipes"]["es"]["history"].as_array().unwrap().len(), 1, "each result once");

    let ran = kitchen.run(&[&["manifest", "merge"], &files[..3], &["--into", "prod.json"]].concat()).success();
    ran.says("es 1-b (was 1-a)\n").says("beats 1-x (new)\n").says("prod: 3 recipes, 3 changed\n");
    assert_eq!(kitchen.read("prod.json"), printed.stdout);
    let again = kitchen.run(&["manifest", "merge", "records/1/prod.json", "--into", "prod.json", "--json"]).success();
    assert_eq!(
        again.json(),
        json!({ "target": "prod", "recipes": 3, "changed": false, "moved": [], "unfinished": [] })
    );
    let new = kitchen.run(&["manifest", "merge", "prod.json", "--into", "copy/of.json", "--json"]).success().json();
    assert_eq!(new["moved"][0], json!({ "recipe": "beats", "before": null, "after": "1-x" }));
    assert_eq!(kitchen.read("copy/of.json"), kitchen.read("prod.json"));
}

#[test]
fn what_cannot_be_joined_is_told_and_changes_nothing() {
    let kitchen = fleet()
        .file("staging.json", manifest("staging", &[("es", "1-z", 9)]))
        .file("newer.json", "{\"format\":2}")
        .file("torn.json", "{\"format\":1,");
    let before = kitchen.read("prod.json");
    let merge = |args: &[&str]| kitchen.run(&[&["manifest", "merge"], args].concat());
    let ran = merge(&["records/1/prod.json", "staging.json"]).code(3);
    let told = "records/1/prod.json has the records of target `prod`, staging.json those of `staging`";
    assert!(ran.complains(told).stdout.is_empty());
    merge(&["staging.json", "--into", "prod.json"])
        .code(3)
        .complains("prod.json has the records of target `prod`, not of `staging`");
    merge(&["newer.json", "--into", "prod.json"]).code(3).complains("newer.json has format 2");
    merge(&["torn.json", "--into", "prod.json"]).code(3).complains("torn.json: ");
    let ran = merge(&["records/*/none.json", "--into", "prod.json"]).code(3);
    ran.complains("cannot read records/*/none.json: there is no such file").complains("hint: ");
    assert_eq!(kitchen.read("prod.json"), before);
    merge(&[]).code(2);
    merge(&["prod.json", "--json"]).code(2).complains("--into");
    kitchen.run(&["manifest"]).code(2);
}

#[test]
fn what_is_unfinished_is_told() {
    let mut begun: Value = serde_json::from_str(&manifest("prod", &[])).unwrap();
    let digest = elkbake::digest::Digest::of(b"x");
    begun["unfinished"] = json!({ "es": {
        "tag": "1-c", "digest": digest, "regions": ["eu-west-1"], "missing": { "eu-central-1": "down" },
        "at": "2026-01-01T00:00:05Z",
    } });
    let kitchen = fleet().file("begun.json", begun.to_string());
    let ran = kitchen.run(&["manifest", "merge", "begun.json", "--into", "prod.json"]).success();
    ran.complains("es 1-c is not in eu-central-1: push it once more").says("prod: 2 recipes");
    // Pushed since.
    let done = manifest("prod", &[("es", "1-c", 6)]);
    kitchen.write("done.json", done);
    let ran = kitchen.run(&["manifest", "merge", "done.json", "--into", "prod.json"]).success();
    assert!(!ran.stderr.contains("once more"), "{}", ran.stderr);
    assert!(!kitchen.read("prod.json").contains("unfinished"));
}

#[test]
fn every_field_is_documented_and_the_sample_is_one() {
    let docs = include_str!("../docs/manifest.md");
    let mut schemas = vec![elkbake::record::schema()];
    let mut fields = std::collections::BTreeSet::new();
    while let Some(schema) = schemas.pop() {
        match schema {
            Value::Object(object) => {
                if let Some(properties) = object.get("properties").and_then(Value::as_object) {
                    fields.extend(properties.keys().cloned());
                }
                schemas.extend(object.into_iter().map(|(_, value)| value));
            }
            Value::Array(values) => schemas.extend(values),
            _ => {}
        }
    }
    assert!(fields.len() > 45, "{fields:?}");
    let missing: Vec<_> = fields.iter().filter(|field| !docs.contains(&format!("`{field}`"))).collect();
    assert!(missing.is_empty(), "docs/manifest.md does not tell about {missing:?}");
    let sample = docs.split("```json\n").nth(1).unwrap().split("```").next().unwrap();
    let manifest = elkbake::record::parse(std::path::Path::new("docs/manifest.md"), sample.as_bytes()).unwrap();
    let text = manifest.to_text(std::path::Path::new("x")).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), serde_json::from_str::<Value>(sample).unwrap());
}
