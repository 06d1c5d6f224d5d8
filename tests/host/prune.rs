//! `elkbake prune`: what is never taken.

use std::collections::BTreeSet;
use std::process::Stdio;
use std::time::{Duration, Instant};

use super::{ACCOUNT, Amazon, HOME, HOST, Kitchen, assert_clean, project};
use crate::kitchen::project::{Ran, interrupt};

/// A second target in the same account.
const STAGE: &str = "[target.stage]\nmanifest = \"stage.json\"\n[target.stage.ec2]\naccount = \"123456789012\"\n";

fn version(kitchen: &Kitchen, version: u32) {
    kitchen.write("recipes/host.toml", HOST.replace("version = \"1\"", &format!("version = \"{version}\"")));
}

/// What is at home, and why it stays, the newest first.
fn at_home(kitchen: &Kitchen, more: &[&str]) -> Vec<(String, Option<String>)> {
    let args = [&["prune", "--dry-run", "--json"], more].concat();
    let told = kitchen.run(&args).success().json();
    let amis = told["hosts"][0]["amis"].as_array().unwrap().clone();
    let home = amis.iter().filter(|ami| ami["region"] == HOME);
    home.map(|ami| (ami["name"].as_str().unwrap().to_owned(), ami["kept"].as_str().map(str::to_owned))).collect()
}

/// Two targets in one account: `stage` has the first version, and `prod` three later ones.
fn two_targets() -> (Amazon, Kitchen) {
    let (amazon, kitchen) = project();
    assert!(STAGE.contains(ACCOUNT));
    kitchen.write("elkbake.toml", STAGE.to_owned() + &kitchen.read("elkbake.toml"));
    kitchen.run(&["push", "--target", "stage"]).success();
    for later in 2..=4 {
        version(&kitchen, later);
        std::fs::remove_file(kitchen.project().join("prod.json")).ok();
        kitchen.run(&["push", "--target", "prod"]).success();
    }
    (amazon, kitchen)
}

#[test]
fn what_another_target_of_the_account_has_recorded_stays() {
    let (amazon, kitchen) = two_targets();
    let found = at_home(&kitchen, &["--target", "prod", "--keep", "0"]);
    let why: Vec<_> = found.iter().map(|(_, why)| why.as_deref()).collect();
    assert_eq!(why, [Some("one of the newest"), None, None, Some("recorded of stage")], "{found:?}");
    kitchen.run(&["prune", "--target", "prod", "--keep", "0", "--yes"]).success();
    let there = at_home(&kitchen, &["--target", "stage", "--keep", "0"]);
    assert!(there.iter().any(|(name, _)| name.starts_with("host-1-")), "{there:?}");
    // What cannot be read may name any of them.
    kitchen.write("stage.json", "{ \"torn");
    amazon.forget();
    kitchen.run(&["prune", "--target", "prod", "--keep", "0", "--yes"]).code(3).complains("stage.json");
    assert_eq!(amazon.calls().len(), 0);
}

#[test]
fn what_goes_is_shown_to_who_says_yes_before() {
    let (_amazon, kitchen) = two_targets();
    let said = kitchen.run(&["prune", "--target", "prod", "--keep", "0", "--yes"]).success().stdout;
    assert!(said.contains("): goes\n") && said.contains(" removed, with 1 snapshot\n"), "{said}");
    assert_eq!(said.matches("stays: recorded of stage").count(), 2, "once for each region: {said}");
}

const ALL_OLD: [&str; 5] = ["prune", "--target", "prod", "--keep", "0"];

#[test]
fn nothing_goes_unless_the_person_says_yes() {
    let (amazon, kitchen) = two_targets();
    for (answer, code, said) in
        [("n\n", 0, "nothing was removed"), ("\n", 0, "nothing was removed"), ("\x03", 130, "interrupted")]
    {
        let ran = kitchen.answered(&ALL_OLD, answer).code(code);
        ran.says("remove 4 AMIs and what lies under them?").says(said);
        assert_eq!((amazon.asked("DeregisterImage"), amazon.asked("DeleteSnapshot")), (0, 0), "{answer:?}");
    }
    kitchen.answered(&ALL_OLD, "y\n").success().says(" removed, with 1 snapshot");
    assert_eq!((amazon.asked("DeregisterImage"), amazon.asked("DeleteSnapshot")), (4, 4));
    assert_clean(&amazon);
}

#[test]
fn who_stops_a_prune_leaves_no_half_of_an_ami_and_the_next_one_goes_on() {
    let (amazon, kitchen) = two_targets();
    let images = || amazon.world(|world| world.images.values().filter(|one| one.owner == ACCOUNT).count());
    let before = images();
    let gate = amazon.gate("DeregisterImage");
    let shut = gate.lock().unwrap();
    let mut run = kitchen.command(&[&ALL_OLD[..], &["--yes"]].concat());
    let child = run.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let begun = Instant::now();
    let under_way = || {
        let calls = amazon.calls().into_iter().filter(|call| call.action == "DeregisterImage");
        calls.map(|call| call.region).collect::<BTreeSet<_>>()
    };
    while under_way().len() < 2 {
        assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", under_way());
        std::thread::sleep(Duration::from_millis(5));
    }
    interrupt(&child);
    drop(shut);
    Ran::of(child.wait_with_output().unwrap()).code(130).complains("interrupted").says(" removed, with 1 snapshot");
    // One in each region was under way; those after it stay.
    assert_eq!(before - images(), 2);
    assert_clean(&amazon);
    kitchen.run(&[&ALL_OLD[..], &["--yes"]].concat()).success();
    assert_eq!(before - images(), 4);
    assert_clean(&amazon);
    let left = at_home(&kitchen, &["--target", "prod", "--keep", "0"]);
    assert!(left.iter().all(|(_, why)| why.is_some()), "{left:?}");
}
