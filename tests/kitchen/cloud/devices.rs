//! Block device mappings: what EC2 takes, and what it makes of them.

use serde_json::{Value, json};

use super::call::{No, no, refuse};
use super::encryption::key;
use super::params::Params;
use super::world::{Disk, Ebs, World};

/// What is said of a device.
pub struct Said {
    pub device: String,
    /// It is left out.
    pub none: bool,
    pub own: Option<String>,
    pub ebs: Option<SaidEbs>,
}

/// What is said of a volume; the rest is as it was.
#[derive(Default)]
pub struct SaidEbs {
    pub snapshot: Option<String>,
    pub size: Option<u32>,
    pub kind: Option<String>,
    pub iops: Option<u32>,
    pub throughput: Option<u32>,
    pub encrypted: Option<bool>,
    pub kms_key: Option<String>,
    pub delete_on_termination: Option<bool>,
}

/// Takes a call's mappings.
pub fn taken(params: &mut Params) -> Result<Vec<Said>, No> {
    let mut all: Vec<Said> = Vec::new();
    for mut one in params.groups("BlockDeviceMapping")? {
        let device = one.need("DeviceName")?;
        if all.iter().any(|other| other.device == device) {
            let said = format!("The device '{device}' is used in more than one block-device mapping");
            return refuse("InvalidBlockDeviceMapping", said);
        }
        let none = one.text("NoDevice").is_some();
        let own = one.text("VirtualName");
        let mut ebs = one.group("Ebs");
        one.done()?;
        if let Some(own) = own.as_ref().filter(|own| {
            own.strip_prefix("ephemeral").and_then(|digits| digits.parse::<u8>().ok()).is_none_or(|number| number > 23)
        }) {
            return refuse("InvalidBlockDeviceMapping", format!("The device name {own} is not valid"));
        }
        let is_ebs = !ebs.is_empty();
        if usize::from(none) + usize::from(own.is_some()) + usize::from(is_ebs) != 1 {
            return refuse("InvalidBlockDeviceMapping", format!("Invalid device mapping for {device}"));
        }
        let said = if is_ebs { Some(volume(&mut ebs)?) } else { None };
        all.push(Said { device, none, own, ebs: said });
    }
    Ok(all)
}

fn volume(params: &mut Params) -> Result<SaidEbs, No> {
    let said = SaidEbs {
        snapshot: params.text("SnapshotId"),
        size: params.number("VolumeSize")?,
        kind: params.word("VolumeType", &["standard", "io1", "io2", "gp2", "sc1", "st1", "gp3"])?,
        iops: params.number("Iops")?,
        throughput: params.number("Throughput")?,
        encrypted: params.flag("Encrypted")?,
        kms_key: params.text("KmsKeyId"),
        delete_on_termination: params.flag("DeleteOnTermination")?,
    };
    params.done()?;
    if said.kms_key.is_some() && said.encrypted != Some(true) {
        let said = "The parameter KmsKeyId requires the parameter Encrypted to be set.";
        return refuse("InvalidParameterDependency", said);
    }
    Ok(said)
}

/// Sizes in GiB that a type may have.
fn sizes(kind: &str) -> (u32, u32) {
    match kind {
        "gp3" => (1, 65_536),
        "io1" => (4, 16_384),
        "io2" => (4, 65_536),
        "st1" | "sc1" => (125, 16_384),
        "standard" => (1, 1024),
        _ => (1, 16_384),
    }
}

/// Operations a second that a type may have, and how many for each GiB.
fn rates(kind: &str) -> Option<(u32, u32, u32)> {
    match kind {
        "gp3" => Some((3000, 80_000, 500)),
        "io1" => Some((100, 64_000, 50)),
        "io2" => Some((100, 256_000, 1000)),
        _ => None,
    }
}

/// The disks of an instance or image: those that were there, changed as is said, and new ones.
pub fn merged(world: &World, region: &str, account: &str, there: &[Disk], said: Vec<Said>) -> Result<Vec<Disk>, No> {
    let mut disks: Vec<Disk> = there.to_vec();
    for said in said {
        let place = disks.iter().position(|disk| disk.device == said.device);
        if said.none {
            let Some(place) = place else { continue };
            disks.remove(place);
            continue;
        }
        let before = place.and_then(|place| disks[place].ebs.clone());
        let ebs = match said.ebs {
            None => None,
            Some(ebs) => Some(made(world, region, account, &said.device, before.as_ref(), ebs)?),
        };
        let disk = Disk { device: said.device, ebs, own: said.own };
        match place {
            Some(place) => disks[place] = disk,
            None => disks.push(disk),
        }
    }
    Ok(disks)
}

fn made(
    world: &World,
    region: &str,
    account: &str,
    device: &str,
    before: Option<&Ebs>,
    said: SaidEbs,
) -> Result<Ebs, No> {
    let snapshot = said.snapshot.clone().or_else(|| before?.snapshot.clone());
    let source = match &snapshot {
        None => None,
        Some(id) => match world.snapshots.get(id).filter(|one| one.region == region) {
            Some(one) if one.state == "completed" => Some(one),
            Some(_) => return refuse("IncorrectState", format!("Snapshot is in invalid state - pending: {id}")),
            None => return refuse("InvalidSnapshot.NotFound", format!("The snapshot '{id}' does not exist.")),
        },
    };
    let least = source.map(|source| source.size).or_else(|| before.map(|before| before.size));
    let Some(size) = said.size.or(before.map(|before| before.size)).or(least) else {
        return refuse("MissingParameter", "The request must contain the parameter size or snapshotId");
    };
    if let (Some(least), Some(id)) = (least.filter(|least| *least > size), &snapshot) {
        let said = format!("Volume of size {size}GB is smaller than snapshot '{id}', expect size >= {least}GB");
        return refuse("InvalidBlockDeviceMapping", said);
    }
    let kind = said.kind.or_else(|| before.map(|before| before.kind.clone())).unwrap_or("gp2".to_owned());
    let is_kind = before.is_some_and(|before| before.kind == kind);
    let kept = |value: fn(&Ebs) -> Option<u32>| before.filter(|_| is_kind).and_then(value);
    let iops = said.iops.or_else(|| kept(|before| before.iops));
    let throughput = said.throughput.or_else(|| kept(|before| before.throughput));
    let is_source_encrypted = source.is_some_and(|source| source.kms_key.is_some());
    if is_source_encrypted && said.encrypted == Some(false) {
        let said = format!("Encrypted flag cannot be false since device {device} has an encrypted snapshot specified.");
        return refuse("InvalidParameterCombination", said);
    }
    let was_encrypted = before.is_some_and(|before| before.encrypted);
    let encrypted = is_source_encrypted || was_encrypted || said.encrypted == Some(true);
    let inherited = source.and_then(|source| source.kms_key.clone()).or_else(|| before?.kms_key.clone());
    let kms_key = match (&said.kms_key, inherited) {
        _ if !encrypted => None,
        (None, Some(inherited)) => Some(inherited),
        // A key that is not there is noticed when the volume is made.
        (said, _) => Some(key(world, region, account, said.as_deref()).unwrap_or_else(|| "none".to_owned())),
    };
    let delete_on_termination =
        said.delete_on_termination.unwrap_or(before.is_none_or(|before| before.delete_on_termination));
    let ebs = Ebs { snapshot, size, kind, iops, throughput, encrypted, kms_key, delete_on_termination };
    checked(ebs)
}

/// Encrypts what is not, where an account wants that of all volumes of a region.
pub fn by_default(world: &World, region: &str, account: &str, disks: &mut [Disk]) {
    if world.encrypts.contains(&(account.to_owned(), region.to_owned())) {
        for ebs in disks.iter_mut().filter_map(|disk| disk.ebs.as_mut()).filter(|ebs| !ebs.encrypted) {
            (ebs.encrypted, ebs.kms_key) = (true, key(world, region, account, None));
        }
    }
}

/// What EC2 has to say of a volume's numbers. What is not said is filled in.
fn checked(mut ebs: Ebs) -> Result<Ebs, No> {
    let (kind, size) = (ebs.kind.as_str(), ebs.size);
    let (least, most) = sizes(kind);
    if size < least {
        let said = format!("Volume of {size}GiB is too small for volume type {kind}; minimum is {least}GiB.");
        return refuse("InvalidParameterValue", said);
    }
    if size > most {
        let said = format!("Volume of {size}GiB is too large for volume type {kind}; maximum is {most}GiB.");
        return refuse("InvalidParameterValue", said);
    }
    match (rates(kind), ebs.iops) {
        (None, Some(_)) => {
            return refuse(
                "InvalidParameterCombination",
                format!("The parameter iops is not supported for {kind} volumes."),
            );
        }
        (Some(_), None) if kind != "gp3" => {
            return refuse("MissingParameter", format!("The parameter iops must be specified for {kind} volumes."));
        }
        (Some(_), None) => ebs.iops = Some(3000),
        (Some(rates), Some(iops)) => rate(kind, size, iops, rates)?,
        (None, None) => {}
    }
    through(&mut ebs)?;
    Ok(ebs)
}

fn rate(kind: &str, size: u32, iops: u32, (least, most, each): (u32, u32, u32)) -> Result<(), No> {
    if !(least..=most).contains(&iops) {
        let which = if iops < least { format!("low; minimum is {least}") } else { format!("high; maximum is {most}") };
        return refuse("InvalidParameterValue", format!("Volume iops of {iops} is too {which}."));
    }
    // Every gp3 volume has 3,000, however small it is.
    if iops > size.saturating_mul(each) && !(kind == "gp3" && iops == 3000) {
        let ratio = f64::from(iops) / f64::from(size);
        let said = format!("Iops to volume size ratio of {ratio:.6} is too high; maximum is {each}.000000");
        return refuse("InvalidParameterValue", said);
    }
    Ok(())
}

fn through(ebs: &mut Ebs) -> Result<(), No> {
    let kind = &ebs.kind;
    let Some(throughput) = ebs.throughput else {
        ebs.throughput = (kind == "gp3").then_some(125);
        return Ok(());
    };
    if kind != "gp3" {
        let said = format!("The parameter throughput is not supported for {kind} volumes.");
        return refuse("InvalidParameterCombination", said);
    }
    if !(125..=2000).contains(&throughput) {
        return refuse(
            "InvalidParameterValue",
            format!("Volume throughput of {throughput} is not within 125 and 2000."),
        );
    }
    let iops = ebs.iops.unwrap_or(3000);
    if throughput * 4 > iops {
        let ratio = f64::from(throughput) / f64::from(iops);
        let said =
            format!("Throughput (MiBps) to iops ratio of {ratio:.6} is too high; maximum is 0.250000 MiBps per iops");
        return refuse("InvalidParameterValue", said);
    }
    Ok(())
}

/// What may be said of the disks of an instance that is made into an image: of those that it has, only whether they go
/// with the instance.
pub fn of_image(there: &[Disk], said: &[Said]) -> Result<(), No> {
    for (said, disk) in
        said.iter().filter_map(|one| Some((one.ebs.as_ref()?, there.iter().find(|disk| disk.device == one.device)?)))
    {
        let Some(before) = &disk.ebs else { continue };
        let device = &disk.device;
        if said.encrypted == Some(true) && !before.encrypted {
            let said = format!("Encrypted flag cannot be specified since device {device} has a volume specified.");
            return refuse("InvalidBlockDeviceMapping", said);
        }
        if said.size.is_some_and(|size| size != before.size) {
            let said = format!("The size of the volume at {device} cannot be changed here");
            return refuse("InvalidBlockDeviceMapping", said);
        }
    }
    for said in said.iter().filter_map(|one| one.ebs.as_ref()) {
        if said.kms_key.is_some() {
            return Err(no("InvalidParameter", "KmsKeyId is not supported for block device mappings of this request"));
        }
    }
    Ok(())
}

/// Disks as an image's answer has them. Snapshots that are not made yet are not named.
pub fn written(disks: &[Disk], names_snapshots: bool) -> Value {
    disks
        .iter()
        .map(|disk| {
            let ebs = disk.ebs.as_ref().map(|ebs| {
                json!({
                    "deleteOnTermination": ebs.delete_on_termination, "volumeSize": ebs.size, "volumeType": ebs.kind,
                    "iops": ebs.iops, "throughput": ebs.throughput, "encrypted": ebs.encrypted,
                    "snapshotId": ebs.snapshot.as_ref().filter(|_| names_snapshots),
                })
            });
            json!({ "deviceName": disk.device, "virtualName": disk.own, "ebs": ebs })
        })
        .collect()
}
