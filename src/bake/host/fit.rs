//! Whether the base still is what was locked, and whether instances can be what the recipe asks for: looked at right
//! before an instance is started.

use std::collections::BTreeSet;

use super::desk::Desk;
use super::fault::HostError;
use super::order::Order;
use crate::bake::event::Event;
use crate::bake::port::{Machine, TypeFacts};
use crate::lock::LockedAmi;
use crate::moment::Moment;
use crate::recipe::{Architecture, Region, Volume, VolumeKind};

/// What EC2 guarantees of a volume on an instance that is no Nitro system.
const XEN_IOPS: u32 = 32_000;

/// The lock's base for a processor.
pub(super) fn locked<'o>(order: &Order<'o>, architecture: Architecture) -> Result<&'o LockedAmi, HostError> {
    let found = order.lock.ami.iter().find(|base| base.architecture == architecture);
    found.ok_or_else(|| HostError::Misfit {
        subject: order.name.to_string(),
        message: format!("its lock has no base for {architecture}: run `elkbake lock {}`", order.name),
    })
}

/// The base, if it is there and what was locked.
pub(super) fn check_base(order: &Order<'_>, base: &LockedAmi, desk: Desk<'_>) -> Result<Machine, HostError> {
    let wrong = |message: String| HostError::Base { id: base.id.clone(), region: base.region.clone(), message };
    let found = desk.ec2.image(&order.site(order.home()), &base.id, desk.tell)?;
    let found = found.ok_or_else(|| wrong("it is not there any more, or not for this account".to_owned()))?;
    if found.state != "available" {
        return Err(wrong(format!("it is {}", found.state)));
    }
    let snapshot = found.snapshots.get(&found.root_device).map_or("none", String::as_str);
    let architecture = base.architecture.to_string();
    for (what, now, then) in [
        ("snapshot", snapshot, &base.snapshot),
        ("root device", &found.root_device, &base.root_device),
        ("architecture", &found.architecture, &architecture),
        ("name", &found.name, &base.name),
    ] {
        if now != then {
            return Err(wrong(format!("its {what} is {now}, the lock says {then}")));
        }
    }
    let deprecated = found.deprecated.as_deref().filter(|at| Moment::parse(at).is_none_or(|at| at <= order.now));
    if let Some(at) = deprecated {
        let text = format!("base {} ({}) is deprecated since {at}: `elkbake lock --update`", base.id, base.name);
        (desk.tell)(Event::Warn(&text));
    }
    Ok(found)
}

/// EC2's own key in an account, by its alias.
const DEFAULT_KEY: &str = "alias/aws/ebs";

/// EC2 takes names of so many characters.
const LONGEST_NAME: usize = 128;

/// Whether EC2 will take the image's name.
pub(super) fn check_name(order: &Order<'_>, architecture: Architecture) -> Result<(), HostError> {
    let name = order.image_name(architecture);
    if name.len() <= LONGEST_NAME {
        return Ok(());
    }
    let message = format!("as an AMI's name it has {} characters, and EC2 takes {LONGEST_NAME}", name.len());
    Err(HostError::Misfit { subject: name, message: format!("{message}: shorten the recipe's name or version") })
}

/// Refuses what EC2 refuses only when all is made: to share what is encrypted with its own key.
pub(super) fn check_share(order: &Order<'_>) -> Result<(), HostError> {
    let share = order.share();
    if !order.encrypted() || (share.accounts.is_empty() && share.organizations.is_empty()) {
        return Ok(());
    }
    let is_default = |region: &&&Region| order.kms_key(region).is_none_or(|key| key.ends_with(DEFAULT_KEY));
    let regions = order.regions();
    let Some(region) = regions.iter().find(is_default) else { return Ok(()) };
    let message = format!(
        "it is shared, and encrypted in {region} with EC2's own key, which EC2 lets nobody else use: name a `kms_key` of \
         the account in `[ami.regions.{region}]`, and let those that it is shared with use that key"
    );
    Err(HostError::Misfit { subject: order.name.to_string(), message })
}

/// Tells that an image does not say which key encrypts the disks that are made empty with each host.
pub(super) fn tell_of_keys(order: &Order<'_>, base: &LockedAmi, desk: Desk<'_>) {
    let is_empty = |volume: &&Volume| {
        volume.encrypted && volume.kind != VolumeKind::InstanceStore && !volume.is_root(&base.root_device)
    };
    let names: Vec<_> =
        order.recipe.volume.iter().filter(is_empty).map(|volume| format!("`{}`", volume.name)).collect();
    if names.is_empty() || order.regions().iter().all(|region| order.kms_key(region).is_none()) {
        return;
    }
    let text = format!(
        "an AMI cannot say which key encrypts {}: it is the account's default key for EBS, unless the launch template \
         names another",
        names.join(", ")
    );
    (desk.tell)(Event::Warn(&text));
}

/// The type of the instance that is made into an image: what the recipe says, else a small one. The recipe's own types
/// are for work, and dear.
pub(super) fn bake_type(order: &Order<'_>, architecture: Architecture) -> String {
    let said = order.recipe.bake.as_ref().and_then(|bake| bake.instance_types.get(&architecture));
    let small = match architecture {
        Architecture::X86 => "m6i.large",
        Architecture::Arm => "m6g.large",
    };
    said.cloned().unwrap_or_else(|| small.to_owned())
}

/// Whether the type that is baked on fits, and the types that hosts will run on can carry the volumes.
pub(super) fn check_types(order: &Order<'_>, base: &LockedAmi, desk: Desk<'_>) -> Result<(), HostError> {
    let baked_on = bake_type(order, base.architecture);
    let names = order.recipe.instance_types.iter().cloned().chain([baked_on.clone()]).collect();
    let facts = desk.ec2.types(&order.site(order.home()), &names, desk.tell)?;
    let wrong = |subject: &str, message: String| HostError::Misfit { subject: subject.to_owned(), message };
    let word = base.architecture.to_string();
    match facts.iter().find(|facts| facts.name == baked_on) {
        None => {
            let message = format!("{} does not have it; name another in `[bake].instance_types`", order.home());
            return Err(wrong(&baked_on, message));
        }
        Some(facts) if !facts.architectures.contains(&word) => {
            let message = format!("it is not for {word}; name another in `[bake].instance_types`");
            return Err(wrong(&baked_on, message));
        }
        Some(_) => {}
    }
    let volumes: Vec<_> = order.recipe.volume.iter().filter(|one| one.kind != VolumeKind::InstanceStore).collect();
    for kind in &order.recipe.instance_types {
        match facts.iter().find(|facts| facts.name == *kind) {
            None => {
                let text = format!("{} does not have {kind}, which the recipe names", order.home());
                (desk.tell)(Event::Warn(&text));
            }
            Some(facts) if facts.architectures.contains(&word) => check_volumes(&volumes, base, facts, desk)?,
            Some(_) => {}
        }
    }
    Ok(())
}

/// What a type refuses is an error; what it only slows down is told.
fn check_volumes(volumes: &[&Volume], base: &LockedAmi, facts: &TypeFacts, desk: Desk<'_>) -> Result<(), HostError> {
    let with_root = volumes.len() + usize::from(!volumes.iter().any(|volume| volume.is_root(&base.root_device)));
    if let Some(most) = facts.ebs_volumes.filter(|&most| most as usize <= with_root.saturating_sub(1)) {
        let message = format!("it takes {most} volumes, the recipe has {with_root} with the root disk");
        return Err(HostError::Misfit { subject: facts.name.clone(), message });
    }
    let warn = |text: String| (desk.tell)(Event::Warn(&format!("{}: {text}", facts.name)));
    let sum = |figure: fn(&Volume) -> u64| volumes.iter().map(|volume| figure(volume)).sum::<u64>();
    let iops = sum(iops);
    if let Some(most) = facts.ebs_iops.filter(|&most| u64::from(most) < iops) {
        warn(format!("its volumes have {iops} IOPS together, and it reaches {most} at best"));
    }
    // EC2 has it in millions of bytes, volumes in MiB.
    let speed = sum(throughput) * 1_048_576 / 1_000_000;
    if let Some(most) = facts.ebs_throughput.filter(|&most| u64::from(most) < speed) {
        warn(format!("its volumes have {speed} MB/s together, and it reaches {most} at best"));
    }
    for volume in volumes.iter().filter(|volume| !facts.nitro && volume.iops.is_some_and(|iops| iops > XEN_IOPS)) {
        warn(format!("`{}` has more than {XEN_IOPS} IOPS, which EC2 guarantees on Nitro systems only", volume.name));
    }
    Ok(())
}

/// Operations a second that are paid for; of what has them by its size, those are nobody's wish.
fn iops(volume: &Volume) -> u64 {
    let given = if volume.kind == VolumeKind::Gp3 { 3_000 } else { 0 };
    volume.iops.unwrap_or(given).into()
}

fn throughput(volume: &Volume) -> u64 {
    let given = if volume.kind == VolumeKind::Gp3 { 125 } else { 0 };
    volume.throughput.unwrap_or(given).into()
}

/// The types for boot tests: those that the recipe names, the smallest first.
pub(super) fn by_size(names: &BTreeSet<String>) -> Vec<&String> {
    let mut names: Vec<_> = names.iter().collect();
    names.sort_by_key(|name| (size(name), (*name).clone()));
    names
}

/// How large a type is within its family: `large` is smaller than `xlarge`, and that than `2xlarge`.
fn size(name: &str) -> u32 {
    const SMALL: [&str; 6] = ["nano", "micro", "small", "medium", "large", "xlarge"];
    let size = name.rsplit_once('.').map_or(name, |(_, size)| size);
    let named = SMALL.iter().position(|small| *small == size).and_then(|at| u32::try_from(at).ok());
    let times = || size.strip_suffix("xlarge")?.parse::<u32>().ok().map(|times| times + 4);
    named.or_else(times).unwrap_or(u32::MAX)
}
