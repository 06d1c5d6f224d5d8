//! What is asked of EC2, and of SSM and Auto Scaling beside it: images, the instances that become images, and who uses
//! them.
//!
//! Every call is one that AWS has, or a list of all pages of one; which call follows which is decided on the road.
//! What may be called again safely after its answer was lost is: by a client token, or because the same thing is asked
//! for. Throttling, and "does not exist" right after something was made, are waited out behind this port.

use std::collections::{BTreeMap, BTreeSet};

use super::PortError;
use crate::bake::event::Listener;
use crate::recipe::{Architecture, Region, Share, VolumeKind};

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
    /// Its tags.
    pub tags: Tags,
}

/// A disk in a block device mapping.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// The device name.
    pub device: String,
    /// What is there.
    pub what: Mapped,
}

/// What is at a device name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mapped {
    /// A disk of the instance's own, counted from 0.
    Ephemeral(u8),
    /// A volume. What is not said is as the image has it.
    Ebs {
        /// What it is kept on; never an instance store.
        kind: Option<VolumeKind>,
        /// In GiB.
        size: Option<u32>,
        /// Operations a second.
        iops: Option<u32>,
        /// MiB a second.
        throughput: Option<u32>,
        /// Whether it is encrypted.
        encrypted: Option<bool>,
        /// With which key; the account's own where none is named.
        kms_key: Option<String>,
        /// Whether it goes when the instance goes.
        delete_on_termination: bool,
    },
}

/// An instance that is to be started. It has no key pair, uses IMDSv2 only, and stops when it shuts itself down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunOrder {
    /// The image.
    pub image: String,
    /// The instance's type.
    pub instance_type: String,
    /// Its user data, as cloud-init is to read it; at most 16 KiB.
    pub user_data: Vec<u8>,
    /// Its disks, where they are not as the image has them.
    pub mappings: Vec<Mapping>,
    /// One of the default VPC's where none is named.
    pub subnet: Option<String>,
    /// The VPC's default one where none is named.
    pub security_groups: BTreeSet<String>,
    /// By name or ARN.
    pub instance_profile: Option<String>,
    /// Whether it is to be a spot instance, for once.
    pub spot: bool,
    /// Tags of the instance and its volumes.
    pub tags: Tags,
    /// The same token and order never start a second one.
    pub token: String,
}

/// What came of a [`RunOrder`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Started {
    /// The instance.
    Instance(String),
    /// There is no spot instance to be had now, for this reason.
    NoSpot(String),
    /// The token was used for another order.
    OtherOrder,
}

/// An image that is to be made of a stopped instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageOrder {
    /// The instance.
    pub instance: String,
    /// The image's name; EC2 takes each name once in an account and region.
    pub name: String,
    /// What people read of it.
    pub description: String,
    /// Disks beside the root disk, and the root disk where it is not as the instance has it.
    pub mappings: Vec<Mapping>,
    /// Tags of the image and its snapshots.
    pub tags: Tags,
}

/// An image that is to be brought to another region; or anew to its own, with another encryption.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CopyOrder {
    /// Where it is.
    pub from: Region,
    /// Its id there.
    pub image: String,
    /// Its name, there as here.
    pub name: String,
    /// What people read of it.
    pub description: String,
    /// Whether the copy is encrypted; what is encrypted stays so.
    pub encrypted: bool,
    /// With which key.
    pub kms_key: Option<String>,
    /// Tags of the copy and its snapshots.
    pub tags: Tags,
    /// The same token and order never make a second one.
    pub token: String,
}

/// What came of an order for an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImageMade {
    /// The image; it is `pending` for minutes.
    Image(String),
    /// The name is taken.
    NameTaken,
}

/// One thing that is changed about an image.
#[derive(Clone, Debug, PartialEq)]
pub enum ImageStep {
    /// These may start it as well, beside those that may already.
    Share(Share),
    /// These may not any more.
    Unshare(Share),
    /// Instances have to use IMDSv2. There is no way back.
    ImdsV2,
    /// It is marked as deprecated at this time: `2027-01-02T03:04:00Z`.
    Deprecate(String),
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

/// EC2, with what belongs to it in SSM and Auto Scaling.
pub trait Ec2: Sync {
    /// The account that our credentials belong to.
    ///
    /// # Errors
    /// When AWS does not say so, or says no; all others likewise.
    fn caller(&self, site: &Ec2Site, tell: Listener<'_>) -> Result<String, PortError>;

    /// Images of the account, deprecated ones too.
    ///
    /// # Errors
    /// See [`Ec2::caller`].
    fn images(&self, site: &Ec2Site, ask: &Ask, tell: Listener<'_>) -> Result<Vec<Machine>, PortError>;

    /// An image by id, whoever owns it.
    ///
    /// # Errors
    /// See [`Ec2::caller`].
    fn image(&self, site: &Ec2Site, id: &str, tell: Listener<'_>) -> Result<Option<Machine>, PortError>;

    /// Instances.
    ///
    /// # Errors
    /// See [`Ec2::caller`].
    fn instances(&self, site: &Ec2Site, ask: &Ask, tell: Listener<'_>) -> Result<Vec<Instance>, PortError>;

    /// Volumes.
    ///
    /// # Errors
    /// See [`Ec2::caller`].
    fn volumes(&self, site: &Ec2Site, ask: &Ask, tell: Listener<'_>) -> Result<Vec<Disk>, PortError>;

    /// Snapshots.
    ///
    /// # Errors
    /// See [`Ec2::caller`].
    fn snapshots(&self, site: &Ec2Site, ask: &Ask, tell: Listener<'_>) -> Result<Vec<Disk>, PortError>;

    /// What instance types have; those that a region does not have are not in the answer.
    ///
    /// # Errors
    /// See [`Ec2::caller`].
    fn types(&self, site: &Ec2Site, names: &BTreeSet<String>, tell: Listener<'_>) -> Result<Vec<TypeFacts>, PortError>;

    /// Starts an instance.
    ///
    /// # Errors
    /// See [`Ec2::caller`].
    fn run(&self, site: &Ec2Site, order: &RunOrder, tell: Listener<'_>) -> Result<Started, PortError>;

    /// What an instance has printed on its serial console; empty where EC2 has none of it yet.
    ///
    /// # Errors
    /// See [`Ec2::caller`].
    fn console(&self, site: &Ec2Site, instance: &str, tell: Listener<'_>) -> Result<String, PortError>;

    /// Ends an instance. One that is not there is ended.
    ///
    /// # Errors
    /// See [`Ec2::caller`].
    fn terminate(&self, site: &Ec2Site, instance: &str, tell: Listener<'_>) -> Result<(), PortError>;

    /// Makes an image of an instance.
    ///
    /// # Errors
    /// See [`Ec2::caller`].
    fn make_image(&self, site: &Ec2Site, order: &ImageOrder, tell: Listener<'_>) -> Result<ImageMade, PortError>;

    /// Brings an image from another region to a site.
    ///
    /// # Errors
    /// See [`Ec2::caller`].
    fn copy_image(&self, site: &Ec2Site, order: &CopyOrder, tell: Listener<'_>) -> Result<ImageMade, PortError>;

    /// Who may start an image beside its owner.
    ///
    /// # Errors
    /// See [`Ec2::caller`].
    fn shared(&self, site: &Ec2Site, image: &str, tell: Listener<'_>) -> Result<Share, PortError>;

    /// Changes something about an image.
    ///
    /// # Errors
    /// See [`Ec2::caller`].
    fn change(&self, site: &Ec2Site, image: &str, step: &ImageStep, tell: Listener<'_>) -> Result<(), PortError>;

    /// Which accounts may make volumes of a snapshot. Snapshots know no organisations.
    ///
    /// # Errors
    /// See [`Ec2::caller`].
    fn snapshot_shared(
        &self,
        site: &Ec2Site,
        snapshot: &str,
        tell: Listener<'_>,
    ) -> Result<BTreeSet<String>, PortError>;

    /// Lets accounts make volumes of a snapshot, and others not any more.
    ///
    /// # Errors
    /// See [`Ec2::caller`].
    fn share_snapshot(
        &self,
        site: &Ec2Site,
        snapshot: &str,
        add: &BTreeSet<String>,
        remove: &BTreeSet<String>,
        tell: Listener<'_>,
    ) -> Result<(), PortError>;

    /// Puts tags on things of any kind, beside those that they have.
    ///
    /// # Errors
    /// See [`Ec2::caller`].
    fn tag(&self, site: &Ec2Site, ids: &BTreeSet<String>, tags: &Tags, tell: Listener<'_>) -> Result<(), PortError>;

    /// Takes an image away; its snapshots stay. One that is not there is away.
    ///
    /// # Errors
    /// See [`Ec2::caller`].
    fn deregister(&self, site: &Ec2Site, image: &str, tell: Listener<'_>) -> Result<(), PortError>;

    /// Deletes a snapshot. One that is not there is deleted.
    ///
    /// # Errors
    /// See [`Ec2::caller`].
    fn delete_snapshot(&self, site: &Ec2Site, snapshot: &str, tell: Listener<'_>) -> Result<(), PortError>;

    /// Deletes a volume. One that is not there is deleted.
    ///
    /// # Errors
    /// See [`Ec2::caller`].
    fn delete_volume(&self, site: &Ec2Site, volume: &str, tell: Listener<'_>) -> Result<(), PortError>;

    /// What an SSM parameter says; `None` where there is none.
    ///
    /// # Errors
    /// See [`Ec2::caller`].
    fn parameter(&self, site: &Ec2Site, name: &str, tell: Listener<'_>) -> Result<Option<String>, PortError>;

    /// Puts an AMI's id into an SSM parameter of AMI ids (`aws:ec2:image`).
    ///
    /// # Errors
    /// See [`Ec2::caller`].
    fn put_parameter(&self, site: &Ec2Site, name: &str, image: &str, tell: Listener<'_>) -> Result<(), PortError>;

    /// A launch template by name or `lt-` id; `None` where there is none.
    ///
    /// # Errors
    /// See [`Ec2::caller`].
    fn template(&self, site: &Ec2Site, name: &str, tell: Listener<'_>) -> Result<Option<Template>, PortError>;

    /// Makes a version of a launch template that is the newest one with another image, and tells its number. The same
    /// token never makes a second one.
    ///
    /// # Errors
    /// See [`Ec2::caller`].
    fn new_version(
        &self,
        site: &Ec2Site,
        template: &Template,
        image: &str,
        description: &str,
        token: &str,
        tell: Listener<'_>,
    ) -> Result<u64, PortError>;

    /// Makes a version of a launch template its default.
    ///
    /// # Errors
    /// See [`Ec2::caller`].
    fn set_default(
        &self,
        site: &Ec2Site,
        template: &Template,
        version: u64,
        tell: Listener<'_>,
    ) -> Result<(), PortError>;

    /// Ids of all images that something in the region starts from, with who does: instances that are not terminated,
    /// default and newest versions of launch templates, whatever versions and configurations Auto Scaling groups name.
    ///
    /// # Errors
    /// See [`Ec2::caller`].
    fn in_use(&self, site: &Ec2Site, tell: Listener<'_>) -> Result<BTreeMap<String, BTreeSet<String>>, PortError>;
}

impl Machine {
    /// Its processor, where it is one that elkbake bakes for.
    #[must_use]
    pub fn processor(&self) -> Option<Architecture> {
        self.architecture.parse().ok()
    }
}
