//! What goes wrong: told in words, tried again, or waited out.

use std::time::{Duration, Instant};

use elkbake::bake::event::SILENT;
use elkbake::bake::interrupt::Interrupt;
use elkbake::bake::port::{Ask, Ec2, Ec2Site, ImageMade, PortError};
use elkbake::remote::Wire;
use elkbake::remote::config::WireConfig;

use super::client::{Client, OTHER, REGION, by_id, site};
use crate::kitchen::cloud::{ACCOUNT, Cloud, Trouble};

#[test]
fn a_missing_permission_is_named() {
    let client = Client::new();
    for (action, permission) in [("RunInstances", "ec2:RunInstances"), ("DescribeImages", "ec2:DescribeImages")] {
        client.amazon.deny(permission);
        let error = if action == "RunInstances" {
            client.run(&client.order("one")).unwrap_err()
        } else {
            client.ask(|wire, site, tell| wire.images(site, &Ask::default(), tell)).unwrap_err()
        };
        let error = error.to_string();
        assert!(error.contains(&format!("need the permission {permission} (")), "{error}");
        assert_eq!(client.amazon.asked(action), 1, "a refusal is final");
    }
    client.amazon.deny("ssm:GetParameter");
    let error = client.ask(|wire, site, tell| wire.parameter(site, "/a", tell)).unwrap_err().to_string();
    assert!(
        error.contains("SSM parameter /a in eu-west-1") && error.contains("permission ssm:GetParameter"),
        "{error}"
    );
}

#[test]
fn what_ec2_has_not_says_what_to_do() {
    for (code, expected) in [
        ("VcpuLimitExceeded", "Service Quotas (Amazon EC2)"),
        ("InstanceLimitExceeded", "Service Quotas"),
        ("InsufficientInstanceCapacity", "another availability zone"),
        ("Unsupported", "another type in [bake].instance_types"),
        ("OptInRequired", "switched off for the account"),
        ("AuthFailure", "switched off for the account"),
        ("InvalidKMSKey.InvalidState", "its policy has to let"),
        ("VPCIdNotSpecified", "name a subnet"),
        ("InvalidSubnetID.NotFound", "as planned"),
        ("InvalidParameterCombination", "as planned"),
    ] {
        let client = Client::new();
        client.amazon.fault("RunInstances", 1, Trouble::Error(code));
        let error = client.run(&client.order("one")).unwrap_err().to_string();
        assert!(error.contains(&format!("AWS says {code}: as planned")) && error.contains(expected), "{error}");
        assert!(error.contains("in eu-west-1"), "{error}");
        assert_eq!(client.amazon.asked("RunInstances"), 1);
        assert_eq!(client.amazon.left(), [""; 0]);
    }
    for code in ["ResourceLimitExceeded", "AMIQuotaExceeded", "SnapshotLimitExceeded"] {
        let client = Client::new();
        client.amazon.fault("CreateImage", 1, Trouble::Error(code));
        let order = Client::image_order("i-0123456789abcdef0", "host");
        let error = client.ask(|wire, site, tell| wire.make_image(site, &order, tell)).unwrap_err().to_string();
        assert!(error.contains(code) && error.contains("Service Quotas"), "{error}");
    }
}

#[test]
fn lost_answers_make_nothing_twice() {
    let client = Client::new();
    for trouble in [Trouble::Lost, Trouble::Status(500), Trouble::Error("RequestLimitExceeded"), Trouble::HangUp] {
        client.amazon.fault("RunInstances", 1, trouble);
    }
    let id = client.started(&client.order("one"));
    assert_eq!(client.amazon.world(|world| world.instances.len()), 1);
    assert!(client.notes().contains("AWS asks to slow down (RequestLimitExceeded)"), "{}", client.notes());
    client.wait_for(&id, "stopped");

    client.amazon.fault("CreateImage", 1, Trouble::Lost);
    assert_eq!(client.make(&Client::image_order(&id, "host")), ImageMade::NameTaken);
    let ask = Ask { name: Some("host".to_owned()), ..Ask::default() };
    let image = client.ask(|wire, site, tell| wire.images(site, &ask, tell)).unwrap().remove(0);
    client.wait_for_image(REGION, &image.id, "available");
    // Its snapshots are told of only when it is there.
    let image = client.ask(|wire, site, tell| wire.image(site, &image.id, tell)).unwrap().unwrap();

    client.amazon.fault("CopyImage", 1, Trouble::Cut(40));
    let order = Client::copy_order(&image.id, "copy");
    let copy = client.ask(|wire, _, tell| wire.copy_image(&site(OTHER), &order, tell)).unwrap();
    assert!(matches!(copy, ImageMade::Image(_)), "{copy:?}");
    assert_eq!(client.amazon.world(|world| world.images.values().filter(|one| one.owner == ACCOUNT).count()), 2);

    for action in ["TerminateInstances", "DeregisterImage", "DeleteSnapshot", "CreateTags"] {
        client.amazon.fault(action, 1, Trouble::Lost);
    }
    let tags = super::client::tags(&[("a", "b")]);
    client.ask(|wire, site, tell| wire.tag(site, &[image.id.clone()].into(), &tags, tell)).unwrap();
    client.ask(|wire, site, tell| wire.terminate(site, &id, tell)).unwrap();
    client.ask(|wire, site, tell| wire.deregister(site, &image.id, tell)).unwrap();
    for snapshot in image.snapshots.values() {
        client.ask(|wire, site, tell| wire.delete_snapshot(site, snapshot, tell)).unwrap();
    }
    client.wait_for(&id, "terminated");
    if let ImageMade::Image(copy) = copy {
        client.wait_for_image(OTHER, &copy, "available");
    }
    assert_eq!(client.amazon.left(), [""; 0]);
}

#[test]
fn what_is_broken_for_good_is_given_up_and_told() {
    let client = Client::new();
    client.amazon.fault("DescribeInstances", 100, Trouble::Status(503));
    let asked = client.ask(|wire, site, tell| wire.instances(site, &by_id("i-0123456789abcdef0"), tell));
    let Err(PortError::Unreachable { subject, message }) = asked else { panic!("{asked:?}") };
    assert!(subject == "instances in eu-west-1" && message.contains("HTTP 503, 5 times in a row"), "{message}");
}

#[test]
fn many_at_once_are_throttled_and_all_answered() {
    let client = Client::new();
    client.amazon.limit("DescribeImages", 400, 5);
    std::thread::scope(|scope| {
        let asking = (0..20)
            .map(|_| scope.spawn(|| client.ask(|wire, site, tell| wire.images(site, &Ask::default(), tell)).unwrap()));
        for one in asking.collect::<Vec<_>>() {
            assert_eq!(one.join().unwrap(), []);
        }
    });
}

#[test]
fn a_role_is_assumed_and_the_caller_is_its_account() {
    let client = Client::new();
    assert_eq!(client.ask(|wire, site, tell| wire.caller(site, tell)).unwrap(), ACCOUNT);
    let role = |external_id: Option<&str>| Ec2Site {
        role: Some("arn:aws:iam::210987654321:role/baker".to_owned()),
        external_id: external_id.map(str::to_owned),
        ..site(REGION)
    };
    client.amazon.world(|world| world.external_id = Some("x".to_owned()));
    assert_eq!(client.wire.caller(&role(Some("x")), SILENT).unwrap(), "210987654321");
    client.wire.caller(&role(Some("y")), SILENT).unwrap_err();
}

#[test]
fn a_wish_to_stop_ends_reading_at_once_and_lets_things_be_taken_away() {
    let interrupt = Interrupt::default();
    let client = Client::set(|config: &mut WireConfig| config.interrupt = interrupt.clone());
    let id = client.started(&client.order("one"));
    let before = client.amazon.asked("DescribeInstances");
    client.amazon.slow("DescribeInstances", Duration::from_secs(60));
    let gate = client.amazon.gate("RunInstances");
    std::thread::scope(|scope| {
        let shut = gate.lock().unwrap();
        let reading = scope.spawn(|| client.ask(|wire, site, tell| wire.instances(site, &by_id(&id), tell)));
        let making = scope.spawn(|| client.started(&client.order("two")));
        client.until(|client| {
            client.amazon.asked("DescribeInstances") > before && client.amazon.asked("RunInstances") == 2
        });
        let begun = Instant::now();
        interrupt.request();
        assert!(matches!(reading.join().unwrap(), Err(PortError::Interrupted)));
        assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
        // What is being made is waited for, or nobody could take it away.
        assert!(!making.is_finished());
        drop(shut);
        let made = making.join().unwrap();
        for one in [id.as_str(), made.as_str()] {
            client.ask(|wire, site, tell| wire.terminate(site, one, tell)).unwrap();
        }
    });
    let states: Vec<String> =
        client.amazon.world(|world| world.instances.values().map(|one| one.state.clone()).collect());
    assert!(states.iter().all(|state| ["shutting-down", "terminated"].contains(&state.as_str())), "{states:?}");
}

#[test]
fn nonsense_is_no_answer_and_nothing_secret_is_told() {
    for (status, body) in [(200, "<html>login</html>"), (200, ""), (500, "")] {
        let cloud = Cloud::saying(status, body);
        let mut config = Client::new().amazon.config();
        config.aws.endpoint = Some(cloud.url());
        let wire = Wire::new(config).unwrap();
        let error = wire.images(&site(REGION), &Ask::default(), SILENT).unwrap_err().to_string();
        assert!(error.contains("images in eu-west-1") && !error.contains("very-secret"), "{error}");
    }
}

#[test]
fn offline_nobody_is_asked() {
    let client = Client::set(|config| config.offline = true);
    let asked = client.ask(|wire, site, tell| wire.images(site, &Ask::default(), tell));
    assert!(matches!(asked, Err(PortError::Offline { .. })));
    assert_eq!(client.amazon.calls().len(), 0);
}
