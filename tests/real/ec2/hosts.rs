//! All that elkbake asks of EC2 and the services beside it, in the life of two hosts, held against Amazon's own models.

use std::collections::BTreeSet;
use std::process::Stdio;
use std::time::{Duration, Instant};

use elkbake::project::{Need, PERMISSIONS};
use serde_json::json;

use super::{REGION, known, program};
use crate::kitchen::cloud::{ACCOUNT, Amazon, Boot, Guest};
use crate::kitchen::job;
use crate::kitchen::project::Kitchen;

const AWAY: &str = "us-east-1";

/// All that a recipe can ask AWS for.
const FULL: &str = r#"
kind = "ami"
version = "1"
region = "eu-west-1"
architectures = ["x86_64"]
instance_types = ["m6i.large"]
[base.ssm]
x86_64 = "/aws/service/ecs/optimized-ami/amazon-linux-2023/recommended/image_id"
[bake]
spot = true
[[volume]]
name = "root"
kind = "gp3"
size = 40
iops = 4000
throughput = 250
mount = "/"
[[volume]]
name = "data"
kind = "io2"
size = 100
iops = 5000
mount = "/data"
delete_on_termination = false
[ami]
deprecate_after = 90
ssm_parameter = "/elk/full"
move_default = true
tags = { "cost & center" = "search + find" }
[ami.share]
accounts = ["111122223333", "444455556666"]
organizations = [
    "arn:aws:organizations::111122223333:organization/o-exampleorgid",
    "arn:aws:organizations::111122223333:ou/o-exampleorgid/ou-abcd-12345678",
]
[ami.regions.eu-west-1]
kms_key = "alias/elk"
launch_templates = { x86_64 = "elk" }
[ami.regions.us-east-1]
kms_key = "alias/elk"
launch_templates = { x86_64 = "elk" }
"#;

/// One of which old images go.
const PLAIN: &str = r#"
kind = "ami"
version = "1"
region = "eu-west-1"
architectures = ["x86_64"]
[base]
name = "al2023-ami-ecs-hvm-*-x86_64-ebs"
owner = "amazon"
[ami]
keep = 1
"#;

/// What is tested runs on until it is ended.
fn guest(boot: &Boot) -> Guest {
    let mut guest = job::well(boot, 0);
    if boot.tags["elkbake:purpose"] == "test" {
        guest.end = Guest::stays().end;
    }
    guest
}

fn project() -> (Amazon, Kitchen) {
    let amazon = job::cloud(&[REGION, AWAY]);
    job::at_once(&amazon);
    amazon.guest(guest);
    // So that it asks for more, too.
    amazon.pace(|pace| pace.page = 2);
    amazon.ask_for("elk");
    amazon.profile("builder");
    for region in [REGION, AWAY] {
        amazon.template(region, "elk", &amazon.base(region, "x86_64"));
        amazon.configuration(region, "old", &amazon.base(region, "x86_64"));
        amazon.group(region, "old", json!({ "AutoScalingGroupName": "old", "LaunchConfigurationName": "old" }));
        amazon.network(region, "subnet-0123456789abcdef0");
        amazon.network(region, "sg-0123456789abcdef0");
    }
    let target = format!(
        "[target.prod]\nmanifest = \"prod.json\"\n[target.prod.ec2]\naccount = \"{ACCOUNT}\"\nexternal_id = \"elk\"\n\
         role = \"arn:aws:iam::{ACCOUNT}:role/bake\"\nsubnet = \"subnet-0123456789abcdef0\"\n\
         security_groups = [\"sg-0123456789abcdef0\"]\ninstance_profile = \"builder\"\ntags = {{ team = \"search\" }}\n\
         [defaults]\ntarget = \"prod\"\n"
    );
    let kitchen = Kitchen::new().file("elkbake.toml", target).recipe("full", FULL).recipe("plain", PLAIN);
    let kitchen = amazon.env().iter().fold(kitchen, |kitchen, (name, value)| kitchen.env(name, value));
    (amazon, kitchen)
}

/// Kills a push whose instance runs, of which a volume stays behind.
fn kill(amazon: &Amazon, kitchen: &Kitchen) {
    amazon.guest(|_| Guest::stays());
    let mut push = kitchen.command(&["push", "plain"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let begun = Instant::now();
    loop {
        let is_running = amazon.world(|world| {
            let running = world.instances.values().find(|one| one.state == "running");
            let volume = running.and_then(|one| one.volumes.first()).and_then(|id| world.volumes.get_mut(id));
            volume.map(|volume| volume.ebs.delete_on_termination = false).is_some()
        });
        if is_running {
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(30), "no instance runs");
        std::thread::sleep(Duration::from_millis(5));
    }
    push.kill().unwrap();
    push.wait().unwrap();
}

/// Waits until what is going is gone.
fn settle(amazon: &Amazon) {
    let begun = Instant::now();
    while amazon.world(|world| world.instances.values().any(|one| one.state != "terminated")) {
        assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", amazon.left());
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn amazons_models_know_all_that_elkbake_asks_for() {
    let Some(aws) = program(&["aws"], "awscli of PyPI, by tools/need.sh aws") else { return };
    let (amazon, kitchen) = project();
    kitchen.run(&["lock"]).success();
    kitchen.run(&["push", "full", "--require-test"]).success().says("boots and is well");
    kitchen.run(&["test", "full", "--stock"]).success();
    // Nobody is to have it any more, and it is to be deprecated on another day.
    let (before, rest) = FULL.split_once("[ami.share]").unwrap();
    let (_, after) = rest.split_once("[ami.regions.eu-west-1]").unwrap();
    let alone =
        format!("{before}[ami.regions.eu-west-1]{after}").replace("deprecate_after = 90", "deprecate_after = 9");
    for full in [alone.replace("deprecate_after = 9", ""), alone] {
        kitchen.write("recipes/full.toml", full);
        kitchen.run(&["push", "full"]).success().says("was there");
    }
    assert!(amazon.world(|world| {
        let mut own = world.images.values().filter(|image| image.owner == ACCOUNT);
        own.all(|image| image.shared.is_empty())
    }));
    for version in 1..=2 {
        kitchen.write("recipes/plain.toml", PLAIN.replace("version = \"1\"", &format!("version = \"{version}\"")));
        std::fs::remove_file(kitchen.project().join("prod.json")).unwrap();
        kitchen.run(&["push", "plain"]).success();
    }
    kitchen.run(&["prune", "plain", "--keep", "0", "--yes"]).success().says("removed, with 1 snapshot");
    kitchen.write("recipes/plain.toml", PLAIN.replace("version = \"1\"", "version = \"3\""));
    kill(&amazon, &kitchen);
    // What the instance leaves is there only when it is gone.
    for _ in 0..2 {
        kitchen.run(&["sweep", "--target", "prod", "--all"]).success();
        settle(&amazon);
    }
    assert_eq!(amazon.left(), [""; 0]);
    known(&aws, &amazon);
    let asked: BTreeSet<_> = amazon.calls().iter().map(|call| format!("{}:{}", call.service, call.action)).collect();
    let of_images = [Need::Image, Need::Provision, Need::Replication, Need::RepositoryKey, Need::ImageParameter];
    let needed = PERMISSIONS.iter().filter(|one| one.called);
    let needed = needed.filter(|one| one.needs.is_empty() || !one.needs.iter().all(|need| of_images.contains(need)));
    let missing: Vec<_> = needed.map(|one| one.action).filter(|action| !asked.contains(*action)).collect();
    assert!(missing.is_empty(), "it was never asked for {missing:?}");
    assert!(asked.contains("sts:AssumeRole"));
}
