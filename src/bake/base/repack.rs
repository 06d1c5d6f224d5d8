//! Layers of files that are packed as no layer should be: plain, which wastes what every push and pull costs, with xz,
//! which no engine takes, or a root file system with zstd, which not every engine takes and nobody asked for. They
//! are packed anew, as our own are, around the very same tar stream; once, because the store remembers what became of
//! which.

use std::io::{self, BufReader, Read, Write};
use std::num::NonZeroUsize;

use super::held::{Held, Origin};
use super::read::{Told, keep_contents, refusal};
use crate::bake::event::Task;
use crate::bake::known::Known;
use crate::bake::port::PortError;
use crate::bake::resolve::{Fault, World};
use crate::contents::Spool;
use crate::digest::Digest;
use crate::image::compress::compress;
use crate::image::oci::{Descriptor, LAYER_TAR};
use crate::image::scan::{Bounds, Counted, Inflated, PackedBytes, Packing, Scan, ScanError, Wanted, scan};
use crate::plan::KEY_FORMAT;
use crate::recipe::Compression;

/// What became of a layer.
#[derive(serde::Serialize, serde::Deserialize)]
struct Repacked {
    layer: Descriptor,
    diff_id: Digest,
}

/// Whether a layer has to be packed anew.
pub(super) fn is_needed(media_type: &str) -> bool {
    media_type == LAYER_TAR || media_type.ends_with("+xz")
}

/// The layer that became of one before; `diff_id` where it is known which tar stream it has to be.
pub(super) fn known(held: &Held, diff_id: Option<Digest>, world: &World<'_>) -> Result<Option<Held>, Fault> {
    let known: Option<Repacked> = world.store.result(&key(held))?;
    let known = known.filter(|known| diff_id.is_none_or(|diff_id| diff_id == known.diff_id));
    Ok(known.map(|Repacked { layer, diff_id }| repacked(held, layer, diff_id)))
}

/// Packs a layer anew, into the store, and reads it on the way.
pub(super) fn repack(
    held: &Held,
    diff_id: Option<Digest>,
    wanted: Wanted<'_>,
    world: &World<'_>,
) -> Result<Held, Fault> {
    let name = format!("packing {}", held.subject);
    let task = Task::begin(&name, Some(held.layer.descriptor.size), world.tell);
    let read = PackedBytes::default();
    let bytes = Told { inner: held.open(world)?, task: &task };
    let bytes = BufReader::new(Counted::new(bytes, &read));
    let unreadable = |error| refusal(held, &ScanError::Read(error), world);
    let Some(mut inflated) = Inflated::new(bytes).map_err(unreadable)? else {
        return Err(held.wrong("it is compressed with bzip2, which is not read: use gzip, zstd or xz"));
    };
    let spool = Spool::new(world.store.scratch()?);
    let (bounds, packing) = (Bounds::FOREIGN, Some(Packing::Plain));
    let what = Scan { diff_id, wanted, whole: held.whole, packing, bounds, packed: Some(&read) };
    let threads = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let mut blob = world.store.write()?;
    let mut scanned = None;
    let packed = compress(Compression::Gzip, threads, &mut blob, &|_| Ok(()), |to| {
        scanned = Some(scan(&what, Tee { from: &mut inflated, to }, spool)?);
        Ok::<_, ScanError>(())
    });
    // Only the rest of the compressed bytes can say that they are not the right ones.
    let drained = io::copy(&mut inflated.into_inner(), &mut io::sink()).map(drop).map_err(ScanError::Read);
    let failed = match packed {
        Ok(packed) => drained.and(packed).err(),
        Err(error) => Some(ScanError::Keep(error)),
    };
    let scanned = match (scanned, failed) {
        (Some(scanned), None) => scanned,
        (_, Some(error)) => return Err(refusal(held, &error, world)),
        (None, None) => return Err(held.wrong("it was not read to its end")),
    };
    let (digest, size) = blob.commit(None).map_err(PortError::from)?;
    let layer = Descriptor { digest, size, media_type: format!("{LAYER_TAR}+gzip") };
    keep_contents(&scanned.listing, &scanned.contents, world)?;
    Known::keep(digest, held.whole, &scanned, world.store)?;
    let result = Repacked { layer: layer.clone(), diff_id: scanned.diff_id };
    world.store.keep(&key(held), &result, &[digest])?;
    Ok(repacked(held, layer, scanned.diff_id))
}

fn repacked(held: &Held, layer: Descriptor, diff_id: Digest) -> Held {
    Held { whole: held.whole, ..Held::new(layer, diff_id, Origin::Store, &held.subject) }
}

/// Another encoder makes another layer.
fn key(held: &Held) -> Digest {
    let kind = if held.whole { "file system" } else { "layer" };
    Digest::of(format!("elkbake pack {KEY_FORMAT} of {kind} {}", held.layer.descriptor.digest).as_bytes())
}

/// Passes bytes on, and writes them as well.
struct Tee<'t, R, W> {
    from: &'t mut R,
    to: &'t mut W,
}

impl<R: Read, W: Write> Read for Tee<'_, R, W> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let n = self.from.read(into)?;
        self.to.write_all(&into[..n])?;
        Ok(n)
    }
}
