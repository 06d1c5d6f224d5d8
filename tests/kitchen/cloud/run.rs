//! Instances are started.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::call::{Answer, Call, No, no, refuse};
use super::guest::{Boot, Guest};
use super::params::Params;
use super::token::Token;
use super::world::{Disk, Image, Instance, Tags, Volume, World};
use super::{devices, images, instances, network, spot, tags, token, types};

/// The most bytes of user data.
const USER_DATA: usize = 16_384;

/// What an order says beside image, type and disks.
struct Said {
    user_data: Vec<u8>,
    shutdown: Option<String>,
    key_name: Option<String>,
    profile: Option<String>,
    subnet: String,
    groups: BTreeSet<String>,
    imds: (Option<String>, u32),
    spot: Option<spot::Said>,
    instance_tags: Tags,
    volume_tags: Tags,
    request_tags: Tags,
}

pub fn run(world: &mut World, call: &mut Call) -> Answer {
    let token = token::taken(call)?;
    let image = call.params.need("ImageId")?;
    let kind = call.params.text("InstanceType").unwrap_or_else(|| "m1.small".to_owned());
    let counts = (call.params.number("MinCount")?, call.params.number("MaxCount")?);
    let mappings = devices::taken(&mut call.params)?;
    let said = said(world, call)?;
    call.params.finished()?;
    if let Some(answer) = again(world, &token)? {
        return Ok(answer);
    }
    match counts {
        (Some(1), Some(1)) => {}
        (Some(_), Some(_)) => return refuse("InvalidParameterValue", "This cloud starts one instance at a time"),
        _ => return Err(call.params.missing("MinCount and MaxCount")),
    }
    let kind = types::named(&kind)?;
    let image = images::found(world, call, &image)?.clone();
    if image.state != "available" {
        return refuse("InvalidAMIID.Unavailable", format!("The image ID '{}' is not available", image.id));
    }
    if image.architecture != kind.architecture {
        let said = format!(
            "The architecture '{}' of the specified instance type does not match the architecture '{}' of the specified \
             AMI. Specify an instance type and an AMI that have matching architectures, and try again.",
            kind.architecture, image.architecture
        );
        return refuse("InvalidParameterValue", said);
    }
    let mut disks = devices::merged(world, &call.region, &call.account, &image.disks, mappings)?;
    devices::by_default(world, &call.region, &call.account, &mut disks);
    bootable(&disks, &image)?;
    let id = start(world, call, &image, kind.name, disks, said, token.text());
    token.keep(world, &id);
    let instance = instances::written(world, &world.instances[&id]);
    Ok(reservation(&call.account, &instance))
}

/// What an order got before. Of an instance that is forgotten its token is, too.
fn again(world: &World, token: &Token) -> Result<Option<Value>, No> {
    let Some(instance) = token.before(world)?.and_then(|id| world.instances.get(&id)) else { return Ok(None) };
    Ok(Some(reservation(&instance.owner, &instances::written(world, instance))))
}

fn reservation(account: &str, instance: &Value) -> Value {
    json!({ "reservationId": "r-0kitchen", "ownerId": account, "groupSet": [], "instancesSet": [instance] })
}

fn said(world: &World, call: &mut Call) -> Result<Said, No> {
    let specified =
        tags::specified(&mut call.params, &["instance", "volume", "network-interface", "spot-instances-request"])?;
    let spot = spot::taken(&mut call.params)?;
    let shutdown = call.params.word("InstanceInitiatedShutdownBehavior", &["stop", "terminate"])?;
    if shutdown.as_deref() == Some("stop") && spot.as_ref().is_some_and(|spot| !spot.is_persistent) {
        let said = "The instance initiated shutdown behavior 'stop' is not supported for one-time Spot Instances.";
        return refuse("InvalidParameterCombination", said);
    }
    let key_name = call.params.text("KeyName");
    if let Some(name) = &key_name {
        network::key_pair(world, call, name)?;
    }
    let mut monitoring = call.params.group("Monitoring");
    monitoring.flag("Enabled")?;
    monitoring.done()?;
    let mut placement = call.params.group("Placement");
    for name in ["AvailabilityZone", "Tenancy", "GroupName"] {
        placement.text(name);
    }
    placement.done()?;
    let mut credit = call.params.group("CreditSpecification");
    credit.word("CpuCredits", &["standard", "unlimited"])?;
    credit.done()?;
    call.params.flag("EbsOptimized")?;
    call.params.flag("DisableApiTermination")?;
    let instance_tags = tags::of(&specified, "instance");
    let imds = imds(&mut call.params, &instance_tags)?;
    let profile = profile(world, call)?;
    let (subnet, groups) = network::taken(world, call)?;
    let user_data = user_data(&mut call.params)?;
    let volume_tags = tags::of(&specified, "volume");
    let request_tags = tags::of(&specified, "spot-instances-request");
    if spot.is_none() && !request_tags.is_empty() {
        let said =
            "'spot-instances-request' is a valid taggable resource type only where a spot instance is asked for.";
        return refuse("InvalidParameterValue", said);
    }
    Ok(Said {
        user_data,
        shutdown,
        key_name,
        profile,
        subnet,
        groups,
        imds,
        spot,
        instance_tags,
        volume_tags,
        request_tags,
    })
}

fn user_data(params: &mut Params) -> Result<Vec<u8>, No> {
    let Some(text) = params.text("UserData") else { return Ok(Vec::new()) };
    let Ok(data) = STANDARD.decode(text) else {
        return refuse("InvalidUserData.Malformed", "Invalid BASE64 encoding of user data.");
    };
    if data.len() > USER_DATA {
        return refuse("InvalidParameterValue", format!("User data is limited to {USER_DATA} bytes"));
    }
    Ok(data)
}

fn imds(params: &mut Params, tags: &Tags) -> Result<(Option<String>, u32), No> {
    let mut options = params.group("MetadataOptions");
    let tokens = options.word("HttpTokens", &["optional", "required"])?;
    let hops = options.number("HttpPutResponseHopLimit")?.unwrap_or(2);
    options.word("HttpEndpoint", &["enabled", "disabled"])?;
    options.word("HttpProtocolIpv6", &["enabled", "disabled"])?;
    let has_tags = options.word("InstanceMetadataTags", &["enabled", "disabled"])?;
    options.done()?;
    if !(1..=64).contains(&hops) {
        return refuse("InvalidParameterValue", "The metadata hop limit has to be between 1 and 64");
    }
    let is_path = |key: &&String| key.contains([' ', '/']) || [".", "..", "_index"].contains(&key.as_str());
    if let Some(key) = tags.keys().find(is_path).filter(|_| has_tags.as_deref() == Some("enabled")) {
        let said =
            format!("'{key}' is not a valid tag key. Tag keys must match pattern ([0-9a-zA-Z\\\\-_+=,.@:]{{1,255}})");
        return refuse("InvalidParameterValue", said);
    }
    Ok((tokens, hops))
}

fn profile(world: &World, call: &mut Call) -> Result<Option<String>, No> {
    let mut said = call.params.group("IamInstanceProfile");
    let (arn, name) = (said.filled("Arn"), said.filled("Name"));
    said.done()?;
    let start = format!("arn:aws:iam::{}:instance-profile/", call.account);
    let (kind, said, name) = match (arn, name) {
        (None, None) => return Ok(None),
        (Some(arn), None) => ("arn", arn.clone(), arn.strip_prefix(&start).map(str::to_owned)),
        (None, Some(name)) => ("name", name.clone(), Some(name)),
        (Some(_), Some(_)) => {
            let said = "The parameter 'iamInstanceProfile.name' may not be used in combination with \
                        'iamInstanceProfile.arn'";
            return refuse("InvalidParameterCombination", said);
        }
    };
    match name.filter(|name| world.profiles.contains(name)) {
        Some(name) => Ok(Some(name)),
        None => {
            let said = format!(
                "Value ({said}) for parameter iamInstanceProfile.{kind} is invalid. Invalid IAM Instance Profile {kind}"
            );
            refuse("InvalidParameterValue", said)
        }
    }
}

fn bootable(disks: &[Disk], image: &Image) -> Result<(), No> {
    let root = disks.iter().find(|disk| disk.device == image.root_device).and_then(|disk| disk.ebs.as_ref());
    let Some(root) = root.filter(|root| root.snapshot.is_some()) else {
        let said = format!("The root device {} has no snapshot", image.root_device);
        return refuse("InvalidBlockDeviceMapping", said);
    };
    if ["st1", "sc1"].contains(&root.kind.as_str()) {
        let said = format!("Volumes of type {} cannot be boot volumes", root.kind);
        return refuse("InvalidParameterValue", said);
    }
    for disk in disks {
        let name = disk.device.strip_prefix("/dev/").unwrap_or(&disk.device);
        if !name.starts_with("sd") && !name.starts_with("xvd") {
            let said = format!(
                "Value ({0}) for parameter device is invalid. {0} is not a valid EBS device name.",
                disk.device
            );
            return refuse("InvalidParameterValue", said);
        }
    }
    Ok(())
}

fn start(
    world: &mut World,
    call: &Call,
    image: &Image,
    kind: &str,
    disks: Vec<Disk>,
    said: Said,
    token: Option<String>,
) -> String {
    let id = world.id("i");
    let has_no_key = |disk: &Disk| disk.ebs.as_ref().is_some_and(|ebs| ebs.kms_key.as_deref() == Some("none"));
    let fails = disks.iter().any(has_no_key).then(|| {
        let code = "Client.InvalidKMSKey.InvalidState";
        (code.to_owned(), format!("{code}: The KMS key provided is in an incorrect state"))
    });
    let mut volumes = BTreeSet::new();
    for (device, ebs) in disks.into_iter().filter_map(|disk| Some((disk.device, disk.ebs?))) {
        let volume = Volume {
            id: world.id("vol"),
            region: call.region.clone(),
            owner: call.account.clone(),
            ebs,
            attached: Some((id.clone(), device)),
            tags: said.volume_tags.clone(),
            birth: world.born(call.now),
        };
        volumes.insert(volume.id.clone());
        world.volumes.insert(volume.id.clone(), volume);
    }
    let is_spot = said.spot.is_some();
    let once = said.spot.as_ref().is_some_and(|spot| !spot.is_persistent);
    let spot_request = said.spot.map(|spot| spot::request(world, call, &spot, said.request_tags));
    let by_image = if image.imds.as_deref() == Some("v2.0") { "required" } else { "optional" };
    let instance = Instance {
        boot: Boot {
            region: call.region.clone(),
            account: call.account.clone(),
            image: image.id.clone(),
            is_stock: World::is_amazons(image),
            instance_type: kind.to_owned(),
            architecture: image.architecture.clone(),
            user_data: said.user_data,
            tags: said.instance_tags.clone(),
            is_spot,
        },
        id: id.clone(),
        region: call.region.clone(),
        owner: call.account.clone(),
        state: "pending".to_owned(),
        reason: Some(("pending".to_owned(), "pending".to_owned())),
        root_device: image.root_device.clone(),
        boot_mode: image.boot_mode.clone(),
        tpm: image.tpm.clone(),
        shutdown: said.shutdown.unwrap_or_else(|| if once { "terminate" } else { "stop" }.to_owned()),
        token,
        key_name: said.key_name,
        profile: said.profile,
        subnet: said.subnet,
        groups: said.groups,
        imds: (said.imds.0.unwrap_or_else(|| by_image.to_owned()), said.imds.1),
        spot_request,
        volumes,
        tags: said.instance_tags,
        birth: world.born(call.now),
        next: Some(call.now + world.pace.boot),
        guest: Guest::stays(),
        console: Vec::new(),
        fails,
    };
    world.instances.insert(id.clone(), instance);
    id
}

/// What is said where an instance is not there.
pub fn not_there(id: &str) -> No {
    no("InvalidInstanceID.NotFound", format!("The instance ID '{id}' does not exist"))
}
