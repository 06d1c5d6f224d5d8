//! What is recorded of a host's images.

use std::collections::{BTreeMap, BTreeSet};

use crate::lock::Lock;
use crate::recipe::{AmiRecipe, Architecture, Region, VolumeKind};
use crate::text::table;

table! {
    /// An AMI in one region.
    #[derive(Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    pub struct RecordedAmi {
        /// Where it is.
        pub region: Region,
        /// Its processor.
        pub architecture: Architecture,
        /// Its id there.
        pub id: String,
        /// The snapshot of its root disk.
        pub snapshot: String,
        /// Its name there.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub name: Option<String>,
        /// Who owns it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub account: Option<String>,
        /// The key that encrypts volumes there, where the recipe names one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub kms_key: Option<String>,
        /// The snapshots of its other disks, by device name.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        pub snapshots: BTreeMap<String, String>,
    }

    /// What a launch template may say for a host.
    #[derive(Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    pub struct RecordedHost {
        /// The instance types that it is for.
        pub instance_types: BTreeSet<String>,
        /// Whether the ECS agent runs there, which has to be told its cluster.
        pub ecs: bool,
        /// Whether it uses IMDSv2 only.
        pub imds_v2: bool,
        /// Its EBS volumes, as far as the recipe says them.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        pub volumes: Vec<RecordedVolume>,
        /// Tags beside elkbake's own.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        pub tags: BTreeMap<String, String>,
    }

    /// An EBS volume of a host.
    #[derive(Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    pub struct RecordedVolume {
        /// Its device name.
        pub device: String,
        /// What it is kept on.
        pub kind: VolumeKind,
        /// Its size in GiB.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub size: Option<u32>,
        /// Operations a second.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub iops: Option<u32>,
        /// MiB a second.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub throughput: Option<u32>,
        /// Whether it is encrypted; the root disk is as its snapshot is.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub encrypted: Option<bool>,
        /// Whether it goes when the instance goes.
        pub delete_on_termination: bool,
    }

    /// An AMI that was started and found itself well.
    #[derive(Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    pub struct RecordedBoot {
        /// Its id.
        pub id: String,
        /// Where that was.
        pub region: Region,
        /// Its processor.
        pub architecture: Architecture,
        /// When, in UTC.
        pub at: String,
        /// Milliseconds from the order for the instance until it had said that it is well.
        pub ms: u64,
        /// What it said of itself on the way.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        pub notes: Vec<String>,
    }
}

impl RecordedHost {
    /// What a recipe says of its hosts. Volumes without a device name are none that a launch template could name; the root
    /// disk has that of the base, however the recipe names it.
    #[must_use]
    pub fn of(recipe: &AmiRecipe, lock: &Lock) -> Self {
        let volume = |volume: &crate::recipe::Volume| {
            let root = lock.ami.iter().find(|base| volume.is_root(&base.root_device)).map(|base| &base.root_device);
            let device = root.cloned().or_else(|| recipe.device_of(volume));
            let device = device.filter(|_| volume.kind != VolumeKind::InstanceStore)?;
            Some(RecordedVolume {
                encrypted: root.is_none().then_some(volume.encrypted),
                device,
                kind: volume.kind,
                size: volume.size,
                iops: volume.iops,
                throughput: volume.throughput,
                delete_on_termination: volume.delete_on_termination,
            })
        };
        Self {
            instance_types: recipe.instance_types.clone(),
            ecs: !recipe.ecs.is_empty(),
            imds_v2: recipe.ami.as_ref().is_none_or(|ami| ami.imds_v2),
            volumes: recipe.volume.iter().filter_map(volume).collect(),
            tags: recipe.ami.as_ref().map(|ami| ami.tags.clone()).unwrap_or_default(),
        }
    }
}
