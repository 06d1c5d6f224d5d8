//! What is in a base's layers: remembered in the store, or read from their bytes.

use std::io::Read;

use super::held::{CHANGED, Held, Origin};
use crate::bake::event::Task;
use crate::bake::known::{self, Known};
use crate::bake::port::PortError;
use crate::bake::resolve::{Fault, World};
use crate::contents::{Contents, Spool};
use crate::digest::Digest;
use crate::image::listing::Listing;
use crate::image::scan::{Bounds, Scan, ScanError, Scanned, Wanted, scan};
use crate::parallel;
use crate::tree::Node;

/// Layers that are fetched and read at one time.
const AT_ONCE: usize = 4;

/// What each layer does.
pub(super) fn listings(layers: &[Held], wanted: Wanted<'_>, world: &World<'_>) -> Result<Vec<Listing>, Fault> {
    parallel::bounded(layers, AT_ONCE, |held| listing(held, wanted, world)).into_iter().collect()
}

/// Puts the compressed bytes of all layers into the store.
pub(super) fn fetch(layers: &[Held], world: &World<'_>) -> Result<(), Fault> {
    parallel::bounded(layers, AT_ONCE, |held| held.fetch(world)).into_iter().collect()
}

fn listing(held: &Held, wanted: Wanted<'_>, world: &World<'_>) -> Result<Listing, Fault> {
    match kept_listing(held, world)? {
        Some(listing) => Ok(listing),
        None => Ok(read(held, Some(held.layer.diff_id), wanted, world)?.0),
    }
}

/// The text of a layer's listing, where the store has it.
pub(super) fn kept(held: &Held, world: &World<'_>) -> Result<Option<Digest>, Fault> {
    let known = Known::of(held.layer.descriptor.digest, held.whole, world.store)?;
    // What lies is read again, and refused.
    Ok(known.filter(|known| known.diff_id == held.layer.diff_id).map(|known| known.listing))
}

/// What a layer does, as far as the store knows.
pub(super) fn kept_listing(held: &Held, world: &World<'_>) -> Result<Option<Listing>, Fault> {
    let Some(digest) = held.layer.listing.map_or_else(|| kept(held, world), |said| Ok(Some(said)))? else {
        return Ok(None);
    };
    Ok(known::listing(&digest, world.store)?)
}

/// Reads a layer from its bytes, and keeps in the store what it does and what is wanted of its files.
pub(super) fn read(
    held: &Held,
    diff_id: Option<Digest>,
    wanted: Wanted<'_>,
    world: &World<'_>,
) -> Result<(Listing, Known), Fault> {
    let what = Scan { diff_id, wanted, whole: held.whole, packing: None, bounds: bounds(held), packed: None };
    let first = attempt(held, &what, world)?;
    let scanned = match first {
        // A disk may have spoilt what was fetched long ago: once more, and no oftener.
        Err(error) if error.is_damage() && matches!(held.origin, Origin::Registry(_)) => {
            world.store.drop_blob(&held.layer.descriptor.digest)?;
            attempt(held, &what, world)?
        }
        first => first,
    };
    let scanned = scanned.map_err(|error| refusal(held, &error, world))?;
    keep_contents(&scanned.listing, &scanned.contents, world)?;
    let known = Known::keep(held.layer.descriptor.digest, held.whole, &scanned, world.store)?;
    Ok((scanned.listing, known))
}

/// A layer whose listing is known was made here, or has been read before.
fn bounds(held: &Held) -> Bounds {
    if held.layer.listing.is_some() { Bounds::OWN } else { Bounds::FOREIGN }
}

fn attempt(held: &Held, what: &Scan<'_>, world: &World<'_>) -> Result<Result<Scanned, ScanError>, Fault> {
    let bytes = held.open(world)?;
    let at = &held.layer.descriptor;
    let name = format!("reading {} (layer {})", held.subject, at.digest.short());
    let task = Task::begin(&name, Some(at.size), world.tell);
    let spool = Spool::new(world.store.scratch()?);
    Ok(scan(what, Told { inner: bytes, task: &task }, spool))
}

/// What a layer that is refused means. The bytes of a registry's layer are of no use to anybody then.
pub(super) fn refusal(held: &Held, error: &ScanError, world: &World<'_>) -> Fault {
    if world.interrupt.requested() {
        return PortError::Interrupted.into();
    }
    match held.origin {
        // Where it cannot be dropped, it lies there until the store is cleaned up.
        Origin::Registry(_) => drop(world.store.drop_blob(&held.layer.descriptor.digest)),
        Origin::File { .. } if error.is_damage() => return held.wrong(CHANGED),
        Origin::File { .. } | Origin::Store => {}
    }
    held.wrong(&error.to_string())
}

/// Puts the files that were wanted into the store.
pub(super) fn keep_contents(listing: &Listing, contents: &Contents, world: &World<'_>) -> Result<(), Fault> {
    for (path, entry) in listing.tree.iter() {
        let Node::File { digest, .. } = &entry.node else { continue };
        let Ok(mut bytes) = contents.open(digest) else { continue };
        if world.store.size(digest).is_none() {
            world.store.put(&mut bytes, Some(*digest)).map_err(|error| Fault::wrong(path, error.to_string()))?;
        }
    }
    Ok(())
}

/// Tells of the bytes that pass.
pub(super) struct Told<'t, R> {
    pub(super) inner: R,
    pub(super) task: &'t Task<'t>,
}

impl<R: Read> Read for Told<'_, R> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let n = self.inner.read(into)?;
        self.task.advance(n as u64);
        Ok(n)
    }
}
