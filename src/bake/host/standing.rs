//! Whether AMIs that are recorded still stand: with all that a record says of them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::converge::is_another;
use super::fault::HostError;
use super::words;
use crate::bake::event::Listener;
use crate::bake::port::{Ask, Disk, Ec2, Ec2Site, Machine};
use crate::record::{Record, RecordedAmi};

/// What is not as it was recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostFlaw {
    /// It is recorded of another account than the target is in.
    Account(String),
    /// No AMI of the account has its id.
    Gone,
    /// Nothing can be started from it, as it is in this state.
    State(String),
    /// Its tag says another key, or none does.
    Key(Option<String>),
    /// No tag says that it is all that it has to be.
    Unfinished,
    /// It is for another processor.
    Processor(String),
    /// Instances from it may use IMDSv1.
    Imds,
    /// The disk of this snapshot has another one by now, or is not there.
    Disk {
        /// The snapshot that is recorded.
        recorded: String,
        /// What lies there.
        is: Option<String>,
    },
    /// A snapshot that lies under it is in this state, or is not there.
    Snapshot(String, Option<String>),
    /// Another key encrypts it, or none does.
    Encryption {
        /// The key that is recorded.
        recorded: String,
        /// The one that encrypts it.
        is: Option<String>,
    },
}

impl fmt::Display for HostFlaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Account(account) => write!(f, "it is recorded of the account {account}, in which the target is not"),
            Self::Gone => f.write_str("no AMI of the account has its id"),
            Self::State(state) => write!(f, "nothing can be started from it: it is {state}"),
            Self::Key(Some(key)) => write!(f, "its tag says that it was made from the key {key}"),
            Self::Key(None) => f.write_str("no tag says which key it was made from"),
            Self::Unfinished => f.write_str("no tag says that it is finished, so that a sweep may remove it"),
            Self::Processor(architecture) => write!(f, "it is for {architecture}"),
            Self::Imds => f.write_str("instances from it need not use IMDSv2"),
            Self::Disk { recorded, is: Some(is) } => write!(f, "{is} lies under it, not {recorded}"),
            Self::Disk { recorded, is: None } => write!(f, "{recorded} does not lie under it"),
            Self::Snapshot(id, Some(state)) => write!(f, "the snapshot {id} is {state}"),
            Self::Snapshot(id, None) => write!(f, "the snapshot {id} is not there"),
            Self::Encryption { recorded, is: Some(is) } => write!(f, "it is encrypted with {is}, not with {recorded}"),
            Self::Encryption { recorded, is: None } => write!(f, "it is not encrypted with {recorded}"),
        }
    }
}

/// Looks what is wrong with AMIs in one region, each with the record that names it. Nothing is changed.
///
/// # Errors
/// When the region does not answer, or does not let us: then nobody knows.
pub fn standing(
    site: &Ec2Site,
    recorded: &[(&Record, &RecordedAmi)],
    ec2: &dyn Ec2,
    tell: Listener<'_>,
) -> Result<Vec<Vec<HostFlaw>>, HostError> {
    let asked = |ids: BTreeSet<String>| Ask { ids, ..Ask::default() };
    let images = asked(recorded.iter().map(|(_, ami)| ami.id.clone()).collect());
    let snapshots = asked(recorded.iter().flat_map(|(_, ami)| snapshots(ami)).map(|(_, id)| id.to_owned()).collect());
    // An empty list would mean all there are.
    let images = if images.ids.is_empty() { Vec::new() } else { ec2.images(site, &images, tell)? };
    let disks = if snapshots.ids.is_empty() { Vec::new() } else { ec2.snapshots(site, &snapshots, tell)? };
    let images: BTreeMap<_, _> = images.iter().map(|machine| (machine.id.as_str(), machine)).collect();
    let disks: BTreeMap<_, _> = disks.iter().map(|disk| (disk.id.as_str(), disk)).collect();
    let flaws = |(record, ami): &(&Record, &RecordedAmi)| match (&ami.account, images.get(ami.id.as_str())) {
        (Some(account), _) if *account != site.account => vec![HostFlaw::Account(account.clone())],
        (_, None) => vec![HostFlaw::Gone],
        (_, Some(machine)) => of_image(record, ami, machine).chain(under(ami, machine, &disks)).collect(),
    };
    Ok(recorded.iter().map(flaws).collect())
}

/// The snapshots that are recorded: that of the root disk has no device name.
fn snapshots(ami: &RecordedAmi) -> impl Iterator<Item = (Option<&str>, &str)> {
    let root = std::iter::once((None, ami.snapshot.as_str())).filter(|(_, id)| !id.is_empty());
    root.chain(ami.snapshots.iter().map(|(device, id)| (Some(device.as_str()), id.as_str())))
}

fn of_image(record: &Record, ami: &RecordedAmi, machine: &Machine) -> impl Iterator<Item = HostFlaw> {
    let key = machine.tags.get(words::KEY);
    let imds_v2 = record.host.as_ref().is_some_and(|host| host.imds_v2);
    let found = [
        (machine.state != "available").then(|| HostFlaw::State(machine.state.clone())),
        (key != Some(&record.key.hex())).then(|| HostFlaw::Key(key.cloned())),
        (!machine.tags.contains_key(words::FINISHED)).then_some(HostFlaw::Unfinished),
        (machine.processor() != Some(ami.architecture)).then(|| HostFlaw::Processor(machine.architecture.clone())),
        (imds_v2 && !machine.imds_v2).then_some(HostFlaw::Imds),
    ];
    found.into_iter().flatten()
}

/// What is wrong with the disks of an AMI.
fn under<'a>(
    ami: &'a RecordedAmi,
    machine: &'a Machine,
    disks: &'a BTreeMap<&str, &Disk>,
) -> impl Iterator<Item = HostFlaw> + 'a {
    let of_one = move |(device, id): (Option<&str>, &str)| {
        let is = machine.snapshots.get(device.unwrap_or(&machine.root_device));
        if is.is_none_or(|is| is != id) {
            return Some(HostFlaw::Disk { recorded: id.to_owned(), is: is.cloned() });
        }
        let state = disks.get(id).map(|disk| disk.state.clone());
        (state.as_deref() != Some("completed")).then(|| HostFlaw::Snapshot(id.to_owned(), state))
    };
    let key = disks.get(ami.snapshot.as_str()).and_then(|root| {
        let recorded = ami.kms_key.as_ref()?;
        let is_wrong = root.kms_key.as_ref().is_none_or(|is| is_another(recorded, is));
        is_wrong.then(|| HostFlaw::Encryption { recorded: recorded.clone(), is: root.kms_key.clone() })
    });
    snapshots(ami).filter_map(of_one).chain(key)
}
