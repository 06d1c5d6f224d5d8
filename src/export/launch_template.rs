//! The data of an EC2 launch template, as `aws ec2 create-launch-template --launch-template-data` takes it.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;

use super::choice::Choice;
use super::fault::ExportError;
use crate::name::RecipeName;
use crate::recipe::{Architecture, VolumeKind};
use crate::record::{Record, RecordedAmi, RecordedHost, RecordedVolume};

/// What stands where a cluster has to be said.
const CLUSTER: &str = "FILL-IN-ECS-CLUSTER";

/// What no record says of a launch template.
#[derive(Clone, Debug, Default)]
pub struct HostWishes {
    /// The processor, where the AMIs are for several.
    pub architecture: Option<Architecture>,
    /// The instance type; the first of the recipe's that fits where none is named.
    pub instance_type: Option<String>,
    /// The ECS cluster that instances join.
    pub cluster: Option<String>,
    /// Their instance profile, by name or ARN.
    pub instance_profile: Option<String>,
}

/// A launch template's data, and what a person should know about it.
pub struct LaunchTemplate {
    /// The data.
    pub data: Data,
    /// What is left to do.
    pub remarks: Vec<String>,
}

/// `RequestLaunchTemplateData`, as far as it is known.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Data {
    image_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    instance_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    iam_instance_profile: Option<BTreeMap<&'static str, String>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    block_device_mappings: Vec<Mapping>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata_options: Option<Metadata>,
    tag_specifications: Vec<TagSpecification>,
    #[serde(skip_serializing_if = "Option::is_none", rename = "UserData")]
    at_boot: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Mapping {
    device_name: String,
    ebs: Ebs,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Ebs {
    volume_type: VolumeKind,
    #[serde(skip_serializing_if = "Option::is_none")]
    volume_size: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    iops: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    throughput: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    encrypted: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kms_key_id: Option<String>,
    delete_on_termination: bool,
}

#[derive(Serialize)]
struct Metadata {
    #[serde(rename = "HttpEndpoint")]
    endpoint: &'static str,
    #[serde(rename = "HttpTokens")]
    tokens: &'static str,
    #[serde(rename = "HttpPutResponseHopLimit")]
    hop_limit: u8,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct TagSpecification {
    resource_type: &'static str,
    tags: Vec<Tag>,
}

#[derive(Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Tag {
    key: String,
    value: String,
}

/// The launch template of a host: its AMI in the region, its disks, IMDSv2, tags, and the cluster to join.
///
/// # Errors
/// When not one host is meant, or not one AMI of it.
pub fn launch_template(choice: &Choice<'_>, wishes: &HostWishes) -> Result<LaunchTemplate, ExportError> {
    if let (true, Some((recipe, _))) = (choice.is_named, choice.images().next()) {
        return Err(ExportError::Container { recipe: recipe.clone() });
    }
    let hosts: Vec<_> = choice.hosts().collect();
    let [(recipe, record)] = hosts[..] else {
        let known = hosts.into_iter().map(|(recipe, _)| recipe.clone()).collect();
        return Err(ExportError::WhichHost { target: choice.target.to_owned(), known });
    };
    let ami = one(choice, recipe, record, wishes.architecture)?;
    let host = record.host.as_ref();
    let mut remarks = Vec::new();
    let instance_type = instance_type(host, ami, wishes);
    if instance_type.is_none() {
        remarks
            .push(format!("no instance type is known for {recipe} on {}; --instance-type says it", ami.architecture));
    }
    let user_data = match (&wishes.cluster, host) {
        (Some(cluster), _) => Some(joining(cluster)),
        (None, Some(host)) if host.ecs => {
            remarks.push(format!("the user data says ECS_CLUSTER={CLUSTER}; --cluster says which"));
            Some(joining(CLUSTER))
        }
        _ => None,
    };
    if user_data.is_some() && wishes.instance_profile.is_none() {
        remarks.push("the ECS agent needs an instance profile; --instance-profile says which".to_owned());
    }
    let profile = wishes.instance_profile.as_ref().map(|profile| {
        let key = if profile.starts_with("arn:") { "Arn" } else { "Name" };
        BTreeMap::from([(key, profile.clone())])
    });
    let tags = tags(recipe, record);
    let data = Data {
        image_id: ami.id.clone(),
        instance_type,
        iam_instance_profile: profile,
        block_device_mappings: host.iter().flat_map(|host| &host.volumes).map(|one| mapping(one, ami)).collect(),
        // The limit that an AMI of IMDSv2 asks for: containers in networks of their own are one hop further.
        metadata_options: host.is_some_and(|host| host.imds_v2).then_some(Metadata {
            endpoint: "enabled",
            tokens: "required",
            hop_limit: 2,
        }),
        tag_specifications: ["instance", "volume"]
            .map(|resource_type| TagSpecification { resource_type, tags: tags.clone() })
            .into(),
        at_boot: user_data,
    };
    Ok(LaunchTemplate { data, remarks })
}

/// The AMI in the region and for the processor that were said, or the only one.
fn one<'m>(
    choice: &Choice<'m>,
    recipe: &RecipeName,
    record: &'m Record,
    architecture: Option<Architecture>,
) -> Result<&'m RecordedAmi, ExportError> {
    let here = choice.amis_here(recipe, record)?;
    let fitting: Vec<_> =
        here.iter().copied().filter(|ami| architecture.is_none_or(|wanted| ami.architecture == wanted)).collect();
    match fitting[..] {
        [one] => Ok(one),
        [] if here.is_empty() => {
            let mut regions: Vec<_> = record.amis.iter().map(|ami| ami.region.clone()).collect();
            regions.sort();
            regions.dedup();
            Err(ExportError::WhichRegion { recipe: recipe.clone(), regions })
        }
        _ => {
            let known = here.iter().map(|ami| ami.architecture).collect();
            Err(ExportError::WhichProcessor { recipe: recipe.clone(), known })
        }
    }
}

fn instance_type(host: Option<&RecordedHost>, ami: &RecordedAmi, wishes: &HostWishes) -> Option<String> {
    let fits = |kind: &&String| processor(kind) == ami.architecture;
    wishes.instance_type.clone().or_else(|| host?.instance_types.iter().find(fits).cloned())
}

/// A volume that an AMI has a snapshot of is encrypted as that is, and may not be told so.
fn mapping(volume: &RecordedVolume, ami: &RecordedAmi) -> Mapping {
    let encrypted = volume.encrypted.filter(|_| !ami.snapshots.contains_key(&volume.device));
    Mapping {
        device_name: volume.device.clone(),
        ebs: Ebs {
            volume_type: volume.kind,
            volume_size: volume.size,
            iops: volume.iops,
            throughput: volume.throughput,
            encrypted,
            kms_key_id: ami.kms_key.clone().filter(|_| encrypted == Some(true)),
            delete_on_termination: volume.delete_on_termination,
        },
    }
}

/// The processor of an instance type, by its name: of Graviton are those with a `g` among the letters after the number of
/// the generation, as in `r6gd.xlarge`, and `a1`.
fn processor(instance_type: &str) -> Architecture {
    let family = instance_type.split('.').next().unwrap_or_default();
    let after = family.find(|c: char| c.is_ascii_digit()).map_or("", |at| &family[at..]);
    if family == "a1" || after.split('-').next().is_some_and(|letters| letters.contains('g')) {
        Architecture::Arm
    } else {
        Architecture::X86
    }
}

/// What instances say of where they come from. Never `elkbake:run`, by which `elkbake sweep` finds what to remove.
fn tags(recipe: &RecipeName, record: &Record) -> Vec<Tag> {
    let mut tags: BTreeMap<String, String> = record.host.as_ref().map(|host| host.tags.clone()).unwrap_or_default();
    tags.entry("Name".to_owned()).or_insert_with(|| recipe.to_string());
    tags.insert("elkbake:recipe".to_owned(), recipe.to_string());
    tags.insert("elkbake:tag".to_owned(), record.tag.to_string());
    tags.into_iter().map(|(key, value)| Tag { key, value }).collect()
}

/// The agent starts after all user data has run.
fn joining(cluster: &str) -> String {
    STANDARD.encode(format!("#!/bin/bash\necho 'ECS_CLUSTER={cluster}' >> /etc/ecs/ecs.config\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn graviton_is_told_by_the_name() {
        for (name, expected) in [
            ("r6g.xlarge", Architecture::Arm),
            ("im4gn.large", Architecture::Arm),
            ("a1.large", Architecture::Arm),
            ("hpc7g.4xlarge", Architecture::Arm),
            ("g4dn.xlarge", Architecture::X86),
            ("g5g.xlarge", Architecture::Arm),
            ("i4i.large", Architecture::X86),
            ("u-6tb1.metal", Architecture::X86),
            ("m7i-flex.large", Architecture::X86),
        ] {
            assert_eq!(processor(name), expected, "{name}");
        }
    }
}
