//! All that there is, and how it goes on by itself.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::guest::{Boot, Guest, prompt};
use super::{AMAZON, clock};

/// Tags, by name.
pub type Tags = BTreeMap<String, String>;

/// How long things take, and how late they are seen. All in real time, so that tests need no patience.
#[derive(Clone, Debug)]
pub struct Pace {
    /// From `pending` to `running`.
    pub boot: Duration,
    /// From `stopping` to `stopped`, and from `shutting-down` to `terminated`.
    pub halt: Duration,
    /// Until an image that was made is `available`.
    pub image: Duration,
    /// Until one that was copied is.
    pub copy: Duration,
    /// Until an image's snapshots are `completed`, which they are before it is `available`.
    pub snapshot: Duration,
    /// How much later a console's lines are told.
    pub console: Duration,
    /// For how long something new is not found.
    pub unseen: Duration,
    /// For how many calls that ask for something new it is not found.
    pub unseen_calls: u32,
    /// How long terminated instances are told of.
    pub memory: Duration,
    /// The most that a page of an answer has, whatever was asked for.
    pub page: usize,
}

impl Default for Pace {
    fn default() -> Self {
        let millis = Duration::from_millis;
        Self {
            boot: millis(10),
            halt: millis(10),
            image: millis(30),
            copy: millis(30),
            snapshot: millis(20),
            console: millis(0),
            unseen: millis(0),
            unseen_calls: 0,
            memory: Duration::from_secs(3600),
            page: 1000,
        }
    }
}

/// Since when something is there, and when it is first found.
#[derive(Clone, Debug)]
pub struct Birth {
    pub created: String,
    seen: Instant,
    calls: u32,
}

impl Birth {
    /// Whether it is found by a call.
    pub fn is_seen(&mut self, now: Instant) -> bool {
        if self.calls > 0 {
            self.calls -= 1;
            return false;
        }
        now >= self.seen
    }

    /// It is found no later than then.
    pub fn hasten(&mut self, at: Instant) {
        self.seen = self.seen.min(at);
    }

    /// Of something that was there from the beginning.
    pub fn before(ago: Duration) -> Self {
        Self { created: clock::stamp(ago), seen: Instant::now(), calls: 0 }
    }
}

/// A disk of an image.
#[derive(Clone, Debug)]
pub struct Disk {
    pub device: String,
    /// None of one of the instance's own.
    pub ebs: Option<Ebs>,
    /// `ephemeral0`
    pub own: Option<String>,
}

/// A volume that is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ebs {
    pub snapshot: Option<String>,
    pub size: u32,
    pub kind: String,
    pub iops: Option<u32>,
    pub throughput: Option<u32>,
    pub encrypted: bool,
    /// The ARN of a key.
    pub kms_key: Option<String>,
    pub delete_on_termination: bool,
}

/// Who may start an image.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grant {
    Account(String),
    Organization(String),
    Unit(String),
    Everybody,
}

/// An image.
#[derive(Clone, Debug)]
pub struct Image {
    pub id: String,
    pub region: String,
    pub owner: String,
    pub name: String,
    pub description: String,
    pub state: String,
    pub reason: Option<(String, String)>,
    pub architecture: String,
    pub root_device: String,
    pub disks: Vec<Disk>,
    pub deprecated: Option<String>,
    pub imds: Option<String>,
    pub boot_mode: Option<String>,
    pub tpm: Option<String>,
    pub ena: bool,
    pub source: Option<(String, String)>,
    pub source_instance: Option<String>,
    pub tags: Tags,
    pub shared: BTreeSet<Grant>,
    pub birth: Birth,
    /// When it is finished, and why it fails then.
    pub ready: Instant,
    pub fails: Option<(String, String)>,
}

/// A snapshot.
#[derive(Clone, Debug)]
pub struct Snapshot {
    pub id: String,
    pub region: String,
    pub owner: String,
    pub description: String,
    pub volume: String,
    pub size: u32,
    pub state: String,
    pub message: Option<String>,
    pub kms_key: Option<String>,
    pub tags: Tags,
    pub shared: BTreeSet<String>,
    pub birth: Birth,
    pub ready: Instant,
    pub fails: Option<String>,
}

/// A volume.
#[derive(Clone, Debug)]
pub struct Volume {
    pub id: String,
    pub region: String,
    pub owner: String,
    pub ebs: Ebs,
    /// The instance and the device name there.
    pub attached: Option<(String, String)>,
    pub tags: Tags,
    pub birth: Birth,
}

/// An instance.
#[derive(Clone, Debug)]
pub struct Instance {
    pub boot: Boot,
    pub id: String,
    pub region: String,
    pub owner: String,
    pub state: String,
    pub reason: Option<(String, String)>,
    pub root_device: String,
    pub boot_mode: Option<String>,
    pub tpm: Option<String>,
    /// What it does when it shuts itself down: `stop` or `terminate`.
    pub shutdown: String,
    pub token: Option<String>,
    pub key_name: Option<String>,
    pub profile: Option<String>,
    pub subnet: String,
    pub groups: BTreeSet<String>,
    /// What IMDS asks for: `required` or `optional`, and hops.
    pub imds: (String, u32),
    pub spot_request: Option<String>,
    pub volumes: BTreeSet<String>,
    pub tags: Tags,
    pub birth: Birth,
    /// When the state changes next by itself.
    pub next: Option<Instant>,
    pub guest: Guest,
    /// What it has printed and will print.
    pub console: Vec<(Instant, String)>,
    /// What it is in after its disks cannot be encrypted.
    pub fails: Option<(String, String)>,
}

/// A request for a spot instance.
#[derive(Clone, Debug)]
pub struct Request {
    pub region: String,
    pub owner: String,
    /// `active` while its instance is there. Then a persistent one is `open` until somebody takes it back.
    pub state: String,
    pub is_persistent: bool,
    /// Whether an instance that is taken away is stopped; else it is terminated.
    pub stops: bool,
    pub until: Option<String>,
    pub created: String,
    pub tags: Tags,
}

/// A launch template: the data of its versions, from 1 on, as requests have it.
#[derive(Clone, Debug)]
pub struct Template {
    pub id: String,
    pub region: String,
    pub owner: String,
    pub name: String,
    pub default: u32,
    pub versions: BTreeMap<u32, (Value, String)>,
    pub birth: Birth,
}

/// An Auto Scaling group, or a launch configuration, as answers have it.
#[derive(Clone, Debug)]
pub struct Group {
    pub region: String,
    pub owner: String,
    pub name: String,
    pub answer: Value,
}

/// An SSM parameter.
#[derive(Clone, Debug)]
pub struct Parameter {
    pub value: String,
    pub data_type: String,
    pub version: u32,
    pub tags: Tags,
    /// When it is found out whether the value is an image.
    pub checked: Option<Instant>,
}

/// Something that exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Thing {
    pub kind: &'static str,
    pub id: String,
    pub state: String,
    pub name: String,
    pub tags: Tags,
}

impl fmt::Display for Thing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {} {}", self.kind, self.id, self.state, self.name)
    }
}

/// All that there is.
pub struct World {
    pub regions: BTreeSet<String>,
    pub pace: Pace,
    pub guest: Box<dyn Fn(&Boot) -> Guest + Send>,
    pub images: BTreeMap<String, Image>,
    pub snapshots: BTreeMap<String, Snapshot>,
    pub volumes: BTreeMap<String, Volume>,
    pub instances: BTreeMap<String, Instance>,
    pub templates: BTreeMap<String, Template>,
    pub requests: BTreeMap<String, Request>,
    pub groups: Vec<Group>,
    pub configurations: Vec<Group>,
    /// By account, region and name; Amazon's own have no account.
    pub parameters: BTreeMap<(String, String, String), Parameter>,
    /// Versions of parameters that were put, and turned out to hold no image.
    pub refused: Vec<String>,
    /// Keys of an account in a region, by their ARN, with their aliases.
    pub keys: BTreeMap<String, BTreeSet<String>>,
    /// Regions of accounts in which volumes are always encrypted.
    pub encrypts: BTreeSet<(String, String)>,
    /// Whose keys those of a client are.
    pub accounts: BTreeMap<String, String>,
    pub external_id: Option<String>,
    /// Instance profiles that there are, by name.
    pub profiles: BTreeSet<String>,
    /// By account, region, action and token: what was asked for, and what came of it.
    pub tokens: BTreeMap<(String, String, String, String), (String, String)>,
    /// Key pairs and security groups that were made: by kind, region, account and id.
    pub made: BTreeMap<(&'static str, String, String, String), String>,
    /// What the test put there.
    pub given: BTreeSet<String>,
    pub count: u64,
}

impl World {
    pub fn new(regions: &[&str]) -> Self {
        let mut world = Self {
            regions: regions.iter().map(|&region| region.to_owned()).collect(),
            pace: Pace::default(),
            guest: Box::new(prompt),
            images: BTreeMap::new(),
            snapshots: BTreeMap::new(),
            volumes: BTreeMap::new(),
            instances: BTreeMap::new(),
            templates: BTreeMap::new(),
            requests: BTreeMap::new(),
            groups: Vec::new(),
            configurations: Vec::new(),
            parameters: BTreeMap::new(),
            refused: Vec::new(),
            keys: BTreeMap::new(),
            encrypts: BTreeSet::new(),
            accounts: BTreeMap::new(),
            external_id: None,
            profiles: BTreeSet::new(),
            tokens: BTreeMap::new(),
            made: BTreeMap::new(),
            given: BTreeSet::new(),
            count: 0,
        };
        for region in regions {
            world.stock(region);
        }
        world
    }

    /// A new id: `ami-` and 17 digits.
    pub fn id(&mut self, kind: &str) -> String {
        self.count += 1;
        format!("{kind}-0{:016x}", self.count)
    }

    /// The birth of something that is made now.
    pub fn born(&self, now: Instant) -> Birth {
        Birth { created: clock::stamp(Duration::ZERO), seen: now + self.pace.unseen, calls: self.pace.unseen_calls }
    }

    /// Whether an image is Amazon's.
    pub fn is_amazons(image: &Image) -> bool {
        [AMAZON, "137112412989"].contains(&image.owner.as_str())
    }
}
