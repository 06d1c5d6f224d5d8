//! Images are made, copied and taken away.

use std::collections::BTreeSet;
use std::time::Instant;

use serde_json::{Value, json};

use super::call::{Answer, Call, No, done, no, refuse};
use super::world::{Disk, Image, Instance, Snapshot, Tags, World};
use super::{devices, encryption, images, instances, tags, token};

/// Why something fails that needed a key which is not there.
const NO_KEY: &str = "Given key ID is not accessible";

pub fn create(world: &mut World, call: &mut Call) -> Answer {
    let id = call.params.need("InstanceId")?;
    let name = name(&mut call.params.need("Name")?)?;
    let description = description(call.params.text("Description"))?;
    let no_reboot = call.params.flag("NoReboot")?.unwrap_or(false);
    let specified = tags::specified(&mut call.params, &["image", "snapshot"])?;
    let said = devices::taken(&mut call.params)?;
    call.params.finished()?;
    let instance = instances::found(world, call, &id)?.clone();
    if !["running", "stopped"].contains(&instance.state.as_str()) {
        let said = format!("Instance '{id}' is not 'running' or 'stopped'.");
        return refuse("IncorrectInstanceState", said);
    }
    let there = disks_of(world, &instance);
    devices::of_image(&there, &said)?;
    let disks = devices::merged(world, &call.region, &call.account, &there, said)?;
    if !disks.iter().any(|disk| disk.device == instance.root_device && disk.ebs.is_some()) {
        return refuse("InvalidBlockDeviceMapping", format!("There is no root device {}", instance.root_device));
    }
    untaken(world, call, &name)?;
    if instance.state == "running" && !no_reboot {
        reboot(world, &id, call.now);
    }
    let base = world.images.get(&instance.boot.image);
    let image = Image {
        id: String::new(),
        region: call.region.clone(),
        owner: call.account.clone(),
        name,
        description,
        state: "pending".to_owned(),
        reason: None,
        architecture: instance.boot.architecture.clone(),
        root_device: instance.root_device.clone(),
        disks: Vec::new(),
        deprecated: None,
        imds: base.and_then(|base| base.imds.clone()),
        boot_mode: instance.boot_mode.clone(),
        tpm: instance.tpm.clone(),
        ena: base.is_none_or(|base| base.ena),
        source: base.map(|base| (base.region.clone(), base.id.clone())),
        source_instance: Some(id.clone()),
        tags: tags::of(&specified, "image"),
        shared: BTreeSet::new(),
        birth: world.born(call.now),
        ready: call.now + world.pace.image,
        fails: None,
    };
    let why = format!("Created by CreateImage({id}) for ");
    let id = add(world, image, disks, &there, &why, &tags::of(&specified, "snapshot"), call.now);
    Ok(json!({ "imageId": id }))
}

/// What an instance's disks are, as an image has them: each with the volume that a snapshot is made of.
fn disks_of(world: &World, instance: &Instance) -> Vec<Disk> {
    let of = |id: &String| {
        let volume = world.volumes.get(id)?;
        let ebs = super::world::Ebs { snapshot: None, ..volume.ebs.clone() };
        Some(Disk { device: volume.attached.as_ref()?.1.clone(), ebs: Some(ebs), own: None })
    };
    instance.volumes.iter().filter_map(of).collect()
}

fn reboot(world: &mut World, id: &str, now: Instant) {
    let Some(mut instance) = world.instances.remove(id) else { return };
    "pending".clone_into(&mut instance.state);
    instance.next = Some(now);
    world.instances.insert(id.to_owned(), instance);
}

/// Puts an image into the world, with a snapshot of every disk that it has data of.
fn add(
    world: &mut World,
    mut image: Image,
    disks: Vec<Disk>,
    sources: &[Disk],
    why: &str,
    snapshot_tags: &Tags,
    now: Instant,
) -> String {
    let id = world.id("ami");
    image.id.clone_from(&id);
    for mut disk in disks {
        let has_data = sources.iter().any(|source| source.device == disk.device);
        if let Some(ebs) = disk.ebs.as_mut().filter(|ebs| has_data && ebs.snapshot.is_none()) {
            let snapshot = Snapshot {
                id: world.id("snap"),
                region: image.region.clone(),
                owner: image.owner.clone(),
                description: format!("{why}{id}"),
                volume: "vol-0ffffffffffffffff".to_owned(),
                size: ebs.size,
                state: "pending".to_owned(),
                message: None,
                kms_key: ebs.kms_key.clone(),
                tags: snapshot_tags.clone(),
                shared: BTreeSet::new(),
                birth: world.born(now),
                ready: now + world.pace.snapshot.min(image.ready - now),
                fails: image.fails.as_ref().map(|(_, said)| said.clone()),
            };
            ebs.snapshot = Some(snapshot.id.clone());
            world.snapshots.insert(snapshot.id.clone(), snapshot);
        }
        image.disks.push(disk);
    }
    world.images.insert(id.clone(), image);
    id
}

pub fn copy(world: &mut World, call: &mut Call) -> Answer {
    let token = token::taken(call)?;
    let source = call.params.need("SourceImageId")?;
    let from = call.params.need("SourceRegion")?;
    let name = name(&mut call.params.need("Name")?)?;
    let text = description(call.params.text("Description"))?;
    let encrypted = call.params.flag("Encrypted")?;
    let kms_key = call.params.text("KmsKeyId");
    let keeps_tags = call.params.flag("CopyImageTags")?.unwrap_or(false);
    let specified = tags::specified(&mut call.params, &["image", "snapshot"])?;
    call.params.finished()?;
    if let Some(id) = token.before(world)? {
        return Ok(json!({ "imageId": id }));
    }
    if kms_key.is_some() && encrypted != Some(true) {
        let said = "The parameter KmsKeyId requires the parameter Encrypted to be set.";
        return refuse("InvalidParameterDependency", said);
    }
    let before = source_of(world, call, &from, &source)?;
    untaken(world, call, &name)?;
    let is_encrypted = |disk: &Disk| disk.ebs.as_ref().is_some_and(|ebs| ebs.encrypted);
    if before.disks.iter().any(is_encrypted) && encrypted == Some(false) {
        let said = "You cannot create an unencrypted copy of an encrypted image";
        return refuse("InvalidParameterCombination", said);
    }
    let key = encryption::key(world, &call.region, &call.account, kms_key.as_deref());
    let by_default = world.encrypts.contains(&(call.account.clone(), call.region.clone()));
    let encrypts = encrypted == Some(true) || by_default || before.disks.iter().any(is_encrypted);
    let fails =
        (encrypts && key.is_none()).then(|| ("Client.InvalidKMSKey.InvalidState".to_owned(), NO_KEY.to_owned()));
    // What has no snapshot is a disk that is made empty, there as here.
    let has_data = |disk: &&Disk| disk.ebs.as_ref().is_some_and(|ebs| ebs.snapshot.is_some());
    let sources: Vec<_> = before.disks.iter().filter(has_data).cloned().collect();
    let mut disks = before.disks.clone();
    for ebs in disks.iter_mut().filter_map(|disk| disk.ebs.as_mut()).filter(|ebs| ebs.snapshot.is_some()) {
        let stays = ebs.encrypted || by_default || encrypted == Some(true);
        (ebs.snapshot, ebs.encrypted) = (None, stays);
        ebs.kms_key = stays.then(|| key.clone().unwrap_or_default());
    }
    let mut image_tags = if keeps_tags && before.owner == call.account { before.tags.clone() } else { Tags::new() };
    image_tags.extend(tags::of(&specified, "image"));
    let image = Image {
        region: call.region.clone(),
        owner: call.account.clone(),
        name,
        description: text,
        state: "pending".to_owned(),
        disks: Vec::new(),
        deprecated: None,
        source: Some((from.clone(), source.clone())),
        source_instance: None,
        tags: image_tags,
        shared: BTreeSet::new(),
        birth: world.born(call.now),
        ready: call.now + world.pace.copy,
        fails,
        ..before
    };
    let why = format!("Copied for SourceAmi {source} from {from} to ");
    let id = add(world, image, disks, &sources, &why, &tags::of(&specified, "snapshot"), call.now);
    token.keep(world, &id);
    Ok(json!({ "imageId": id }))
}

fn source_of(world: &World, call: &Call, from: &str, id: &str) -> Result<Image, No> {
    if !world.regions.contains(from) {
        return refuse("InvalidParameterValue", format!("Invalid value '{from}' for sourceRegion"));
    }
    let there = world.images.get(id).filter(|image| image.region == from && images::is_visible(image, call));
    let Some(image) = there else {
        return refuse("InvalidAMIID.NotFound", format!("The image id '[{id}]' does not exist"));
    };
    if image.state != "available" {
        let said = format!("The image '{id}' is {} and not available for copying", image.state);
        return refuse("InvalidAMIID.Unavailable", said);
    }
    for ebs in image.disks.iter().filter_map(|disk| disk.ebs.as_ref()).filter(|_| image.owner != call.account) {
        if ebs.kms_key.as_deref().is_some_and(encryption::is_default) {
            return refuse("InvalidRequest", "You do not have permission to access the storage of this ami");
        }
    }
    Ok(image.clone())
}

/// A name that an image may have.
fn name(name: &mut String) -> Result<String, No> {
    let is_fine = |letter: char| letter.is_ascii_alphanumeric() || "()[] ./-'@_".contains(letter);
    if !(3..=128).contains(&name.chars().count()) || !name.chars().all(is_fine) {
        let said = "AMI names must be between 3 and 128 characters long, and may contain letters, numbers, '(', ')', '.', \
                    '-', '/', '@', '_', ''', '[', ']' and ' '";
        return refuse("InvalidAMIName.Malformed", said);
    }
    Ok(std::mem::take(name))
}

fn description(said: Option<String>) -> Result<String, No> {
    let text = said.unwrap_or_default();
    if text.chars().count() > 255 || !text.is_ascii() {
        let said = format!("Character sets beyond ASCII, or more than 255 characters, are not supported: {text}");
        return refuse("InvalidParameterValue", said);
    }
    Ok(text)
}

/// An account's images in a region have names of their own, those that have failed or are under way too.
fn untaken(world: &World, call: &Call, name: &str) -> Result<(), No> {
    let taken =
        world.images.values().find(|one| one.region == call.region && one.owner == call.account && one.name == name);
    match taken {
        None => Ok(()),
        Some(image) => {
            let said = format!("AMI name {name} is already in use by AMI {}", image.id);
            refuse("InvalidAMIName.Duplicate", said)
        }
    }
}

pub fn deregister(world: &mut World, call: &mut Call) -> Answer {
    let id = call.params.need("ImageId")?;
    let with_snapshots = call.params.flag("DeleteAssociatedSnapshots")?.unwrap_or(false);
    call.params.finished()?;
    images::own(world, call, &id)?;
    let Some(image) = world.images.remove(&id) else {
        return Err(no("InvalidAMIID.Unavailable", format!("The image ID '{id}' is no longer available")));
    };
    let snapshots: Vec<String> =
        image.disks.iter().filter_map(|disk| disk.ebs.as_ref()?.snapshot.clone()).filter(|_| with_snapshots).collect();
    let results: Vec<Value> = snapshots
        .into_iter()
        .map(|snapshot| {
            let is_own = world.snapshots.get(&snapshot).is_some_and(|one| one.owner == call.account);
            let code = match super::snapshots::used(world, &snapshot) {
                Some(_) => "skipped",
                None if is_own => "success",
                None => "client-error",
            };
            if code == "success" {
                world.snapshots.remove(&snapshot);
            }
            json!({ "snapshotId": snapshot, "returnCode": code })
        })
        .collect();
    let mut answer = done();
    if with_snapshots {
        answer["deleteSnapshotResultSet"] = results.into();
    }
    Ok(answer)
}
