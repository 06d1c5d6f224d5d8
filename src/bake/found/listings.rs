//! What the layers of an image hold: remembered in the store, or read from their bytes.

use std::io::{self, Read};

use super::FoundLayer;
use super::Holder;
use crate::bake::event::{Listener, Task};
use crate::bake::interrupt::Interrupt;
use crate::bake::known::{self, Known};
use crate::bake::port::PortError;
use crate::bake::resolve::Fault;
use crate::contents::Spool;
use crate::image::listing::Listing;
use crate::image::scan::{Bounds, NOTHING, Scan, scan};
use crate::parallel;
use crate::plan::LayerKind;
use crate::store::Store;

/// Layers that are read at one time.
const AT_ONCE: usize = 4;

/// What a layer holds, as far as the store knows.
///
/// # Errors
/// When the store cannot be read.
pub fn known(layer: &FoundLayer, store: &Store) -> Result<Option<Listing>, Fault> {
    let text = match layer.listing {
        Some(text) => Some(text),
        // What lies is read again, and refused.
        None => Known::of(layer.descriptor.digest, false, store)?
            .filter(|known| known.diff_id == layer.diff_id)
            .map(|known| known.listing),
    };
    Ok(match text {
        Some(text) => known::listing(&text, store)?,
        None => None,
    })
}

/// Reads layers that the store does not know, and remembers there what they hold.
#[derive(Clone, Copy)]
pub struct Reader<'r> {
    /// Where the layers are.
    pub holder: &'r dyn Holder,
    /// Where what is known is kept.
    pub store: &'r Store,
    /// Whether to stop.
    pub interrupt: &'r Interrupt,
    /// Who is told.
    pub tell: Listener<'r>,
}

impl Reader<'_> {
    /// What each layer holds.
    ///
    /// # Errors
    /// When a layer cannot be had, is damaged, or holds what no layer may hold.
    pub fn listings(&self, layers: &[FoundLayer]) -> Result<Vec<Listing>, Fault> {
        parallel::bounded(layers, AT_ONCE, |layer| self.listing(layer)).into_iter().collect()
    }

    fn listing(&self, layer: &FoundLayer) -> Result<Listing, Fault> {
        if let Some(known) = known(layer, self.store)? {
            return Ok(known);
        }
        let at = &layer.descriptor;
        let name = format!("reading layer {}", at.digest.short());
        let task = Task::begin(&name, Some(at.size), self.tell);
        let own = layer.what.as_ref().is_some_and(|what| *what != LayerKind::Base);
        let (diff_id, bounds) = (Some(layer.diff_id), if own { Bounds::OWN } else { Bounds::FOREIGN });
        let what = Scan { diff_id, wanted: NOTHING, whole: false, packing: None, bounds, packed: None };
        let bytes = Watched { inner: self.holder.layer(at)?, task: &task, interrupt: self.interrupt };
        match scan(&what, bytes, Spool::new(self.store.scratch()?)) {
            Ok(scanned) => {
                Known::keep(at.digest, false, &scanned, self.store)?;
                Ok(scanned.listing)
            }
            Err(_) if self.interrupt.requested() => Err(PortError::Interrupted.into()),
            Err(error) => {
                if error.is_damage() {
                    // If it came from the store, it is fetched or made again next time.
                    self.store.drop_blob(&at.digest)?;
                }
                Err(Fault::Wrong { subject: format!("layer {}", at.digest), message: error.to_string() })
            }
        }
    }
}

/// Tells of the bytes that pass, and fails once somebody asked to stop.
struct Watched<'w, R> {
    inner: R,
    task: &'w Task<'w>,
    interrupt: &'w Interrupt,
}

impl<R: Read> Read for Watched<'_, R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.interrupt.requested() {
            return Err(io::Error::other("interrupted"));
        }
        let n = self.inner.read(into)?;
        self.task.advance(n as u64);
        Ok(n)
    }
}
