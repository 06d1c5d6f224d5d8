//! The strict cloud of the kitchen, asked by Amazon's own client: what it understands is what there is, and what it is
//! answered is understood.

#[cfg(feature = "aws")]
mod hosts;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use super::program;
use crate::kitchen::cloud::{Amazon, Asked, Guest, World};

const REGION: &str = "eu-west-1";

struct Client {
    aws: PathBuf,
    amazon: Amazon,
}

fn client() -> Option<Client> {
    let aws = program(&["aws"], "awscli of PyPI, by tools/need.sh aws")?;
    Some(Client { aws, amazon: Amazon::start(&[REGION, "us-east-1"]) })
}

impl Client {
    fn command(&self, args: &[&str], region: &str) -> Command {
        let mut command = Command::new(&self.aws);
        command.args(args).args(["--region", region, "--output", "json", "--endpoint-url", &self.amazon.url()]);
        command.envs(self.amazon.env()).env("AWS_MAX_ATTEMPTS", "1").env_remove("AWS_PROFILE");
        command
    }

    /// What the client says.
    fn says(&self, args: &[&str]) -> Value {
        let output = self.command(args, REGION).output().unwrap();
        let (said, error) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{args:?}: {error}");
        if said.is_empty() { Value::Null } else { serde_json::from_str(&said).unwrap() }
    }

    /// Waits for something to happen. The client's own way of waiting looks every 15 seconds.
    fn until(&self, has_happened: impl Fn(&World) -> bool) {
        while !self.amazon.world(|world| has_happened(world)) {
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// How it complains.
    fn complains(&self, args: &[&str], about: &str) {
        let output = self.command(args, REGION).output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && error.contains(about), "{args:?}: no `{about}` in {error}");
    }
}

#[test]
fn amazons_client_bakes_an_image_by_hand() {
    let Some(client) = client() else { return };
    client.amazon.guest(|_| Guest::stops().says("ELKBAKE 1 ok"));
    let ecs = "/aws/service/ecs/optimized-ami/amazon-linux-2023/recommended/image_id";
    let base = client.says(&["ssm", "get-parameter", "--name", ecs])["Parameter"]["Value"].clone();
    assert_eq!(base, client.amazon.base(REGION, "x86_64"));
    assert_eq!(client.says(&["sts", "get-caller-identity"])["Account"], "123456789012");

    let mapping = "DeviceName=/dev/xvdf,Ebs={VolumeType=io2,VolumeSize=100,Iops=3000,Encrypted=true}";
    let tags = "ResourceType=instance,Tags=[{Key=a,Value=b&<c>}]";
    let base = base.as_str().unwrap();
    let run = ["ec2", "run-instances", "--image-id", base, "--instance-type", "m6i.large", "--client-token", "t1"];
    let more = ["--block-device-mappings", mapping, "--tag-specifications", tags, "--user-data", "#!/bin/sh\ntrue"];
    let ran = client.says(&[&run[..], &more[..]].concat());
    let instance = ran["Instances"][0]["InstanceId"].as_str().unwrap().to_owned();
    assert_eq!(client.says(&[&run[..], &more[..]].concat())["Instances"][0]["InstanceId"], instance.as_str());
    client.complains(&run, "IdempotentParameterMismatch");

    client.until(|world| world.instances[&instance].state == "stopped");
    let said = client.says(&["ec2", "get-console-output", "--instance-id", &instance, "--latest"]);
    assert!(said["Output"].as_str().unwrap().contains("ELKBAKE 1 ok"), "{said}");
    let described = client.says(&["ec2", "describe-instances", "--filters", "Name=tag:a,Values=b*"]);
    assert_eq!(described["Reservations"][0]["Instances"][0]["Tags"][0]["Value"], "b&<c>");
    assert_eq!(described["Reservations"][0]["Instances"][0]["StateReason"]["Code"], "Client.InstanceInitiatedShutdown");
    let volumes = client.says(&["ec2", "describe-volumes", "--filters", "Name=volume-type,Values=io2"]);
    assert_eq!(volumes["Volumes"][0]["Iops"], 3000);

    let create = ["ec2", "create-image", "--instance-id", &instance, "--name", "host-1"];
    let image = client.says(&create)["ImageId"].as_str().unwrap().to_owned();
    client.complains(&create, "InvalidAMIName.Duplicate");
    client.until(|world| world.images[&image].state == "available");
    let described = client.says(&["ec2", "describe-images", "--owners", "self"]);
    let disks = described["Images"][0]["BlockDeviceMappings"].as_array().unwrap();
    assert_eq!(disks.len(), 2);
    let snapshot = disks[0]["Ebs"]["SnapshotId"].as_str().unwrap();
    client.complains(&["ec2", "delete-snapshot", "--snapshot-id", snapshot], "InvalidSnapshot.InUse");

    client.says(&["ec2", "terminate-instances", "--instance-ids", &instance]);
    client.until(|world| world.instances[&instance].state == "terminated");
    let at = "2035-01-02T03:04:00Z";
    client.says(&["ec2", "enable-image-deprecation", "--image-id", &image, "--deprecate-at", at]);
    client.says(&["ec2", "modify-image-attribute", "--image-id", &image, "--imds-support", "v2.0"]);
    let organization = "arn:aws:organizations::123456789012:organization/o-abcdefghij";
    let permission = format!("Add=[{{OrganizationArn={organization}}}]");
    // One of its disks has EC2's own key.
    client.complains(
        &["ec2", "modify-image-attribute", "--image-id", &image, "--launch-permission", &permission],
        "AWS Managed CMK",
    );
    let told = client.says(&["ec2", "describe-images", "--image-ids", &image]);
    assert_eq!(told["Images"][0]["DeprecationTime"], "2035-01-02T03:04:00.000Z");
    assert_eq!(told["Images"][0]["ImdsSupport"], "v2.0");

    client.says(&["ec2", "deregister-image", "--image-id", &image, "--delete-associated-snapshots"]);
    assert!(client.amazon.inventory().is_empty(), "{:?}", client.amazon.inventory());
    known(&client.aws, &client.amazon);
}

#[test]
fn a_request_that_no_model_knows_is_found() {
    let Some(client) = client() else { return };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/real/requests.py");
    for (service, action, body, fault) in [
        ("ec2", "DescribeEverything", "Action=DescribeEverything&Version=2016-11-15", "there is no such call"),
        ("ec2", "DescribeImages", "Action=DescribeImages&Version=2015-10-01", "version 2015-10-01"),
        ("ec2", "DescribeImages", "Version=2016-11-15&ImageIds.1=ami-1", "DescribeImages.ImageIds"),
        ("ec2", "DescribeImages", "Version=2016-11-15&ImageId.2=ami-1", "numbered ['2']"),
        ("ec2", "DescribeImages", "Version=2016-11-15&Filter.1.Values.1=x", "Filter.Values"),
        ("ec2", "DescribeImages", "Version=2016-11-15&MaxResults=many", "'many' is no integer"),
        ("ec2", "DescribeImages", "Version=2016-11-15&DryRun=yes", "'yes' is no boolean"),
        ("ec2", "CreateImage", "Version=2016-11-15&Name=abc", "InstanceId: the model demands it"),
        ("ec2", "CreateImage", "Version=2016-11-15&InstanceId=i-1&Name=ab", "2 characters"),
        ("ec2", "EnableImageDeprecation", "Version=2016-11-15&ImageId=a&DeprecateAt=soon", "'soon' is no time"),
        (
            "ec2",
            "RunInstances",
            "Version=2016-11-15&MinCount=1&MaxCount=1&InstanceType=m9.huge",
            "'m9.huge' is none of",
        ),
        ("autoscaling", "DescribeAutoScalingGroups", "Version=2011-01-01&AutoScalingGroupNames.1=a", "`member`"),
        ("ssm", "GetParameter", "{\"Name\":\"/a\",\"Names\":[]}", "GetParameter.Names"),
        ("ssm", "GetParameters", "{\"Names\":\"/a\"}", "a list was expected"),
    ] {
        let line = json!({ "service": service, "action": action, "body": body }).to_string();
        let said = faults(&client.aws, &script, &[line]);
        assert!(said.contains(fault), "{action}: no `{fault}` in {said}");
    }
}

/// What the models have to say of requests.
fn faults(aws: &Path, script: &Path, lines: &[String]) -> String {
    let python = std::fs::canonicalize(aws).unwrap().with_file_name("python3");
    let mut child = Command::new(python).arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(lines.join("\n").as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap()
}

/// Fails unless Amazon's models of its services know all that was asked for.
///
/// # Panics
/// With what they do not know.
pub fn known(aws: &Path, amazon: &Amazon) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/real/requests.py");
    let line = |call: Asked| json!({ "service": call.service, "action": call.action, "body": call.body }).to_string();
    let lines: Vec<String> = amazon.calls().into_iter().map(line).collect();
    assert_eq!(faults(aws, &script, &lines), "", "this the models do not know");
}
