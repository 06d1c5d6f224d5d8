//! Taking down what was begun and will not be finished.
//!
//! What is known by its id may not be all: an answer may have been lost. So it is looked for by its tags as well. What
//! cannot be taken down is told, and `elkbake sweep` finds it by the same tags.

use std::collections::BTreeSet;

use super::desk::{Desk, Looks};
use super::find::is_kept;
use super::order::Order;
use super::words;
use crate::bake::event::Event;
use crate::bake::interrupt::Interrupt;
use crate::bake::port::{Ask, Ec2Site, Instance, Machine, PortError, Tags};
use crate::recipe::{Architecture, Region};

/// Who wants to stop waits no longer than this for snapshots that cannot be deleted yet.
const MINUTES: u32 = 2;

/// Whether an instance is there, or on its way.
pub(super) fn is_alive(instance: &Instance) -> bool {
    !matches!(instance.state.as_str(), "shutting-down" | "terminated")
}

/// Everything of an order for one processor in one region.
pub(super) struct Scope<'s> {
    pub(super) order: &'s Order<'s>,
    pub(super) region: &'s Region,
    pub(super) architecture: Architecture,
}

impl Scope<'_> {
    pub(super) fn site(&self) -> Ec2Site {
        self.order.site(self.region)
    }

    pub(super) fn mark(&self) -> Tags {
        self.order.mark(Some(self.architecture))
    }

    /// The tags by which instances are found that are made into images.
    pub(super) fn builders(&self) -> Tags {
        let mut tags = self.mark();
        tags.insert(words::PURPOSE.to_owned(), words::BAKE.to_owned());
        tags
    }
}

/// What takes down has to be done after the wish to stop, so it does not see it.
pub(super) fn calmly(desk: Desk<'_>, work: impl FnOnce(Desk<'_>)) {
    let calm = Interrupt::default();
    work(Desk { interrupt: &calm, ..desk });
}

/// Ends the instances that are known, and where there may be more, those that have all of some tags.
pub(super) fn instances((scope, tags): (&Scope<'_>, &Tags), known: &BTreeSet<String>, unsure: bool, desk: Desk<'_>) {
    calmly(desk, |desk| {
        let ask = Ask { tags: tags.clone(), ..Ask::default() };
        let look = || desk.ec2.instances(&scope.site(), &ask, desk.tell);
        let found = if unsure { found(known.is_empty(), desk, look) } else { Ok(Vec::new()) };
        let found = found.unwrap_or_else(|error| {
            warn(desk, "instances", scope, &error);
            Vec::new()
        });
        let found = found.into_iter().filter(is_alive).map(|instance| instance.id);
        for id in known.iter().cloned().chain(found).collect::<BTreeSet<_>>() {
            if let Err(error) = desk.ec2.terminate(&scope.site(), &id, desk.tell) {
                warn(desk, &id, scope, &error);
            }
        }
    });
}

/// Takes away images that are not finished, and their snapshots.
pub(super) fn images(scope: &Scope<'_>, known: &BTreeSet<String>, unsure: bool, desk: Desk<'_>) {
    calmly(desk, |desk| {
        let ask = Ask { tags: scope.mark(), ..Ask::default() };
        let found = found(unsure && known.is_empty(), desk, || desk.ec2.images(&scope.site(), &ask, desk.tell));
        let found = match found {
            Ok(found) => found,
            // It may be finished by now, by another run: nothing is taken away unseen.
            Err(error) => return warn(desk, &listed(known, "images"), scope, &error),
        };
        // Another run may have finished it: what is finished stays, and what somebody has disabled.
        let (stay, go): (Vec<_>, Vec<_>) = found.into_iter().partition(is_kept);
        let unseen = known.iter().filter(|&id| stay.iter().chain(&go).all(|machine| machine.id != *id));
        deregister(scope, go.iter().map(|machine| &machine.id).chain(unseen), desk);
        orphans(scope, &stay, &go, desk);
    });
}

/// Takes away images of the key that came to nothing; they have its name.
pub(super) fn failed(scope: &Scope<'_>, failed: &[Machine], desk: Desk<'_>) {
    deregister(scope, failed.iter().map(|machine| &machine.id), desk);
    snapshots(scope, failed.iter().flat_map(|machine| machine.snapshots.values()), desk);
}

fn deregister<'i>(scope: &Scope<'_>, ids: impl Iterator<Item = &'i String>, desk: Desk<'_>) {
    for id in ids {
        if let Err(error) = desk.ec2.deregister(&scope.site(), id, desk.tell) {
            warn(desk, id, scope, &error);
        }
    }
}

/// Deletes the snapshots of images that are gone, and those that an image would have had.
fn orphans(scope: &Scope<'_>, stay: &[Machine], gone: &[Machine], desk: Desk<'_>) {
    let ask = Ask { tags: scope.mark(), ..Ask::default() };
    let found = desk.ec2.snapshots(&scope.site(), &ask, desk.tell).unwrap_or_else(|error| {
        warn(desk, "snapshots", scope, &error);
        Vec::new()
    });
    let of = |machines: &[Machine]| machines.iter().flat_map(|one| one.snapshots.values().cloned()).collect();
    let (kept, known): (BTreeSet<String>, BTreeSet<String>) = (of(stay), of(gone));
    let all: BTreeSet<_> = found.into_iter().map(|disk| disk.id).chain(known).collect();
    snapshots(scope, all.difference(&kept), desk);
}

fn snapshots<'i>(scope: &Scope<'_>, ids: impl Iterator<Item = &'i String>, desk: Desk<'_>) {
    for id in ids {
        if let Err(error) = delete_snapshot(&scope.site(), id, desk) {
            warn(desk, id, scope, &error);
        }
    }
}

/// Deletes a snapshot, as soon as the image that it was for lets it go.
pub(super) fn delete_snapshot(site: &Ec2Site, id: &str, desk: Desk<'_>) -> Result<(), PortError> {
    let mut looks = Looks::new(desk);
    loop {
        match desk.ec2.delete_snapshot(site, id, desk.tell) {
            Err(PortError::Cloud { .. }) if !looks.past(MINUTES) => looks.wait()?,
            done => return done,
        }
    }
}

/// What is found by tags; where nothing is known, what was made a moment ago may not be found at the first look.
fn found<T>(patient: bool, desk: Desk<'_>, look: impl Fn() -> Result<Vec<T>, PortError>) -> Result<Vec<T>, PortError> {
    let mut looks = Looks::new(desk);
    for _ in 0..2 {
        let found = look()?;
        if !(patient && found.is_empty()) {
            return Ok(found);
        }
        looks.wait()?;
    }
    look()
}

fn listed(known: &BTreeSet<String>, otherwise: &str) -> String {
    if known.is_empty() {
        return otherwise.to_owned();
    }
    known.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
}

fn warn(desk: Desk<'_>, what: &str, scope: &Scope<'_>, error: &PortError) {
    let Scope { order, region, architecture } = scope;
    let text = format!(
        "{what} of {} for {architecture} in {region} could not be taken down: {error}; `elkbake sweep` will",
        order.name
    );
    (desk.tell)(Event::Warn(&text));
}
