//! An image into a repository of a registry.

use std::sync::atomic::{AtomicBool, Ordering};

use super::cargo::Cargo;
use super::fault::PushError;
use crate::bake::event::Listener;
use crate::bake::interrupt::Interrupt;
use crate::bake::port::{Arrival, Freight, PortError, Publish, RawManifest};
use crate::digest::Digest;
use crate::image::oci::Descriptor;
use crate::name::Reference;
use crate::parallel;
use crate::store::Store;

/// So many blobs of an image travel at one time. More win nothing: one alone nearly fills the wire, and the others
/// cover for its round trips.
const SIDE_BY_SIDE: usize = 4;

/// A tag that moves is put so often where it names something else right after.
const MOVES: u32 = 3;

/// What pushing is done with.
#[derive(Clone, Copy)]
pub struct Desk<'d> {
    /// Who speaks to registries.
    pub publish: &'d dyn Publish,
    /// Where blobs are.
    pub store: &'d Store,
    /// Who may want to stop.
    pub interrupt: &'d Interrupt,
    /// Who is told.
    pub tell: Listener<'d>,
}

/// What a repository has of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Look {
    /// All of it, under the tag.
    There,
    /// Not the tag, and not these blobs.
    Lacks(Vec<Descriptor>),
}

/// What it took to bring an image into a repository.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Shipped {
    /// Whether all of it was there.
    pub was_there: bool,
    /// Blobs that were sent, by this call or by an earlier one that was cut off.
    pub sent: usize,
    /// Bytes that this call sent of them.
    pub bytes: u64,
    /// Blobs that the registry took from another repository.
    pub mounted: usize,
    /// Blobs that were there.
    pub present: usize,
}

/// Looks what a repository has of an image. Nothing is changed.
///
/// # Errors
/// When its tag is another image's, or the registry does not answer.
pub fn look(cargo: &Cargo, into: &Reference, desk: Desk<'_>) -> Result<Look, PushError> {
    let at = tagged(cargo, into);
    if let Some(theirs) = desk.publish.held(&at, desk.tell)?
        && is_done(cargo, &at, theirs)?
    {
        return Ok(Look::There);
    }
    let digests: Vec<_> = cargo.blobs().iter().map(|at| at.digest).collect();
    let missing = match desk.publish.missing(into, &digests, desk.tell) {
        // It will be made, or is made by the first push.
        Err(PortError::NotFound { .. }) => digests.into_iter().collect(),
        missing => missing?,
    };
    Ok(Look::Lacks(cargo.blobs().iter().filter(|at| missing.contains(&at.digest)).cloned().collect()))
}

/// Brings an image into a repository, as far as it is not there, and proves that it is.
///
/// # Errors
/// When something does not get there. The tag then is where it was, and a next call goes on where this one stopped.
pub fn ship(look: &Look, cargo: &Cargo, into: &Reference, desk: Desk<'_>) -> Result<Shipped, PushError> {
    let Look::Lacks(blobs) = look else { return Ok(Shipped { was_there: true, ..Shipped::default() }) };
    let mut shipped = Shipped { present: cargo.blobs().len() - blobs.len(), ..Shipped::default() };
    for arrival in send(blobs, cargo, into, desk)? {
        match arrival {
            Arrival::Present => shipped.present += 1,
            Arrival::Mounted => shipped.mounted += 1,
            Arrival::Sent(bytes) => {
                shipped.sent += 1;
                shipped.bytes += bytes;
            }
        }
    }
    publish(cargo, into, desk)?;
    Ok(shipped)
}

/// Brings blobs to a repository, side by side. The first that fails stops those that have not begun.
fn send(blobs: &[Descriptor], cargo: &Cargo, into: &Reference, desk: Desk<'_>) -> Result<Vec<Arrival>, PushError> {
    let failed = AtomicBool::new(false);
    let arrivals = parallel::bounded(blobs, SIDE_BY_SIDE, |at| {
        if failed.load(Ordering::Relaxed) {
            return None;
        }
        let origin = cargo.origin(at, into);
        let freight = Freight { digest: at.digest, size: at.size, origin: origin.as_deref() };
        if freight.origin.is_none() && desk.store.size(&at.digest).is_none() {
            failed.store(true, Ordering::Relaxed);
            return Some(Err(PushError::Missing { digest: at.digest }));
        }
        let arrival = desk.publish.send(into, freight, desk.store, desk.tell);
        failed.fetch_or(arrival.is_err(), Ordering::Relaxed);
        Some(arrival.map_err(PushError::from))
    });
    arrivals.into_iter().flatten().collect()
}

/// Puts the documents, the tag last, and proves that the tag names what was pushed.
fn publish(cargo: &Cargo, into: &Reference, desk: Desk<'_>) -> Result<(), PushError> {
    let Some((top, others)) = cargo.manifests().split_last() else { return Ok(()) };
    for manifest in others {
        desk.publish.publish(&into.at(manifest.digest), manifest, desk.tell)?;
    }
    if desk.interrupt.requested() {
        return Err(PortError::Interrupted.into());
    }
    let at = tagged(cargo, into);
    // A registry that lets tags be moved would let us move one that somebody has put there since we looked.
    if let Some(theirs) = desk.publish.held(&at, desk.tell)?
        && is_done(cargo, &at, theirs)?
    {
        return Ok(());
    }
    // Two that move a tag at once have both put it, and replication moves it back to what was current a while ago.
    let mut left = if cargo.may_move() { MOVES } else { 1 };
    loop {
        left -= 1;
        match prove(&at, top, desk) {
            Err(PushError::Unproven { .. }) if left > 0 && !desk.interrupt.requested() => {}
            proven => return proven,
        }
    }
}

/// Puts a document under a tag, and looks what the tag names then.
fn prove(at: &Reference, top: &RawManifest, desk: Desk<'_>) -> Result<(), PushError> {
    let refused = match desk.publish.publish(at, top, desk.tell) {
        Ok(()) => None,
        // ECR refuses what is there already, too.
        Err(PortError::Immutable { subject, message }) => Some(PortError::Immutable { subject, message }),
        Err(error) => return Err(error.into()),
    };
    match (desk.publish.held(at, desk.tell)?, refused) {
        (Some(theirs), _) if theirs == top.digest => Ok(()),
        (Some(theirs), Some(_)) => Err(PushError::Taken { at: at.to_string(), ours: top.digest, theirs }),
        (None, Some(refused)) => Err(refused.into()),
        (theirs, None) => Err(PushError::Unproven { at: at.to_string(), ours: top.digest, theirs }),
    }
}

fn tagged(cargo: &Cargo, into: &Reference) -> Reference {
    Reference { tag: Some(cargo.tag().clone()), digest: None, ..into.clone() }
}

/// Whether what has the tag is what is to have it.
fn is_done(cargo: &Cargo, at: &Reference, theirs: Digest) -> Result<bool, PushError> {
    match cargo.digest() {
        Some(ours) if ours == theirs => Ok(true),
        Some(ours) if !cargo.may_move() => Err(PushError::Taken { at: at.to_string(), ours, theirs }),
        _ => Ok(false),
    }
}
