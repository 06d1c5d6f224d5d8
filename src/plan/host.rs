//! What becomes of a host's recipe.

use std::collections::{BTreeMap, BTreeSet};

use crate::lock::Lock;
use crate::recipe::{AmiRecipe, Architecture, Engine, Region, VolumeKind};
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
    /// Its disks.
    pub volumes: Vec<PlannedVolume>,
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

/// A disk of a host.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct PlannedVolume {
    /// What the recipe calls it.
    pub name: String,
    /// What it is kept on.
    pub kind: VolumeKind,
    /// Its size in GiB, where the recipe says it.
    pub size: Option<u32>,
}

pub(super) fn plan(ami: &AmiRecipe, lock: &Lock, files: &Tree) -> HostPlan {
    let base = lock.ami.iter().map(|locked| HostBase {
        architecture: locked.architecture,
        id: locked.id.clone(),
        name: locked.name.clone(),
        snapshot: locked.snapshot.clone(),
    });
    let volume = ami.volume.iter().map(|volume| PlannedVolume {
        name: volume.name.clone(),
        kind: volume.kind,
        size: volume.size,
    });
    HostPlan {
        region: ami.region.clone(),
        engine: ami.engine,
        base: base.collect(),
        regions: ami.ami.iter().flat_map(|ami| ami.regions.keys().cloned()).collect(),
        volumes: volume.collect(),
        packages: ami.packages.clone(),
        files: files.iter().filter(|(_, entry)| entry.node != Node::Folder).count(),
        bytes: files.size(),
    }
}
