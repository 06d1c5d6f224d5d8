//! What goes another way than it should, and what the real client and a strict cloud make of it.

use elkbake::bake::interrupt::Interrupt;

use super::bake::{HOME, RECIPE, Site};
use crate::kitchen::cloud::{Boot, Guest, Trouble};

const THERE: &str = "us-east-1";

fn one(more: &str) -> String {
    let recipe = RECIPE.replace("architectures = [\"arm64\", \"x86_64\"]", "architectures = [\"x86_64\"]");
    format!("{recipe}{more}")
}

fn good(boot: &Boot) -> Guest {
    let [key, architecture] = ["elkbake:key", "elkbake:architecture"].map(|tag| boot.tags[tag].clone());
    Guest::stops().says(&format!("ELKBAKE {}-{architecture} ok", &key[..12]))
}

#[test]
fn a_spot_instance_that_ec2_takes_is_stopped_and_replaced_by_one_that_is_none() {
    let site = Site::new(&one("[bake]\nspot = true\n"));
    site.amazon.guest(|boot| if boot.is_spot { Guest::taken(20) } else { good(boot) });
    site.baked();
    let spots = site.amazon.world(|world| {
        let spots = world.instances.values().filter(|one| one.boot.is_spot);
        spots.map(|one| one.reason.clone().unwrap().0).collect::<Vec<_>>()
    });
    // Its last reason is that we have ended it.
    assert_eq!(spots, ["Client.UserInitiatedShutdown"]);
    assert_eq!((site.amazon.asked("RunInstances"), site.left()), (2, vec![]));
    let requests = site.amazon.world(|world| world.requests.values().cloned().collect::<Vec<_>>());
    assert!(requests.iter().all(|one| one.state == "cancelled" && one.until.is_some()), "{requests:?}");
}

#[test]
fn a_sweep_takes_requests_back_first() {
    let site = Site::new(&one("[bake]\nspot = true\n"));
    site.amazon.guest(|_| Guest::stays());
    site.amazon.watch(|asked| {
        let is_late = ["GetConsoleOutput", "TerminateInstances", "CancelSpotInstanceRequests"];
        is_late.contains(&asked.action.as_str()).then_some(Trouble::Error("UnauthorizedOperation"))
    });
    assert_eq!(site.bake(&Interrupt::default()).unwrap().failed.len(), 1);
    site.amazon.watch(|_| None);
    assert_eq!(site.amazon.left().len(), 3, "{:?}", site.amazon.left());
    site.amazon.forget();
    site.with(&Interrupt::default(), |_, desk| {
        let swept = elkbake::bake::host::sweep(&site.swept(desk), desk);
        assert!(swept.len() == 2 && swept.iter().all(|one| one.error.is_none()), "{swept:?}");
    });
    let calls = site.amazon.calls();
    let at = |action: &str| calls.iter().position(|call| call.action == action);
    assert!(at("CancelSpotInstanceRequests") < at("TerminateInstances"));
    assert_eq!(site.left(), [""; 0]);
}

#[test]
fn keys_are_named_where_ec2_takes_them_and_recorded_as_they_are() {
    let mut site = Site::new(&one(""));
    let (key, other) = (site.amazon.key(HOME, "elk"), site.amazon.key(HOME, "new"));
    let with = |key: &str| one(&format!("[ami.regions.eu-west-1]\nkms_key = \"{key}\"\n"));
    site.says(&with(&key));
    let made = site.baked().made;
    assert_eq!(made[0].kms_key.as_deref(), Some(key.as_str()));
    site.amazon.world(|world| {
        let [root, data] = &world.images[&made[0].id].disks[..] else { panic!("two disks") };
        assert_eq!(root.ebs.as_ref().unwrap().kms_key.as_ref(), Some(&key));
        let data = data.ebs.as_ref().unwrap();
        assert!(data.encrypted && data.kms_key.as_ref() != Some(&key), "{data:?}");
    });
    site.says(&with(&other));
    assert_eq!(site.baked().made[0].kms_key.as_deref(), Some(key.as_str()));
    assert_eq!(site.amazon.asked("RunInstances"), 1);
}

#[test]
fn a_copy_that_failed_for_a_wrong_key_is_repaired_by_the_right_one() {
    let mut site = Site::new(&one(""));
    let right = site.amazon.key(THERE, "elk");
    let with = |key: &str| one(&format!("[ami.regions.us-east-1]\nkms_key = \"{key}\"\n"));
    site.says(&with("alias/wrong"));
    let first = site.bake(&Interrupt::default()).unwrap();
    assert_eq!((first.made.len(), first.failed.len()), (1, 1), "{first:?}");
    assert!(first.failed[0].error.to_string().contains("push again"), "{first:?}");
    site.says(&with(&right));
    let again = site.baked().made;
    assert!(again.iter().any(|made| made.kms_key.as_ref() == Some(&right)), "{again:?}");
    assert_eq!((site.amazon.asked("RunInstances"), site.left()), (1, vec![]));
}

#[test]
fn what_is_disabled_is_seen_and_stays() {
    let site = Site::new(&one(""));
    let id = site.baked().made[0].id.clone();
    site.amazon.world(|world| world.images.get_mut(&id).unwrap().state = "disabled".to_owned());
    let again = site.bake(&Interrupt::default()).unwrap();
    assert!(again.failed[0].error.to_string().contains("somebody has disabled it"), "{again:?}");
    site.with(&Interrupt::default(), |_, desk| assert!(site.swept(desk).is_empty()));
    assert!(site.amazon.world(|world| world.images.contains_key(&id)));
    assert_eq!(site.amazon.asked("RunInstances"), 1);
}

#[test]
fn deprecation_is_set_moved_and_taken_back() {
    let mut site = Site::new(&one("[ami]\ndeprecate_after = 90\n"));
    let id = site.baked().made[0].id.clone();
    let deprecated = |site: &Site| site.amazon.world(|world| world.images[&id].deprecated.clone());
    assert!(deprecated(&site).is_some());
    // It was made long ago, and what is over by now is said as soon as EC2 takes it.
    site.amazon.world(|world| {
        world.images.get_mut(&id).unwrap().birth.created = "2026-01-01T00:00:00.000Z".to_owned();
    });
    site.says(&one("[ami]\ndeprecate_after = 9\n"));
    assert_eq!(site.baked().made[0].changed.len(), 1);
    assert!(site.baked().made[0].changed.is_empty());
    site.says(&one(""));
    assert_eq!(site.baked().made[0].changed, ["not deprecated any more"]);
    assert_eq!(deprecated(&site), None);
}
