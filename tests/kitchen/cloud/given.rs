//! What is there from the beginning, what tests put there, and what is there at the end.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::world::{Birth, Disk, Ebs, Group, Image, Parameter, Snapshot, Tags, Template, Thing, World};
use super::{ACCOUNT, AMAZON, Amazon};

const DAY: Duration = Duration::from_secs(86_400);

/// A public image: where its id is published, its name up to the date, its disk's size, and its owner.
const STOCK: [(&str, &str, u32, &str); 4] = [
    (
        "ecs/optimized-ami/amazon-linux-2023/recommended/image_id",
        "al2023-ami-ecs-hvm-2023.0.{}-kernel-6.1-x86_64-ebs",
        30,
        AMAZON,
    ),
    (
        "ecs/optimized-ami/amazon-linux-2023/arm64/recommended/image_id",
        "al2023-ami-ecs-hvm-2023.0.{}-kernel-6.1-arm64-ebs",
        30,
        AMAZON,
    ),
    (
        "ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64",
        "al2023-ami-2023.9.{}.0-kernel-6.1-x86_64",
        8,
        "137112412989",
    ),
    (
        "ami-amazon-linux-latest/al2023-ami-kernel-default-arm64",
        "al2023-ami-2023.9.{}.0-kernel-6.1-arm64",
        8,
        "137112412989",
    ),
];

impl World {
    /// Amazon's images in a region: of each an old one, which is deprecated, and a new one, which is published.
    pub fn stock(&mut self, region: &str) {
        for (parameter, name, size, owner) in STOCK {
            for (date, ago) in [("20260910", DAY * 78), ("20261110", DAY * 17)] {
                let value = self.public(region, &name.replace("{}", date), size, owner, ago);
                let data_type = "aws:ec2:image".to_owned();
                let published = Parameter { value, data_type, version: 1, tags: Tags::new(), checked: None };
                let key = (String::new(), region.to_owned(), format!("/aws/service/{parameter}"));
                self.parameters.insert(key, published);
            }
        }
    }

    fn public(&mut self, region: &str, name: &str, size: u32, owner: &str, ago: Duration) -> String {
        let (id, snapshot) = (self.id("ami"), self.id("snap"));
        let is_old = ago > DAY * 60;
        let ebs = Ebs {
            snapshot: Some(snapshot.clone()),
            size,
            kind: "gp3".to_owned(),
            iops: Some(3000),
            throughput: Some(125),
            encrypted: false,
            kms_key: None,
            delete_on_termination: true,
        };
        let image = Image {
            id: id.clone(),
            region: region.to_owned(),
            owner: owner.to_owned(),
            name: name.to_owned(),
            description: "Amazon Linux 2023".to_owned(),
            state: "available".to_owned(),
            reason: None,
            architecture: if name.contains("arm64") { "arm64" } else { "x86_64" }.to_owned(),
            root_device: "/dev/xvda".to_owned(),
            disks: vec![Disk { device: "/dev/xvda".to_owned(), ebs: Some(ebs), own: None }],
            deprecated: is_old.then(|| "2026-10-10T10:10:00.000Z".to_owned()),
            imds: Some("v2.0".to_owned()),
            boot_mode: Some(if name.contains("arm64") { "uefi" } else { "uefi-preferred" }.to_owned()),
            tpm: None,
            ena: true,
            source: None,
            source_instance: None,
            tags: Tags::new(),
            shared: BTreeSet::from([super::Grant::Everybody]),
            birth: Birth::before(ago),
            ready: Instant::now(),
            fails: None,
        };
        self.images.insert(id.clone(), image);
        self.snapshots.insert(snapshot.clone(), completed(&snapshot, region, owner, size, ago));
        self.given.extend([id.clone(), snapshot]);
        id
    }

    /// All that exists and is not Amazon's nor was put there, by region.
    pub fn inventory(&self) -> BTreeMap<String, Vec<Thing>> {
        let mut things: BTreeMap<String, Vec<Thing>> = BTreeMap::new();
        let mut add = |region: &str, kind, id: &str, state: &str, name: &str, tags: &Tags| {
            let thing =
                Thing { kind, id: id.to_owned(), state: state.to_owned(), name: name.to_owned(), tags: tags.clone() };
            things.entry(region.to_owned()).or_default().push(thing);
        };
        for image in self.images.values().filter(|one| !self.given.contains(&one.id)) {
            add(&image.region, "image", &image.id, &image.state, &image.name, &image.tags);
        }
        for snapshot in self.snapshots.values().filter(|one| !self.given.contains(&one.id)) {
            add(&snapshot.region, "snapshot", &snapshot.id, &snapshot.state, &snapshot.description, &snapshot.tags);
        }
        for volume in self.volumes.values().filter(|one| !self.given.contains(&one.id)) {
            let state = if volume.attached.is_some() { "in-use" } else { "available" };
            add(&volume.region, "volume", &volume.id, state, "", &volume.tags);
        }
        for instance in self.instances.values() {
            if instance.state != "terminated" && !self.given.contains(&instance.id) {
                add(&instance.region, "instance", &instance.id, &instance.state, "", &instance.tags);
            }
        }
        for (id, request) in &self.requests {
            if ["open", "active"].contains(&request.state.as_str()) {
                add(&request.region, "request", id, &request.state, "", &request.tags);
            }
        }
        for ((kind, region, _, id), name) in &self.made {
            add(region, kind, id, "there", name, &Tags::new());
        }
        for template in self.templates.values().filter(|one| !self.given.contains(&one.id)) {
            add(&template.region, "template", &template.id, "there", &template.name, &Tags::new());
        }
        for ((account, region, name), parameter) in &self.parameters {
            if !account.is_empty() {
                add(region, "parameter", &parameter.value, "there", name, &parameter.tags);
            }
        }
        things
    }

    /// What of the inventory nobody wants for itself.
    pub fn left(&self) -> Vec<String> {
        let kept: BTreeSet<&str> = self
            .images
            .values()
            .filter(|image| image.state == "available")
            .flat_map(|image| image.disks.iter().filter_map(|disk| disk.ebs.as_ref()?.snapshot.as_deref()))
            .collect();
        let is_left = |thing: &Thing| match thing.kind {
            "image" => thing.state != "available",
            "snapshot" => !kept.contains(thing.id.as_str()),
            "template" | "parameter" => false,
            _ => true,
        };
        let inventory = self.inventory();
        let left = inventory.iter().flat_map(|(region, things)| {
            things.iter().filter(|thing| is_left(thing)).map(move |thing| format!("{region}: {thing}"))
        });
        left.collect()
    }
}

/// A snapshot that was there before.
pub fn completed(id: &str, region: &str, owner: &str, size: u32, ago: Duration) -> Snapshot {
    Snapshot {
        id: id.to_owned(),
        region: region.to_owned(),
        owner: owner.to_owned(),
        description: String::new(),
        volume: "vol-0ffffffffffffffff".to_owned(),
        size,
        state: "completed".to_owned(),
        message: None,
        kms_key: None,
        tags: Tags::new(),
        shared: BTreeSet::new(),
        birth: Birth::before(ago),
        ready: Instant::now(),
        fails: None,
    }
}

impl Amazon {
    /// Amazon's newest ECS image in a region for a processor.
    pub fn base(&self, region: &str, architecture: &str) -> String {
        self.world(|world| {
            let of = |image: &&Image| {
                image.region == region
                    && image.architecture == architecture
                    && image.owner == AMAZON
                    && image.deprecated.is_none()
            };
            world.images.values().find(of).expect("a region with Amazon's images").id.clone()
        })
    }

    /// What an SSM parameter of the account says.
    pub fn parameter(&self, region: &str, name: &str) -> Option<String> {
        let key = (ACCOUNT.to_owned(), region.to_owned(), name.to_owned());
        self.world(|world| world.parameters.get(&key).map(|parameter| parameter.value.clone()))
    }

    /// Makes a launch template of the account, with one version. Its id is told.
    pub fn template(&self, region: &str, name: &str, image: &str) -> String {
        self.world(|world| {
            let id = world.id("lt");
            let data = json!({ "ImageId": image, "InstanceType": "m6i.large" });
            let template = Template {
                id: id.clone(),
                region: region.to_owned(),
                owner: ACCOUNT.to_owned(),
                name: name.to_owned(),
                default: 1,
                versions: BTreeMap::from([(1, (data, "the first".to_owned()))]),
                birth: Birth::before(DAY),
            };
            world.templates.insert(id.clone(), template);
            world.given.insert(id.clone());
            id
        })
    }

    /// Makes an Auto Scaling group, as the answer of its service has it.
    pub fn group(&self, region: &str, name: &str, answer: Value) {
        let (region, owner) = (region.to_owned(), ACCOUNT.to_owned());
        self.world(|world| world.groups.push(Group { region, owner, name: name.to_owned(), answer }));
    }

    /// Makes a launch configuration of an Auto Scaling group.
    pub fn configuration(&self, region: &str, name: &str, image: &str) {
        let answer = json!({ "LaunchConfigurationName": name, "ImageId": image, "InstanceType": "m5.large" });
        let (region, owner) = (region.to_owned(), ACCOUNT.to_owned());
        self.world(|world| world.configurations.push(Group { region, owner, name: name.to_owned(), answer }));
    }

    /// Makes a KMS key with an alias in a region. Its ARN is told.
    pub fn key(&self, region: &str, alias: &str) -> String {
        self.world(|world| {
            world.count += 1;
            let arn = format!("arn:aws:kms:{region}:{ACCOUNT}:key/00000000-0000-4000-8000-{:012x}", world.count);
            world.keys.insert(arn.clone(), BTreeSet::from([format!("alias/{alias}")]));
            arn
        })
    }

    /// Lets volumes of the account always be encrypted in a region.
    pub fn encrypts(&self, region: &str) {
        self.world(|world| world.encrypts.insert((ACCOUNT.to_owned(), region.to_owned())));
    }

    /// Whose keys those of a client are.
    pub fn keys_of(&self, key: &str, account: &str) {
        self.world(|world| world.accounts.insert(key.to_owned(), account.to_owned()));
    }

    /// What roles ask for from now on.
    pub fn ask_for(&self, external_id: &str) {
        self.world(|world| world.external_id = Some(external_id.to_owned()));
    }

    /// Makes an instance profile.
    pub fn profile(&self, name: &str) {
        self.world(|world| world.profiles.insert(name.to_owned()));
    }

    /// Puts a subnet or a security group into a region.
    pub fn network(&self, region: &str, id: &str) {
        self.world(|world| world.given.insert(format!("{region}/{id}")));
    }
}
