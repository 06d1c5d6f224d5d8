//! Who may start an image beside its owner.

use std::collections::BTreeSet;

use super::subject::Subject;
use crate::bake::host::fault::HostError;
use crate::bake::host::words;
use crate::bake::port::ImageStep;
use crate::recipe::Share;

/// Whether anybody is to have it.
pub(super) fn is_wanted(share: &Share) -> bool {
    !share.accounts.is_empty() || !share.organizations.is_empty()
}

/// Shares an image with those who are to have it, and with nobody else. Where nobody is to have it and nobody had it
/// from us, nothing is asked.
pub(super) fn converge(subject: &Subject<'_>, changed: &mut Vec<String>) -> Result<(), HostError> {
    let Subject { order, region, machine, desk, .. } = subject;
    let wanted = order.share();
    if !is_wanted(&wanted) && !machine.tags.contains_key(words::SHARED) {
        return Ok(());
    }
    let site = order.site(region);
    let has = desk.ec2.shared(&site, &machine.id, desk.tell)?;
    // Snapshots first: who may start an image has to be able to.
    for snapshot in machine.snapshots.values() {
        let has = desk.ec2.snapshot_shared(&site, snapshot, desk.tell)?;
        let (add, remove) = (less(&wanted.accounts, &has), less(&has, &wanted.accounts));
        if !add.is_empty() || !remove.is_empty() {
            desk.ec2.share_snapshot(&site, snapshot, &add, &remove, desk.tell)?;
        }
    }
    let (add, remove) = (without(&wanted, &has), without(&has, &wanted));
    if is_wanted(&add) {
        changed.push(format!("shared with {}", names(&add)));
        subject.change(&ImageStep::Share(add))?;
    }
    if is_wanted(&remove) {
        changed.push(format!("not shared any more with {}", names(&remove)));
        subject.change(&ImageStep::Unshare(remove))?;
    }
    Ok(())
}

fn less(all: &BTreeSet<String>, but: &BTreeSet<String>) -> BTreeSet<String> {
    all.difference(but).cloned().collect()
}

fn without(all: &Share, but: &Share) -> Share {
    Share { accounts: less(&all.accounts, &but.accounts), organizations: less(&all.organizations, &but.organizations) }
}

fn names(share: &Share) -> String {
    share.accounts.iter().chain(&share.organizations).map(String::as_str).collect::<Vec<_>>().join(", ")
}
