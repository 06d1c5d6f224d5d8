use std::collections::{BTreeMap, BTreeSet};

use crate::bake::event::SILENT;
use crate::bake::host::fixture::{Papers, RECIPE, Trouble, World, desk};
use crate::bake::host::{Candidate, Fate, HostError, Retention, Users, bake, find, prune, pruning};
use crate::bake::interrupt::Interrupt;
use crate::bake::port::Ec2Site;
use crate::name::RecipeName;

const REGIONS: &str = "[ami.regions.eu-central-1]\n";

/// Makes versions of a host, each a day after the one before, and tells the ids at home, the oldest first.
fn versions(world: &World, count: usize) -> (Vec<Ec2Site>, Vec<String>) {
    let (mut ids, mut sites) = (Vec::new(), Vec::new());
    for n in 1..=count {
        let papers = Papers::new(&format!("{RECIPE}{REGIONS}").replace("2026.1", &format!("2026.{n}")));
        let interrupt = Interrupt::default();
        let (order, desk) = (papers.order(), desk(world, &interrupt, SILENT));
        let baked = bake(&order, &find(&order, desk).unwrap(), &papers.user_data, desk);
        ids.extend(baked.made.iter().filter(|made| made.region == *order.home()).map(|made| made.id.clone()));
        sites = order.regions().into_iter().map(|region| order.site(region)).collect();
        world.change(|state| {
            for held in state.regions.values_mut().flat_map(|place| place.images.values_mut()) {
                if held.machine.tags["elkbake:version"] == format!("2026.{n}") {
                    held.machine.created = format!("2026-11-{n:02}T00:00:00.000Z");
                }
            }
        });
    }
    (sites, ids)
}

fn planned(world: &World, sites: &[Ec2Site], protected: &BTreeMap<String, String>, keep: usize) -> Vec<Candidate> {
    let recipe: RecipeName = "ecs-host".parse().unwrap();
    let parameters = BTreeSet::from(["/elk/host".to_owned()]);
    let retention = Retention { recipe: &recipe, keep, users: Users { protected, parameters: &parameters } };
    pruning(sites, &retention, desk(world, &Interrupt::default(), SILENT)).unwrap()
}

#[test]
fn the_newest_stay_and_what_anybody_needs() {
    let world = World::new();
    let (sites, ids) = versions(&world, 6);
    world.change(|state| {
        let home = state.place(&"eu-west-1".parse().unwrap());
        home.parameters.insert("/elk/host".to_owned(), ids[1].clone());
        home.in_use.insert(ids[2].clone(), BTreeSet::from(["instance i-1".to_owned(), "group es".to_owned()]));
        // Of another recipe, and of nobody.
        let foreign: Vec<_> = home.images.values().map(|held| held.machine.id.clone()).collect();
        assert_eq!(foreign.len(), 6);
    });
    let protected = BTreeMap::from([(ids[0].clone(), "in the manifest".to_owned())]);
    let plan = planned(&world, &sites, &protected, 2);
    let home: Vec<_> = plan.iter().filter(|one| one.site == sites[0]).map(|one| (&one.machine.id, &one.fate)).collect();
    let kept = |why: &str| Fate::Kept(why.to_owned());
    let expected = [
        kept("one of the newest"),
        kept("one of the newest"),
        Fate::Removed,
        kept("used by group es, instance i-1"),
        kept("parameter /elk/host"),
        kept("in the manifest"),
    ];
    assert_eq!(home, ids.iter().rev().zip(&expected).collect::<Vec<_>>());
    let before = world.inventory().finished.len();
    let pruned = prune(&plan, desk(&world, &Interrupt::default(), SILENT));
    // One at home, four elsewhere.
    assert_eq!(pruned.len(), 5);
    assert!(pruned.iter().all(|one| one.result.as_ref().is_ok_and(|gone| gone.len() == 1)), "{pruned:?}");
    let inventory = world.inventory();
    assert_eq!((before - inventory.finished.len(), inventory.left), (5, vec![]));
    assert!(planned(&world, &sites, &protected, 2).iter().all(|one| one.fate != Fate::Removed));
}

#[test]
fn what_is_not_the_recipes_own_is_never_touched() {
    let world = World::new();
    let (sites, ids) = versions(&world, 3);
    world.change(|state| {
        let home = state.place(&"eu-west-1".parse().unwrap());
        home.images.get_mut(&ids[0]).unwrap().machine.tags.insert("elkbake:recipe".to_owned(), "other".to_owned());
        home.images.get_mut(&ids[1]).unwrap().machine.tags.remove("elkbake:finished");
    });
    let plan = planned(&world, &sites[..1], &BTreeMap::new(), 0);
    assert_eq!(plan.iter().map(|one| &one.machine.id).collect::<Vec<_>>(), [&ids[2]]);
}

#[test]
fn what_is_used_by_the_time_it_is_to_go_stays() {
    let world = World::new();
    let (sites, ids) = versions(&world, 2);
    let plan = planned(&world, &sites[..1], &BTreeMap::new(), 1);
    world.change(|state| {
        let home = state.place(&"eu-west-1".parse().unwrap());
        home.in_use.insert(ids[0].clone(), BTreeSet::from(["instance i-9".to_owned()]));
    });
    let pruned = prune(&plan, desk(&world, &Interrupt::default(), SILENT));
    let error = pruned[0].result.as_ref().unwrap_err().to_string();
    assert!(error.contains("it is used by instance i-9 by now"), "{error}");
    assert!(world.state().place(&"eu-west-1".parse().unwrap()).images.contains_key(&ids[0]));
}

#[test]
fn ec2_is_asked_only_about_what_nothing_else_keeps() {
    let world = World::new();
    let (sites, ids) = versions(&world, 3);
    let asked = || (world.count("parameter"), world.count("in_use"));
    let recorded = |all: &[&String]| all.iter().map(|id| ((*id).clone(), "in the manifest".to_owned())).collect();
    let planned = |protected: &BTreeMap<String, String>, keep| {
        world.new_process();
        planned(&world, &sites[..1], protected, keep)
    };
    planned(&BTreeMap::new(), 3);
    assert_eq!(asked(), (0, 0), "all are new");
    planned(&recorded(&[&ids[0], &ids[1]]), 1);
    assert_eq!(asked(), (0, 0), "all are recorded");
    world.change(|state| {
        state.place(&"eu-west-1".parse().unwrap()).parameters.insert("/elk/host".to_owned(), ids[1].clone());
    });
    let fates = planned(&recorded(&[&ids[0]]), 1);
    assert_eq!(asked(), (1, 0), "what is not recorded has a parameter");
    assert_eq!(fates[1].fate, Fate::Kept("parameter /elk/host".to_owned()));
    assert_eq!(planned(&BTreeMap::new(), 1)[2].fate, Fate::Removed);
    assert_eq!(asked(), (1, 1));
}

#[test]
fn who_stops_in_the_middle_leaves_no_half_of_an_image() {
    let world = World::new();
    let (sites, _) = versions(&world, 4);
    let plan = planned(&world, &sites[..1], &BTreeMap::new(), 1);
    let before = world.inventory().finished.len();
    world.new_process();
    let interrupt = Interrupt::default();
    world.trouble("eu-west-1 deregister 2", Trouble::Interrupt(interrupt.clone()));
    // EC2 still counts the image as its user.
    world.trouble("eu-west-1 delete_snapshot 2", Trouble::Refused);
    let pruned = prune(&plan, desk(&world, &interrupt, SILENT));
    let gone: Vec<_> =
        pruned.iter().map(|one| one.result.as_ref().map(Vec::len).map_err(HostError::is_interrupt)).collect();
    assert_eq!(gone, [Ok(1), Ok(1), Err(true)]);
    let inventory = world.inventory();
    assert_eq!((before - inventory.finished.len(), inventory.left), (2, vec![]));
    let plan = planned(&world, &sites[..1], &BTreeMap::new(), 1);
    assert!(prune(&plan, desk(&world, &Interrupt::default(), SILENT)).iter().all(|one| one.result.is_ok()));
}

#[test]
fn snapshots_that_stay_are_told_and_no_others_are_left_for_them() {
    let world = World::new();
    let (sites, ids) = versions(&world, 2);
    world.change(|state| {
        let home = state.place(&"eu-west-1".parse().unwrap());
        let held = home.images.get_mut(&ids[0]).unwrap();
        held.machine.snapshots.insert("/dev/xvdf".to_owned(), "snap-second".to_owned());
        home.snapshots.insert("snap-second".to_owned(), held.machine.tags.clone());
    });
    let plan = planned(&world, &sites[..1], &BTreeMap::new(), 1);
    let refused = |n| (format!("eu-west-1 delete_snapshot {n}"), Trouble::Refused);
    // As often as it is tried.
    (1..10_000).map(refused).for_each(|(call, trouble)| world.trouble(&call, trouble));
    let pruned = prune(&plan, desk(&world, &Interrupt::default(), SILENT));
    let error = pruned[0].result.as_ref().unwrap_err().to_string();
    assert!(error.contains("snap-second") && error.contains("`elkbake sweep`"), "{error}");
}

#[test]
fn where_nobody_tells_what_is_in_use_nothing_goes() {
    let world = World::new();
    let (sites, ids) = versions(&world, 3);
    let plan = planned(&world, &sites[..1], &BTreeMap::new(), 1);
    world.new_process();
    world.trouble("eu-west-1 in_use 1", Trouble::Lost);
    let pruned = prune(&plan, desk(&world, &Interrupt::default(), SILENT));
    assert_eq!((pruned.len(), pruned[0].id.as_str()), (1, format!("{}, {}", ids[1], ids[0]).as_str()));
    assert!(pruned[0].result.is_err() && world.count("deregister") == 0);
}
