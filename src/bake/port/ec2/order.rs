//! What EC2 is told to make or change.

use std::collections::BTreeSet;

use super::Tags;
use crate::recipe::{Region, Share, VolumeKind};

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
    /// Where it is to be a spot instance: until when EC2 may start it, and start it again. `2027-01-02T03:04:00Z`
    pub spot: Option<String>,
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
    /// The token was used for another order, or what came of it was ended since.
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
    /// It is not marked as deprecated, neither now nor later.
    NeverDeprecate,
}
