//! What becomes of a host's recipe.

use std::collections::{BTreeMap, BTreeSet};

use super::cost::{self, Dollars, PRICES};
use crate::lock::Lock;
use crate::name::{RecipeName, Tag};
use crate::recipe::{AmiRecipe, Architecture, Engine, Region, Volume, VolumeKind};
use crate::tree::{Node, Tree};

/// What a bake makes of a host's recipe.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct HostPlan {
    /// The region in which it is made.
    pub region: Region,
    /// How the tuning gets there.
    pub engine: Engine,
    /// The image to start from, for each processor.
    pub base: Vec<HostBase>,
    /// The regions it is copied to.
    pub regions: BTreeSet<Region>,
    /// What is made; nothing where the tuning is user data.
    pub images: Vec<PlannedAmi>,
    /// Who else may start it: accounts, organisations and units.
    pub share: BTreeSet<String>,
    /// Its disks.
    pub volumes: Vec<PlannedVolume>,
    /// What that costs in a month.
    pub monthly: Monthly,
    /// Packages by name, with the version or `*`.
    pub packages: BTreeMap<String, String>,
    /// How many files of the recipe's own it gets, links included.
    pub files: usize,
    /// The bytes of these.
    pub bytes: u64,
}

/// The image that a host is made from.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct HostBase {
    /// Its processor.
    pub architecture: Architecture,
    /// Its id in the region.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The snapshot of its root disk.
    pub snapshot: String,
}

/// An AMI that is made.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct PlannedAmi {
    /// Where.
    pub region: Region,
    /// Its processor.
    pub architecture: Architecture,
    /// Its name.
    pub name: String,
    /// Whether it is a copy of the one in the recipe's region.
    pub copy: bool,
    /// The SSM parameter that will name it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parameter: Option<String>,
    /// The launch template that gets a version with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub launch_template: Option<String>,
}

/// What a host costs in a month, by list prices, without the instance itself.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Monthly {
    /// All snapshots together, if every one of them were full; nothing where the root disk's size is not known.
    pub snapshots_at_most: Option<Dollars>,
    /// The size of a root disk that counts, in GiB, where the recipe says it or the base is known.
    pub root_size: Option<u32>,
    /// The EBS volumes of one host.
    pub volumes: Dollars,
    /// Whether there are volumes of which nobody knows the size; they are left out.
    pub incomplete: bool,
    /// Whose prices.
    pub prices: &'static str,
}

/// A disk of a host.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct PlannedVolume {
    /// What the recipe calls it.
    pub name: String,
    /// What it is kept on.
    pub kind: VolumeKind,
    /// Its size in GiB, where the recipe says it.
    pub size: Option<u32>,
    /// Operations a second that are paid for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub iops: Option<u32>,
    /// MiB a second that are paid for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub throughput: Option<u32>,
    /// What it costs in a month.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub monthly: Option<Dollars>,
}

/// The size in GiB of the ECS-optimized AMI's root disk, where the recipe does not give it another. Of other bases no lock
/// says it.
const ECS_ROOT_SIZE: u32 = 30;

/// How the names of ECS-optimized AMIs go on after `al2023`, or what came before it.
const ECS_OPTIMIZED: &str = "-ami-ecs-hvm-";

pub(super) fn plan(ami: &AmiRecipe, lock: &Lock, files: &Tree, (name, tag): (&RecipeName, &Tag)) -> HostPlan {
    let base = lock.ami.iter().map(|locked| HostBase {
        architecture: locked.architecture,
        id: locked.id.clone(),
        name: locked.name.clone(),
        snapshot: locked.snapshot.clone(),
    });
    let is_root = |volume: &&Volume| lock.ami.iter().any(|base| volume.is_root(&base.root_device));
    let root = ami.volume.iter().find(is_root);
    let is_ecs = !lock.ami.is_empty() && lock.ami.iter().all(|base| base.name.contains(ECS_OPTIMIZED));
    let root_size = root.and_then(|root| root.size).or_else(|| is_ecs.then_some(ECS_ROOT_SIZE));
    let volumes: Vec<_> = ami
        .volume
        .iter()
        .map(|volume| {
            let size = volume.size.or_else(|| root.filter(|root| root.name == volume.name).and(root_size));
            PlannedVolume {
                name: volume.name.clone(),
                kind: volume.kind,
                size: volume.size,
                iops: volume.iops,
                throughput: volume.throughput,
                monthly: size.filter(|_| volume.kind != VolumeKind::InstanceStore).map(|gib| cost::volume(volume, gib)),
            }
        })
        .collect();
    let images = images(ami, name, tag);
    let monthly = Monthly {
        snapshots_at_most: root_size.map(|size| images.iter().map(|_| cost::snapshot(size)).sum()),
        root_size,
        volumes: volumes.iter().filter_map(|volume| volume.monthly).sum(),
        incomplete: volumes.iter().any(|one| one.monthly.is_none() && one.kind != VolumeKind::InstanceStore),
        prices: PRICES,
    };
    let share = ami.ami.iter().filter_map(|ami| ami.share.as_ref());
    HostPlan {
        region: ami.region.clone(),
        engine: ami.engine,
        base: base.collect(),
        regions: ami.copies().cloned().collect(),
        images,
        share: share.flat_map(|share| share.accounts.iter().chain(&share.organizations).cloned()).collect(),
        volumes,
        monthly,
        packages: ami.packages.clone(),
        files: files.iter().filter(|(_, entry)| entry.node != Node::Folder).count(),
        bytes: files.size(),
    }
}

/// An image's name, which people see and EC2 takes once in an account and region.
#[must_use]
pub fn image_name(recipe: &RecipeName, tag: &Tag, architecture: Architecture) -> String {
    format!("{recipe}-{tag}-{architecture}")
}

/// In the recipe's region first, and the copies after them.
fn images(ami: &AmiRecipe, name: &RecipeName, tag: &Tag) -> Vec<PlannedAmi> {
    if ami.engine == Engine::UserData {
        return Vec::new();
    }
    let mut images = Vec::new();
    for region in ami.regions() {
        for &architecture in &ami.architectures {
            images.push(PlannedAmi {
                region: region.clone(),
                architecture,
                name: image_name(name, tag, architecture),
                copy: *region != ami.region,
                parameter: ami.parameter_of(architecture),
                launch_template: ami.template_of(region, architecture).map(str::to_owned),
            });
        }
    }
    images
}
