//! One job for elkbake and for Packer: a host's image in some regions, encrypted with a key of each, with tags, shared
//! with an account.
//!
//! Packer's communicator is `none`, so that it stops its instance as soon as that runs: no valid bake, but the calls are
//! the same.

use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::cloud::{Amazon, Boot, Guest};
#[cfg(feature = "aws")]
use super::{cloud::ACCOUNT, project::Kitchen};

/// The account that the image is shared with.
pub const FRIEND: &str = "111122223333";

const BASE: &str = "al2023-ami-ecs-hvm-*-x86_64-ebs";

/// A cloud with a key in each region. The image is made in the first.
pub fn cloud(regions: &[&str]) -> Amazon {
    let amazon = Amazon::start(regions);
    for region in regions {
        amazon.key(region, "elk");
    }
    amazon.guest(|boot| well(boot, 20));
    amazon
}

/// What elkbake starts says that all is well, and stops after so many ms; what Packer starts it stops itself.
pub fn well(boot: &Boot, millis: u64) -> Guest {
    match (boot.tags.get("elkbake:key"), boot.tags.get("elkbake:architecture")) {
        (Some(key), Some(architecture)) => {
            Guest::stops().after(millis).says(&format!("ELKBAKE {}-{architecture} ok", &key[..12]))
        }
        _ => Guest::stays(),
    }
}

/// Lets nothing take any time.
#[cfg(feature = "aws")]
pub fn at_once(amazon: &Amazon) {
    amazon.pace(|pace| {
        let none = std::time::Duration::ZERO;
        (pace.boot, pace.halt, pace.image, pace.copy, pace.snapshot) = (none, none, none, none, none);
    });
    amazon.guest(|boot| well(boot, 0));
}

/// The job for elkbake: a project of which the recipe is not locked yet.
#[cfg(feature = "aws")]
pub fn project(amazon: &Amazon, regions: &[&str]) -> Kitchen {
    let mut recipe = format!(
        "kind = \"ami\"\nversion = \"2026.1\"\nregion = \"{}\"\narchitectures = [\"x86_64\"]\n\
         [base]\nname = \"{BASE}\"\nowner = \"amazon\"\n[bake.instance_types]\nx86_64 = \"m6i.large\"\n\
         [sysctl]\n\"vm.max_map_count\" = 1048576\n\
         [ami]\ntags = {{ team = \"search\" }}\n[ami.share]\naccounts = [\"{FRIEND}\"]\n",
        regions[0]
    );
    for region in regions {
        recipe += &format!("[ami.regions.{region}]\nkms_key = \"alias/elk\"\n");
    }
    let target = format!(
        "[target.prod]\nmanifest = \"prod.json\"\n[target.prod.ec2]\naccount = \"{ACCOUNT}\"\n\
         [defaults]\ntarget = \"prod\"\n"
    );
    let kitchen = Kitchen::new().file("elkbake.toml", target).recipe("ecs-host", &recipe);
    amazon.env().iter().fold(kitchen, |kitchen, (name, value)| kitchen.env(name, value))
}

/// The job for Packer.
pub struct Packer {
    program: PathBuf,
    folder: tempfile::TempDir,
}

impl Packer {
    pub fn new(program: PathBuf, amazon: &Amazon, regions: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let template = json!({ "builders": [builder(amazon, regions)] });
        std::fs::write(folder.path().join("job.json"), template.to_string()).expect("a file");
        Self { program, folder }
    }

    /// Packer at work, in a group of processes of its own. It looks at things every second, the shortest that it can be
    /// told.
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(["build", "-color=false", "job.json"]).current_dir(self.folder.path());
        command.env("AWS_POLL_DELAY_SECONDS", "1").env("HOME", self.folder.path()).env("CHECKPOINT_DISABLE", "1");
        command.process_group(0).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }
}

fn builder(amazon: &Amazon, regions: &[&str]) -> Value {
    let tags = json!({ "team": "search" });
    let away = &regions[1..];
    let keys: serde_json::Map<_, _> =
        away.iter().map(|&region| (region.to_owned(), Value::from("alias/elk"))).collect();
    json!({
        "type": "amazon-ebs", "communicator": "none", "region": regions[0], "custom_endpoint_ec2": amazon.url(),
        "skip_metadata_api_check": true, "skip_credential_validation": true, "skip_region_validation": true,
        "access_key": "AKIDKITCHEN", "secret_key": "very-secret", "instance_type": "m6i.large",
        "ami_name": "ecs-host-2026.1-0123456789ab-x86_64", "user_data": "#!/bin/sh\ntrue",
        "source_ami_filter": { "filters": { "name": BASE }, "owners": ["amazon"], "most_recent": true },
        "ami_regions": away, "encrypt_boot": true, "kms_key_id": "alias/elk", "region_kms_key_ids": keys,
        "ami_users": [FRIEND], "snapshot_users": [FRIEND],
        "tags": tags, "snapshot_tags": tags, "run_tags": tags, "run_volume_tags": tags,
    })
}
