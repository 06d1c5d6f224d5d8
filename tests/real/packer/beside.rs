//! elkbake with Packer's job on the same cloud: with fewer calls, and nothing is left behind whoever is killed.

use std::collections::BTreeSet;
use std::process::Stdio;
use std::time::{Duration, Instant};

use elkbake::parallel;

use super::{HOME, Point, REGIONS, counts, go_on, job, slowly};
use crate::kitchen::cloud::{ACCOUNT, Amazon, Grant, Image};
use crate::kitchen::job::{self as work, FRIEND};
use crate::kitchen::project::Kitchen;

/// The one image of the account in a region whose name begins so.
fn image(amazon: &Amazon, region: &str, name: &str) -> Image {
    amazon.world(|world| {
        let own = world.images.values().filter(|one| one.owner == ACCOUNT && one.region == region);
        let named: Vec<_> = own.filter(|one| one.name.starts_with(name)).collect();
        assert_eq!(named.len(), 1, "{region}");
        named[0].clone()
    })
}

/// Asserts that an image is what the job asks for.
fn assert_right(amazon: &Amazon, image: &Image) {
    assert_eq!((image.state.as_str(), image.tags["team"].as_str()), ("available", "search"));
    assert_eq!(image.shared, BTreeSet::from([Grant::Account(FRIEND.to_owned())]));
    amazon.world(|world| {
        let snapshot = image.disks[0].ebs.as_ref().unwrap().snapshot.as_ref().unwrap();
        let snapshot = &world.snapshots[snapshot];
        let key = snapshot.kms_key.as_ref().unwrap();
        assert!(world.keys[key].contains("alias/elk"), "{key}");
        assert_eq!(snapshot.shared, BTreeSet::from([FRIEND.to_owned()]));
        assert_eq!(snapshot.tags["team"], "search");
    });
}

#[test]
fn elkbake_needs_fewer_calls_than_packer_for_the_same_job() {
    let Some(job) = job() else { return };
    let kitchen = work::project(&job.amazon, &REGIONS);
    // Packer looks for its base in every build.
    kitchen.run(&["lock"]).success();
    kitchen.run(&["push"]).success();
    let ours = counts(&job.amazon);
    let tag = format!("ecs-host-{}-", records(&kitchen)["tag"].as_str().unwrap());
    job.amazon.forget();
    assert!(job.packer.command().output().unwrap().status.success());
    let theirs = counts(&job.amazon);
    for region in REGIONS {
        for name in [tag.as_str(), "ecs-host-2026.1-0123456789ab-"] {
            assert_right(&job.amazon, &image(&job.amazon, region, name));
        }
    }
    println!("{:>32} {:>8} {:>8}", "calls", "elkbake", "Packer");
    for action in ours.keys().chain(theirs.keys()).collect::<BTreeSet<_>>() {
        let of = |counts: &std::collections::BTreeMap<String, usize>| counts.get(action).copied().unwrap_or_default();
        println!("{action:>32} {:>8} {:>8}", of(&ours), of(&theirs));
    }
    let (our, their): (usize, usize) = (ours.values().sum(), theirs.values().sum());
    println!("{:>32} {our:>8} {their:>8}", "all");
    assert!(our < their, "{our} calls, and Packer {their}");
    job.amazon.forget();
    kitchen.run(&["push"]).success();
    // Whom it is shared with is asked, and nothing is changed.
    let unchanged = counts(&job.amazon);
    let is_question = |action: &String| action.starts_with("Describe") || action.starts_with("Get");
    assert!(unchanged.keys().all(is_question), "nothing is to be done: {unchanged:?}");
}

fn records(kitchen: &Kitchen) -> serde_json::Value {
    let all: serde_json::Value = serde_json::from_str(&kitchen.read("prod.json")).unwrap();
    all["recipes"]["ecs-host"]["current"].clone()
}

/// What comes after a push that was killed.
#[derive(Clone, Copy, Debug)]
enum After {
    Push,
    Sweep,
}

#[test]
fn where_packer_leaves_all_it_began_the_next_push_or_a_sweep_leaves_nothing() {
    let cases: Vec<_> =
        Point::ALL.into_iter().flat_map(|point| [(point, After::Push), (point, After::Sweep)]).collect();
    parallel::bounded(&cases, cases.len(), |&(point, after)| killed(point, after));
}

fn killed(point: Point, after: After) {
    let amazon = work::cloud(&REGIONS);
    slowly(&amazon, point);
    let kitchen = work::project(&amazon, &REGIONS);
    kitchen.run(&["lock"]).success();
    let mut push = kitchen.command(&["push"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    point.reach(&amazon, &mut push);
    push.kill().unwrap();
    push.wait().unwrap();
    assert_ne!(amazon.left(), [""; 0], "{point:?}");
    go_on(&amazon);
    match after {
        After::Push => {
            kitchen.run(&["push"]).success();
            assert_eq!((amazon.asked("RunInstances"), amazon.asked("CopyImage")), (1, 1), "{point:?}");
            for region in REGIONS {
                assert_right(&amazon, &image(&amazon, region, "ecs-host-"));
            }
        }
        After::Sweep => {
            kitchen.run(&["sweep", "--target", "prod", "--all"]).success();
        }
    }
    let begun = Instant::now();
    while !amazon.left().is_empty() {
        assert!(begun.elapsed() < Duration::from_secs(10), "{point:?}, then {after:?}: {:?}", amazon.left());
        std::thread::sleep(Duration::from_millis(5));
    }
    if matches!(after, After::Sweep) {
        assert!(amazon.inventory().is_empty(), "{point:?} in {HOME}: {:?}", amazon.inventory());
    }
}
