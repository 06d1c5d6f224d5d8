//! What is made to hold of an image at every push: who may use it, how long, and what points to it.
//!
//! None of that has a say in the key. Only what differs is changed, so that a push that has nothing to do changes nothing
//! and asks only after what the recipe speaks of.
//!
//! An image that can be used by those who are to use it is finished; only then anything may point to it. So what points
//! to an image never points to one that somebody may still take away.

mod deprecation;
mod encryption;
mod pointer;
mod share;
mod subject;

use std::collections::BTreeSet;

use super::desk::Desk;
use super::fault::HostError;
use super::order::Order;
use super::words;
use crate::bake::port::{ImageStep, Machine, Tags};
use crate::recipe::{Architecture, Region};
pub(super) use encryption::{is_another, kms_key};
use subject::Subject;

/// Makes of an image what the recipe and the target say of it, and tells what that took. It is not marked as finished.
///
/// # Errors
/// When something cannot be changed. The image stays as far as it got; what was done is not done again.
pub(super) fn converge(
    order: &Order<'_>,
    (region, architecture): (&Region, Architecture),
    machine: &Machine,
    desk: Desk<'_>,
) -> Result<Vec<String>, HostError> {
    let subject = Subject { order, region, architecture, machine, desk };
    let mut changed = Vec::new();
    subject.tags(&mut changed)?;
    subject.image(&mut changed)?;
    share::converge(&subject, &mut changed)?;
    Ok(changed)
}

/// Makes what is to point to a finished image do so, and lets it be deprecated one day. One of these that cannot be done
/// keeps none of the others from being done.
///
/// # Errors
/// When one of them cannot be done.
pub(super) fn point(
    order: &Order<'_>,
    (region, architecture): (&Region, Architecture),
    machine: &Machine,
    changed: &mut Vec<String>,
    desk: Desk<'_>,
) -> Result<(), HostError> {
    let subject = Subject { order, region, architecture, machine, desk };
    let mut first = Ok(());
    for step in [pointer::parameter, pointer::template, deprecation::converge] {
        desk.check()?;
        first = first.and(step(&subject, changed));
    }
    first
}

impl Subject<'_> {
    fn tags(&self, changed: &mut Vec<String>) -> Result<(), HostError> {
        let mut wanted = self.order.tags(self.architecture, self.region);
        if share::is_wanted(&self.order.share()) {
            // Said before it is done: what was shared has to be found when nobody is to have it any more.
            wanted.insert(words::SHARED.to_owned(), "yes".to_owned());
        }
        wanted.retain(|name, value| self.machine.tags.get(name) != Some(value));
        if wanted.is_empty() {
            return Ok(());
        }
        let snapshots = self.machine.snapshots.values().cloned();
        let ids: BTreeSet<_> = snapshots.chain([self.machine.id.clone()]).collect();
        self.desk.ec2.tag(&self.order.site(self.region), &ids, &wanted, self.desk.tell)?;
        let own = wanted.keys().filter(|name| *name != words::SHARED).map(String::as_str).collect::<Vec<_>>();
        if !own.is_empty() {
            changed.push(format!("tags {}", own.join(", ")));
        }
        Ok(())
    }

    fn image(&self, changed: &mut Vec<String>) -> Result<(), HostError> {
        if self.order.imds_v2() && !self.machine.imds_v2 {
            self.change(&ImageStep::ImdsV2)?;
            changed.push("instances have to use IMDSv2".to_owned());
        }
        Ok(())
    }
}

/// Marks an image and its snapshots as finished: from now on it is what the key has made in its region.
pub(super) fn finish(order: &Order<'_>, region: &Region, machine: &Machine, desk: Desk<'_>) -> Result<(), HostError> {
    let mut tags = Tags::from([(words::FINISHED.to_owned(), order.now.to_string())]);
    // The revision that it was made from stays, whatever later ones make of the same key.
    let revision = order.revision.filter(|_| !machine.tags.contains_key(words::REVISION));
    tags.extend(revision.map(|revision| (words::REVISION.to_owned(), revision.to_owned())));
    let ids = machine.snapshots.values().cloned().chain([machine.id.clone()]).collect();
    Ok(desk.ec2.tag(&order.site(region), &ids, &tags, desk.tell)?)
}
