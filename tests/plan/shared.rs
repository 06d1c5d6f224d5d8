//! `elkbake plan --format`: what is stale, for the runners of a CI.

use serde_json::{Value, json};

use super::locked::{HOST, HOST_LOCK};
use super::{SCRATCH, on};
use crate::kitchen::project::{Kitchen, golden};

const FORMATS: [&str; 3] = ["github", "gitlab", "codebuild"];

/// `app` and `more` build on `base`; `free` on nothing; one host, which nobody pushes to a registry.
fn project() -> Kitchen {
    Kitchen::new()
        .recipe("base", SCRATCH)
        .recipe("app", &on("base"))
        .recipe("more", &on("app"))
        .recipe("free", SCRATCH)
        .file("images/base/etc/base", "1")
        .file("images/app/etc/app", "1")
        .file("images/more/etc/more", "1")
        .file("elkbake.toml", "[target.prod]\noci = \"out\"\nmanifest = \"prod.json\"\n")
}

fn plans(kitchen: &Kitchen) -> Value {
    kitchen.run(&["plan", "--json"]).success().json()["plans"].clone()
}

/// Records what is planned now, of some recipes.
fn record(kitchen: &Kitchen, names: &[&str]) {
    let mut recipes = json!({});
    for plan in plans(kitchen).as_array().unwrap() {
        let name = plan["recipe"].as_str().unwrap();
        if names.contains(&name) {
            recipes[name] = json!({ "current": {
                "kind": "image", "tag": plan["tag"], "key": plan["key"], "version": "1", "elkbake": "0.1.0",
                "created": "2026-01-01T00:00:00Z", "pushed_at": "2026-01-01T00:00:00Z",
            } });
        }
    }
    kitchen.write("prod.json", json!({ "format": 1, "target": "prod", "recipes": recipes }).to_string());
}

fn stale(kitchen: &Kitchen, more: &[&str]) -> Vec<String> {
    let args = [&["plan", "--offline", "--target", "prod", "--format", "github"], more].concat();
    let ran = kitchen.run(&args).success();
    assert_eq!(ran.stdout.lines().count(), 1, "a step's output is one line");
    let matrix = ran.json();
    let entries = matrix["include"].as_array().unwrap();
    assert!(entries.iter().all(|entry| entry["target"] == "prod"));
    entries.iter().map(|entry| entry["recipes"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn only_what_is_stale_is_shared_and_families_stay_together() {
    let kitchen = project();
    plans(&kitchen);
    assert_eq!(stale(&kitchen, &[]), ["base app more", "free"], "nothing is recorded");
    record(&kitchen, &["base", "app", "more", "free"]);
    assert_eq!(stale(&kitchen, &[]), Vec::<String>::new());
    kitchen.write("images/app/etc/app", "2");
    assert_eq!(stale(&kitchen, &[]), ["app more"]);
    kitchen.write("images/base/etc/base", "2");
    kitchen.write("images/free/etc/free", "1");
    assert_eq!(stale(&kitchen, &[]), ["base app more", "free"]);
    assert_eq!(stale(&kitchen, &["--jobs", "1"]), ["base app more free"]);
    assert_eq!(stale(&kitchen, &["more", "free"]), ["free", "more"], "of those that are named");
}

#[test]
fn a_push_that_did_not_reach_all_regions_is_stale() {
    let kitchen = project();
    let ecr = |regions: &str| {
        format!(
            "[target.prod]\nmanifest = \"prod.json\"\n[target.prod.ecr]\naccount = \"123456789012\"\nregions = [{regions}]\n"
        )
    };
    plans(&kitchen);
    record(&kitchen, &["base", "app", "more", "free"]);
    let mut manifest: Value = serde_json::from_str(&kitchen.read("prod.json")).unwrap();
    for entry in manifest["recipes"].as_object_mut().unwrap().values_mut() {
        entry["current"]["regions"] = json!({ "eu-west-1": "a.example/b" });
    }
    kitchen.write("prod.json", manifest.to_string());
    kitchen.write("elkbake.toml", ecr("\"eu-west-1\""));
    assert_eq!(stale(&kitchen, &[]), Vec::<String>::new());
    let digest = elkbake::digest::Digest::of(b"x");
    manifest["unfinished"] = json!({ "free": {
        "tag": "1-c", "digest": digest, "regions": [], "missing": { "eu-west-1": "down" }, "at": "2026-01-01T00:00:05Z",
    } });
    kitchen.write("prod.json", manifest.to_string());
    assert_eq!(stale(&kitchen, &[]), ["free"]);
    // A region that is new in elkbake.toml.
    kitchen.write("elkbake.toml", ecr("\"eu-west-1\", \"eu-central-1\""));
    assert_eq!(stale(&kitchen, &[]), ["base app more", "free"]);
}

#[test]
fn each_engine_gets_what_it_takes_also_when_nothing_is_stale() {
    let kitchen = project();
    plans(&kitchen);
    let mut all = String::new();
    for names in [&["free"][..], &["base", "app", "more", "free"]] {
        record(&kitchen, names);
        for format in FORMATS {
            let ran = kitchen.run(&["plan", "--offline", "--target", "prod", "--format", format]).success();
            all += &format!("-- {format}\n{}", ran.stdout);
        }
    }
    golden("plan-shared.txt", &all);
}

#[test]
fn half_a_matrix_is_none() {
    let kitchen = project();
    plans(&kitchen);
    kitchen.write("recipes/broken.toml", "kind = \"image\"");
    for format in FORMATS {
        let ran =
            kitchen.run(&["plan", "--target", "prod", "--format", format]).code(3).complains("recipes/broken.toml");
        assert!(ran.stdout.is_empty(), "{}", ran.stdout);
    }
}

#[test]
fn wrong_words_are_told() {
    let kitchen = project();
    kitchen.run(&["plan", "--target", "prdo", "--format", "github"]).code(2).complains("did you mean `prod`?");
    kitchen.run(&["plan", "--target", "test"]).code(2).complains("elkbake.toml has: prod");
    kitchen.run(&["plan", "--format", "jenkins"]).code(2);
    kitchen.run(&["plan", "--format", "github", "--json"]).code(2);
    kitchen.run(&["plan", "--format", "github", "--jobs", "0"]).code(2);
    kitchen.run(&["plan", "--jobs", "2"]).code(2);
    kitchen.write("prod.json", json!({ "format": 1, "target": "staging", "recipes": {} }).to_string());
    let ran = kitchen.run(&["plan", "--target", "prod", "--format", "github"]).code(3);
    ran.complains("has the records of target `staging`, not of `prod`").complains("hint: give each target");
}

#[test]
fn why_is_told_of_the_target_that_is_named() {
    let kitchen = project();
    plans(&kitchen);
    record(&kitchen, &["free"]);
    kitchen.run(&["plan", "free", "--why", "--target", "prod"]).success().says("nothing changed since the last record");
    kitchen.run(&["plan", "free", "--why"]).success().says("nothing is recorded of this recipe yet");
}

#[test]
fn a_host_is_left_out_unless_it_is_named() {
    let kitchen = project();
    plans(&kitchen);
    kitchen.write("recipes/host.toml", HOST);
    kitchen.write("recipes/host.lock", HOST_LOCK);
    assert_eq!(stale(&kitchen, &[]), ["base app more", "free"]);
    kitchen.run(&["plan", "host", "--offline", "--format", "github"]).code(3).complains("host");
}

#[test]
fn a_host_is_stale_where_the_target_has_a_place_for_it() {
    let kitchen = Kitchen::new().recipe("free", SCRATCH).recipe("host", HOST).file("recipes/host.lock", HOST_LOCK);
    let ec2 = "[target.prod]\nmanifest = \"prod.json\"\n[target.prod.ec2]\naccount = \"123456789012\"\n";
    kitchen.write("elkbake.toml", ec2);
    assert_eq!(stale(&kitchen, &[]), ["host"], "images have no place there");
    let ran = kitchen.run(&["plan", "free", "--target", "prod", "--format", "github"]).code(3);
    ran.complains("free is the recipe of a container image").complains("[target.prod.ecr]");
    kitchen.write("elkbake.toml", ec2.replace("manifest", "oci = \"out\"\nmanifest"));
    assert_eq!(stale(&kitchen, &[]), ["free", "host"]);
    let plans = plans(&kitchen);
    let host = plans.as_array().unwrap().iter().find(|plan| plan["recipe"] == "host").unwrap();
    let ami = |region: &str| json!({ "region": region, "architecture": "arm64", "id": "ami-1", "snapshot": "snap-1" });
    let recorded = |amis: &[Value]| {
        let current = json!({
            "kind": "ami", "tag": host["tag"], "key": host["key"], "version": "1", "elkbake": "0.1.0", "amis": amis,
            "created": "2026-01-01T00:00:00Z", "pushed_at": "2026-01-01T00:00:00Z",
        });
        json!({ "format": 1, "target": "prod", "recipes": { "host": { "current": current } } }).to_string()
    };
    kitchen.write("prod.json", recorded(&[ami("eu-west-1")]));
    assert_eq!(stale(&kitchen, &[]), ["free", "host"], "the copy is missing");
    kitchen.write("prod.json", recorded(&[ami("eu-west-1"), ami("eu-central-1")]));
    assert_eq!(stale(&kitchen, &[]), ["free"]);
    kitchen.write("recipes/host.toml", HOST.replace("[base]", "engine = \"user-data\"\n[base]"));
    assert_eq!(stale(&kitchen, &[]), ["free"], "no AMI is made of it");
}
