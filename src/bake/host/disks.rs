//! Block device mappings.

use super::order::Order;
use crate::bake::port::{Mapped, Mapping};
use crate::lock::LockedAmi;
use crate::recipe::{Volume, VolumeKind};

/// The root disk of an instance that is made into an image: encrypted from the start, so that no copy is needed for
/// that; and what the image has of size and speed it has from this disk.
pub(super) fn root(order: &Order<'_>, base: &LockedAmi) -> Mapping {
    let said = order.recipe.volume.iter().find(|volume| volume.is_root(&base.root_device));
    let encrypted = order.encrypted();
    let what = Mapped::Ebs {
        kind: said.map(|volume| volume.kind),
        size: said.and_then(|volume| volume.size),
        iops: said.and_then(|volume| volume.iops),
        throughput: said.and_then(|volume| volume.throughput),
        encrypted: encrypted.then_some(true),
        kms_key: order.kms_key(order.home()).filter(|_| encrypted),
        delete_on_termination: true,
    };
    Mapping { device: base.root_device.clone(), what }
}

/// The disks of the image: those beside the root disk, and the root disk where it is to outlive its instance, which an
/// instance that is made into an image does not let it.
pub(super) fn of_image(order: &Order<'_>, base: &LockedAmi) -> Vec<Mapping> {
    let root =
        order.recipe.volume.iter().find(|volume| volume.is_root(&base.root_device) && !volume.delete_on_termination);
    let root = root.map(|_| Mapping { device: base.root_device.clone(), what: only_deletion(false) });
    // EC2 takes a key in an instance's mappings only: which one encrypts there is said when a host is started.
    root.into_iter().chain(data(order, base, None)).collect()
}

/// The disks of an instance that shows whether a host boots: what the image says of its disks, or with the base as it is
/// what the recipe says. None of them outlives it.
pub(super) fn of_trial(order: &Order<'_>, base: &LockedAmi, has_disks: bool) -> Vec<Mapping> {
    let mut mappings =
        if has_disks { of_image(order, base) } else { data(order, base, order.kms_key(order.home()).as_deref()) };
    if has_disks {
        mappings.retain(|mapping| matches!(mapping.what, Mapped::Ebs { delete_on_termination: false, .. }));
        mappings.iter_mut().for_each(|mapping| mapping.what = only_deletion(true));
        return mappings;
    }
    for mapping in &mut mappings {
        if let Mapped::Ebs { delete_on_termination, .. } = &mut mapping.what {
            *delete_on_termination = true;
        }
    }
    mappings.push(root(order, base));
    mappings
}

/// A volume as the image has it, but for whether it goes with its instance.
fn only_deletion(delete_on_termination: bool) -> Mapped {
    Mapped::Ebs {
        kind: None,
        size: None,
        iops: None,
        throughput: None,
        encrypted: None,
        kms_key: None,
        delete_on_termination,
    }
}

/// The disks beside the root disk.
///
/// `NVMe` disks of an instance are there without being mapped, and so is every instance store of today: one is mapped
/// only where the recipe gives it a device name, for old Xen types.
fn data(order: &Order<'_>, base: &LockedAmi, kms_key: Option<&str>) -> Vec<Mapping> {
    let volumes: Vec<_> = order.recipe.volume.iter().filter(|volume| !volume.is_root(&base.root_device)).collect();
    let mut stores = 0..24;
    let mut mappings = Vec::new();
    for volume in volumes {
        let what = if volume.kind == VolumeKind::InstanceStore {
            let (Some(_), Some(number)) = (&volume.device, stores.next()) else { continue };
            Mapped::Ephemeral(number)
        } else {
            ebs(volume, kms_key)
        };
        mappings.extend(order.recipe.device_of(volume).map(|device| Mapping { device, what }));
    }
    mappings
}

fn ebs(volume: &Volume, kms_key: Option<&str>) -> Mapped {
    Mapped::Ebs {
        kind: Some(volume.kind),
        size: volume.size,
        iops: volume.iops,
        throughput: volume.throughput,
        encrypted: volume.encrypted.then_some(true),
        kms_key: kms_key.filter(|_| volume.encrypted).map(str::to_owned),
        delete_on_termination: volume.delete_on_termination,
    }
}
