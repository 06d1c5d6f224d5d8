//! Pushes where a disk is full: that of the store, and that of a target.

use std::process::{Command, Output};

use serde_json::Value;

use super::killed::{large, noise};
use crate::build::recipe;
use crate::kitchen::project::Kitchen;
use crate::kitchen::registry::Registry;
use crate::store_crash::child::mounting;

/// Runs a script in the project where mounts are seen by nobody else; `$ELKBAKE` is the program, `$STORE` its store.
fn script(kitchen: &Kitchen, way: &[&str], text: &str) -> Output {
    let mut command = Command::new(way[0]);
    command.args(&way[1..]).args(["sh", "-ec", text]).current_dir(kitchen.project()).env_clear();
    command.envs(kitchen.command(&[]).get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.env("ELKBAKE", env!("CARGO_BIN_EXE_elkbake")).env("STORE", kitchen.store()).output().unwrap()
}

fn said(output: &Output) -> (String, String) {
    (String::from_utf8_lossy(&output.stdout).into_owned(), String::from_utf8_lossy(&output.stderr).into_owned())
}

/// How far an upload is cannot be noted then, which only the next process would miss.
#[test]
fn a_push_into_a_registry_needs_no_room_in_the_store() {
    let folder = tempfile::tempdir().unwrap();
    let Some(way) = mounting(folder.path()) else { return };
    let registry = Registry::start();
    let kitchen = large(&registry, 18 << 20);
    std::fs::remove_dir_all(kitchen.store()).unwrap();
    let text = "mkdir -p \"$STORE\"; mount -t tmpfs -o size=60m none \"$STORE\"\n\
        \"$ELKBAKE\" build --quiet\n\
        cat /dev/zero > \"$STORE/filled\" 2> /dev/null || true\n\
        \"$ELKBAKE\" push --target reg";
    let output = script(&kitchen, way, text);
    let (stdout, stderr) = said(&output);
    assert!(output.status.success(), "{stdout}\n{stderr}");
    kitchen.run(&["verify", "--target", "reg"]).success();
}

#[test]
fn a_folder_without_room_keeps_what_it_has_and_takes_the_image_when_there_is_some() {
    let folder = tempfile::tempdir().unwrap();
    let Some(way) = mounting(folder.path()) else { return };
    let kitchen = Kitchen::new().recipe("app", &recipe("scratch", "")).file("images/app/a", "1");
    std::fs::create_dir_all(kitchen.project().join(".elkbake")).unwrap();
    kitchen.write("noise", noise(300_000, 5));
    let text = "mount -t tmpfs -o size=1m none .elkbake\n\
        \"$ELKBAKE\" push --quiet > /dev/null; cp .elkbake/local/app/index.json .\n\
        cp bake-manifest.json before.json; cp noise images/app/b\n\
        cat /dev/zero > .elkbake/filled 2> /dev/null || true\n\
        code=0; \"$ELKBAKE\" push || code=$?; echo \"code $code\"\n\
        cmp index.json .elkbake/local/app/index.json; cmp before.json bake-manifest.json\n\
        ls -A .elkbake/local/app; rm .elkbake/filled\n\
        \"$ELKBAKE\" push --quiet; \"$ELKBAKE\" verify --quiet; cat bake-manifest.json > after.json";
    let output = script(&kitchen, way, text);
    let (stdout, stderr) = said(&output);
    assert!(output.status.success(), "{stdout}\n{stderr}");
    assert!(stdout.contains("code 3\nblobs\nindex.json\noci-layout\n"), "nothing half-written remains: {stdout}");
    assert!(stderr.contains("No space left on device") && stderr.contains(".elkbake/local/app"), "{stderr}");
    let manifest: Value = serde_json::from_str(&kitchen.read("after.json")).unwrap();
    assert_eq!(manifest["recipes"]["app"]["history"].as_array().unwrap().len(), 1);
}
