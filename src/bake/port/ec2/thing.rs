//! What EC2 tells of what there is.

use std::collections::{BTreeMap, BTreeSet};

use crate::project::Ec2 as Account;
use crate::recipe::{Architecture, Region};

/// An account in a region, and how we get there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ec2Site {
    /// The region.
    pub region: Region,
    /// The account that all of it is to be in.
    pub account: String,
    /// A role that is assumed for all calls.
    pub role: Option<String>,
    /// What the role's trust policy asks for.
    pub external_id: Option<String>,
}

impl Ec2Site {
    /// A target's account in a region.
    #[must_use]
    pub fn of(account: &Account, region: &Region) -> Self {
        Self {
            region: region.clone(),
            account: account.account.clone(),
            role: account.role.clone(),
            external_id: account.external_id.clone(),
        }
    }
}

/// Tags, by name.
pub type Tags = BTreeMap<String, String>;

/// Which things are meant; all conditions have to hold. Only those of the account itself are ever meant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ask {
    /// One of these ids. Where one is named that is not there, the others are still answered.
    pub ids: BTreeSet<String>,
    /// All of these tags.
    pub tags: Tags,
    /// A tag of this name, whatever it says.
    pub tagged: Option<String>,
    /// This very name; images only.
    pub name: Option<String>,
}

/// An image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Machine {
    /// Its id in the region.
    pub id: String,
    /// Its name.
    pub name: String,
    /// `pending`, `available`, `failed`, …
    pub state: String,
    /// Why it is in that state, where EC2 says so.
    pub reason: Option<String>,
    /// Its processor, in EC2's words.
    pub architecture: String,
    /// The device name of its root disk.
    pub root_device: String,
    /// The snapshots of its disks, by device name.
    pub snapshots: BTreeMap<String, String>,
    /// When it was made.
    pub created: String,
    /// When it was or will be marked as deprecated.
    pub deprecated: Option<String>,
    /// Whether instances from it have to use IMDSv2.
    pub imds_v2: bool,
    /// In EC2's words: `uefi-preferred`.
    pub boot_mode: Option<String>,
    /// Whether it says that it has the driver for enhanced networking.
    pub ena: bool,
    /// In EC2's words: `v2.0`.
    pub tpm: Option<String>,
    /// Its tags.
    pub tags: Tags,
}

/// An instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance {
    /// Its id.
    pub id: String,
    /// `pending`, `running`, `stopping`, `stopped`, `shutting-down`, `terminated`.
    pub state: String,
    /// Why it is in that state, where EC2 says so.
    pub reason: Option<String>,
    /// The image that it was started from.
    pub image: String,
    /// When it was started, as EC2 writes it.
    pub started: String,
    /// Its volumes.
    pub volumes: BTreeSet<String>,
    /// Its tags.
    pub tags: Tags,
}

/// A volume or snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disk {
    /// Its id.
    pub id: String,
    /// `available`, `in-use`, `completed`, `pending`, `error`, …
    pub state: String,
    /// When it was made, as EC2 writes it.
    pub created: String,
    /// Its size in GiB.
    pub size: u32,
    /// The ARN of the key that encrypts it.
    pub kms_key: Option<String>,
    /// Its tags.
    pub tags: Tags,
}

/// A request for a spot instance, which starts another one in the place of one that has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpotRequest {
    /// Its id.
    pub id: String,
    /// `open`, `active`, `disabled`, `closed`, `cancelled`, `failed`.
    pub state: String,
    /// When it was made, as EC2 writes it.
    pub created: String,
    /// Its tags.
    pub tags: Tags,
}

impl SpotRequest {
    /// Whether it may start an instance, now or later.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        matches!(self.state.as_str(), "open" | "active" | "disabled")
    }
}

/// What an instance type has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypeFacts {
    /// Its name.
    pub name: String,
    /// Its processors, in EC2's words.
    pub architectures: BTreeSet<String>,
    /// Operations a second that all its volumes together can have at best; none where EC2 does not say.
    pub ebs_iops: Option<u32>,
    /// MB a second, likewise.
    pub ebs_throughput: Option<u32>,
    /// Volumes that can be attached.
    pub ebs_volumes: Option<u32>,
    /// Its own disks: how many, and the size of each in GB.
    pub store: Option<(u32, u32)>,
    /// Whether it is a Nitro system.
    pub nitro: bool,
}

/// A launch template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The version that is used where none is named.
    pub default: u64,
    /// The newest version.
    pub latest: u64,
    /// The image of the newest version, where it names one.
    pub latest_image: Option<String>,
}

impl Machine {
    /// Its processor, where it is one that elkbake bakes for.
    #[must_use]
    pub fn processor(&self) -> Option<Architecture> {
        self.architecture.parse().ok()
    }
}
