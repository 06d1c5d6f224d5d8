//! `elkbake push --print-policy` against what is really asked of AWS: by pushes, tests, prunes and sweeps.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use serde_json::Value;

use super::law::{Seen, denied};
use super::{AWAY, Amazon, Guest, HOME, HOST, Kitchen, assert_clean, project, tested};
use crate::kitchen::cloud::Trouble;
use crate::real::pipelines::lint;

/// Notes every call with the tags that things have when it comes.
fn watched(amazon: Amazon) -> (Arc<Amazon>, Arc<Mutex<Vec<Seen>>>) {
    let (amazon, seen) = (Arc::new(amazon), Arc::new(Mutex::new(Vec::new())));
    let (cloud, noted) = (Arc::downgrade(&amazon), Arc::clone(&seen));
    amazon.watch(move |asked| {
        let tagged = cloud.upgrade()?.world(|world| {
            let images = world.images.iter().map(|(id, one)| (id.clone(), one.tags.clone()));
            let snapshots = world.snapshots.iter().map(|(id, one)| (id.clone(), one.tags.clone()));
            let volumes = world.volumes.iter().map(|(id, one)| (id.clone(), one.tags.clone()));
            let instances = world.instances.iter().map(|(id, one)| (id.clone(), one.tags.clone()));
            let requests = world.requests.iter().map(|(id, one)| (id.clone(), one.tags.clone()));
            let all = images.chain(snapshots).chain(volumes).chain(instances).chain(requests);
            all.map(|(id, tags)| (id, tags.into_iter().collect())).collect::<BTreeMap<_, _>>()
        });
        noted.lock().unwrap().push(Seen { asked: asked.clone(), tagged });
        None
    });
    (amazon, seen)
}

/// A host that wants what one can want, but for keys and sharing: keys EC2 uses in our name, and no call tells of it.
fn wanting(version: u32) -> String {
    let output = "keep = 0\nssm_parameter = \"/elk/host\"\nmove_default = true\n\
        [ami.regions.eu-west-1.launch_templates]\nx86_64 = \"elk\"\n[ami.regions.eu-central-1]\n";
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
fn all_that_is_done(amazon: &Amazon, kitchen: &Kitchen) {
    amazon.guest(tested);
    for version in 1..=2 {
        kitchen.write("recipes/host.toml", wanting(version));
        std::fs::remove_file(kitchen.project().join("prod.json")).ok();
        kitchen.run(&["push", "--require-test"]).success();
    }
    kitchen.run(&["test", "host"]).success();
    amazon.template(HOME, "foreign", "resolve:ssm:/somebody/image");
    kitchen.run(&["prune", "--yes"]).success();
    kitchen.write("recipes/host.toml", wanting(3));
    amazon.fault("CopyImage", 1, Trouble::Error("ResourceLimitExceeded"));
    kitchen.run(&["push"]).code(5);
    kitchen.run(&["sweep", "--target", "prod", "--all"]).success();
    amazon.guest(|_| Guest::stays());
    kitchen.write("recipes/host.toml", wanting(4));
    super::after::killed(amazon, kitchen, &["push"]);
    kitchen.run(&["sweep", "--target", "prod", "--all"]).success();
    assert_clean(amazon);
}

#[test]
fn the_policy_allows_all_that_is_asked_for_and_every_statement_is_needed() {
    let (amazon, kitchen) = project();
    amazon.template(HOME, "elk", &amazon.base(HOME, "x86_64"));
    kitchen.write("recipes/host.toml", wanting(1));
    let policy = policy(&kitchen);
    let statements: Vec<&Value> = policy["Statement"].as_array().unwrap().iter().collect();
    let (amazon, seen) = watched(amazon);
    kitchen.run(&["lock", "--update"]).success();
    all_that_is_done(&amazon, &kitchen);
    let seen = seen.lock().unwrap().clone();
    let asked: BTreeSet<_> = seen.iter().map(|one| (one.asked.action.as_str(), one.asked.region.as_str())).collect();
    for action in ["RunInstances", "CopyImage", "PutParameter", "ModifyLaunchTemplate", "DeregisterImage"] {
        assert!([HOME, AWAY].iter().any(|region| asked.contains(&(action, region))), "{action} was never asked for");
    }
    for one in &seen {
        let missing = denied(&statements, one);
        assert!(missing.is_empty(), "{:?} is denied: {missing:#?}", one.asked.fields);
    }
    for left_out in &statements {
        // Whoever has no such launch templates leaves that statement out, so that no other one may rest upon it.
        let gone = [&left_out["Sid"], &Value::from("PruneParameters")];
        let others: Vec<&Value> = statements.iter().filter(|one| !gone.contains(&&one["Sid"])).copied().collect();
        let is_needed = seen.iter().any(|one| !denied(&others, one).is_empty());
        assert!(is_needed, "nothing that was asked for needs the statement {}", left_out["Sid"]);
    }
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
    let statements: Vec<&Value> = policy["Statement"].as_array().unwrap().iter().collect();
    let (amazon, seen) = watched(amazon);
    kitchen.run(&["test", "host", "--stock"]).success();
    kitchen.run(&["sweep", "--target", "prod", "--all"]).success();
    assert!(amazon.asked("RunInstances") > 0);
    for one in &*seen.lock().unwrap() {
        let missing = denied(&statements, one);
        assert!(missing.is_empty(), "{:?} is denied: {missing:#?}", one.asked.fields);
    }
}
