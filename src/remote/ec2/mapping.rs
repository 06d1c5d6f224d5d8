//! Orders in EC2's words: disks and tags.

use aws_sdk_ec2::types::{BlockDeviceMapping, EbsBlockDevice, ResourceType, Tag, TagSpecification, VolumeType};

use crate::bake::port::{Mapped, Mapping, PortError, Tags};
use crate::recipe::VolumeKind;

use super::control::Control;

/// Disks, where there are any to be named.
pub(super) fn block_devices(
    mappings: &[Mapping],
    control: &Control<'_>,
) -> Result<Option<Vec<BlockDeviceMapping>>, PortError> {
    let all: Vec<_> = mappings.iter().map(|one| block_device(one, control)).collect::<Result<_, _>>()?;
    Ok(Some(all).filter(|all| !all.is_empty()))
}

fn block_device(mapping: &Mapping, control: &Control<'_>) -> Result<BlockDeviceMapping, PortError> {
    let builder = BlockDeviceMapping::builder().device_name(&mapping.device);
    let number = |number: Option<u32>| {
        let converted = number.map(i32::try_from).transpose();
        converted.map_err(|_| control.wrong(format!("the disk {} is beyond all numbers of EC2", mapping.device)))
    };
    Ok(match &mapping.what {
        Mapped::Ephemeral(count) => builder.virtual_name(format!("ephemeral{count}")).build(),
        Mapped::Ebs { kind: Some(VolumeKind::InstanceStore), .. } => {
            return Err(control.wrong(format!("the disk {} is an instance store and no volume", mapping.device)));
        }
        Mapped::Ebs { kind, size, iops, throughput, encrypted, kms_key, delete_on_termination } => {
            let ebs = EbsBlockDevice::builder()
                .set_volume_type(kind.map(|kind| VolumeType::from(kind.as_str())))
                .set_volume_size(number(*size)?)
                .set_iops(number(*iops)?)
                .set_throughput(number(*throughput)?)
                .set_encrypted(*encrypted)
                .set_kms_key_id(kms_key.clone())
                .delete_on_termination(*delete_on_termination);
            builder.ebs(ebs.build()).build()
        }
    })
}

/// The same tags for several kinds of things that come with one call.
pub(super) fn tagged(kinds: &[ResourceType], wanted: &Tags) -> Option<Vec<TagSpecification>> {
    let spec = |kind: &ResourceType| {
        TagSpecification::builder().resource_type(kind.clone()).set_tags(Some(tags(wanted))).build()
    };
    (!wanted.is_empty()).then(|| kinds.iter().map(spec).collect())
}

/// Tags in EC2's words.
pub(super) fn tags(wanted: &Tags) -> Vec<Tag> {
    wanted.iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect()
}
