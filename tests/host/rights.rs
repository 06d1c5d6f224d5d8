//! `elkbake push --print-policy` against what is really asked of AWS: by pushes, tests, prunes and sweeps.

use serde_json::{Value, json};

use super::{AWAY, Amazon, Guest, HOME, HOST, Kitchen, assert_clean, project, tested};
use crate::kitchen::cloud::Trouble;
use crate::kitchen::iam::{Exceptions, assert_allowed, assert_fits, ec2};
use crate::real::pipelines::lint;

/// A host that points to what it makes.
const PLAIN: &str = "keep = 0\nssm_parameter = \"/elk/host\"\nmove_default = true\n\
    [ami.regions.eu-west-1.launch_templates]\nx86_64 = \"elk\"\n[ami.regions.eu-central-1]\n";

/// One that is shared, and encrypted with keys of the account, and made by a spot instance.
const FULL: &str = "keep = 0\nssm_parameter = \"/elk/host\"\nmove_default = true\n\
    [ami.regions.eu-west-1]\nkms_key = \"alias/elk\"\n\
    [ami.regions.eu-west-1.launch_templates]\nx86_64 = \"elk\"\n\
    [ami.regions.eu-central-1]\nkms_key = \"alias/elk\"\n\
    [bake]\nspot = true\n[[volume]]\nname = \"root\"\nkind = \"gp3\"\nsize = 40\nmount = \"/\"\n\
    [ami.share]\naccounts = [\"111122223333\"]\n\
    organizations = [\"arn:aws:organizations::123456789012:organization/o-abcdefghij\"]\n";

fn wanting(version: u32, output: &str) -> String {
    let host = HOST.replace("version = \"1\"", &format!("version = \"{version}\""));
    let (before, _) = host.split_once("keep = 1\n").unwrap();
    format!("{before}{output}")
}

fn policy(kitchen: &Kitchen) -> Value {
    let policy = kitchen.run(&["push", "--print-policy"]).success().json();
    lint(&policy.to_string());
    policy
}

/// Makes two versions, tests, prunes, leaves things behind and sweeps them.
fn all_that_is_done(amazon: &Amazon, kitchen: &Kitchen, output: &str) {
    let write = |version| kitchen.write("recipes/host.toml", wanting(version, output));
    amazon.guest(tested);
    for version in 1..=2 {
        write(version);
        std::fs::remove_file(kitchen.project().join("prod.json")).ok();
        kitchen.run(&["push", "--require-test"]).success();
    }
    kitchen.run(&["test", "host"]).success();
    // Whom it is shared with and when it is deprecated is no part of what it is.
    let (less, _) = output.split_once("[ami.share]").unwrap_or((output, ""));
    kitchen.write("recipes/host.toml", wanting(2, less).replace("deprecate_after = 90\n", ""));
    kitchen.run(&["push"]).success();
    amazon.template(HOME, "foreign", "resolve:ssm:/somebody/image");
    kitchen.run(&["prune", "--yes"]).success();
    write(3);
    amazon.fault("CopyImage", 1, Trouble::Error("ResourceLimitExceeded"));
    kitchen.run(&["push"]).code(5);
    kitchen.run(&["sweep", "--target", "prod", "--all"]).success();
    amazon.guest(|_| Guest::stays());
    write(4);
    super::after::killed(amazon, kitchen, &["push"]);
    left_volume(amazon);
    kitchen.run(&["sweep", "--target", "prod", "--all"]).success();
    assert_clean(amazon);
}

/// What an instance leaves that has ended without its volume.
fn left_volume(amazon: &Amazon) {
    amazon.world(|world| {
        let mut ours = world.volumes.values().filter(|one| one.tags.contains_key("elkbake:run"));
        let mut volume = ours.next().unwrap().clone();
        "vol-0eeeeeeeeeeeeeeee".clone_into(&mut volume.id);
        volume.attached = None;
        world.volumes.insert(volume.id.clone(), volume);
    });
}

/// A cloud in which groups and templates of others start from somewhere.
fn crowded(amazon: &Amazon) {
    let base = amazon.base(HOME, "x86_64");
    amazon.template(HOME, "elk", &base);
    amazon.configuration(HOME, "old", &base);
    amazon.group(HOME, "es", json!({ "AutoScalingGroupName": "es", "LaunchConfigurationName": "old" }));
}

#[test]
fn the_policy_allows_all_that_is_asked_for_and_every_action_is_needed() {
    let (amazon, kitchen) = project();
    crowded(&amazon);
    kitchen.write("recipes/host.toml", wanting(1, PLAIN));
    let policy = policy(&kitchen);
    let (amazon, watch) = ec2::watched(amazon);
    kitchen.run(&["lock", "--update"]).success();
    all_that_is_done(&amazon, &kitchen, PLAIN);
    for action in ["RunInstances", "CopyImage", "PutParameter", "ModifyLaunchTemplate", "DeregisterImage"] {
        assert!(amazon.asked(action) > 0, "{action} was never asked for");
    }
    // Whoever has no launch templates with parameters leaves that statement out. Who says `share` or `spot` no more has to
    // be able to take back what an earlier version has asked for.
    let exceptions = Exceptions {
        optional: &["PruneParameters"],
        parts: &[
            ("Own", "ec2:CancelSpotInstanceRequests"),
            ("Own", "arn:aws:ec2:*:123456789012:spot-instances-request/*"),
            // The base demands IMDSv2 already.
            ("Own", "ec2:ModifyImageAttribute"),
            ("Own", "ec2:ModifySnapshotAttribute"),
            ("Seen", "ec2:DescribeImageAttribute"),
            ("Seen", "ec2:DescribeSnapshotAttribute"),
        ],
        ..Exceptions::default()
    };
    assert_fits(&policy, &watch.calls(), exceptions);
}

#[test]
fn sharing_spot_instances_keys_networks_and_profiles_are_within_the_policy() {
    let (amazon, kitchen) = project();
    crowded(&amazon);
    [HOME, AWAY].iter().for_each(|region| drop(amazon.key(region, "elk")));
    amazon.profile("bake");
    ["subnet-0bbbbbbbbbbbbbbbb", "sg-0bbbbbbbbbbbbbbbb"].iter().for_each(|id| amazon.network(HOME, id));
    let place = "[target.prod.ec2]\nsubnet = \"subnet-0bbbbbbbbbbbbbbbb\"\n\
        security_groups = [\"sg-0bbbbbbbbbbbbbbbb\"]\ninstance_profile = \"bake\"\n";
    kitchen.write("elkbake.toml", kitchen.read("elkbake.toml").replace("[target.prod.ec2]\n", place));
    kitchen.write("recipes/host.toml", wanting(1, FULL));
    let policy = policy(&kitchen);
    let (amazon, watch) = ec2::watched(amazon);
    kitchen.run(&["lock", "--update"]).success();
    all_that_is_done(&amazon, &kitchen, FULL);
    // AWS makes the role of spot instances with the first one of an account; no call tells of it.
    let exceptions = Exceptions { unseen: &["SpotRole"], optional: &["PruneParameters"], ..Exceptions::default() };
    assert_fits(&policy, &watch.calls(), exceptions);
}

#[test]
fn what_a_recipe_has_asked_for_before_is_swept_within_the_policy_of_today() {
    let (amazon, kitchen) = project();
    amazon.guest(|_| Guest::stays());
    kitchen.write("recipes/host.toml", format!("{HOST}[bake]\nspot = true\n"));
    super::after::killed(&amazon, &kitchen, &["push"]);
    kitchen.write("recipes/host.toml", HOST);
    let policy = policy(&kitchen);
    let (amazon, watch) = ec2::watched(amazon);
    kitchen.run(&["sweep", "--target", "prod", "--all"]).success();
    assert!(amazon.asked("CancelSpotInstanceRequests") > 0);
    assert_clean(&amazon);
    assert_allowed(&policy, &watch.calls());
}

#[test]
fn a_policy_is_for_one_target_in_aws() {
    let (_amazon, kitchen) = project();
    kitchen.run(&["push", "--print-policy", "--dry-run"]).code(2).complains("cannot be used with");
    kitchen.write("elkbake.toml", "[target.a]\noci = \"a\"\nmanifest = \"a.json\"\n[target.b]\noci = \"b\"\n");
    kitchen.run(&["push", "--print-policy", "--target", "a", "--target", "b"]).code(2).complains("one target");
    kitchen.run(&["push", "--print-policy", "--target", "a"]).code(3).complains("nothing of this target is in AWS");
}

#[test]
fn user_data_is_tested_within_the_policy() {
    let (amazon, kitchen) = project();
    amazon.guest(tested);
    kitchen.write("recipes/host.toml", HOST.replace("[base.ssm]", "engine = \"user-data\"\n[base.ssm]"));
    let policy = policy(&kitchen);
    let (amazon, watch) = ec2::watched(amazon);
    kitchen.run(&["test", "host", "--stock"]).success();
    kitchen.run(&["sweep", "--target", "prod", "--all"]).success();
    assert!(amazon.asked("RunInstances") > 0);
    assert_allowed(&policy, &watch.calls());
}
