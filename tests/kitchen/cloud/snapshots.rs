//! Snapshots.

use serde_json::{Value, json};

use super::call::{Answer, Call, No, done, no, refuse};
use super::filter::{filters, matches, page, part};
use super::tags;
use super::world::{Snapshot, World};

pub fn describe(world: &mut World, call: &mut Call) -> Answer {
    let ids = call.params.list("SnapshotId")?;
    let owners = call.params.list("Owner")?;
    let restorable = call.params.list("RestorableBy")?;
    let filters = filters(&mut call.params)?;
    let page = page(&mut call.params, !ids.is_empty(), (5, 1000))?;
    call.params.finished()?;
    for id in &ids {
        found(world, call, id)?;
    }
    let mut list = Vec::new();
    for snapshot in world.snapshots.values_mut().filter(|one| one.region == call.region) {
        let is_own = snapshot.owner == call.account;
        if ids.is_empty() && !snapshot.birth.is_seen(call.now) || !ids.is_empty() && !ids.contains(&snapshot.id) {
            continue;
        }
        let is_owner = |owner: &String| owner == "self" && is_own || *owner == snapshot.owner;
        if !owners.is_empty() && !owners.iter().any(is_owner) || !is_visible(snapshot, call) {
            continue;
        }
        let may = |who: &String| is_own && who == "self" || snapshot.shared.contains(who);
        if !restorable.is_empty() && !restorable.iter().any(may) {
            continue;
        }
        if matches(&filters, &snapshot.tags, |name| said(snapshot, name))? {
            list.push(written(snapshot));
        }
    }
    let (list, next) = part(world, list, &page);
    Ok(json!({ "snapshotSet": list, "nextToken": next }))
}

fn is_visible(snapshot: &Snapshot, call: &Call) -> bool {
    snapshot.owner == call.account || snapshot.shared.contains(&call.account)
}

fn found<'a>(world: &'a mut World, call: &Call, id: &str) -> Result<&'a mut Snapshot, No> {
    if !id.starts_with("snap-") {
        return refuse("InvalidSnapshotID.Malformed", format!("Invalid id: \"{id}\" (expecting \"snap-...\")"));
    }
    let missing = no("InvalidSnapshot.NotFound", format!("The snapshot '{id}' does not exist."));
    let there = world.snapshots.get_mut(id).filter(|one| one.region == call.region && is_visible(one, call));
    there.and_then(|one| one.birth.is_seen(call.now).then_some(one)).ok_or(missing)
}

/// A snapshot that the caller has to own.
pub fn own<'a>(world: &'a mut World, call: &Call, id: &str) -> Result<&'a mut Snapshot, No> {
    let snapshot = found(world, call, id)?;
    if snapshot.owner != call.account {
        return refuse("OperationNotPermitted", format!("You do not own snapshot '{id}'"));
    }
    Ok(snapshot)
}

fn said(snapshot: &Snapshot, name: &str) -> Option<Vec<String>> {
    Some(vec![match name {
        "description" => snapshot.description.clone(),
        "encrypted" => snapshot.kms_key.is_some().to_string(),
        "owner-id" => snapshot.owner.clone(),
        "snapshot-id" => snapshot.id.clone(),
        "start-time" => snapshot.birth.created.clone(),
        "status" => snapshot.state.clone(),
        "volume-id" => snapshot.volume.clone(),
        "volume-size" => snapshot.size.to_string(),
        _ => return None,
    }])
}

fn written(snapshot: &Snapshot) -> Value {
    json!({
        "snapshotId": snapshot.id, "volumeId": snapshot.volume, "status": snapshot.state,
        "statusMessage": snapshot.message, "startTime": snapshot.birth.created,
        "progress": if snapshot.state == "completed" { "100%" } else { "0%" }, "ownerId": snapshot.owner,
        "description": snapshot.description, "volumeSize": snapshot.size, "encrypted": snapshot.kms_key.is_some(),
        "kmsKeyId": snapshot.kms_key, "storageTier": "standard", "tagSet": tags::written(&snapshot.tags),
    })
}

/// The image that needs a snapshot.
pub fn used(world: &World, id: &str) -> Option<String> {
    let has = |image: &&super::Image| {
        image.disks.iter().any(|disk| disk.ebs.as_ref().is_some_and(|ebs| ebs.snapshot.as_deref() == Some(id)))
    };
    world.images.values().find(has).map(|image| image.id.clone())
}

pub fn delete(world: &mut World, call: &mut Call) -> Answer {
    let id = call.params.need("SnapshotId")?;
    call.params.finished()?;
    own(world, call, &id)?;
    if let Some(image) = used(world, &id) {
        return refuse("InvalidSnapshot.InUse", format!("The snapshot {id} is currently in use by {image}"));
    }
    world.snapshots.remove(&id);
    Ok(done())
}
