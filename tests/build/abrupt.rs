//! Builds that meet each other, and builds that are killed.

use std::process::{Child, Stdio};
use std::time::Duration;

use super::recipe;
use crate::kitchen::baked::{gzipped, tarball};
use crate::kitchen::project::Kitchen;

/// Some megabytes that do not get smaller, in an archive and in files of the recipe's own, on two platforms.
fn kitchen() -> Kitchen {
    let noise = |seed: u64, len: usize| {
        let mut state = seed | 1;
        let mut byte = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            state.to_le_bytes()[7]
        };
        (0..len).map(|_| byte()).collect::<Vec<u8>>()
    };
    let archive = gzipped(&tarball(&[("a", 0o644, noise(1, 1_000_000)), ("b", 0o644, noise(2, 100_000))]));
    let more = "[[archive]]\nname = \"noise\"\npath = \"noise.tgz\"\ninto = \"/opt/noise\"\n";
    let text = recipe("scratch", more).replace("[\"linux/amd64\"]", "[\"linux/amd64\", \"linux/arm64\"]");
    let kitchen = (0..8).fold(Kitchen::new().recipe("app", &text).file("noise.tgz", archive), |kitchen, i| {
        kitchen.file(&format!("images/app/srv/{i}"), noise(i + 3, 150_000))
    });
    kitchen.run(&["lock"]).success();
    kitchen
}

fn start(kitchen: &Kitchen) -> Child {
    let mut command = kitchen.command(&["build", "app", "--json", "--output", "oci:layout"]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// What a build that ended well made; of one that did not, why.
fn digest(build: Child) -> String {
    let output = build.wait_with_output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}\n{stderr}", output.status);
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    json["builds"][0]["digest"].as_str().unwrap().to_owned()
}

#[test]
fn builds_of_one_recipe_at_one_time_make_the_same_and_lose_nothing() {
    let kitchen = kitchen();
    let builds: Vec<_> = (0..3).map(|_| start(&kitchen)).collect();
    let digests: Vec<_> = builds.into_iter().map(digest).collect();
    assert!(digests.iter().all(|other| *other == digests[0]), "{digests:?}");
    kitchen.run(&["store", "verify"]).success();
    kitchen.run(&["verify", "--rebuild", "app"]).success();
}

#[test]
fn a_build_that_was_killed_leaves_nothing_that_a_later_one_would_believe() {
    let whole = kitchen();
    let expected = digest(start(&whole));
    let index = whole.read("layout/index.json");
    let kitchen = kitchen();
    for delay in (0..10).map(|i| i * i * 3) {
        let mut build = start(&kitchen);
        std::thread::sleep(Duration::from_millis(delay));
        build.kill().unwrap();
        build.wait().unwrap();
        if delay > 100 {
            kitchen.run(&["store", "verify"]).success();
        }
    }
    assert_eq!(digest(start(&kitchen)), expected);
    assert_eq!(kitchen.read("layout/index.json"), index);
    kitchen.run(&["store", "verify"]).success();
    let left = |folder: &str| std::fs::read_dir(kitchen.store().join(folder)).unwrap().count();
    kitchen.run(&["store", "gc"]).success();
    assert_eq!(left("v1/tmp"), 0);
}
