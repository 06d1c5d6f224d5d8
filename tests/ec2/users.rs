//! Launch templates, parameters, and who starts from which image.

use std::collections::BTreeMap;

use elkbake::bake::port::Ec2;
use serde_json::json;

use super::client::{Client, REGION};
use crate::kitchen::cloud::Trouble;

#[test]
fn a_template_gets_a_version_with_another_image() {
    let client = Client::new();
    let base = client.amazon.base(REGION, "x86_64");
    let image = client.image("host");
    let id = client.amazon.template(REGION, "es", &base);
    let get = |name: &str| client.ask(|wire, site, tell| wire.template(site, name, tell)).unwrap();
    assert_eq!(get("nobody"), None);
    assert_eq!(get("lt-0123456789abcdef0"), None);
    let template = get("es").unwrap();
    assert_eq!((template.id.as_str(), template.default, template.latest), (id.as_str(), 1, 1));
    assert_eq!(template.latest_image.as_ref(), Some(&base));
    client.amazon.fault("CreateLaunchTemplateVersion", 1, Trouble::Lost);
    let version = client.ask(|wire, site, tell| wire.new_version(site, &template, &image.id, "host", "token", tell));
    assert_eq!(version.unwrap(), 2);
    let after = get(&id).unwrap();
    assert_eq!((after.default, after.latest, after.latest_image.as_ref()), (1, 2, Some(&image.id)));
    for _ in 0..2 {
        client.ask(|wire, site, tell| wire.set_default(site, &after, 2, tell)).unwrap();
    }
    assert_eq!(get("es").unwrap().default, 2);
    let kept = client.amazon.world(|world| world.templates[&id].versions[&2].0.clone());
    assert_eq!(kept["InstanceType"], "m6i.large", "all but the image is as before");
}

#[test]
fn parameters_hold_ids_of_images() {
    let client = Client::new();
    let image = client.image("host");
    let get = || client.ask(|wire, site, tell| wire.parameter(site, "/hosts/es", tell)).unwrap();
    assert_eq!(get(), None);
    for _ in 0..2 {
        client.ask(|wire, site, tell| wire.put_parameter(site, "/hosts/es", &image.id, tell)).unwrap();
    }
    assert_eq!(get().as_ref(), Some(&image.id));
    let calls = client.amazon.calls();
    let put = calls.iter().find(|call| call.action == "PutParameter").unwrap();
    assert_eq!((put.fields["DataType"].as_str(), put.fields["Overwrite"].as_str()), ("aws:ec2:image", "true"));
}

#[test]
fn all_who_start_from_an_image_are_found() {
    let client = Client::new();
    let amazon = &client.amazon;
    amazon.guest(|_| crate::kitchen::cloud::Guest::stays());
    let instance = client.started(&client.order("one"));
    let named = |n: u32| format!("ami-0aaaaaaaaaaaaaaa{n}");
    amazon.template(REGION, "plain", &named(1));
    let versions = amazon.template(REGION, "versions", &named(2));
    amazon.world(|world| {
        let template = world.templates.get_mut(&versions).unwrap();
        for version in 2..=4_u32 {
            template.versions.insert(version, (json!({ "ImageId": named(version + 1) }), String::new()));
        }
    });
    let base = amazon.base(REGION, "arm64");
    let parameter = "/aws/service/ecs/optimized-ami/amazon-linux-2023/arm64/recommended/image_id";
    amazon.template(REGION, "by-parameter", &format!("resolve:ssm:{parameter}"));
    amazon.template(REGION, "by-no-parameter", "resolve:ssm:/gone");
    amazon.configuration(REGION, "old", &named(7));
    let group = |name: &str, mut rest: serde_json::Value| {
        rest["AutoScalingGroupName"] = name.into();
        amazon.group(REGION, name, rest);
    };
    let specification = |version: &str| json!({ "LaunchTemplateId": versions, "Version": version });
    group("configured", json!({ "LaunchConfigurationName": "old" }));
    group("second", json!({ "LaunchTemplate": specification("2") }));
    let overrides = json!([{ "InstanceType": "m5.large", "LaunchTemplateSpecification": specification("3") }]);
    let mixed = json!({ "LaunchTemplate": { "LaunchTemplateSpecification": specification("$Default"), "Overrides": overrides } });
    group("mixed", json!({ "MixedInstancesPolicy": mixed }));
    group("gone", json!({ "LaunchTemplate": { "LaunchTemplateId": "lt-0123456789abcdef0", "Version": "1" } }));
    amazon.pace(|pace| pace.page = 1);

    let users = client.ask(|wire, site, tell| wire.in_use(site, tell)).unwrap();
    let users: BTreeMap<&str, Vec<&str>> =
        users.iter().map(|(image, who)| (image.as_str(), who.iter().map(String::as_str).collect())).collect();
    let instance = format!("instance {instance}");
    let x86 = amazon.base(REGION, "x86_64");
    let (one, two, three, four, five, seven) = (named(1), named(2), named(3), named(4), named(5), named(7));
    let expected: BTreeMap<&str, Vec<&str>> = [
        (x86.as_str(), vec![instance.as_str()]),
        (base.as_str(), vec!["launch template by-parameter, version 1"]),
        (&one, vec!["launch template plain, version 1"]),
        (
            &two,
            vec![
                "Auto Scaling group mixed (launch template versions, version 1)",
                "launch template versions, version 1",
            ],
        ),
        (&three, vec!["Auto Scaling group second (launch template versions, version 2)"]),
        (&four, vec!["Auto Scaling group mixed (launch template versions, version 3)"]),
        (&five, vec!["launch template versions, version 4"]),
        (&seven, vec!["Auto Scaling group configured"]),
    ]
    .into();
    assert_eq!(users, expected);
}

#[test]
fn what_may_not_be_read_may_be_in_use() {
    for permission in
        ["autoscaling:DescribeAutoScalingGroups", "ec2:DescribeLaunchTemplateVersions", "ec2:DescribeInstances"]
    {
        let client = Client::new();
        client.amazon.deny(permission);
        let error = client.ask(|wire, site, tell| wire.in_use(site, tell)).unwrap_err().to_string();
        assert!(error.contains(permission), "{error}");
    }
}
