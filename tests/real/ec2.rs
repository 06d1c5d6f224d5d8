//! The strict cloud of the kitchen, asked by Amazon's own client: what it understands is what there is, and what it is
//! answered is understood.

use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use super::program;
use crate::kitchen::cloud::{Amazon, Guest};

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

    client.says(&["ec2", "wait", "instance-stopped", "--instance-ids", &instance]);
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
    client.says(&["ec2", "wait", "image-available", "--image-ids", &image]);
    let described = client.says(&["ec2", "describe-images", "--owners", "self"]);
    let disks = described["Images"][0]["BlockDeviceMappings"].as_array().unwrap();
    assert_eq!(disks.len(), 2);
    let snapshot = disks[0]["Ebs"]["SnapshotId"].as_str().unwrap();
    client.complains(&["ec2", "delete-snapshot", "--snapshot-id", snapshot], "InvalidSnapshot.InUse");

    client.says(&["ec2", "terminate-instances", "--instance-ids", &instance]);
    client.says(&["ec2", "wait", "instance-terminated", "--instance-ids", &instance]);
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
}
