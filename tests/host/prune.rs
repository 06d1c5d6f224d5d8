//! `elkbake prune`: what is never taken.

use super::{ACCOUNT, Amazon, HOME, HOST, Kitchen, project};

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
