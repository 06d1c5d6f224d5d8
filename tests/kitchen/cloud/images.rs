//! Images: what is told of them, and when they are deprecated.

use serde_json::{Value, json};

use super::call::{Answer, Call, No, done, no, refuse};
use super::devices;
use super::filter::{filters, matches, page, part};
use super::world::{Grant, Image, World};
use super::{clock, tags};

pub fn describe(world: &mut World, call: &mut Call) -> Answer {
    let ids = call.params.list("ImageId")?;
    let owners = call.params.list("Owner")?;
    let executable = call.params.list("ExecutableBy")?;
    let old = call.params.flag("IncludeDeprecated")?.unwrap_or(false);
    let disabled = call.params.flag("IncludeDisabled")?.unwrap_or(false);
    let filters = filters(&mut call.params)?;
    let page = page(&mut call.params, !ids.is_empty(), (1, 1000))?;
    call.params.finished()?;
    for id in &ids {
        found(world, call, id)?;
    }
    let mut list = Vec::new();
    for image in world.images.values_mut().filter(|image| image.region == call.region) {
        if ids.is_empty() && !image.birth.is_seen(call.now) || !is_visible(image, call) {
            continue;
        }
        let is_old = image.deprecated.as_deref().and_then(clock::minute).is_some_and(clock::is_past);
        let is_named = ids.contains(&image.id);
        let is_own = image.owner == call.account;
        if (!ids.is_empty() && !is_named) || (is_old && !old && !is_named && !is_own) {
            continue;
        }
        if image.state == "disabled" && !disabled {
            continue;
        }
        let is_owner = |owner: &String| match owner.as_str() {
            "self" => is_own,
            "amazon" => World::is_amazons(image),
            "aws-marketplace" | "aws-backup-vault" => false,
            owner => owner == image.owner,
        };
        if !owners.is_empty() && !owners.iter().any(is_owner) {
            continue;
        }
        if !executable.is_empty() && !executable.iter().any(|who| may_start(image, who, &call.account)) {
            continue;
        }
        if matches(&filters, &image.tags, |name| said(image, name))? {
            list.push(written(image));
        }
    }
    let (list, next) = part(world, list, &page);
    Ok(json!({ "imagesSet": list, "nextToken": next }))
}

fn may_start(image: &Image, who: &str, account: &str) -> bool {
    match who {
        "self" => image.shared.contains(&Grant::Account(account.to_owned())),
        "all" => image.shared.contains(&Grant::Everybody),
        who => image.shared.contains(&Grant::Account(who.to_owned())),
    }
}

/// Whether an account knows of an image.
pub fn is_visible(image: &Image, call: &Call) -> bool {
    image.owner == call.account
        || image.state == "available"
            && image.shared.iter().any(|grant| match grant {
                Grant::Everybody => true,
                Grant::Account(account) => *account == call.account,
                Grant::Organization(_) | Grant::Unit(_) => false,
            })
}

/// An image that a call knows of.
pub fn found<'a>(world: &'a mut World, call: &Call, id: &str) -> Result<&'a mut Image, No> {
    if !id.starts_with("ami-") {
        return refuse("InvalidAMIID.Malformed", format!("Invalid id: \"{id}\" (expecting \"ami-...\")"));
    }
    let missing = no("InvalidAMIID.NotFound", format!("The image id '[{id}]' does not exist"));
    let image = world.images.get_mut(id).filter(|image| image.region == call.region && is_visible(image, call));
    image.and_then(|image| image.birth.is_seen(call.now).then_some(image)).ok_or(missing)
}

/// The same for who has to own it.
pub fn own<'a>(world: &'a mut World, call: &Call, id: &str) -> Result<&'a mut Image, No> {
    let image = found(world, call, id)?;
    if image.owner != call.account {
        let said = format!("Not authorized for image:{id}");
        return Err(No { status: 403, ..no("AuthFailure", said) });
    }
    Ok(image)
}

fn said(image: &Image, name: &str) -> Option<Vec<String>> {
    let ebs = || image.disks.iter().filter_map(|disk| disk.ebs.as_ref());
    Some(match name {
        "architecture" => vec![image.architecture.clone()],
        "block-device-mapping.device-name" => image.disks.iter().map(|disk| disk.device.clone()).collect(),
        "block-device-mapping.encrypted" => ebs().map(|ebs| ebs.encrypted.to_string()).collect(),
        "block-device-mapping.snapshot-id" => ebs().filter_map(|ebs| ebs.snapshot.clone()).collect(),
        "block-device-mapping.volume-type" => ebs().map(|ebs| ebs.kind.clone()).collect(),
        "creation-date" => vec![image.birth.created.clone()],
        "description" => vec![image.description.clone()],
        "ena-support" => vec![image.ena.to_string()],
        "hypervisor" => vec!["xen".to_owned()],
        "image-id" => vec![image.id.clone()],
        "image-type" => vec!["machine".to_owned()],
        "is-public" => vec![image.shared.contains(&Grant::Everybody).to_string()],
        "name" => vec![image.name.clone()],
        "owner-alias" => World::is_amazons(image).then(|| "amazon".to_owned()).into_iter().collect(),
        "owner-id" => vec![image.owner.clone()],
        "root-device-name" => vec![image.root_device.clone()],
        "root-device-type" => vec!["ebs".to_owned()],
        "source-image-id" => image.source.iter().map(|(_, id)| id.clone()).collect(),
        "source-image-region" => image.source.iter().map(|(region, _)| region.clone()).collect(),
        "source-instance-id" => image.source_instance.iter().cloned().collect(),
        "state" => vec![image.state.clone()],
        "virtualization-type" => vec!["hvm".to_owned()],
        _ => return None,
    })
}

fn written(image: &Image) -> Value {
    let has_snapshots = image.state != "pending";
    let reason = image.reason.as_ref().map(|(code, said)| json!({ "code": code, "message": said }));
    json!({
        "imageId": image.id, "imageLocation": format!("{}/{}", image.owner, image.name), "imageState": image.state,
        "imageOwnerId": image.owner, "creationDate": image.birth.created, "architecture": image.architecture,
        "isPublic": image.shared.contains(&Grant::Everybody), "imageType": "machine", "name": image.name,
        "imageOwnerAlias": World::is_amazons(image).then_some("amazon"),
        "description": (!image.description.is_empty()).then_some(&image.description),
        "platformDetails": "Linux/UNIX", "usageOperation": "RunInstances", "hypervisor": "xen",
        "rootDeviceName": image.root_device, "rootDeviceType": "ebs", "virtualizationType": "hvm",
        "blockDeviceMapping": devices::written(&image.disks, has_snapshots),
        "enaSupport": image.ena, "sriovNetSupport": "simple", "bootMode": image.boot_mode,
        "tpmSupport": image.tpm, "imdsSupport": image.imds, "deprecationTime": image.deprecated,
        "stateReason": reason, "tagSet": tags::written(&image.tags),
        "sourceInstanceId": image.source_instance,
        "sourceImageId": image.source.as_ref().map(|(_, id)| id),
        "sourceImageRegion": image.source.as_ref().map(|(region, _)| region),
        "deregistrationProtection": "disabled",
    })
}

pub fn deprecate(world: &mut World, call: &mut Call) -> Answer {
    let id = call.params.need("ImageId")?;
    let at = call.params.need("DeprecateAt")?;
    call.params.finished()?;
    let invalid = || no("InvalidParameterValue", format!("Value ({at}) for parameter DeprecateAt is invalid."));
    let moment = clock::minute(&at).ok_or_else(invalid)?;
    if clock::is_past(moment) {
        return refuse("InvalidParameterValue", format!("Value ({at}) for parameter DeprecateAt is in the past."));
    }
    if clock::is_too_far(moment) {
        let said = format!("Value ({at}) for parameter DeprecateAt is more than 10 years from now.");
        return refuse("InvalidParameterValue", said);
    }
    own(world, call, &id)?.deprecated = Some(clock::written(moment));
    Ok(done())
}

pub fn undeprecate(world: &mut World, call: &mut Call) -> Answer {
    let id = call.params.need("ImageId")?;
    call.params.finished()?;
    own(world, call, &id)?.deprecated = None;
    Ok(done())
}
