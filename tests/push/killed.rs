//! Pushes that are killed, and pushes side by side.

use std::time::Duration;

use serde_json::Value;

use super::{current, project, targets, writes};
use crate::build::recipe;
use crate::kitchen::project::Kitchen;
use crate::kitchen::registry::{Fault, Registry};

/// Bytes that do not compress, another for each seed.
pub(crate) fn noise(size: usize, seed: u64) -> Vec<u8> {
    let mut state = seed | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    std::iter::repeat_with(&mut next).take(size / 8).flatten().collect()
}

/// A project with one large layer for a target in a registry, built.
pub(super) fn large(registry: &Registry, size: usize) -> Kitchen {
    let kitchen = Kitchen::new()
        .file("elkbake.toml", targets(registry))
        .recipe("app", &recipe("scratch", ""))
        .file("images/app/big", noise(size, 7));
    kitchen.run(&["build"]).success();
    kitchen
}

/// Starts a push and kills it after so long: from its start on, or from when its first bytes come.
fn kill_after(registry: &Registry, kitchen: &Kitchen, life: Duration, once_it_sends: bool) {
    let mut child = kitchen.command(&["push", "--target", "reg", "--quiet"]).spawn().unwrap();
    while once_it_sends && !registry.is_taking() {
        assert!(child.try_wait().unwrap().is_none(), "it came to its end");
        std::thread::sleep(Duration::from_millis(1));
    }
    std::thread::sleep(life);
    assert!(child.try_wait().unwrap().is_none(), "it came to its end");
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_push_that_is_killed_again_and_again_gets_there_and_sends_nothing_twice() {
    const SIZE: u64 = 32 << 20;
    // What is sent beside the layer: its documents.
    const MORE: u64 = 2 << 20;
    let registry = Registry::start();
    let kitchen = large(&registry, usize::try_from(SIZE).unwrap());
    // So slowly that the few MB in sockets are most of what a kill finds on its way.
    registry.rules(|rules| rules.pace = Some(16 << 10));
    let (mut killed, mut hit, mut held) = (0, 0, 0);
    while killed < 10 || held == 0 || hit < 6 {
        registry.forget();
        assert!(killed < 80, "{hit} of {killed} kills were in the upload");
        kill_after(&registry, &kitchen, Duration::from_millis(killed * 37 % 60), killed % 4 != 3);
        killed += 1;
        let before = held;
        held = registry.uploaded();
        hit += u64::from(held > before);
        // One that was begun anew would not have got beyond the one that was there.
        let sent = registry.received("team/app");
        assert!(sent + before <= held + MORE, "{sent} bytes were sent, and {before} became {held}");
        if held > SIZE / 2 && (killed < 10 || hit < 6) {
            registry.drop_uploads();
            held = 0;
        }
    }
    registry.rules(|rules| rules.pace = None);
    registry.forget();
    kitchen.run(&["push", "--target", "reg"]).success();
    kitchen.run(&["verify", "--target", "reg"]).success();
    let sent = registry.received("team/app");
    assert!(sent <= SIZE - held + MORE, "{sent} bytes were sent, and {held} were there");
    assert_eq!(current(&kitchen, "app")["kind"], "image");
}

/// Pushes until a request has come so many times whose answer then does not come, and kills there.
fn kill_at(registry: &Registry, kitchen: &Kitchen, request: &str, before: usize) {
    registry.fault(request, before, Fault::Headers(Vec::new()));
    registry.fault(request, 1, Fault::Silent);
    let begins = request.trim_end_matches('*');
    let mut child = kitchen.command(&["push", "--target", "reg", "--quiet"]).spawn().unwrap();
    while registry.lines().iter().filter(|line| line.starts_with(begins)).count() <= before {
        assert!(child.try_wait().unwrap().is_none(), "it ended before {request}");
        std::thread::sleep(Duration::from_millis(1));
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_push_that_is_killed_between_its_manifests_tag_and_record_is_finished_by_the_next() {
    // The tag is looked for where there is no record, before all else, before it is put, and as the proof that it is there.
    for (request, before, is_tagged) in [
        ("PUT /v2/team/app/manifests/sha256:*", 0, false),
        ("PUT /v2/team/app/manifests/sha256:*", 1, false),
        ("HEAD /v2/team/app/manifests/1.0-*", 2, false),
        ("PUT /v2/team/app/manifests/1.0-*", 0, true),
        ("HEAD /v2/team/app/manifests/1.0-*", 3, true),
    ] {
        let registry = Registry::start();
        let kitchen = project(&registry);
        kitchen.run(&["build"]).success();
        kill_at(&registry, &kitchen, request, before);
        assert!(!kitchen.has("reg.json"), "{request}: nothing is recorded that is not proven");
        let tag = kitchen.build("app")["tag"].as_str().unwrap().to_owned();
        assert_eq!(registry.named("team/app", &tag).is_some(), is_tagged, "{request} {before}");
        registry.forget();
        kitchen.run(&["push", "--target", "reg"]).success();
        assert_eq!(registry.received("team/app"), 0, "{request} {before}: no blob is sent again");
        let writes = writes(&registry);
        assert_eq!(writes.is_empty(), is_tagged, "{request} {before}: {writes:?}");
        kitchen.run(&["verify", "--target", "reg"]).success();
        let manifest: Value = serde_json::from_str(&kitchen.read("reg.json")).unwrap();
        assert!(manifest["recipes"]["app"]["history"].as_array().unwrap().is_empty());
    }
}

#[test]
fn two_pushes_of_one_recipe_at_once_both_succeed_and_leave_one_record() {
    let registry = Registry::start();
    let kitchen = project(&registry);
    kitchen.run(&["build"]).success();
    let start = || kitchen.command(&["push", "--target", "reg", "--quiet"]).spawn().unwrap();
    let children: Vec<_> = (0..4).map(|_| start()).collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    let manifest: Value = serde_json::from_str(&kitchen.read("reg.json")).unwrap();
    assert!(manifest["recipes"]["app"]["history"].as_array().unwrap().is_empty());
}

#[test]
fn pushes_of_different_recipes_at_once_are_all_recorded() {
    let registry = Registry::start();
    let mut kitchen = Kitchen::new().file("elkbake.toml", targets(&registry));
    for i in 0..6 {
        kitchen =
            kitchen.recipe(&format!("app{i}"), &recipe("scratch", "")).file(&format!("images/app{i}/a"), i.to_string());
    }
    kitchen.run(&["build"]).success();
    let start =
        |i: usize| kitchen.command(&["push", &format!("app{i}"), "--target", "reg", "--quiet"]).spawn().unwrap();
    let children: Vec<_> = (0..6).map(start).collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    let manifest: Value = serde_json::from_str(&kitchen.read("reg.json")).unwrap();
    assert_eq!(manifest["recipes"].as_object().unwrap().len(), 6);
}
