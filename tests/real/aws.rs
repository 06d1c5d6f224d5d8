//! Looking up AMIs in moto, which carries the names and ids of Amazon's real ECS images.

use std::path::Path;
use std::process::Command;

use elkbake::bake::event::SILENT;
use elkbake::bake::port::{Ask, Ec2, Ec2Site, ImageStep, RunOrder, Started};
use elkbake::recipe::Share;
use elkbake::remote::Wire;
use elkbake::remote::config::{Aws, WireConfig};

use super::{Server, program, serve};
use crate::kitchen::project::Kitchen;

fn moto(program: &Path) -> Server {
    serve(program, |command, port| {
        command.args(["-H", "127.0.0.1", "-p", &port.to_string()]);
    })
}

fn kitchen(server: &Server, base: &str) -> Kitchen {
    let recipe = format!("kind = \"ami\"\nversion = \"1\"\nregion = \"us-east-1\"\n{base}\n");
    Kitchen::new()
        .recipe("host", &recipe)
        .env("AWS_ENDPOINT_URL", &format!("http://127.0.0.1:{}", server.1))
        .env("AWS_ACCESS_KEY_ID", "testing")
        .env("AWS_SECRET_ACCESS_KEY", "testing")
}

/// What Amazon's own client says; it has `c`, a client for each service by name.
fn boto(moto: &Path, port: u16, script: &str) -> String {
    let script = format!(
        "import boto3\n\
         c = lambda s: boto3.client(s, 'us-east-1', endpoint_url='http://127.0.0.1:{port}', aws_access_key_id='a', aws_secret_access_key='b')\n\
         {script}"
    );
    let python = std::fs::canonicalize(moto).unwrap().with_file_name("python3");
    let output = Command::new(python).args(["-c", &script]).env_remove("AWS_ENDPOINT_URL").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// What a parameter holds, and of which image.
fn of_parameter(parameter: &str) -> String {
    format!(
        "i = c('ssm').get_parameter(Name='{parameter}')['Parameter']['Value']\n\
         m = c('ec2').describe_images(ImageIds=[i])['Images'][0]\n\
         print(i, m['Name'], m['OwnerId'], m['BlockDeviceMappings'][0]['Ebs']['SnapshotId'])"
    )
}

#[test]
fn a_base_is_found_as_amazons_own_client_finds_it() {
    const PARAMETER: &str = "/aws/service/ecs/optimized-ami/amazon-linux-2023/recommended/image_id";
    let Some(moto_server) = program(&["moto_server"], "moto[server] of PyPI, by tools/need.sh moto_server") else {
        return;
    };
    let server = moto(&moto_server);
    let kitchen = kitchen(&server, &format!("base.ssm = {{ x86_64 = \"{PARAMETER}\" }}"));
    kitchen.run(&["lock"]).success().says("recipes/host.lock made");
    let lock = kitchen.read("recipes/host.lock");
    for fact in boto(&moto_server, server.1, &of_parameter(PARAMETER)).split(' ') {
        assert!(lock.contains(&format!("\"{fact}\"")), "no {fact} in\n{lock}");
    }
    kitchen.run(&["lock", "--offline"]).success().says("unchanged");
    kitchen.run(&["plan", "--offline"]).success().says("base ami-");

    // One more by name, for which the same service has to find the same image.
    let name = lock.lines().find_map(|line| line.strip_prefix("name = ")).unwrap().to_owned();
    kitchen.write(
        "recipes/host.toml",
        kitchen.read("recipes/host.toml").replace(
            &format!("base.ssm = {{ x86_64 = \"{PARAMETER}\" }}"),
            &format!("base = {{ name = {name}, owner = \"amazon\" }}"),
        ),
    );
    kitchen.run(&["lock"]).success();
    let by_name = kitchen.read("recipes/host.lock");
    let id = |lock: &str| lock.lines().find(|line| line.starts_with("id = ")).unwrap().to_owned();
    assert_eq!(id(&by_name), id(&lock));
}

#[test]
fn a_parameter_that_is_not_there_is_5() {
    let Some(moto_server) = program(&["moto_server"], "moto[server] of PyPI, by tools/need.sh moto_server") else {
        return;
    };
    let server = moto(&moto_server);
    let kitchen = kitchen(&server, "base.ssm = { x86_64 = \"/aws/service/ecs/optimized-ami/nothing/image_id\" }");
    kitchen.run(&["lock"]).code(5).complains("/aws/service/ecs/optimized-ami/nothing/image_id in us-east-1");
    assert!(!kitchen.has("recipes/host.lock"));
}

/// What moto does as EC2 does: instances, permissions, launch templates, parameters. Its images are hardly any.
#[test]
fn moto_understands_what_ec2_is_asked() {
    let Some(moto_server) = program(&["moto_server"], "moto[server] of PyPI, by tools/need.sh moto_server") else {
        return;
    };
    let server = moto(&moto_server);
    let endpoint = Some(format!("http://127.0.0.1:{}", server.1));
    let aws = Aws { endpoint, keys: Some(("testing".to_owned(), "testing".to_owned())) };
    let wire = Wire::new(WireConfig { aws, ..WireConfig::default() }).unwrap();
    let region = "us-east-1".parse().unwrap();
    let site = Ec2Site { region, account: "123456789012".to_owned(), role: None, external_id: None };
    assert_eq!(wire.caller(&site, SILENT).unwrap(), site.account);

    let parameter = "/aws/service/ecs/optimized-ami/amazon-linux-2023/recommended/image_id";
    let base = wire.parameter(&site, parameter, SILENT).unwrap().unwrap();
    let machine = wire.image(&site, &base, SILENT).unwrap().unwrap();
    assert!(machine.name.contains("al2023") && machine.architecture == "x86_64" && machine.snapshots.len() == 1);
    let types = wire.types(&site, &["c5.large".to_owned(), "m6gd.large".to_owned()].into(), SILENT).unwrap();
    assert!(types.iter().any(|one| one.name == "c5.large" && one.nitro && one.ebs_iops == Some(20_000)), "{types:?}");

    let tags = [("elkbake:run".to_owned(), "1234".to_owned())].into();
    let order = RunOrder {
        image: base.clone(),
        instance_type: "c5.large".to_owned(),
        user_data: b"#!/bin/bash".to_vec(),
        mappings: Vec::new(),
        subnet: None,
        security_groups: [].into(),
        instance_profile: None,
        spot: None,
        tags,
        token: "token".to_owned(),
    };
    let Started::Instance(instance) = wire.run(&site, &order, SILENT).unwrap() else { panic!("an instance") };
    let ask = Ask { tags: order.tags.clone(), tagged: Some("elkbake:run".to_owned()), ..Ask::default() };
    let found = wire.instances(&site, &ask, SILENT).unwrap();
    assert_eq!((found.len(), &found[0].id, &found[0].image), (1, &instance, &base));
    assert!(!wire.console(&site, &instance, SILENT).unwrap().is_empty());
    let volumes = wire.volumes(&site, &ask, SILENT).unwrap();
    assert_eq!(
        volumes.iter().map(|one| one.id.clone()).collect::<Vec<_>>(),
        found[0].volumes.iter().cloned().collect::<Vec<_>>()
    );

    let made = format!(
        "e = c('ec2')\n\
         i = e.create_image(InstanceId='{instance}', Name='host')['ImageId']\n\
         e.create_launch_template(LaunchTemplateName='elastic', LaunchTemplateData={{'ImageId': '{base}', 'InstanceType': 'c5.large'}})\n\
         print(i)"
    );
    let image = boto(&moto_server, server.1, &made);
    let machine =
        wire.images(&site, &Ask { name: Some("host".to_owned()), ..Ask::default() }, SILENT).unwrap().remove(0);
    assert_eq!(machine.id, image);
    let share = Share {
        accounts: ["210987654321".to_owned()].into(),
        organizations: ["arn:aws:organizations::123456789012:organization/o-abcdefghij".to_owned()].into(),
    };
    wire.change(&site, &image, &ImageStep::Share(share.clone()), SILENT).unwrap();
    assert_eq!(wire.shared(&site, &image, SILENT).unwrap(), share);
    let snapshot = machine.snapshots.values().next().unwrap();
    wire.share_snapshot(&site, snapshot, &share.accounts, &[].into(), SILENT).unwrap();
    // moto reads the older of EC2's two ways to say who.
    assert_eq!(wire.snapshot_shared(&site, snapshot, SILENT).unwrap(), [].into());
    wire.tag(&site, &[image.clone(), snapshot.clone()].into(), &order.tags, SILENT).unwrap();
    assert_eq!(wire.snapshots(&site, &ask, SILENT).unwrap().len(), 1);

    let template = wire.template(&site, "elastic", SILENT).unwrap().unwrap();
    assert_eq!(template.latest_image.as_ref(), Some(&base));
    let version = wire.new_version(&site, &template, &image, "host", "token", SILENT).unwrap();
    wire.set_default(&site, &template, version, SILENT).unwrap();
    let template = wire.template(&site, &template.id, SILENT).unwrap().unwrap();
    assert_eq!((template.default, template.latest, template.latest_image.as_ref()), (2, 2, Some(&image)));
    wire.put_parameter(&site, "/hosts/es", &image, SILENT).unwrap();
    assert_eq!(wire.parameter(&site, "/hosts/es", SILENT).unwrap().as_ref(), Some(&image));
    let users = wire.in_use(&site, SILENT).unwrap();
    assert!(users[&base].contains(&format!("instance {instance}")), "{users:?}");

    wire.deregister(&site, &image, SILENT).unwrap();
    wire.deregister(&site, &image, SILENT).unwrap();
    wire.delete_snapshot(&site, snapshot, SILENT).unwrap();
    wire.delete_snapshot(&site, snapshot, SILENT).unwrap();
    wire.terminate(&site, &instance, SILENT).unwrap();
    assert_eq!(wire.image(&site, &image, SILENT).unwrap(), None);
}
