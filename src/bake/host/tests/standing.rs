use serde_json::json;

use crate::bake::event::SILENT;
use crate::bake::host::fixture::{Papers, RECIPE, World, desk};
use crate::bake::host::{HostFlaw, bake, find, standing};
use crate::bake::interrupt::Interrupt;
use crate::bake::port::Ec2Site;
use crate::record::Record;

/// A host that is made and recorded.
fn made(world: &World) -> (Ec2Site, Record) {
    let papers = Papers::new(RECIPE);
    let interrupt = Interrupt::default();
    let (order, desk) = (papers.order(), desk(world, &interrupt, SILENT));
    let baked = bake(&order, &find(&order, desk).unwrap(), &papers.user_data, desk);
    let ami = &baked.made[0];
    let record = json!({
        "kind": "ami", "tag": order.plan.tag(), "key": order.plan.key(), "version": "2026.1",
        "amis": [{
            "region": ami.region, "architecture": "x86_64", "id": ami.id, "snapshot": ami.root_snapshot(),
            "account": "123456789012",
        }],
        "host": { "instance_types": [], "ecs": false, "imds_v2": true },
        "elkbake": "0.1.0", "created": "2026-11-27T12:00:00Z", "pushed_at": "2026-11-27T12:00:00Z",
    });
    (order.site(order.home()), serde_json::from_value(record).unwrap())
}

fn flaws(world: &World, site: &Ec2Site, record: &Record) -> Vec<HostFlaw> {
    let recorded: Vec<_> = record.amis.iter().map(|ami| (record, ami)).collect();
    standing(site, &recorded, world, SILENT).unwrap().remove(0)
}

#[test]
fn what_was_made_stands_and_is_looked_at_with_two_questions() {
    let world = World::new();
    let (site, mut record) = made(&world);
    record.amis.push(record.amis[0].clone());
    world.new_process();
    assert_eq!(flaws(&world, &site, &record), []);
    assert_eq!(world.calls(), ["eu-west-1 images 1", "eu-west-1 snapshots 1"]);
    assert_eq!(standing(&site, &[], &world, SILENT).unwrap(), [[]; 0]);
    assert_eq!(world.calls().len(), 2, "nothing is asked where nothing is recorded");
}

#[test]
fn what_is_not_as_it_was_recorded_is_told() {
    let world = World::new();
    let (site, record) = made(&world);
    let (id, snapshot) = (record.amis[0].id.clone(), record.amis[0].snapshot.clone());
    let change = |change: &dyn Fn(&mut crate::bake::port::Machine)| {
        world.change(|state| change(&mut state.place(&site.region).images.get_mut(&id).unwrap().machine));
    };
    change(&|machine| {
        machine.state = "disabled".to_owned();
        machine.imds_v2 = false;
        machine.tags.remove("elkbake:finished");
        machine.tags.insert("elkbake:key".to_owned(), "another".to_owned());
    });
    let expected = [
        HostFlaw::State("disabled".to_owned()),
        HostFlaw::Key(Some("another".to_owned())),
        HostFlaw::Unfinished,
        HostFlaw::Imds,
    ];
    assert_eq!(flaws(&world, &site, &record), expected);
    world.change(|state| drop(state.place(&site.region).snapshots.remove(&snapshot)));
    assert_eq!(flaws(&world, &site, &record)[4], HostFlaw::Snapshot(snapshot.clone(), None));
    change(&|machine| machine.snapshots.clear());
    assert_eq!(flaws(&world, &site, &record)[4], HostFlaw::Disk { recorded: snapshot.clone(), is: None });
    world.change(|state| drop(state.place(&site.region).images.remove(&id)));
    assert_eq!(flaws(&world, &site, &record), [HostFlaw::Gone]);
    let elsewhere = Ec2Site { account: "999999999999".to_owned(), ..site };
    assert_eq!(flaws(&world, &elsewhere, &record), [HostFlaw::Account("123456789012".to_owned())]);
}

#[test]
fn keys_are_compared_as_far_as_records_name_them() {
    let world = World::new();
    let (site, mut record) = made(&world);
    let key = |n: u32| format!("arn:aws:kms:eu-west-1:123456789012:key/{n}");
    world.change(|state| {
        let snapshot = record.amis[0].snapshot.clone();
        state.place(&site.region).keys.insert(snapshot, key(1));
    });
    for (recorded, is_right) in [(key(1), true), ("alias/elk".to_owned(), true), (key(2), false)] {
        record.amis[0].kms_key = Some(recorded.clone());
        let wrong = HostFlaw::Encryption { recorded, is: Some(key(1)) };
        assert_eq!(flaws(&world, &site, &record), if is_right { vec![] } else { vec![wrong] });
    }
}
