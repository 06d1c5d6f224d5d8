//! What EC2 answers, as the port says it.

use std::collections::BTreeMap;

use aws_sdk_ec2::primitives::{DateTime, DateTimeFormat};
use aws_sdk_ec2::types::{
    self as sdk, EbsNvmeSupport, ImdsSupportValues, InstanceTypeHypervisor, InstanceTypeInfo, StateReason,
};

use crate::bake::port::{Disk, Instance, Machine, SpotRequest, Tags, TypeFacts};

/// An image; `None` where the answer names none.
pub(in crate::remote) fn machine(image: sdk::Image) -> Option<Machine> {
    let reason = reason(image.state_reason.as_ref());
    let mut snapshots = BTreeMap::new();
    for mapping in image.block_device_mappings.unwrap_or_default() {
        if let (Some(device), Some(snapshot)) = (mapping.device_name, mapping.ebs.and_then(|ebs| ebs.snapshot_id)) {
            snapshots.insert(device, snapshot);
        }
    }
    Some(Machine {
        id: image.image_id?,
        name: image.name.unwrap_or_default(),
        state: image.state.map(|state| state.as_str().to_owned()).unwrap_or_default(),
        reason,
        architecture: image.architecture.map(|one| one.as_str().to_owned()).unwrap_or_default(),
        root_device: image.root_device_name.unwrap_or_default(),
        snapshots,
        created: image.creation_date.unwrap_or_default(),
        deprecated: image.deprecation_time,
        imds_v2: image.imds_support == Some(ImdsSupportValues::V20),
        boot_mode: image.boot_mode.map(|mode| mode.as_str().to_owned()),
        ena: image.ena_support.unwrap_or_default(),
        tpm: image.tpm_support.map(|tpm| tpm.as_str().to_owned()),
        tags: tags(image.tags),
    })
}

/// An instance; `None` where the answer names none.
pub(super) fn instance(instance: sdk::Instance) -> Option<Instance> {
    let transition = instance.state_transition_reason.filter(|said| !said.is_empty());
    let volumes = instance.block_device_mappings.unwrap_or_default().into_iter();
    Some(Instance {
        id: instance.instance_id?,
        state: instance.state.and_then(|state| state.name).map(|name| name.as_str().to_owned()).unwrap_or_default(),
        reason: reason(instance.state_reason.as_ref()).or(transition),
        image: instance.image_id.unwrap_or_default(),
        started: when(instance.launch_time),
        volumes: volumes.filter_map(|mapping| mapping.ebs?.volume_id).collect(),
        tags: tags(instance.tags),
    })
}

/// A request for a spot instance; `None` where the answer names none.
pub(super) fn spot_request(request: sdk::SpotInstanceRequest) -> Option<SpotRequest> {
    Some(SpotRequest {
        id: request.spot_instance_request_id?,
        state: request.state.map(|state| state.as_str().to_owned()).unwrap_or_default(),
        created: when(request.create_time),
        tags: tags(request.tags),
    })
}

/// A volume; `None` where the answer names none.
pub(super) fn volume(volume: sdk::Volume) -> Option<Disk> {
    Some(Disk {
        id: volume.volume_id?,
        state: volume.state.map(|state| state.as_str().to_owned()).unwrap_or_default(),
        created: when(volume.create_time),
        size: number(volume.size).unwrap_or_default(),
        kms_key: volume.kms_key_id,
        tags: tags(volume.tags),
    })
}

/// A snapshot; `None` where the answer names none.
pub(super) fn snapshot(snapshot: sdk::Snapshot) -> Option<Disk> {
    Some(Disk {
        id: snapshot.snapshot_id?,
        state: snapshot.state.map(|state| state.as_str().to_owned()).unwrap_or_default(),
        created: when(snapshot.start_time),
        size: number(snapshot.volume_size).unwrap_or_default(),
        kms_key: snapshot.kms_key_id,
        tags: tags(snapshot.tags),
    })
}

/// An instance type; `None` where the answer names none.
pub(super) fn type_facts(info: InstanceTypeInfo) -> Option<TypeFacts> {
    let processors = info.processor_info.and_then(|all| all.supported_architectures).unwrap_or_default();
    let best = info.ebs_info.as_ref().and_then(|ebs| ebs.ebs_optimized_info.as_ref());
    let disks = info.instance_storage_info.and_then(|store| store.disks).unwrap_or_default();
    let smallest = disks.iter().filter_map(|disk| u32::try_from(disk.size_in_gb?).ok()).min();
    let count = disks.iter().filter_map(|disk| number(disk.count)).sum();
    // Bare metal has no hypervisor; where it is Nitro, its volumes are NVMe.
    let is_nvme = info.ebs_info.as_ref().is_some_and(|ebs| ebs.nvme_support == Some(EbsNvmeSupport::Required));
    Some(TypeFacts {
        name: info.instance_type?.as_str().to_owned(),
        architectures: processors.into_iter().map(|one| one.as_str().to_owned()).collect(),
        ebs_iops: best.and_then(|best| number(best.maximum_iops)),
        ebs_throughput: best.and_then(|best| whole(best.maximum_throughput_in_m_bps)),
        ebs_volumes: info.ebs_info.as_ref().and_then(|ebs| number(ebs.maximum_ebs_attachments)),
        store: smallest.map(|size| (count, size)),
        nitro: info.hypervisor == Some(InstanceTypeHypervisor::Nitro) || is_nvme,
    })
}

/// Tags, by name.
pub(super) fn tags(tags: Option<Vec<sdk::Tag>>) -> Tags {
    let pairs = tags.unwrap_or_default().into_iter();
    pairs.filter_map(|tag| Some((tag.key?, tag.value.unwrap_or_default()))).collect()
}

fn reason(reason: Option<&StateReason>) -> Option<String> {
    let reason = reason?;
    let said = reason.message().or(reason.code()).filter(|said| !said.is_empty())?;
    // The code is what is understood further up; as a rule the message begins with it.
    let whole = match reason.code() {
        Some(code) if code.starts_with("Server.Spot") && !said.starts_with(code) => format!("{code}: {said}"),
        _ => said.to_owned(),
    };
    // All that EC2 ever says where it could not open the volumes.
    let is_key = reason.code() == Some("Client.InternalError") || said.starts_with("Client.InternalError");
    let why = if is_key { " (as a rule the KMS key of its volumes, which the credentials may not use)" } else { "" };
    Some(format!("{whole}{why}"))
}

fn when(time: Option<DateTime>) -> String {
    time.and_then(|time| time.fmt(DateTimeFormat::DateTime).ok()).unwrap_or_default()
}

fn number(number: Option<i32>) -> Option<u32> {
    u32::try_from(number?).ok()
}

/// The whole part of what cannot be more than a few thousand.
fn whole(number: Option<f64>) -> Option<u32> {
    format!("{:.0}", number?.floor()).parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_start_by_a_key_is_explained() {
        let reason =
            |code: &str, said: &str| super::reason(Some(&StateReason::builder().code(code).message(said).build()));
        let by_key = reason("Client.InternalError", "Client.InternalError: Client error on launch").unwrap();
        assert!(by_key.contains("Client error on launch (as a rule the KMS key"), "{by_key}");
        let by_itself =
            reason("Client.InstanceInitiatedShutdown", "Client.InstanceInitiatedShutdown: Instance initiated");
        assert_eq!(by_itself.unwrap(), "Client.InstanceInitiatedShutdown: Instance initiated");
        assert_eq!(super::reason(Some(&StateReason::builder().build())), None);
    }

    #[test]
    fn megabytes_a_second_are_whole() {
        assert_eq!(whole(Some(593.75)), Some(593));
        assert_eq!(whole(Some(-1.0)), None);
        assert_eq!(whole(None), None);
    }
}
