//! What ECR is to bring to other regions, and does not.

use super::{BOTH, project, records};
use crate::kitchen::ecr::Ecr;
use crate::kitchen::registry::Fault;

#[test]
fn what_did_not_get_into_the_first_region_is_in_no_other() {
    let ecr = Ecr::start(&BOTH);
    let kitchen = project(&ecr, &BOTH, "replication = \"existing\"\n");
    ecr.registry("eu-west-1").fault("/v2/*", 1000, Fault::Status(500, None));
    let ran = kitchen.run(&["push", "--target", "prod"]).code(4);
    assert!(!ran.stdout.contains("replicated"), "{}", ran.stdout);
    ran.complains("not pushed to eu-west-1, so not replicated");
    assert!(!kitchen.has("prod.json"), "nothing is anywhere");
}

#[test]
fn what_was_pushed_before_its_rule_is_brought_to_a_new_region_all_the_same() {
    let ecr = Ecr::start(&BOTH);
    let (both, kitchen) =
        (project(&ecr, &BOTH, "replication = \"existing\"\n").read("elkbake.toml"), project(&ecr, &BOTH[..1], ""));
    kitchen.run(&["push", "--target", "prod"]).success();
    kitchen.write("elkbake.toml", &both);
    kitchen.run(&["push", "--target", "prod"]).success().complains("pushed here too");
    let current = records(&kitchen)["recipes"]["app"]["current"].clone();
    assert_eq!(current["regions"].as_object().unwrap().len(), 2);
    assert!(ecr.registry("us-east-1").named("elk/app", current["tag"].as_str().unwrap()).is_some());
    kitchen.run(&["push", "--target", "prod"]).success();
}

#[test]
fn the_records_themselves_wait_for_nobody() {
    let ecr = Ecr::start(&BOTH);
    let kitchen = project(&ecr, &BOTH, "replication = \"existing\"\nparameters = true\n");
    for content in ["a = 1\n", "a = 2\n"] {
        kitchen.write("images/app/etc/app.conf", content);
        let mut child = kitchen.command(&["push", "--target", "prod", "--quiet"]).spawn().unwrap();
        // What replication does: late, and of images only.
        while child.try_wait().unwrap().is_none() {
            ecr.registry("eu-west-1").replicate_to(ecr.registry("us-east-1"), "elk/app");
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        assert!(child.wait().unwrap().success());
        let [there, here] = BOTH.map(|region| ecr.registry(region).named("elk/bakes", "current"));
        assert!(here.is_some() && here == there);
    }
}
