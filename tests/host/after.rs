//! What is done about hosts once they are there, or half there: `prune`, `sweep`, `test`.

use std::process::Stdio;
use std::time::{Duration, Instant};

use super::{AWAY, Amazon, Guest, HOME, HOST, Kitchen, assert_clean, nonce, project, records, tested, well};

fn ids(kitchen: &Kitchen) -> Vec<String> {
    let amis = records(kitchen)["recipes"]["host"]["current"]["amis"].clone();
    amis.as_array().unwrap().iter().map(|ami| ami["id"].as_str().unwrap().to_owned()).collect()
}

/// Pushes four versions, of which the records know the last only.
fn four() -> (Amazon, Kitchen, Vec<Vec<String>>) {
    let (amazon, kitchen) = project();
    let mut all = Vec::new();
    for version in 1..=4 {
        kitchen.write("recipes/host.toml", HOST.replace("version = \"1\"", &format!("version = \"{version}\"")));
        std::fs::remove_file(kitchen.project().join("prod.json")).ok();
        kitchen.run(&["push"]).success();
        all.push(ids(&kitchen));
    }
    (amazon, kitchen, all)
}

#[test]
fn old_hosts_go_and_what_is_recorded_or_used_stays() {
    let (amazon, kitchen, all) = four();
    // Somebody starts instances of the second version.
    amazon.template(HOME, "elk", &all[1][0]);
    let dry = kitchen.run(&["prune", "--dry-run", "--json"]).success().json();
    let amis = dry["hosts"][0]["amis"].as_array().unwrap().clone();
    let fate = |id: &str| amis.iter().find(|ami| ami["id"] == id).unwrap()["kept"].clone();
    assert!(fate(&all[0][0]).is_null() && fate(&all[1][1]).is_null(), "{amis:?}");
    assert_eq!(fate(&all[2][0]), "one of the newest", "one older one is kept");
    assert!(fate(&all[1][0]).as_str().unwrap().contains("used by"), "{amis:?}");
    assert!(fate(&all[3][0]).is_string() && fate(&all[3][1]).is_string(), "{amis:?}");
    assert_eq!(amazon.asked("DeregisterImage"), 0);
    kitchen.run(&["prune"]).code(2).complains("nobody can be asked").complains("--yes removes them");
    assert_eq!(amazon.asked("DeregisterImage"), 0);
    kitchen.run(&["prune", "--yes"]).success().says(&format!("{} in {HOME} removed, with 1 snapshot", all[0][0]));
    let there = kitchen.run(&["prune", "--dry-run", "--json"]).success().json();
    let left: Vec<_> = there["hosts"][0]["amis"].as_array().unwrap().iter().map(|ami| ami["id"].clone()).collect();
    assert_eq!(left.len(), 5, "{left:?}");
    kitchen.run(&["prune", "nobody"]).code(3).complains("know a host nobody").complains("they know: host");
    kitchen.write("recipes/host.toml", HOST.replace("keep = 1\n", ""));
    kitchen.run(&["prune", "--dry-run"]).success().complains("nothing says how many older ones are kept");
}

/// Kills a run as soon as it has started an instance, whether or not it was told so already.
pub fn killed(amazon: &Amazon, kitchen: &Kitchen, args: &[&str]) {
    let mut run = kitchen.command(args);
    let instances = || amazon.world(|world| world.instances.len());
    let before = instances();
    let mut child = run.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let begun = Instant::now();
    while instances() == before {
        assert!(begun.elapsed() < Duration::from_secs(60), "no instance is started");
        std::thread::sleep(Duration::from_millis(5));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert_ne!(amazon.left(), [""; 0]);
}

#[test]
fn what_a_killed_push_leaves_is_swept() {
    let (amazon, kitchen) = project();
    amazon.guest(|_| Guest::stays());
    killed(&amazon, &kitchen, &["push"]);
    kitchen.run(&["sweep", "--target", "prod"]).success().says("prod: nothing is left that was begun more than");
    let dry = kitchen.run(&["sweep", "--target", "prod", "--all", "--dry-run", "--json"]).success().json();
    assert_eq!((&dry["found"][0]["kind"], &dry["found"][0]["recipe"]), (&"instance".into(), &"host".into()), "{dry}");
    assert_ne!(amazon.left(), [""; 0]);
    kitchen.run(&["sweep", "--target", "prod", "--all"]).success().says("instance i-").says(" goes").says(" removed");
    assert_clean(&amazon);
    kitchen.run(&["sweep", "--older-than", "1h"]).code(2).complains("--target");
}

#[test]
fn a_host_is_tested_from_its_ami_and_from_the_base() {
    let (amazon, kitchen) = project();
    amazon.guest(tested);
    kitchen.run(&["test", "host"]).code(3).complains("there is no AMI of host").complains("--require-test");
    kitchen.run(&["test", "host", "--stock"]).success().says("x86_64 base ami-").says("passed").says("all is there");
    kitchen.run(&["push"]).success();
    let ran = kitchen.run(&["test", "--target", "prod", "--json", "--junit", "tests.xml"]).success().json();
    let host = &ran["hosts"][0];
    assert_eq!(
        (&host["passed"], &host["image"], &host["notes"][0]),
        (&true.into(), &ids(&kitchen)[0].as_str().into(), &"all is there".into())
    );
    assert!(kitchen.read("tests.xml").contains("name=\"boot\""));
    assert_clean(&amazon);
    // What was found is recorded by the next push.
    kitchen.run(&["push"]).success();
    assert_eq!(records(&kitchen)["recipes"]["host"]["current"]["boots"][0]["id"], ids(&kitchen)[0]);
    amazon.guest(|boot| Guest::stays().says(&format!("ELKBAKE {} failed", nonce(boot))));
    kitchen.run(&["test", "host"]).code(1).says("failed");
    assert_clean(&amazon);
}

#[test]
fn only_what_boots_is_recorded_and_pointed_to_where_that_is_asked_for() {
    let (amazon, kitchen) = project();
    kitchen.write("recipes/host.toml", HOST.replace("keep = 1\n", "ssm_parameter = \"/elk/host\"\n"));
    amazon.guest(|boot| match boot.tags["elkbake:purpose"].as_str() {
        "test" => Guest::stays().says(&format!("ELKBAKE {} failed", nonce(boot))),
        _ => well(boot),
    });
    kitchen.run(&["push", "--require-test"]).code(7).complains("is not recorded: its test failed");
    assert_eq!((amazon.asked("PutParameter"), kitchen.has("prod.json")), (0, false));
    amazon.guest(tested);
    amazon.forget();
    kitchen.run(&["push", "--require-test"]).success().says("boots and is well");
    assert_eq!((amazon.asked("PutParameter"), amazon.asked("RunInstances")), (2, 1), "the AMI itself was there");
    assert_eq!(records(&kitchen)["recipes"]["host"]["current"]["boots"][0]["region"], HOME);
    amazon.forget();
    kitchen.run(&["push", "--require-test"]).success();
    assert_eq!(amazon.asked("RunInstances"), 0, "it was tested");
    assert_eq!(ids(&kitchen).len(), [HOME, AWAY].len());
}

#[test]
fn documents_of_hosts_hold_what_the_documentation_says() {
    let (amazon, kitchen, _) = four();
    amazon.guest(tested);
    let pushed = ["push", "--dry-run", "--json"];
    for (section, runs) in [
        ("elkbake push --json", vec![&pushed[..], &["push", "--json"]]),
        ("elkbake test --json", vec![&["test", "host", "--json"]]),
        ("elkbake prune --json", vec![&["prune", "--dry-run", "--json"], &["prune", "--yes", "--json"]]),
    ] {
        let told = crate::json::told(section);
        for run in runs {
            let mut printed = std::collections::BTreeSet::new();
            crate::json::keys(&kitchen.run(run).success().json(), &mut printed);
            let untold: Vec<_> = printed.difference(&told).collect();
            assert!(untold.is_empty(), "docs/json.md does not say what {run:?} means by {untold:?}");
        }
    }
}
