//! Packer on the strict cloud, with the job that elkbake does: what it asks for, and what it leaves behind when it is
//! killed. Its communicator is `none`, so that the instance is stopped as soon as it runs: no valid bake, but the calls
//! are the same.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::json;

use super::program;
use crate::kitchen::cloud::Amazon;

/// The job: an image in two regions, encrypted with a key of each, with tags, shared with an account.
pub struct Job {
    packer: PathBuf,
    pub amazon: Amazon,
    folder: tempfile::TempDir,
}

/// `None` where there is no Packer.
pub fn job() -> Option<Job> {
    let packer = program(&["packer"], "packer")?;
    let amazon = Amazon::start(&["eu-west-1", "us-east-1"]);
    let folder = tempfile::tempdir().unwrap();
    for region in ["eu-west-1", "us-east-1"] {
        amazon.key(region, "elk");
    }
    let tags = json!({ "team": "search" });
    let builder = json!({
        "type": "amazon-ebs", "communicator": "none", "region": "eu-west-1", "custom_endpoint_ec2": amazon.url(),
        "skip_metadata_api_check": true, "skip_credential_validation": true, "skip_region_validation": true,
        "access_key": "AKIDKITCHEN", "secret_key": "very-secret", "instance_type": "m6i.large",
        "ami_name": "ecs-host-2026.1-0123456789ab-x86_64", "user_data": "#!/bin/sh\ntrue",
        "source_ami_filter": {
            "filters": { "name": "al2023-ami-ecs-hvm-*-x86_64-ebs" }, "owners": ["amazon"], "most_recent": true,
        },
        "ami_regions": ["us-east-1"], "encrypt_boot": true, "kms_key_id": "alias/elk",
        "region_kms_key_ids": { "us-east-1": "alias/elk" },
        "ami_users": ["111122223333"], "snapshot_users": ["111122223333"],
        "tags": tags, "snapshot_tags": tags, "run_tags": tags, "run_volume_tags": tags,
    });
    std::fs::write(folder.path().join("job.json"), json!({ "builders": [builder] }).to_string()).unwrap();
    Some(Job { packer, amazon, folder })
}

impl Job {
    /// Packer at work. It looks at things every second, the shortest that it can be told.
    pub fn start(&self) -> Child {
        let mut command = Command::new(&self.packer);
        command.args(["build", "-color=false", "job.json"]).current_dir(self.folder.path());
        command.env("AWS_POLL_DELAY_SECONDS", "1").env("HOME", self.folder.path()).env("CHECKPOINT_DISABLE", "1");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// How often each action was called.
    pub fn counts(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for call in self.amazon.calls() {
            *counts.entry(call.action).or_default() += 1;
        }
        counts
    }

    /// Waits until Packer has called an action.
    fn until(&self, packer: &mut Child, action: &str) {
        while self.amazon.asked(action) == 0 {
            assert!(packer.try_wait().unwrap().is_none(), "Packer has ended after {:?}", self.counts());
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

#[test]
fn packer_bakes_on_the_strict_cloud() {
    let Some(job) = job() else { return };
    let output = job.start().wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    assert_eq!(job.amazon.left(), [""; 0]);
    let inventory = job.amazon.inventory();
    for region in ["eu-west-1", "us-east-1"] {
        let kinds: Vec<_> = inventory[region].iter().map(|thing| thing.kind).collect();
        assert_eq!(kinds, ["image", "snapshot"], "{region}");
    }
    let counts = job.counts();
    let sum: usize = counts.values().sum();
    assert!((35..=60).contains(&sum), "{sum} calls: {counts:?}");
}

#[test]
fn packer_leaves_what_it_began_when_it_is_killed() {
    let Some(job) = job() else { return };
    job.amazon.pace(|pace| pace.image = Duration::from_millis(300));
    let mut packer = job.start();
    job.until(&mut packer, "CreateImage");
    // Its parts are processes of their own, and end with the first one's pipes.
    packer.kill().unwrap();
    packer.wait().unwrap();
    std::thread::sleep(Duration::from_millis(400));
    let inventory = job.amazon.inventory();
    let kinds: Vec<_> = inventory["eu-west-1"].iter().map(|thing| thing.kind).collect();
    for kind in ["instance", "volume", "image", "snapshot", "security-group", "key-pair"] {
        assert!(kinds.contains(&kind), "{kind} is not left: {kinds:?}");
    }
}
