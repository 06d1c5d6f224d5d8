//! From an instance to an image in two regions, and away again.

use std::time::Duration;

use elkbake::bake::event::SILENT;
use elkbake::bake::port::{Ask, Ec2, ImageMade, ImageStep, Mapped, Mapping, Started};
use elkbake::recipe::{Share, VolumeKind};

use super::client::{Client, OTHER, REGION, by_id, site, tags};
use crate::kitchen::cloud::{Grant, Guest, Trouble};

#[test]
fn an_instance_is_started_listened_to_and_ended() {
    let client = Client::new();
    let mut order = client.order("one");
    order.user_data = (0..=255).collect();
    order.mappings = vec![
        Mapping {
            device: "/dev/xvda".to_owned(),
            what: Mapped::Ebs {
                kind: Some(VolumeKind::Gp3),
                size: Some(40),
                iops: Some(4000),
                throughput: Some(250),
                encrypted: Some(true),
                kms_key: None,
                delete_on_termination: true,
            },
        },
        Mapping { device: "/dev/sdb".to_owned(), what: Mapped::Ephemeral(0) },
    ];
    let id = client.started(&order);
    assert_eq!(client.started(&order), id, "the same token is the same instance");
    client.amazon.world(|world| {
        let instance = &world.instances[&id];
        assert_eq!(instance.boot.user_data, order.user_data);
        assert_eq!(instance.imds, ("required".to_owned(), 2));
        assert_eq!((instance.shutdown.as_str(), &instance.key_name), ("stop", &None));
        assert_eq!(instance.tags, order.tags);
        let volume = &world.volumes[instance.volumes.first().unwrap()];
        assert_eq!((volume.ebs.size, volume.ebs.iops, volume.ebs.throughput), (40, Some(4000), Some(250)));
        assert!(volume.ebs.encrypted && volume.tags == order.tags);
    });
    client.wait_for(&id, "stopped");
    let said = client.ask(|wire, site, tell| wire.console(site, &id, tell)).unwrap();
    assert!(said.contains("ELKBAKE key ok"), "{said}");
    let ask = Ask { tags: order.tags.clone(), ..Ask::default() };
    let found = client.ask(|wire, site, tell| wire.instances(site, &ask, tell)).unwrap();
    assert_eq!(found.iter().map(|one| one.id.as_str()).collect::<Vec<_>>(), [&id]);
    assert!(found[0].reason.as_deref().is_some_and(|why| why.contains("initiated")), "{:?}", found[0].reason);
    assert!(found[0].started.ends_with('Z') && found[0].image == order.image);
    client.ask(|wire, site, tell| wire.terminate(site, &id, tell)).unwrap();
    client.ask(|wire, site, tell| wire.terminate(site, &id, tell)).unwrap();
    client.ask(|wire, site, tell| wire.terminate(site, "i-0123456789abcdef0", tell)).unwrap();
    client.wait_for(&id, "terminated");
    assert_eq!(client.amazon.left(), [""; 0]);
}

#[test]
fn another_order_with_the_same_token_is_told() {
    let client = Client::new();
    client.started(&client.order("one"));
    let mut other = client.order("one");
    other.instance_type = "m5.large".to_owned();
    assert_eq!(client.run(&other).unwrap(), Started::OtherOrder);
}

#[test]
fn a_spot_instance_can_stop_and_its_request_ends_with_it() {
    let client = Client::new();
    let mut order = client.order("one");
    order.spot = Some("2099-01-01T00:00:00Z".to_owned());
    let id = client.started(&order);
    client.wait_for(&id, "stopped");
    let ImageMade::Image(image) = client.make(&Client::image_order(&id, "host")) else { panic!("a new name") };
    client.wait_for_image(REGION, &image, "available");
    // Another process, which was not told of the request.
    let other = elkbake::remote::Wire::new(client.amazon.config()).unwrap();
    other.terminate(&site(REGION), &id, SILENT).unwrap();
    client.wait_for(&id, "terminated");
    assert_eq!(client.amazon.left(), [""; 0]);
    assert_eq!(client.amazon.asked("CancelSpotInstanceRequests"), 1);
}

#[test]
fn where_there_is_no_spot_instance_it_is_told_and_not_tried_again() {
    for code in ["InsufficientInstanceCapacity", "SpotMaxPriceTooLow", "MaxSpotInstanceCountExceeded"] {
        let client = Client::new();
        client.amazon.fault("RunInstances", 1, Trouble::Error(code));
        let mut order = client.order("one");
        order.spot = Some("2099-01-01T00:00:00Z".to_owned());
        let Started::NoSpot(why) = client.run(&order).unwrap() else { panic!("{code}") };
        assert!(why.starts_with(code), "{why}");
        assert_eq!(client.amazon.asked("RunInstances"), 1);
    }
}

#[test]
fn an_image_is_made_copied_shared_and_taken_away() {
    let client = Client::new();
    let image = client.image("host");
    assert_eq!(
        (image.name.as_str(), image.architecture.as_str(), image.root_device.as_str()),
        ("host", "x86_64", "/dev/xvda")
    );
    assert!(image.ena && image.snapshots.len() == 1 && image.boot_mode.as_deref() == Some("uefi-preferred"));
    assert_eq!(image.tags["elkbake:key"], "ab");
    let ask = Ask { name: Some("host".to_owned()), tagged: Some("elkbake:run".to_owned()), ..Ask::default() };
    let found = client.ask(|wire, site, tell| wire.images(site, &ask, tell)).unwrap();
    assert_eq!(found.iter().collect::<Vec<_>>(), [&image]);
    let nobody = Ask { name: Some("hos".to_owned()), ..Ask::default() };
    assert_eq!(client.ask(|wire, site, tell| wire.images(site, &nobody, tell)).unwrap(), []);

    let order = Client::copy_order(&image.id, "copy");
    let copy = |order| client.ask(|wire, _, tell| wire.copy_image(&site(OTHER), order, tell)).unwrap();
    let ImageMade::Image(there) = copy(&order) else { panic!("a new name") };
    assert_eq!(copy(&order), ImageMade::Image(there.clone()), "the same token is the same copy");
    let mut again = order.clone();
    again.token = "other".to_owned();
    assert_eq!(copy(&again), ImageMade::NameTaken);
    client.wait_for_image(OTHER, &there, "available");
    client.amazon.world(|world| {
        let copy = &world.images[&there];
        assert!(copy.disks.iter().all(|disk| disk.ebs.as_ref().is_none_or(|ebs| ebs.encrypted)));
        assert_eq!(copy.tags, order.tags);
    });

    let snapshot = image.snapshots["/dev/xvda"].clone();
    let in_use = client.ask(|wire, site, tell| wire.delete_snapshot(site, &snapshot, tell)).unwrap_err().to_string();
    assert!(in_use.contains(&format!("in use by {}: deregister that first", image.id)), "{in_use}");
    client.ask(|wire, site, tell| wire.deregister(site, &image.id, tell)).unwrap();
    client.ask(|wire, site, tell| wire.deregister(site, &image.id, tell)).unwrap();
    client.ask(|wire, site, tell| wire.delete_snapshot(site, &snapshot, tell)).unwrap();
    client.ask(|wire, site, tell| wire.delete_snapshot(site, &snapshot, tell)).unwrap();
    assert_eq!(client.ask(|wire, site, tell| wire.image(site, &image.id, tell)).unwrap(), None);
    assert_eq!(client.amazon.left(), [""; 0]);
}

#[test]
fn an_image_is_shared_and_changed() {
    let client = Client::new();
    let image = client.image("host");
    let share = |accounts: &[&str], organizations: &[&str]| Share {
        accounts: accounts.iter().map(|&one| one.to_owned()).collect(),
        organizations: organizations.iter().map(|&one| one.to_owned()).collect(),
    };
    let organization = "arn:aws:organizations::123456789012:organization/o-abcdefghij";
    let unit = "arn:aws:organizations::123456789012:ou/o-abcdefghij/ou-abcd-12345678";
    let change = |step: &ImageStep| client.ask(|wire, site, tell| wire.change(site, &image.id, step, tell)).unwrap();
    change(&ImageStep::Share(share(&["210987654321", "111122223333"], &[organization, unit])));
    change(&ImageStep::Unshare(share(&["111122223333"], &[])));
    change(&ImageStep::Unshare(share(&[], &[])));
    change(&ImageStep::ImdsV2);
    change(&ImageStep::Deprecate("2027-12-02T03:04:00Z".to_owned()));
    let shared = client.ask(|wire, site, tell| wire.shared(site, &image.id, tell)).unwrap();
    assert_eq!(shared, share(&["210987654321"], &[organization, unit]));
    let now = client.ask(|wire, site, tell| wire.image(site, &image.id, tell)).unwrap().unwrap();
    assert!(
        now.imds_v2 && now.deprecated.as_deref().is_some_and(|at| at.starts_with("2027-12-02T03:04:00")),
        "{now:?}"
    );
    client.amazon.world(|world| assert!(world.images[&image.id].shared.contains(&Grant::Unit(unit.to_owned()))));

    let snapshot = image.snapshots["/dev/xvda"].as_str();
    let set = |accounts: &[&str]| accounts.iter().map(|&one| one.to_owned()).collect();
    let share = |add: &[&str], remove: &[&str]| {
        client.ask(|wire, site, tell| wire.share_snapshot(site, snapshot, &set(add), &set(remove), tell)).unwrap();
        client.ask(|wire, site, tell| wire.snapshot_shared(site, snapshot, tell)).unwrap()
    };
    assert_eq!(share(&["210987654321"], &[]), set(&["210987654321"]));
    assert_eq!(share(&["111122223333"], &["210987654321"]), set(&["111122223333"]));

    let more = tags(&[("elkbake:finished", "2026-11-27T14:00:00Z")]);
    let both = [image.id.clone(), snapshot.to_owned()].into();
    client.ask(|wire, site, tell| wire.tag(site, &both, &more, tell)).unwrap();
    let tagged = Ask { tagged: Some("elkbake:finished".to_owned()), ..Ask::default() };
    assert_eq!(client.ask(|wire, site, tell| wire.snapshots(site, &tagged, tell)).unwrap()[0].id, snapshot);
    assert_eq!(client.ask(|wire, site, tell| wire.images(site, &tagged, tell)).unwrap()[0].id, image.id);
}

#[test]
fn one_that_is_gone_hides_no_others_and_pages_are_all_read() {
    let client = Client::new();
    let ids: Vec<String> = (0..5).map(|n| client.started(&client.order(&format!("token-{n}")))).collect();
    client.amazon.pace(|pace| pace.page = 2);
    let mut ask = Ask { ids: ids.iter().cloned().collect(), ..Ask::default() };
    ask.ids.insert("i-0123456789abcdef0".to_owned());
    let found = client.ask(|wire, site, tell| wire.instances(site, &ask, tell)).unwrap();
    assert_eq!(found.len(), 5);
    let volumes = client.ask(|wire, site, tell| wire.volumes(site, &Ask::default(), tell)).unwrap();
    assert_eq!(volumes.len(), 5);
    assert!(volumes.iter().all(|volume| volume.size == 30 && volume.state == "in-use"), "{volumes:?}");
}

#[test]
fn what_was_made_just_now_is_waited_for() {
    let client = Client::new();
    client.amazon.pace(|pace| pace.unseen_calls = 3);
    let instance = client.started(&client.order("one"));
    client.wait_for(&instance, "stopped");
    assert!(client.notes().contains("waits for EC2 to settle"), "{}", client.notes());
    client.ask(|wire, site, tell| wire.console(site, &instance, tell)).unwrap();
    let ImageMade::Image(image) = client.make(&Client::image_order(&instance, "host")) else { panic!("a new name") };
    client.ask(|wire, site, tell| wire.tag(site, &[image.clone()].into(), &tags(&[("a", "b")]), tell)).unwrap();
    client.wait_for_image(REGION, &image, "available");
    // What is not yet to be seen is not yet gone.
    let ImageMade::Image(half) = client.make(&Client::image_order(&instance, "other")) else { panic!("a new name") };
    client.ask(|wire, site, tell| wire.deregister(site, &half, tell)).unwrap();
    let last = client.started(&client.order("two"));
    client.ask(|wire, site, tell| wire.terminate(site, &last, tell)).unwrap();
    let states = client.amazon.world(|world| (world.images.contains_key(&half), world.instances[&last].state.clone()));
    assert!(!states.0 && states.1 != "running" && states.1 != "pending", "{states:?}");
}

#[test]
fn what_others_made_is_there_or_not() {
    let client = Client::new();
    client.amazon.pace(|pace| pace.unseen = Duration::from_secs(60));
    let unknown = by_id("ami-0123456789abcdef0");
    assert_eq!(client.ask(|wire, site, tell| wire.images(site, &unknown, tell)).unwrap(), []);
    assert_eq!(client.ask(|wire, site, tell| wire.image(site, "ami-0123456789abcdef0", tell)).unwrap(), None);
    assert_eq!(client.notes(), "");
}

#[test]
fn what_is_never_to_be_seen_is_not_waited_for_forever() {
    let client = Client::settling(Duration::from_millis(40));
    client.amazon.pace(|pace| pace.unseen = Duration::from_secs(60));
    let instance = client.started(&client.order("one"));
    assert_eq!(client.ask(|wire, site, tell| wire.instances(site, &by_id(&instance), tell)).unwrap(), []);
    let error = client.ask(|wire, site, tell| wire.console(site, &instance, tell)).unwrap_err().to_string();
    assert!(error.contains(&instance) && error.contains("InvalidInstanceID.NotFound"), "{error}");
}

#[test]
fn types_have_their_limits_and_those_that_are_not_there_are_not_told() {
    let client = Client::new();
    let names = ["c5.large", "i3en.6xlarge", "m6gd.large", "m4.large", "x99.mega"].map(str::to_owned).into();
    let found = client.ask(|wire, site, tell| wire.types(site, &names, tell)).unwrap();
    let of = |name: &str| found.iter().find(|one| one.name == name).unwrap();
    assert_eq!(found.len(), 4);
    assert_eq!((of("c5.large").ebs_iops, of("c5.large").ebs_throughput), (Some(20_000), Some(593)));
    assert_eq!((of("i3en.6xlarge").store, of("i3en.6xlarge").ebs_volumes), (Some((2, 7500)), Some(26)));
    assert_eq!(of("m6gd.large").architectures, ["arm64".to_owned()].into());
    assert!(of("c5.large").nitro && !of("m4.large").nitro && of("c5.large").store.is_none());
}

#[test]
fn a_console_without_the_latest_lines_is_read_all_the_same() {
    let client = Client::new();
    client.amazon.guest(|_| Guest::stops().says("ELKBAKE key ok"));
    let mut order = client.order("one");
    order.instance_type = "m4.large".to_owned();
    let id = client.started(&order);
    client.wait_for(&id, "stopped");
    let said = client.ask(|wire, site, tell| wire.console(site, &id, tell)).unwrap();
    assert!(said.contains("ELKBAKE key ok"), "{said}");
}

#[test]
fn volumes_are_deleted_once() {
    let client = Client::new();
    let mut order = client.order("one");
    order.mappings = vec![Mapping {
        device: "/dev/sdf".to_owned(),
        what: Mapped::Ebs {
            kind: Some(VolumeKind::Gp3),
            size: Some(8),
            iops: None,
            throughput: None,
            encrypted: None,
            kms_key: None,
            delete_on_termination: false,
        },
    }];
    let id = client.started(&order);
    client.wait_for(&id, "stopped");
    client.ask(|wire, site, tell| wire.terminate(site, &id, tell)).unwrap();
    client.wait_for(&id, "terminated");
    let ask = Ask { tags: order.tags, ..Ask::default() };
    let left = client.ask(|wire, site, tell| wire.volumes(site, &ask, tell)).unwrap();
    assert_eq!((left.len(), left[0].size, left[0].state.as_str()), (1, 8, "available"));
    for _ in 0..2 {
        client.ask(|wire, site, tell| wire.delete_volume(site, &left[0].id, tell)).unwrap();
    }
    assert_eq!(client.amazon.left(), [""; 0]);
}
