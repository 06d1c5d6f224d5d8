//! Networks, security groups and key pairs, as far as the starting of an instance asks for them.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::call::{Answer, Call, No, done, no, refuse};
use super::filter::{filters, matches, page};
use super::tags;
use super::world::{Tags, World};

/// The default VPC, its subnet and its security group, in every region.
pub const VPC: &str = "vpc-0aaaaaaaaaaaaaaaa";
pub const SUBNET: &str = "subnet-0aaaaaaaaaaaaaaaa";
pub const GROUP: &str = "sg-0aaaaaaaaaaaaaaaa";

/// Takes the subnet and the security groups of an instance.
pub fn taken(world: &World, call: &mut Call) -> Result<(String, BTreeSet<String>), No> {
    let mut subnet = call.params.filled("SubnetId");
    let mut groups = call.params.list("SecurityGroupId")?;
    let mut interfaces = call.params.groups("NetworkInterface")?;
    if interfaces.len() > 1 {
        return refuse("InvalidParameterValue", "This cloud knows one interface for each instance");
    }
    if let Some(mut one) = interfaces.pop() {
        if subnet.is_some() || !groups.is_empty() {
            let said = "Network interfaces and an instance-level subnet ID or security groups may not be specified on the \
                        same request";
            return refuse("InvalidParameterCombination", said);
        }
        if one.number("DeviceIndex")? != Some(0) {
            return refuse("InvalidParameterValue", "The first network interface has the device index 0");
        }
        one.flag("AssociatePublicIpAddress")?;
        one.flag("DeleteOnTermination")?;
        subnet = one.text("SubnetId");
        groups = one.list("SecurityGroupId")?;
        one.done()?;
    }
    let subnet = subnet.unwrap_or_else(|| SUBNET.to_owned());
    if !is_given(world, call, &subnet) && subnet != SUBNET {
        return Err(no("InvalidSubnetID.NotFound", format!("The subnet ID '{subnet}' does not exist")));
    }
    for group in &groups {
        if !has_group(world, call, group) {
            return Err(no("InvalidGroup.NotFound", format!("The security group '{group}' does not exist")));
        }
    }
    let groups = if groups.is_empty() { vec![GROUP.to_owned()] } else { groups };
    Ok((subnet, groups.into_iter().collect()))
}

/// Whether the test has put a subnet or group there.
fn is_given(world: &World, call: &Call, id: &str) -> bool {
    world.given.contains(&format!("{}/{id}", call.region))
}

fn has_group(world: &World, call: &Call, id: &str) -> bool {
    let key = ("security-group", call.region.clone(), call.account.clone(), id.to_owned());
    id == GROUP || is_given(world, call, id) || world.made.contains_key(&key)
}

/// Whether there is a key pair.
pub fn key_pair(world: &World, call: &Call, name: &str) -> Result<(), No> {
    let key = ("key-pair", call.region.clone(), call.account.clone(), name.to_owned());
    if world.made.contains_key(&key) {
        return Ok(());
    }
    refuse("InvalidKeyPair.NotFound", format!("The key pair '{name}' does not exist"))
}

pub fn answer(world: &mut World, call: &mut Call) -> Answer {
    match call.action.as_str() {
        "AuthorizeSecurityGroupIngress" => authorize(world, call),
        "CreateKeyPair" => create_key_pair(world, call),
        "CreateSecurityGroup" => create_group(world, call),
        "DeleteKeyPair" => delete(world, call, "key-pair", "KeyName"),
        "DeleteSecurityGroup" => delete(world, call, "security-group", "GroupId"),
        "DescribeRegions" => regions(world, call),
        "DescribeSecurityGroups" => groups(world, call),
        "DescribeSubnets" => subnets(call),
        "DescribeVpcs" => vpcs(call),
        other => refuse("InvalidAction", format!("The action {other} is not valid for this web service.")),
    }
}

fn create_key_pair(world: &mut World, call: &mut Call) -> Answer {
    let name = call.params.need("KeyName")?;
    tags::specified(&mut call.params, &["key-pair"])?;
    call.params.finished()?;
    let key = ("key-pair", call.region.clone(), call.account.clone(), name.clone());
    if world.made.insert(key, name.clone()).is_some() {
        return refuse("InvalidKeyPair.Duplicate", format!("The keypair '{name}' already exists."));
    }
    let material = "-----BEGIN RSA PRIVATE KEY-----\nkitchen\n-----END RSA PRIVATE KEY-----";
    Ok(json!({ "keyName": name, "keyFingerprint": "00:11", "keyMaterial": material, "keyPairId": world.id("key") }))
}

fn create_group(world: &mut World, call: &mut Call) -> Answer {
    let name = call.params.need("GroupName")?;
    call.params.need("GroupDescription")?;
    call.params.text("VpcId");
    tags::specified(&mut call.params, &["security-group"])?;
    call.params.finished()?;
    let id = world.id("sg");
    world.made.insert(("security-group", call.region.clone(), call.account.clone(), id.clone()), name);
    Ok(json!({ "return": true, "groupId": id }))
}

fn authorize(world: &World, call: &mut Call) -> Answer {
    let id = call.params.need("GroupId")?;
    for mut one in call.params.groups("IpPermissions")? {
        one.need("IpProtocol")?;
        one.number("FromPort")?;
        one.number("ToPort")?;
        for mut range in one.groups("IpRanges")? {
            range.need("CidrIp")?;
            range.text("Description");
            range.done()?;
        }
        one.done()?;
    }
    call.params.finished()?;
    if has_group(world, call, &id) { Ok(done()) } else { refuse("InvalidGroup.NotFound", id) }
}

fn delete(world: &mut World, call: &mut Call, kind: &'static str, name: &str) -> Answer {
    let id = call.params.need(name)?;
    call.params.finished()?;
    if kind == "security-group" {
        let is_used = |one: &super::Instance| one.state != "terminated" && one.groups.contains(&id);
        if world.instances.values().any(is_used) {
            return refuse("DependencyViolation", format!("resource {id} has a dependent object"));
        }
    }
    let was_there = world.made.remove(&(kind, call.region.clone(), call.account.clone(), id.clone())).is_some();
    if !was_there && kind == "security-group" {
        return refuse("InvalidGroup.NotFound", format!("The security group '{id}' does not exist"));
    }
    Ok(done())
}

fn regions(world: &World, call: &mut Call) -> Answer {
    let names = call.params.list("RegionName")?;
    call.params.flag("AllRegions")?;
    let filters = filters(&mut call.params)?;
    call.params.finished()?;
    let mut list = Vec::new();
    for region in world.regions.iter().filter(|region| names.is_empty() || names.contains(region)) {
        if matches(&filters, &Tags::new(), |name| (name == "region-name").then(|| vec![region.clone()]))? {
            list.push(json!({
                "regionName": region, "regionEndpoint": format!("ec2.{region}.amazonaws.com"),
                "optInStatus": "opt-in-not-required",
            }));
        }
    }
    Ok(json!({ "regionInfo": list }))
}

fn groups(world: &World, call: &mut Call) -> Answer {
    let ids = call.params.list("GroupId")?;
    filters(&mut call.params)?;
    page(&mut call.params, !ids.is_empty(), (5, 1000))?;
    call.params.finished()?;
    let here =
        world.made.keys().filter(|key| key.0 == "security-group" && key.1 == call.region && key.2 == call.account);
    let all: Vec<String> = here.map(|key| key.3.clone()).chain([GROUP.to_owned()]).collect();
    if let Some(id) = ids.iter().find(|id| !all.contains(id)) {
        return refuse("InvalidGroup.NotFound", format!("The security group '{id}' does not exist"));
    }
    let list: Vec<Value> = all
        .iter()
        .filter(|id| ids.is_empty() || ids.contains(id))
        .map(|id| json!({ "groupId": id, "groupName": "kitchen", "ownerId": call.account, "vpcId": VPC }))
        .collect();
    Ok(json!({ "securityGroupInfo": list }))
}

fn subnets(call: &mut Call) -> Answer {
    call.params.list("SubnetId")?;
    filters(&mut call.params)?;
    page(&mut call.params, false, (5, 1000))?;
    call.params.finished()?;
    let zone = format!("{}a", call.region);
    Ok(json!({ "subnetSet": [{
        "subnetId": SUBNET, "vpcId": VPC, "state": "available", "cidrBlock": "172.31.0.0/20", "defaultForAz": true,
        "availableIpAddressCount": 4091, "availabilityZone": zone, "mapPublicIpOnLaunch": true,
    }] }))
}

fn vpcs(call: &mut Call) -> Answer {
    call.params.list("VpcId")?;
    filters(&mut call.params)?;
    page(&mut call.params, false, (5, 1000))?;
    call.params.finished()?;
    Ok(json!({ "vpcSet": [{ "vpcId": VPC, "state": "available", "cidrBlock": "172.31.0.0/16", "isDefault": true }] }))
}
