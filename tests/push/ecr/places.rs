//! Records say where images are, whatever became of `elkbake.toml` and of earlier pushes.

use super::super::fresh::{has_no_layer, make_fresh, timeless};
use super::{BOTH, project, records};
use crate::kitchen::ecr::Ecr;
use crate::kitchen::project::Kitchen;
use crate::kitchen::registry::Fault;

fn is_stale(kitchen: &Kitchen) -> bool {
    let ran = kitchen.run(&["plan", "--format", "github", "--target", "prod"]).success();
    ran.json()["include"].as_array().is_some_and(|jobs| !jobs.is_empty())
}

#[test]
fn what_was_left_unfinished_is_forgotten_when_the_files_go_back() {
    let ecr = Ecr::start(&BOTH);
    let kitchen = project(&ecr, &BOTH, "");
    kitchen.run(&["push", "--target", "prod"]).success();
    let before = records(&kitchen);
    kitchen.write("images/app/etc/app.conf", "a = 2\n");
    ecr.registry("us-east-1").fault("/v2/*", 1000, Fault::Status(500, None));
    kitchen.run(&["push", "--target", "prod"]).code(4);
    ecr.registry("us-east-1").heal();
    kitchen.write("images/app/etc/app.conf", "a = 1\n");
    kitchen.run(&["push", "--target", "prod"]).success().says("was there");
    assert_eq!(records(&kitchen), before);
    kitchen.run(&["verify", "--target", "prod"]).success();
    assert!(!is_stale(&kitchen));
}

#[test]
fn a_new_region_that_has_the_image_already_gets_into_the_record() {
    let ecr = Ecr::start(&BOTH);
    let (both, kitchen) = (project(&ecr, &BOTH, "").read("elkbake.toml"), project(&ecr, &BOTH[..1], ""));
    kitchen.run(&["push", "--target", "prod"]).success();
    // Somebody else's replication brought it there.
    ecr.repository("us-east-1", "elk/app", true);
    ecr.registry("eu-west-1").replicate_to(ecr.registry("us-east-1"), "elk/app");
    kitchen.write("elkbake.toml", &both);
    assert!(is_stale(&kitchen));
    std::fs::remove_dir_all(kitchen.store()).unwrap();
    ecr.forget();
    kitchen.run(&["push", "--target", "prod", "--dry-run"]).success().says("was there");
    assert!(is_stale(&kitchen), "a dry run writes nothing");
    kitchen.run(&["push", "--target", "prod"]).success().says("was there");
    assert!(!is_stale(&kitchen));
    assert_eq!(ecr.asked("DescribeRepositories"), 0, "nothing is built or prepared for that");
    let current = records(&kitchen)["recipes"]["app"]["current"].clone();
    assert_eq!(current["regions"].as_object().unwrap().len(), 2);
    kitchen.run(&["export", "--format", "terraform", "--target", "prod", "--region", "us-east-1"]).success();
}

#[test]
fn a_fresh_machine_records_what_all_regions_have() {
    let ecr = Ecr::start(&BOTH);
    let kitchen = project(&ecr, &BOTH, "");
    let current = || timeless(records(&kitchen)["recipes"]["app"]["current"].clone());
    kitchen.run(&["push", "--target", "prod"]).success();
    let before = current();
    make_fresh(&kitchen, "prod.json");
    ecr.forget();
    kitchen.run(&["push", "--target", "prod"]).success().says("was there");
    assert_eq!(current(), before);
    assert!(has_no_layer(&kitchen));
    let calls: Vec<_> = ecr.calls().into_iter().map(|call| call.action).collect();
    assert!(calls.iter().all(|action| action == "GetAuthorizationToken"), "{calls:?}");
}
