//! `elkbake verify` where hosts are recorded.

use super::{ACCOUNT, AWAY, Amazon, HOME, HOST, Kitchen, project, records};
use crate::kitchen::cloud::Trouble;
use crate::kitchen::iam::{assert_allowed, ec2};

/// The ids of the AMIs at home and away.
fn ids(kitchen: &Kitchen) -> [String; 2] {
    let amis = records(kitchen)["recipes"]["host"]["current"]["amis"].clone();
    [0, 1].map(|i| amis[i]["id"].as_str().unwrap().to_owned())
}

fn pushed() -> (Amazon, Kitchen) {
    let (amazon, kitchen) = project();
    kitchen.run(&["push"]).success();
    (amazon, kitchen)
}

#[test]
fn amis_are_looked_at_in_every_region() {
    let (amazon, kitchen) = pushed();
    let [home, away] = ids(&kitchen);
    let policy = kitchen.run(&["push", "--print-policy"]).success().json();
    let (amazon, watch) = ec2::watched(amazon);
    amazon.forget();
    let ran = kitchen.run(&["verify"]).success().says(&format!("{HOME} x86_64 {home}: as recorded"));
    ran.says(&format!("{AWAY} x86_64 {away}: as recorded"));
    let asked = ["DescribeImages", "DescribeSnapshots", "GetCallerIdentity"].map(|action| amazon.asked(action));
    assert_eq!((asked, amazon.calls().len()), ([2, 2, 1], 5));
    assert_allowed(&policy, &watch.calls());
    let document = kitchen.run(&["verify", "host", "--json"]).success().json();
    assert_eq!((&document["hosts"][0]["id"], &document["hosts"][0]["flaws"]), (&away.into(), &serde_json::json!([])));
    let (told, mut printed) = (crate::json::told("elkbake verify --json"), std::collections::BTreeSet::new());
    crate::json::keys(&document, &mut printed);
    assert!(printed.is_subset(&told), "{printed:?}");
}

#[test]
fn what_is_not_as_recorded_fails_and_says_why() {
    let (amazon, kitchen) = pushed();
    let [home, away] = ids(&kitchen);
    let fails = |said: &str| drop(kitchen.run(&["verify"]).code(1).says(said).says("as recorded"));
    let tag = |name: &str, value: Option<&str>| {
        amazon.world(|world| {
            let tags = &mut world.images.get_mut(&home).unwrap().tags;
            match value {
                Some(value) => tags.insert(name.to_owned(), value.to_owned()),
                None => tags.remove(name),
            }
        })
    };
    let key = tag("elkbake:key", Some("0123"));
    fails("made from the key 0123");
    tag("elkbake:key", key.as_deref());
    let finished = tag("elkbake:finished", None);
    fails("no tag says that it is finished");
    tag("elkbake:finished", finished.as_deref());
    let snapshot = records(&kitchen)["recipes"]["host"]["current"]["amis"][0]["snapshot"].as_str().unwrap().to_owned();
    let lost = amazon.world(|world| world.snapshots.remove(&snapshot)).unwrap();
    fails(&format!("the snapshot {snapshot} is not there"));
    amazon.world(|world| world.snapshots.insert(snapshot.clone(), lost));
    kitchen.run(&["verify"]).success();
    amazon.world(|world| drop(world.images.remove(&away)));
    fails(&format!("{AWAY} x86_64 {away}: no AMI of the account has its id"));
}

#[test]
fn earlier_hosts_are_looked_at_where_that_is_asked_for() {
    let (amazon, kitchen) = pushed();
    let [_, away] = ids(&kitchen);
    kitchen.write("recipes/host.toml", HOST.replace("version = \"1\"", "version = \"2\""));
    kitchen.run(&["push"]).success();
    amazon.world(|world| drop(world.images.remove(&away)));
    kitchen.run(&["verify"]).success();
    kitchen.run(&["verify", "--history"]).code(1).says(&away);
}

#[test]
fn what_cannot_be_known_is_no_success() {
    let (amazon, kitchen) = pushed();
    amazon.deny("ec2:DescribeImages");
    kitchen.run(&["verify"]).code(5).complains("ec2:DescribeImages");
    kitchen.run(&["verify", "--offline"]).code(3).complains("--offline");
    amazon.fault("GetCallerIdentity", 10, Trouble::Error("AccessDenied"));
    kitchen.run(&["verify"]).code(5);
    let here = kitchen.read("elkbake.toml");
    kitchen.write("elkbake.toml", here.replace(ACCOUNT, "999999999999"));
    kitchen.run(&["verify"]).code(5);
    kitchen.write(
        "elkbake.toml",
        "[target.prod]\noci = \"out\"\nmanifest = \"prod.json\"\n[defaults]\ntarget = \"prod\"\n",
    );
    kitchen.run(&["verify"]).code(3).complains("has no place for them").complains("[target.prod.ec2]");
}

#[test]
fn only_images_are_built_again() {
    let (_amazon, kitchen) = pushed();
    kitchen.run(&["verify", "--rebuild"]).code(3).complains("all recipes in").complains("are of hosts");
    kitchen.run(&["verify", "--rebuild", "host"]).code(3).complains("host");
}
