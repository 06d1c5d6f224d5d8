//! Tags: those that something is made with, and those that it gets later.

use serde_json::{Value, json};

use super::call::{Answer, Call, No, done, no, refuse};
use super::params::Params;
use super::world::{Tags, World};

/// The most that a thing may have.
const MOST: usize = 50;

/// Takes the tags of the things that a call makes, of one of some kinds each.
pub fn specified(params: &mut Params, kinds: &[&str]) -> Result<Vec<(String, Tags)>, No> {
    let mut specified: Vec<(String, Tags)> = Vec::new();
    for mut one in params.groups("TagSpecification")? {
        let kind = one.need("ResourceType")?;
        if !kinds.contains(&kind.as_str()) {
            let said = format!("'{kind}' is not a valid taggable resource type for this operation.");
            return refuse("InvalidParameterValue", said);
        }
        if specified.iter().any(|(other, _)| *other == kind) {
            return refuse("InvalidParameterValue", format!("Duplicate resource type '{kind}'"));
        }
        let tags = taken(&mut one)?;
        one.done()?;
        if tags.is_empty() {
            return refuse("InvalidParameterValue", "Tag specification must have at least one tag");
        }
        specified.push((kind, tags));
    }
    Ok(specified)
}

/// The tags for things of a kind.
pub fn of(specified: &[(String, Tags)], kind: &str) -> Tags {
    specified.iter().find(|(of, _)| of == kind).map(|(_, tags)| tags.clone()).unwrap_or_default()
}

fn taken(params: &mut Params) -> Result<Tags, No> {
    let mut tags = Tags::new();
    for mut one in params.groups("Tag")? {
        let (key, value) = (one.need("Key")?, one.text("Value").unwrap_or_default());
        one.done()?;
        if key.chars().count() > 127 {
            return refuse(
                "InvalidParameterValue",
                format!("Tag key exceeds the maximum length of 127 characters: {key}"),
            );
        }
        if value.chars().count() > 256 {
            let said = format!("Tag value exceeds the maximum length of 256 characters: {value}");
            return refuse("InvalidParameterValue", said);
        }
        if key.to_ascii_lowercase().starts_with("aws:") {
            let said = "Tag keys starting with 'aws:' are reserved for internal use";
            return refuse("InvalidParameterValue", said);
        }
        if tags.insert(key.clone(), value).is_some() {
            return refuse("InvalidParameterValue", format!("Duplicate tag key '{key}' specified."));
        }
    }
    too_many(&tags)?;
    Ok(tags)
}

fn too_many(tags: &Tags) -> Result<(), No> {
    if tags.len() > MOST {
        return refuse("TagLimitExceeded", format!("The TagSet has {} tags, more than {MOST}", tags.len()));
    }
    Ok(())
}

pub fn create(world: &mut World, call: &mut Call) -> Answer {
    let ids = call.params.list("ResourceId")?;
    let tags = taken(&mut call.params)?;
    call.params.finished()?;
    if ids.is_empty() || tags.is_empty() {
        return Err(call.params.missing(if ids.is_empty() { "resourceIdSet" } else { "tagSet" }));
    }
    // All or nothing.
    for id in &ids {
        let mut whole = found(world, call, id)?.clone();
        whole.extend(tags.clone());
        too_many(&whole)?;
    }
    for id in &ids {
        found(world, call, id)?.extend(tags.clone());
    }
    Ok(done())
}

pub fn delete(world: &mut World, call: &mut Call) -> Answer {
    let ids = call.params.list("ResourceId")?;
    let mut keys = Vec::new();
    for mut one in call.params.groups("Tag")? {
        keys.push((one.need("Key")?, one.text("Value")));
        one.done()?;
    }
    call.params.finished()?;
    for id in &ids {
        let tags = found(world, call, id)?;
        for (key, value) in &keys {
            if value.is_none() || tags.get(key) == value.as_ref() {
                tags.remove(key);
            }
        }
    }
    Ok(done())
}

/// The tags of something of the account's that is there.
fn found<'a>(world: &'a mut World, call: &Call, id: &str) -> Result<&'a mut Tags, No> {
    let kind = id.split_once('-').map_or(id, |(kind, _)| kind);
    let (region, owner) = (&call.region, &call.account);
    let code = match kind {
        "ami" => "InvalidAMIID.NotFound",
        "snap" => "InvalidSnapshot.NotFound",
        "vol" => "InvalidVolume.NotFound",
        "i" => "InvalidInstanceID.NotFound",
        "sir" => "InvalidSpotInstanceRequestID.NotFound",
        _ => "InvalidID",
    };
    let missing = no(code, format!("The ID '{id}' does not exist"));
    let tags = match kind {
        "ami" => world
            .images
            .get_mut(id)
            .filter(|one| one.region == *region && one.owner == *owner)
            .and_then(|one| one.birth.is_seen(call.now).then_some(&mut one.tags)),
        "snap" => world
            .snapshots
            .get_mut(id)
            .filter(|one| one.region == *region && one.owner == *owner)
            .and_then(|one| one.birth.is_seen(call.now).then_some(&mut one.tags)),
        "vol" => world
            .volumes
            .get_mut(id)
            .filter(|one| one.region == *region && one.owner == *owner)
            .and_then(|one| one.birth.is_seen(call.now).then_some(&mut one.tags)),
        "i" => world
            .instances
            .get_mut(id)
            .filter(|one| one.region == *region && one.owner == *owner)
            .and_then(|one| one.birth.is_seen(call.now).then_some(&mut one.tags)),
        "sir" => world
            .requests
            .get_mut(id)
            .filter(|one| one.region == *region && one.owner == *owner)
            .map(|one| &mut one.tags),
        _ => None,
    };
    tags.ok_or(missing)
}

/// Tags as answers have them; none at all where there are none.
pub fn written(tags: &Tags) -> Value {
    if tags.is_empty() {
        return Value::Null;
    }
    tags.iter().map(|(key, value)| json!({ "key": key, "value": value })).collect()
}
