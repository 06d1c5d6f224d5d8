//! Disks: what EBS and instance types offer, and whether what the folders need fits.

use std::ops::RangeInclusive;

use super::instance_store::{self, Store};
use super::mount;
use super::rules::{
    NO_INSTANCE_STORE, SPACE_NEEDED, VOLUME_FIGURE, VOLUME_LIMITS, VOLUME_RATIO, VOLUME_SIZE, VOLUME_TWICE,
};
use crate::product::subject::{Found, Scene};
use crate::recipe::{AmiRecipe, Volume, VolumeKind};

const TIB: u32 = 1024;

/// The size in GiB of the ECS-optimized AMI's root volume, where the recipe does not give it another.
const ROOT_SIZE: u32 = 30;

/// What a kind of EBS volume offers. The figures are those of EC2's API model; the ratios of gp3 and io2 come from
/// older documentation, so that what breaks only them is no more than a warning.
struct Offer {
    size: RangeInclusive<u32>,
    iops: Option<RangeInclusive<u32>>,
    throughput: Option<RangeInclusive<u32>>,
    iops_per_gib: u32,
}

fn offer(kind: VolumeKind) -> Option<Offer> {
    let plain = |size| Offer { size, iops: None, throughput: None, iops_per_gib: u32::MAX };
    Some(match kind {
        VolumeKind::Gp3 => {
            Offer { size: 1..=64 * TIB, iops: Some(3_000..=80_000), throughput: Some(125..=2_000), iops_per_gib: 500 }
        }
        VolumeKind::Io2 => Offer { iops: Some(100..=256_000), iops_per_gib: 1_000, ..plain(4..=64 * TIB) },
        VolumeKind::Io1 => Offer { iops: Some(100..=64_000), iops_per_gib: 50, ..plain(4..=16 * TIB) },
        VolumeKind::Gp2 => plain(1..=16 * TIB),
        VolumeKind::St1 | VolumeKind::Sc1 => plain(125..=16 * TIB),
        VolumeKind::InstanceStore => return None,
    })
}

pub(super) fn check(scene: &Scene<'_>, ami: &AmiRecipe, found: &mut Found) {
    for (i, volume) in ami.volume.iter().enumerate() {
        match offer(volume.kind) {
            Some(offer) => check_ebs(scene, (i, volume), &offer, found),
            None => check_store(scene, ami, (i, volume), found),
        }
        check_twice(scene, &ami.volume[..i], (i, volume), found);
        mount::check(scene, ami, (i, volume), found);
    }
    check_space(scene, ami, found);
}

fn key(i: usize, field: &str) -> String {
    format!("volume.{i}.{field}")
}

/// Whether a volume is the base's root disk, whose size the base gives. Without a lock its name is not known.
fn is_root(scene: &Scene<'_>, volume: &Volume) -> bool {
    let bases = scene.subject.lock.map_or(&[][..], |lock| &lock.ami[..]);
    volume.is_root("") || bases.iter().any(|base| volume.is_root(&base.root_device))
}

fn check_ebs(scene: &Scene<'_>, (i, volume): (usize, &Volume), offer: &Offer, found: &mut Found) {
    let kind = volume.kind;
    match volume.size {
        None if !is_root(scene, volume) && !mount::is_named_as_root(volume) => {
            found.add(&VOLUME_SIZE, scene.key(&key(i, "size")), format!("`{}` has no size", volume.name));
        }
        None => {}
        Some(size) => within(scene, i, ("size", "GiB"), (kind, size), &offer.size, found),
    }
    let figures =
        [("iops", "IOPS", volume.iops, &offer.iops), ("throughput", "MiB/s", volume.throughput, &offer.throughput)];
    for (field, unit, value, range) in figures {
        match (value, range) {
            (Some(value), Some(range)) => within(scene, i, (field, unit), (kind, value), range, found),
            (Some(_), None) => {
                let message = format!("{kind} takes no `{field}`");
                found.add(&VOLUME_FIGURE, scene.key(&key(i, field)), message);
            }
            (None, _) => {}
        }
    }
    if volume.iops.is_none() && matches!(kind, VolumeKind::Io1 | VolumeKind::Io2) {
        let message = format!("{kind} has to be told its `iops`");
        found.add(&VOLUME_LIMITS, scene.key(&key(i, "iops")), message);
    }
    if volume.raid0 {
        found.add(&VOLUME_FIGURE, scene.key(&key(i, "raid0")), "`raid0` joins the disks of an instance store only");
    }
    check_ratios(scene, (i, volume), offer, found);
}

fn within(
    scene: &Scene<'_>,
    i: usize,
    (field, unit): (&str, &str),
    (kind, value): (VolumeKind, u32),
    range: &RangeInclusive<u32>,
    found: &mut Found,
) {
    if !range.contains(&value) {
        let message = format!("{value} {unit}: {kind} has {} to {}", range.start(), range.end());
        found.add(&VOLUME_LIMITS, scene.key(&key(i, field)), message);
    }
}

fn check_ratios(scene: &Scene<'_>, (i, volume): (usize, &Volume), offer: &Offer, found: &mut Found) {
    let (kind, iops) = (volume.kind, volume.iops.unwrap_or(3_000));
    if let (Some(size), Some(iops)) = (volume.size, volume.iops) {
        // Every gp3 has 3,000, however small it is.
        let least = if kind == VolumeKind::Gp3 { 3_000 } else { 0 };
        let most = size.saturating_mul(offer.iops_per_gib).max(least);
        if offer.iops.is_some() && iops > most {
            // io1's ratio has stood for years.
            let rule = if kind == VolumeKind::Io1 { &VOLUME_LIMITS } else { &VOLUME_RATIO };
            let message = format!("{iops} IOPS on {size} GiB: {kind} has {} for each GiB", offer.iops_per_gib);
            found.add(rule, scene.key(&key(i, "iops")), message);
        }
    }
    if let Some(throughput) = volume.throughput.filter(|&throughput| kind == VolumeKind::Gp3 && throughput > iops / 4) {
        let message = format!("{throughput} MiB/s with {iops} IOPS: gp3 has 0.25 MiB/s for each");
        found.add(&VOLUME_RATIO, scene.key(&key(i, "throughput")), message);
    }
}

fn check_store(scene: &Scene<'_>, ami: &AmiRecipe, (i, volume): (usize, &Volume), found: &mut Found) {
    for (field, value) in [("size", volume.size), ("iops", volume.iops), ("throughput", volume.throughput)] {
        if value.is_some() {
            let message = format!("an instance store takes no `{field}`: it has what the instance type has");
            found.add(&VOLUME_FIGURE, scene.key(&key(i, field)), message);
        }
    }
    for kind in ami.instance_types.iter().filter(|kind| instance_store::of(kind) == Store::None) {
        let message = format!("`{kind}` has no instance store for `{}`", volume.name);
        found.add(&NO_INSTANCE_STORE, scene.key(&key(i, "kind")), message);
    }
}

fn check_twice(scene: &Scene<'_>, before: &[Volume], (i, volume): (usize, &Volume), found: &mut Found) {
    let place = |volume: &Volume| volume.mount.as_ref().map(|mount| mount.as_str().to_owned());
    for other in before {
        let (field, what) = if other.name == volume.name {
            ("name", volume.name.clone())
        } else if volume.shares_device(other) {
            ("device", volume.device.clone().unwrap_or_default())
        } else if volume.mount.is_some() && other.mount == volume.mount {
            ("mount", place(volume).unwrap_or_default())
        } else {
            continue;
        };
        let message = format!("`{}` and `{}` have the same {field}, `{what}`", other.name, volume.name);
        found.add(&VOLUME_TWICE, scene.key(&key(i, field)), message);
    }
}

/// Adds up what the folders on each volume need. A folder lies on the volume with the longest mount above it.
fn check_space(scene: &Scene<'_>, ami: &AmiRecipe, found: &mut Found) {
    let volume_of = |path: &crate::name::ImagePath| {
        let holds = |volume: &&Volume| volume.mount.as_ref().is_some_and(|mount| path.is_within(mount));
        let mounted =
            ami.volume.iter().filter(holds).max_by_key(|v| v.mount.as_ref().map_or(0, |m| m.components().count()));
        mounted.or_else(|| ami.volume.iter().find(|volume| is_root(scene, volume)))
    };
    let mut needs: Vec<(Option<&Volume>, u64, usize)> = Vec::new();
    for (i, folder) in ami.folder.iter().enumerate() {
        let (Some(need), volume) = (folder.needs, volume_of(&folder.path)) else { continue };
        let same = |(other, ..): &&mut (Option<&Volume>, u64, usize)| match (*other, volume) {
            (Some(a), Some(b)) => std::ptr::eq(a, b),
            (a, b) => a.is_none() && b.is_none(),
        };
        match needs.iter_mut().find(same) {
            Some((_, sum, last)) => (*sum, *last) = (*sum + u64::from(need), i),
            None => needs.push((volume, u64::from(need), i)),
        }
    }
    for (volume, sum, i) in needs {
        let name = volume.map_or("the root volume", |volume| volume.name.as_str());
        for (size, whose) in sizes(ami, volume) {
            if sum > size {
                let message = format!("{sum} GiB are needed on {name}, which has {size} GiB{whose}");
                found.add(&SPACE_NEEDED, scene.key(&format!("folder.{i}.needs")), message);
            }
        }
    }
}

/// The sizes that a volume has in GiB, and on what; nothing where nobody can tell.
fn sizes(ami: &AmiRecipe, volume: Option<&Volume>) -> Vec<(u64, String)> {
    match volume {
        None => vec![(u64::from(ROOT_SIZE), " unless a `[[volume]]` says otherwise".to_owned())],
        Some(volume) if volume.kind == VolumeKind::InstanceStore => {
            let size = |kind: &String| match instance_store::of(kind) {
                Store::Disks { count, gb } => {
                    let disks = if volume.raid0 { count } else { 1 };
                    // Disks are sold in GB of 1000³ bytes.
                    let gib = u64::from(disks) * u64::from(gb) * 1_000_000_000 / (1 << 30);
                    Some((gib, format!(" on `{kind}`")))
                }
                Store::None | Store::Unknown => None,
            };
            ami.instance_types.iter().filter_map(size).collect()
        }
        Some(volume) => vec![(u64::from(volume.size.unwrap_or(ROOT_SIZE)), String::new())],
    }
}
