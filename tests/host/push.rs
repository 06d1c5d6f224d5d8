//! `elkbake push` of hosts.

use super::{ACCOUNT, AWAY, Guest, HOME, HOST, assert_clean, nonce, project, records};
use crate::kitchen::cloud::Trouble;

#[test]
fn a_host_is_made_copied_and_recorded_and_made_once() {
    let (amazon, kitchen) = project();
    let dry = kitchen.run(&["push", "--dry-run"]).success();
    dry.says("eu-west-1 x86_64: would be made by an instance").says("eu-central-1 x86_64: would be copied");
    assert_eq!((amazon.asked("RunInstances"), amazon.inventory().len()), (0, 0), "a dry run makes nothing");
    let pushed = kitchen.run(&["push", "--json"]).success().json();
    let current = records(&kitchen)["recipes"]["host"]["current"].clone();
    assert_eq!(current["kind"], "ami");
    let amis = current["amis"].as_array().unwrap();
    let regions: Vec<_> = amis.iter().map(|ami| ami["region"].as_str().unwrap()).collect();
    assert_eq!(regions, [HOME, AWAY], "the home region comes first");
    for (ami, told) in amis.iter().zip(pushed["hosts"][0]["amis"].as_array().unwrap()) {
        assert_eq!((&ami["id"], &ami["account"]), (&told["id"], &ACCOUNT.into()));
        let name = format!("host-{}-x86_64", current["tag"].as_str().unwrap());
        assert_eq!(ami["name"], name);
        assert!(ami["snapshot"].as_str().unwrap().starts_with("snap-"), "{ami}");
    }
    assert_eq!(current["host"]["volumes"][0]["device"], "/dev/xvdf");
    assert_clean(&amazon);
    let before = kitchen.read("prod.json");
    amazon.forget();
    kitchen.run(&["push"]).success().says("was there");
    assert_eq!(kitchen.read("prod.json"), before, "nothing is new");
    let calls: Vec<_> = amazon.calls().iter().map(|call| call.action.clone()).collect();
    assert_eq!(calls.iter().filter(|call| *call != "GetCallerIdentity").count(), 2, "one for each region: {calls:?}");
    kitchen.run(&["plan", "host", "--format", "github"]).success().says("{\"include\":[]}");
    let template = ["export", "--format", "launch-template", "host", "--region", AWAY, "--instance-type", "r6i.large"];
    assert_eq!(kitchen.run(&template).success().json()["ImageId"], amis[1]["id"]);
}

#[test]
fn a_fresh_machine_records_what_it_finds() {
    let (amazon, kitchen) = project();
    kitchen.run(&["push"]).success();
    let before = records(&kitchen)["recipes"]["host"]["current"]["amis"].clone();
    std::fs::remove_file(kitchen.project().join("prod.json")).unwrap();
    amazon.forget();
    kitchen.run(&["push"]).success();
    assert_eq!(records(&kitchen)["recipes"]["host"]["current"]["amis"], before);
    assert_eq!(amazon.asked("RunInstances"), 0);
}

#[test]
fn a_region_that_fails_is_missing_until_the_next_push() {
    let (amazon, kitchen) = project();
    amazon.fault("CopyImage", 1, Trouble::Error("ResourceLimitExceeded"));
    kitchen.run(&["push"]).code(5).complains("host on x86_64 for eu-central-1").complains("ResourceLimitExceeded");
    let unfinished = records(&kitchen)["unfinished"]["host"].clone();
    assert_eq!((&unfinished["regions"][0], &unfinished["amis"][0]["region"]), (&HOME.into(), &HOME.into()));
    assert!(unfinished["missing"][AWAY].is_string() && unfinished.get("digest").is_none(), "{unfinished}");
    amazon.forget();
    kitchen.run(&["push"]).success();
    assert_eq!(amazon.asked("RunInstances"), 0, "the first region's is taken");
    let all = records(&kitchen);
    assert!(all.get("unfinished").is_none() && all["recipes"]["host"]["current"]["amis"][1]["region"] == AWAY);
}

#[test]
fn a_host_that_is_not_well_is_no_image() {
    let (amazon, kitchen) = project();
    amazon.guest(|boot| {
        let nonce = nonce(boot);
        Guest::stops()
            .says(&format!("ELKBAKE {nonce} problem no such package"))
            .says(&format!("ELKBAKE {nonce} failed"))
    });
    kitchen.run(&["push"]).code(5).complains("no such package");
    assert_eq!(amazon.asked("CreateImage"), 0);
    assert_clean(&amazon);
    assert!(!kitchen.has("prod.json"));
}

#[test]
fn another_account_is_refused_before_anything_is_done() {
    let (amazon, kitchen) = project();
    kitchen.write("elkbake.toml", kitchen.read("elkbake.toml").replace(ACCOUNT, "999999999999"));
    amazon.forget();
    kitchen
        .run(&["push"])
        .code(5)
        .complains("belong to account 123456789012, and the target is in account 999999999999");
    assert!(amazon.calls().iter().all(|call| call.action == "GetCallerIdentity"));
}

#[test]
fn recipes_go_where_they_have_a_place() {
    let (_amazon, kitchen) = project();
    kitchen.write("recipes/app.toml", crate::build::recipe("scratch", ""));
    kitchen
        .run(&["push", "app"])
        .code(3)
        .complains("the target prod has no place for it")
        .complains("[target.prod.ecr]");
    let here = "[target.here]\noci = \"out\"\n[defaults]\ntarget = \"here\"\n";
    kitchen.write("elkbake.toml", here);
    kitchen.run(&["push"]).success().complains("hosts are left out").complains(": host").says("app");
    kitchen.run(&["push", "host"]).code(3).complains("host is the recipe of a host").complains("[target.here.ec2]");
    kitchen.write("recipes/host.toml", HOST.replace("[base.ssm]", "engine = \"user-data\"\n[base.ssm]"));
    assert!(!kitchen.run(&["push"]).success().stderr.contains("hosts are left out"));
}
