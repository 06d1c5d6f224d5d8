//! Instances: what is told of them, what they print, and how they are ended.

use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::call::{Answer, Call, No, refuse};
use super::filter::{filters, matches, page, part};
use super::life::halt;
use super::run::not_there;
use super::world::{Instance, World};
use super::{tags, types};

/// So much of a console is kept.
const CONSOLE: usize = 65_536;

pub fn describe(world: &mut World, call: &mut Call) -> Answer {
    let ids = call.params.list("InstanceId")?;
    let filters = filters(&mut call.params)?;
    let page = page(&mut call.params, !ids.is_empty(), (5, 1000))?;
    call.params.finished()?;
    for id in &ids {
        found(world, call, id)?;
    }
    let mut meant = Vec::new();
    for instance in world.instances.values_mut().filter(|one| one.region == call.region && one.owner == call.account) {
        let is_meant = if ids.is_empty() { instance.birth.is_seen(call.now) } else { ids.contains(&instance.id) };
        if is_meant && matches(&filters, &instance.tags, |name| said(instance, name))? {
            meant.push(instance.id.clone());
        }
    }
    let list = meant
        .iter()
        .map(|id| {
            let instance = written(world, &world.instances[id]);
            json!({ "reservationId": "r-0kitchen", "ownerId": call.account, "groupSet": [], "instancesSet": [instance] })
        })
        .collect();
    let (list, next) = part(world, list, &page);
    Ok(json!({ "reservationSet": list, "nextToken": next }))
}

/// An instance that a call names.
pub fn found<'a>(world: &'a mut World, call: &Call, id: &str) -> Result<&'a mut Instance, No> {
    let is_id = id.strip_prefix("i-").is_some_and(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
    if !is_id {
        return refuse("InvalidInstanceID.Malformed", format!("Invalid id: \"{id}\""));
    }
    let there = world.instances.get_mut(id).filter(|one| one.region == call.region && one.owner == call.account);
    there.and_then(|one| one.birth.is_seen(call.now).then_some(one)).ok_or_else(|| not_there(id))
}

/// States, with their numbers.
fn state(name: &str) -> Value {
    let code = match name {
        "pending" => 0,
        "running" => 16,
        "shutting-down" => 32,
        "terminated" => 48,
        "stopping" => 64,
        _ => 80,
    };
    json!({ "code": code, "name": name })
}

fn said(instance: &Instance, name: &str) -> Option<Vec<String>> {
    Some(vec![match name {
        "architecture" => instance.boot.architecture.clone(),
        "client-token" => instance.token.clone().unwrap_or_default(),
        "image-id" => instance.boot.image.clone(),
        "instance-id" => instance.id.clone(),
        "instance-lifecycle" => return Some(instance.boot.is_spot.then(|| "spot".to_owned()).into_iter().collect()),
        "instance-state-code" => state(&instance.state)["code"].to_string(),
        "instance-state-name" => instance.state.clone(),
        "instance-type" => instance.boot.instance_type.clone(),
        "launch-time" => instance.birth.created.clone(),
        "owner-id" => instance.owner.clone(),
        "root-device-name" => instance.root_device.clone(),
        "subnet-id" => instance.subnet.clone(),
        "block-device-mapping.volume-id" => return Some(instance.volumes.iter().cloned().collect()),
        _ => return None,
    }])
}

/// An instance as answers have it.
pub fn written(world: &World, instance: &Instance) -> Value {
    let disks: Vec<Value> = instance
        .volumes
        .iter()
        .filter_map(|id| {
            let volume = world.volumes.get(id)?;
            Some(json!({
                "deviceName": volume.attached.as_ref()?.1,
                "ebs": {
                    "volumeId": id, "status": "attached", "attachTime": volume.birth.created,
                    "deleteOnTermination": volume.ebs.delete_on_termination,
                },
            }))
        })
        .collect();
    let is_gone = instance.state == "terminated";
    let reason = instance.reason.as_ref().map(|(code, said)| json!({ "code": code, "message": said }));
    let profile = instance.profile.as_ref().map(|name| {
        let arn = format!("arn:aws:iam::{}:instance-profile/{name}", instance.owner);
        json!({ "arn": arn, "id": "AIPAKITCHEN" })
    });
    let groups: Vec<Value> =
        instance.groups.iter().map(|id| json!({ "groupId": id, "groupName": "kitchen" })).collect();
    json!({
        "instanceId": instance.id, "imageId": instance.boot.image, "instanceState": state(&instance.state),
        "privateDnsName": "", "dnsName": "", "stateReason": reason,
        "reason": instance.reason.as_ref().filter(|_| instance.state != "pending" && instance.state != "running")
            .map(|(_, said)| format!("{} ({})", said.split(": ").last().unwrap_or_default(), instance.birth.created)),
        "keyName": instance.key_name, "amiLaunchIndex": 0, "productCodes": [],
        "instanceType": instance.boot.instance_type, "launchTime": instance.birth.created,
        "placement": { "availabilityZone": format!("{}a", instance.region), "groupName": "", "tenancy": "default" },
        "monitoring": { "state": "disabled" }, "subnetId": (!is_gone).then_some(&instance.subnet),
        "vpcId": (!is_gone).then_some(super::network::VPC),
        "privateIpAddress": (!is_gone).then_some("172.31.0.10"),
        "architecture": instance.boot.architecture, "blockDeviceMapping": disks,
        "clientToken": instance.token.clone().unwrap_or_default(), "ebsOptimized": false, "enaSupport": true,
        "hypervisor": "xen", "iamInstanceProfile": profile, "rootDeviceName": instance.root_device,
        "instanceLifecycle": instance.boot.is_spot.then_some("spot"),
        "spotInstanceRequestId": instance.spot_request,
        "rootDeviceType": "ebs", "groupSet": groups, "networkInterfaceSet": [], "sourceDestCheck": true,
        "tagSet": tags::written(&instance.tags), "virtualizationType": "hvm", "bootMode": instance.boot_mode,
        "tpmSupport": instance.tpm, "platformDetails": "Linux/UNIX",
        "metadataOptions": {
            "state": "applied", "httpTokens": instance.imds.0, "httpPutResponseHopLimit": instance.imds.1,
            "httpEndpoint": "enabled",
        },
    })
}

pub fn console(world: &mut World, call: &mut Call) -> Answer {
    let id = call.params.need("InstanceId")?;
    let latest = call.params.flag("Latest")?.unwrap_or(false);
    call.params.finished()?;
    let lag = world.pace.console;
    let boot = world.pace.boot;
    let instance = found(world, call, &id)?;
    let is_nitro = types::known(&instance.boot.instance_type).is_some_and(|kind| kind.nitro);
    if latest && !is_nitro {
        let said = "This instance type does not support retrieving the latest console logs. You can retrieve the most \
                    recent buffered console logs without the latest parameter.";
        return refuse("UnsupportedOperation", said);
    }
    // What is not the latest is what was there soon after it began, or at its end.
    let first = instance.console.first().map(|(at, _)| *at + boot);
    let is_running = instance.state == "running";
    let is_told =
        |at: &Instant| *at + lag <= call.now && (latest || !is_running || first.is_none_or(|first| *at <= first));
    let printed: String =
        instance.console.iter().filter(|(at, _)| is_told(at)).map(|(_, text)| text.as_str()).collect();
    let bytes = &printed.as_bytes()[printed.len().saturating_sub(CONSOLE)..];
    let output = (!bytes.is_empty()).then(|| STANDARD.encode(bytes));
    Ok(json!({ "instanceId": id, "timestamp": instance.birth.created, "output": output }))
}

pub fn terminate(world: &mut World, call: &mut Call) -> Answer {
    let ids = call.params.list("InstanceId")?;
    call.params.flag("SkipOsShutdown")?;
    call.params.flag("Force")?;
    call.params.finished()?;
    change(world, call, &ids, |_| Ok(()), "shutting-down", |state| state != "terminated" && state != "shutting-down")
}

pub fn stop(world: &mut World, call: &mut Call) -> Answer {
    let ids = call.params.list("InstanceId")?;
    for name in ["Force", "Hibernate", "SkipOsShutdown"] {
        call.params.flag(name)?;
    }
    call.params.finished()?;
    let once: Vec<String> =
        world.requests.iter().filter(|(_, request)| !request.is_persistent).map(|(id, _)| id.clone()).collect();
    let may = |instance: &Instance| {
        let id = &instance.id;
        if instance.spot_request.as_ref().is_some_and(|request| once.contains(request)) {
            let said = format!(
                "You can't stop the Spot Instance '{id}' because it is associated with a one-time Spot Instance request. \
                 You can only stop Spot Instances associated with persistent Spot Instance requests."
            );
            return refuse("UnsupportedOperation", said);
        }
        if !["running", "stopping", "stopped"].contains(&instance.state.as_str()) {
            let said = format!("This instance '{id}' is not in a state from which it can be stopped.");
            return refuse("IncorrectInstanceState", said);
        }
        Ok(())
    };
    change(world, call, &ids, may, "stopping", |state| state == "running")
}

/// Ends instances in some way: all of them or none.
fn change(
    world: &mut World,
    call: &Call,
    ids: &[String],
    may: impl Fn(&Instance) -> Result<(), No>,
    state_after: &str,
    changes: impl Fn(&str) -> bool,
) -> Answer {
    if ids.is_empty() {
        return Err(call.params.missing("instancesSet"));
    }
    for id in ids {
        may(found(world, call, id)?)?;
    }
    let pace = world.pace.clone();
    let mut list = Vec::new();
    for id in ids {
        let Some(instance) = world.instances.get_mut(id) else { continue };
        let before = instance.state.clone();
        if changes(&before) {
            let why = "Client.UserInitiatedShutdown: User initiated shutdown";
            halt(instance, state_after, "Client.UserInitiatedShutdown", why, call.now, &pace);
        }
        list.push(json!({
            "instanceId": id, "currentState": state(&instance.state), "previousState": state(&before),
        }));
    }
    Ok(json!({ "instancesSet": list }))
}
