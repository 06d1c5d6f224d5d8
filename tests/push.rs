//! `elkbake push`, `promote` and `verify` of targets, as a user sees them, against a registry that takes nothing which
//! registries refuse.

#[cfg(feature = "aws")]
mod ecr;
mod folder;
mod fresh;
mod full;
pub(crate) mod killed;
mod promote;
mod standing;

use serde_json::Value;

use crate::build::recipe;
use crate::kitchen::project::Kitchen;
use crate::kitchen::registry::{Fault, Immutable, Registry};

/// A project with a target in a registry, and a recipe on a base of the same registry.
pub(crate) fn project(registry: &Registry) -> Kitchen {
    registry.image("elastic/base", "8", &["linux/amd64", "linux/arm64"]);
    let from = format!("{}/elastic/base:8", registry.host());
    let text = recipe(&from, "").replace("[\"linux/amd64\"]", "[\"linux/amd64\", \"linux/arm64\"]");
    Kitchen::new()
        .file("elkbake.toml", targets(registry))
        .recipe("app", &text)
        .file("images/app/etc/app.conf", "a = 1\n")
}

pub(crate) fn targets(registry: &Registry) -> String {
    format!("[target.reg]\nregistry = \"{}/team\"\nmanifest = \"reg.json\"\n", registry.host())
}

/// What the target `reg` records of a recipe as current.
pub(crate) fn current(kitchen: &Kitchen, name: &str) -> Value {
    let manifest: Value = serde_json::from_str(&kitchen.read("reg.json")).unwrap();
    manifest["recipes"][name]["current"].clone()
}

/// The requests that change something.
fn writes(registry: &Registry) -> Vec<String> {
    let is_write = |line: &String| !line.starts_with("GET ") && !line.starts_with("HEAD ");
    registry.lines().into_iter().filter(is_write).collect()
}

#[test]
fn an_image_gets_into_a_registry_and_into_the_records() {
    let registry = Registry::start();
    let kitchen = project(&registry);
    let base = registry.image("elastic/base", "8", &["linux/amd64", "linux/arm64"]);
    let pushes = kitchen.run(&["push", "app", "--target", "reg", "--json"]).success().json();
    let push = &pushes["pushes"][0];
    let (tag, digest) = (push["tag"].as_str().unwrap(), push["digest"].as_str().unwrap());
    let (kind, bytes) = registry.named("team/app", tag).unwrap();
    assert_eq!(kind, "application/vnd.oci.image.index.v1+json");
    let index: Value = serde_json::from_slice(&bytes).unwrap();
    for entry in index["manifests"].as_array().unwrap() {
        let (_, bytes) = registry.named("team/app", entry["digest"].as_str().unwrap()).unwrap();
        let manifest: Value = serde_json::from_slice(&bytes).unwrap();
        for part in manifest["layers"].as_array().unwrap().iter().chain([&manifest["config"]]) {
            assert!(registry.held("team/app", &part["digest"].as_str().unwrap().parse().unwrap()).is_some());
        }
    }
    let record = current(&kitchen, "app");
    assert_eq!(record["reference"], format!("{}/team/app@{digest}", registry.host()));
    assert_eq!(push["reference"], record["reference"]);
    assert_eq!((record["digest"].as_str(), record["tag"].as_str()), (Some(digest), Some(tag)));
    // What is in the base's repository of the same registry is mounted; nothing of it is fetched.
    assert_eq!(push["repositories"][0]["mounted"], 2, "{push}");
    let layers = base.layers.iter().map(|(layer, _)| format!("GET /v2/elastic/base/blobs/{layer}"));
    let lines = registry.lines();
    assert!(layers.into_iter().all(|layer| lines.iter().filter(|line| **line == layer).count() <= 1), "{lines:?}");
}

#[test]
fn an_unchanged_image_costs_one_request_even_on_a_machine_that_never_saw_it() {
    let registry = Registry::start();
    let kitchen = project(&registry);
    kitchen.run(&["push", "--target", "reg"]).success();
    for empty in [false, true] {
        if empty {
            std::fs::remove_dir_all(kitchen.store()).unwrap();
        }
        registry.forget();
        kitchen.run(&["push", "--target", "reg"]).success().says("was there");
        let lines = registry.lines();
        assert!(matches!(&lines[..], [only] if only.starts_with("HEAD /v2/team/app/manifests/")), "{lines:?}");
    }
}

#[test]
fn a_changed_file_sends_its_layer_and_documents_only() {
    let registry = Registry::start();
    let kitchen = project(&registry);
    kitchen.run(&["push", "--target", "reg"]).success();
    registry.forget();
    kitchen.write("images/app/etc/app.conf", "a = 2\n");
    let push = kitchen.run(&["push", "--target", "reg", "--json"]).success().json()["pushes"][0].clone();
    let place = &push["repositories"][0];
    // One layer for both platforms, and a configuration for each.
    assert_eq!((place["sent"].as_u64(), place["present"].as_u64()), (Some(3), Some(2)), "{push}");
    assert!(registry.received("team/app") < 4000);
    let manifest: Value = serde_json::from_str(&kitchen.read("reg.json")).unwrap();
    assert_eq!(manifest["recipes"]["app"]["history"].as_array().unwrap().len(), 1);
}

#[test]
fn records_stay_in_order_though_the_clock_goes_back() {
    let registry = Registry::start();
    let kitchen = project(&registry);
    kitchen.run(&["push", "--target", "reg"]).success();
    let before = current(&kitchen, "app");
    let future = "2199-01-01T00:00:00Z";
    let text = kitchen.read("reg.json").replace(before["pushed_at"].as_str().unwrap(), future);
    kitchen.write("reg.json", text);
    kitchen.write("images/app/etc/app.conf", "a = 2\n");
    kitchen.run(&["push", "--target", "reg"]).success();
    let manifest: Value = serde_json::from_str(&kitchen.read("reg.json")).unwrap();
    let (now, history) = (current(&kitchen, "app"), &manifest["recipes"]["app"]["history"]);
    assert_ne!(now["digest"], before["digest"]);
    // A second later than what was before.
    assert_eq!((&now["pushed_at"], &history[0]["pushed_at"]), (&"2199-01-01T00:00:01Z".into(), &future.into()));
    assert_eq!(history[0]["digest"], before["digest"]);
    kitchen.run(&["verify", "--target", "reg", "--history"]).success();
}

#[test]
fn a_push_that_died_before_its_record_is_recorded_by_the_next() {
    let registry = Registry::start();
    for immutable in [Immutable::No, Immutable::Twice] {
        registry.rules(|rules| rules.immutable = immutable);
        let kitchen = project(&registry);
        kitchen.run(&["push", "--target", "reg"]).success();
        let before = current(&kitchen, "app");
        std::fs::remove_file(kitchen.project().join("reg.json")).unwrap();
        registry.forget();
        kitchen.run(&["push", "--target", "reg"]).success().says("was there");
        assert!(writes(&registry).is_empty());
        assert_eq!(current(&kitchen, "app")["digest"], before["digest"]);
    }
}

#[test]
fn another_images_tag_is_refused_with_both_digests_and_what_differs() {
    let registry = Registry::start();
    let kitchen = project(&registry);
    kitchen.run(&["push", "--target", "reg"]).success();
    let old = current(&kitchen, "app");
    kitchen.write("images/app/etc/app.conf", "a = 2\n");
    let build = kitchen.build("app");
    // Somebody gives the old image the tag that the new one is to have.
    let (kind, bytes) = registry.named("team/app", old["tag"].as_str().unwrap()).unwrap();
    registry.manifest("team/app", build["tag"].as_str(), &kind, &bytes);
    registry.forget();
    let ran = kitchen.run(&["push", "--target", "reg"]).code(7);
    let (ours, theirs) = (build["digest"].as_str().unwrap(), old["digest"].as_str().unwrap());
    ran.complains(ours).complains(theirs).complains("layers are the same").complains("elkbake diff");
    assert!(writes(&registry).is_empty());
    assert_eq!(current(&kitchen, "app"), old, "the records are as they were");
}

#[test]
fn a_dry_run_says_what_would_be_sent_and_changes_nothing() {
    let registry = Registry::start();
    let kitchen = project(&registry);
    let plan = kitchen.run(&["push", "--target", "reg", "--dry-run", "--json"]).success().json();
    let place = &plan["pushes"][0]["repositories"][0];
    // The base's layers are in another repository of the same registry.
    assert_eq!((plan["dry_run"].as_bool(), place["would_send"].as_u64()), (Some(true), Some(3)));
    assert_eq!(place["may_mount"], 2);
    assert!(place["would_bytes"].as_u64().unwrap() > 500 && place["may_mount_bytes"].as_u64().unwrap() > 0);
    kitchen.run(&["push", "--target", "reg", "--dry-run"]).success().says("would send 3 blobs").says("may be mounted");
    assert!(writes(&registry).is_empty() && !kitchen.has("reg.json"));
    let push = kitchen.run(&["push", "--target", "reg", "--json"]).success().json();
    let done = &push["pushes"][0]["repositories"][0];
    assert_eq!((&done["sent"], &done["mounted"]), (&place["would_send"], &place["may_mount"]));
    assert_eq!(done["bytes"], place["would_bytes"]);
    kitchen.run(&["push", "--target", "reg", "--dry-run"]).success().says("was there");
}

#[test]
fn one_call_goes_to_several_targets_and_what_fails_at_one_stops_none() {
    // No test listens at a port of root's.
    let (registry, gone) = (Registry::start(), "127.0.0.1:1");
    let more = format!("[target.down]\nregistry = \"{gone}/team\"\nmanifest = \"down.json\"\n");
    let kitchen = project(&registry).file("elkbake.toml", targets(&registry) + &more);
    let ran = kitchen.run(&["push", "--target", "down", "--target", "reg", "--target", "reg"]).code(4);
    ran.says("(reg)").complains(gone);
    assert!(kitchen.has("reg.json") && !kitchen.has("down.json"));
    kitchen.run(&["push", "--target", "ref"]).code(2).complains("did you mean `reg`?");
    kitchen.run(&["push", "no-such"]).code(3).complains("there is no recipe no-such");
}

#[test]
fn storms_pass() {
    let registry = Registry::start();
    let kitchen = project(&registry);
    for status in [429, 503, 500, 502] {
        registry.fault("POST /v2/team/app/blobs/uploads/*", 1, Fault::Status(status, Some("0".to_owned())));
        registry.fault("PUT /v2/team/app/manifests/*", 1, Fault::Status(status, Some("0".to_owned())));
    }
    registry.fault("HEAD /v2/team/app/*", 2, Fault::HangUp);
    kitchen.run(&["push", "--target", "reg"]).success();
}

#[test]
fn a_registry_that_lies_about_a_digest_is_not_believed() {
    let registry = Registry::start();
    let kitchen = project(&registry);
    let lie = format!("sha256:{}", "0".repeat(64));
    registry.fault(
        "PUT /v2/team/app/manifests/*",
        1,
        Fault::Headers(vec![("Docker-Content-Digest".to_owned(), lie.clone())]),
    );
    kitchen.run(&["push", "--target", "reg"]).code(4).complains(&lie);
    assert!(!kitchen.has("reg.json"));
}

#[test]
fn a_tag_that_somebody_takes_while_blobs_are_sent_is_theirs() {
    for immutable in [Immutable::No, Immutable::Moved, Immutable::Twice] {
        let registry = Registry::start();
        registry.rules(|rules| rules.immutable = immutable);
        let kitchen = project(&registry);
        let tag = kitchen.build("app")["tag"].as_str().unwrap().to_owned();
        registry.fault("POST /v2/team/app/blobs/uploads/*", 1, Fault::Taken(tag.clone()));
        let ran = kitchen.run(&["push", "--target", "reg"]).code(7);
        let (_, theirs) = registry.named("team/app", &tag).unwrap();
        ran.complains("a tag is never moved").complains(&elkbake::digest::Digest::of(&theirs).to_string());
        assert!(!kitchen.has("reg.json"), "nothing is recorded");
        let tagged = format!("PUT /v2/team/app/manifests/{tag}");
        assert!(!writes(&registry).contains(&tagged), "it is seen before it is tried");
    }
}

#[test]
fn recipes_that_build_on_each_other_are_pushed_together() {
    let registry = Registry::start();
    let kitchen = project(&registry).recipe(
        "child",
        &recipe("recipe:app", "[config]\nuser = \"1000\"\n")
            .replace("[\"linux/amd64\"]", "[\"linux/amd64\", \"linux/arm64\"]"),
    );
    kitchen.run(&["push", "--target", "reg"]).success();
    let record = current(&kitchen, "child");
    assert_eq!(record["base"]["digest"], current(&kitchen, "app")["digest"]);
}

#[test]
fn what_a_recipe_shares_with_the_one_that_it_builds_on_is_sent_once() {
    let (origin, registry) = (Registry::start(), Registry::start());
    let base = origin.image("elastic/base", "8", &["linux/amd64"]);
    // Named so that nobody comes first by chance.
    let kitchen = Kitchen::new()
        .file("elkbake.toml", targets(&registry))
        .recipe("z-app", &recipe(&format!("{}/elastic/base:8", origin.host()), ""))
        .file("images/z-app/etc/app.conf", "a = 1\n")
        .recipe("m-child", &recipe("recipe:z-app", "[config]\nuser = \"1000\"\n"))
        .recipe("a-grandchild", &recipe("recipe:m-child", "[config]\nuser = \"1001\"\n"));
    let pushes = |args: &[&str]| {
        let ran = kitchen.run(&[&["push", "--target", "reg", "--json"], args].concat()).success().json();
        let pushes = ran["pushes"].as_array().unwrap().clone();
        let place = |recipe: &str| {
            let push = pushes.iter().find(|push| push["recipe"] == recipe).unwrap();
            push["repositories"][0].clone()
        };
        ["z-app", "m-child", "a-grandchild"].map(place)
    };
    let layers = base.layers.len() + 1;
    let [_, child, grandchild] = pushes(&["--dry-run"]);
    assert_eq!((&child["may_mount"], &grandchild["may_mount"]), (&layers.into(), &layers.into()));
    let [_, child, grandchild] = pushes(&[]);
    for place in [child, grandchild] {
        assert_eq!((&place["mounted"], &place["sent"]), (&layers.into(), &1.into()), "{place}");
    }
    let lines = origin.lines();
    for (layer, _) in &base.layers {
        let fetch = format!("GET /v2/elastic/base/blobs/{layer}");
        assert!(lines.iter().filter(|line| **line == fetch).count() <= 1, "{lines:?}");
    }
}

#[test]
fn hosts_are_left_out_unless_they_are_named() {
    let registry = Registry::start();
    let host = "kind = \"ami\"\nversion = \"1\"\nregion = \"eu-west-1\"\n[base]\nid = \"ami-0123456789abcdef0\"\n";
    let lock = "format = 1\n\n[[ami]]\narchitecture = \"x86_64\"\nregion = \"eu-west-1\"\nwant = \"ami-0123456789abcdef0\"\n\
        id = \"ami-0123456789abcdef0\"\nname = \"n\"\nowner = \"1\"\nsnapshot = \"snap-1\"\nroot_device = \"/dev/xvda\"\n\
        created = \"2026-01-01T00:00:00.000Z\"\n";
    let kitchen = project(&registry).recipe("host", host).file("recipes/host.lock", lock);
    kitchen.run(&["push", "host", "--target", "reg"]).code(3).complains("host");
    let ran = kitchen.run(&["push", "--target", "reg"]);
    assert!(ran.stdout.contains("app") && !ran.stdout.contains("host "), "{}\n{}", ran.stdout, ran.stderr);
}

#[test]
fn the_record_names_a_new_place_that_has_the_image_already() {
    let (old, new) = (Registry::start(), Registry::start());
    let kitchen = project(&old);
    kitchen.run(&["push", "--target", "reg"]).success();
    let before = current(&kitchen, "app");
    let whole = kitchen.read("elkbake.toml")
        + &targets(&new).replace("target.reg", "target.new").replace("reg.json", "new.json");
    kitchen.write("elkbake.toml", whole);
    kitchen.run(&["promote", "--from", "reg", "--to", "new"]).success();
    kitchen.write("elkbake.toml", targets(&new));
    new.forget();
    kitchen.run(&["push", "--target", "reg"]).success().says("was there");
    assert!(writes(&new).is_empty());
    let after = current(&kitchen, "app");
    assert_eq!(after["reference"], before["reference"].as_str().unwrap().replace(&old.host(), &new.host()));
    assert_eq!(after["pushed_at"], before["pushed_at"]);
}
