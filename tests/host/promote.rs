//! `elkbake promote` where hosts are recorded.

use super::{ACCOUNT, Kitchen, project, records};
use crate::build::recipe;

/// Two targets, each with a folder for images, in one account.
fn two_targets(kitchen: &Kitchen) {
    let target = |name: &str| {
        format!(
            "[target.{name}]\noci = \"out/{name}\"\nmanifest = \"{name}.json\"\n[target.{name}.ec2]\naccount = \"{ACCOUNT}\"\n"
        )
    };
    kitchen.write("elkbake.toml", target("stage") + &target("prod"));
}

#[test]
fn hosts_are_left_out_and_that_is_said() {
    let (amazon, kitchen) = project();
    two_targets(&kitchen);
    kitchen.run(&["push", "host", "--target", "stage"]).success();
    let promote = ["promote", "--from", "stage", "--to", "prod"];
    // Nothing but a host is there.
    for args in [&promote[..], &[&promote[..], &["host"]].concat()] {
        let ran = kitchen.run(args).code(3).complains("no AMI is copied from target to target");
        ran.complains("`elkbake push host --target prod`").complains("`share`");
    }
    kitchen.write("recipes/app.toml", recipe("scratch", ""));
    kitchen.write("images/app/etc/app.conf", "a = 1\n");
    kitchen.run(&["push", "app", "--target", "stage"]).success();
    kitchen.run(&[&promote[..], &["app", "host"]].concat()).code(3);
    assert!(!kitchen.has("prod.json"), "all of what was named, or nothing");
    kitchen.run(&promote).success().says("app").complains("hosts are left out").complains(": host");
    let promoted = records(&kitchen)["recipes"].as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(promoted, ["app"]);
    // The way that is told.
    amazon.forget();
    kitchen.run(&["push", "host", "--target", "prod"]).success();
    assert_eq!(amazon.asked("RunInstances"), 0, "the account has it already");
    assert!(records(&kitchen)["recipes"]["host"]["current"]["amis"].is_array());
}
