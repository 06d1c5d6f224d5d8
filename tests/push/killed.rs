//! Pushes that are killed, and pushes side by side.

use std::time::Duration;

use serde_json::Value;

use super::{current, project, targets};
use crate::build::recipe;
use crate::kitchen::project::Kitchen;
use crate::kitchen::registry::Registry;

/// Bytes that do not compress, another for each seed.
fn noise(size: usize, seed: u64) -> Vec<u8> {
    let mut state = seed | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    std::iter::repeat_with(&mut next).take(size / 8).flatten().collect()
}

#[test]
fn a_push_that_is_killed_again_and_again_gets_there_and_sends_little_twice() {
    const SIZE: usize = 48 << 20;
    let registry = Registry::start();
    let kitchen = Kitchen::new()
        .file("elkbake.toml", targets(&registry))
        .recipe("app", &recipe("scratch", ""))
        .file("images/app/big", noise(SIZE, 7));
    kitchen.run(&["build"]).success();
    let mut killed = 0;
    for round in 0..40_u64 {
        let mut child = kitchen.command(&["push", "--target", "reg", "--quiet"]).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(15 + round * 7 % 60));
        match child.try_wait().unwrap() {
            Some(status) => {
                assert!(status.success());
                break;
            }
            None => {
                child.kill().unwrap();
                child.wait().unwrap();
                killed += 1;
            }
        }
    }
    kitchen.run(&["push", "--target", "reg"]).success();
    kitchen.run(&["verify", "--target", "reg"]).success();
    let received = registry.received("team/app");
    // What was on the way when the process died is sent once more: of each kill, what sockets hold and one part.
    let most = SIZE as u64 + killed * (17 << 20);
    assert!(received <= most, "{received} bytes came, {killed} kills");
    assert_eq!(current(&kitchen, "app")["kind"], "image");
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
