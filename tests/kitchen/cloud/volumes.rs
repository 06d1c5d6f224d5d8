//! Volumes.

use serde_json::{Value, json};

use super::call::{Answer, Call, No, done, no, refuse};
use super::filter::{filters, matches, page, part};
use super::tags;
use super::world::{Volume, World};

pub fn describe(world: &mut World, call: &mut Call) -> Answer {
    let ids = call.params.list("VolumeId")?;
    let filters = filters(&mut call.params)?;
    let page = page(&mut call.params, !ids.is_empty(), (5, 1000))?;
    call.params.finished()?;
    for id in &ids {
        found(world, call, id)?;
    }
    let mut list = Vec::new();
    for volume in world.volumes.values_mut().filter(|one| one.region == call.region && one.owner == call.account) {
        let is_meant = if ids.is_empty() { volume.birth.is_seen(call.now) } else { ids.contains(&volume.id) };
        if is_meant && matches(&filters, &volume.tags, |name| said(volume, name))? {
            list.push(written(volume));
        }
    }
    let (list, next) = part(world, list, &page);
    Ok(json!({ "volumeSet": list, "nextToken": next }))
}

fn found<'a>(world: &'a mut World, call: &Call, id: &str) -> Result<&'a mut Volume, No> {
    if !id.starts_with("vol-") {
        return refuse("InvalidParameterValue", format!("Value ({id}) for parameter volumes is invalid."));
    }
    let missing = no("InvalidVolume.NotFound", format!("The volume '{id}' does not exist."));
    let there = world.volumes.get_mut(id).filter(|one| one.region == call.region && one.owner == call.account);
    there.and_then(|one| one.birth.is_seen(call.now).then_some(one)).ok_or(missing)
}

fn state(volume: &Volume) -> &'static str {
    if volume.attached.is_some() { "in-use" } else { "available" }
}

fn said(volume: &Volume, name: &str) -> Option<Vec<String>> {
    let attached = |what: fn(&(String, String)) -> &String| volume.attached.iter().map(|at| what(at).clone()).collect();
    Some(match name {
        "attachment.device" => attached(|at| &at.1),
        "attachment.instance-id" => attached(|at| &at.0),
        "create-time" => vec![volume.birth.created.clone()],
        "encrypted" => vec![volume.ebs.encrypted.to_string()],
        "size" => vec![volume.ebs.size.to_string()],
        "snapshot-id" => volume.ebs.snapshot.iter().cloned().collect(),
        "status" => vec![state(volume).to_owned()],
        "volume-id" => vec![volume.id.clone()],
        "volume-type" => vec![volume.ebs.kind.clone()],
        _ => return None,
    })
}

fn written(volume: &Volume) -> Value {
    let attached: Vec<Value> = volume
        .attached
        .iter()
        .map(|(instance, device)| {
            json!({
                "volumeId": volume.id, "instanceId": instance, "device": device, "status": "attached",
                "attachTime": volume.birth.created, "deleteOnTermination": volume.ebs.delete_on_termination,
            })
        })
        .collect();
    json!({
        "volumeId": volume.id, "size": volume.ebs.size, "snapshotId": volume.ebs.snapshot,
        "availabilityZone": format!("{}a", volume.region), "status": state(volume),
        "createTime": volume.birth.created, "attachmentSet": attached, "encrypted": volume.ebs.encrypted,
        "kmsKeyId": volume.ebs.kms_key, "volumeType": volume.ebs.kind, "iops": volume.ebs.iops,
        "throughput": volume.ebs.throughput, "multiAttachEnabled": false, "tagSet": tags::written(&volume.tags),
    })
}

pub fn delete(world: &mut World, call: &mut Call) -> Answer {
    let id = call.params.need("VolumeId")?;
    call.params.finished()?;
    if let Some((instance, _)) = &found(world, call, &id)?.attached {
        return refuse("VolumeInUse", format!("Volume {id} is currently attached to {instance}"));
    }
    world.volumes.remove(&id);
    Ok(done())
}

pub fn encryption_by_default(world: &mut World, call: &mut Call) -> Answer {
    call.params.finished()?;
    let is_on = world.encrypts.contains(&(call.account.clone(), call.region.clone()));
    Ok(json!({ "ebsEncryptionByDefault": is_on, "sseType": if is_on { "sse-kms" } else { "none" } }))
}
