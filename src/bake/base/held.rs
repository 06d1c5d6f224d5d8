//! A layer of a base, and where its bytes can be had.

use std::io::{self, Read, Seek, SeekFrom};
use std::sync::Arc;

use crate::bake::built::BuiltLayer;
use crate::bake::event::Task;
use crate::bake::port::PortError;
use crate::bake::resolve::project::Inside;
use crate::bake::resolve::{Fault, World};
use crate::digest::{Digest, Verifying};
use crate::image::oci::Descriptor;
use crate::name::Reference;
use crate::plan::LayerKind;
use crate::store::StoreError;

/// What is wrong with a file of the project whose bytes are others than when it was locked.
pub(super) const CHANGED: &str = "it is not what was locked: run `elkbake lock`";

/// A layer of a base.
#[derive(Clone)]
pub(super) struct Held {
    pub(super) layer: BuiltLayer,
    pub(super) origin: Origin,
    /// How people call what it is a layer of.
    pub(super) subject: String,
    /// Whether it is a file system by itself.
    pub(super) whole: bool,
}

/// Where compressed bytes can be had.
#[derive(Clone)]
pub(super) enum Origin {
    /// In the store alone: elkbake made them.
    Store,
    /// In a registry.
    Registry(Reference),
    /// In a file of the project, from an offset on.
    File { file: Arc<Inside>, offset: u64 },
}

impl Held {
    pub(super) fn new(descriptor: Descriptor, diff_id: Digest, origin: Origin, subject: &str) -> Self {
        let layer = BuiltLayer { what: LayerKind::Base, descriptor, diff_id, listing: None };
        Self { layer, origin, subject: subject.to_owned(), whole: false }
    }

    /// The compressed bytes, which fail at the end unless they are right.
    pub(super) fn open<'w>(&self, world: &World<'w>) -> Result<Watched<'w, Box<dyn Read + Send>>, Fault> {
        let at = &self.layer.descriptor;
        let inner: Box<dyn Read + Send> = match &self.origin {
            Origin::File { file, offset } => Box::new(stretch(file, *offset, at)?),
            Origin::Store | Origin::Registry(_) => {
                self.fetch(world)?;
                let blob = world.store.read(&at.digest)?;
                Box::new(blob.ok_or_else(|| self.wrong("it was fetched and is not in the store"))?)
            }
        };
        Ok(Watched { inner, world: *world })
    }

    /// Sees to it that the store has the compressed bytes.
    pub(super) fn fetch(&self, world: &World<'_>) -> Result<(), Fault> {
        let at = &self.layer.descriptor;
        if world.interrupt.requested() {
            return Err(PortError::Interrupted.into());
        }
        if world.store.size(&at.digest) == Some(at.size) {
            return Ok(());
        }
        match &self.origin {
            Origin::Store => Err(self.wrong("it is not in the store any more: build the recipe again that it is from")),
            Origin::Registry(reference) => {
                let registry = world.registry(&format!("{reference} (layer {})", at.digest))?;
                Ok(registry.blob(reference, at.digest, at.size, world.store, world.tell)?)
            }
            Origin::File { file, offset } => {
                let name = format!("{} (layer {})", self.subject, at.digest.short());
                let _task = Task::begin(&name, Some(at.size), world.tell);
                let mut bytes = Watched { inner: stretch(file, *offset, at)?, world: *world };
                match world.store.put(&mut bytes, Some(at.digest)) {
                    Ok(_) => Ok(()),
                    Err(_) if world.interrupt.requested() => Err(PortError::Interrupted.into()),
                    Err(StoreError::Mismatch(_)) => Err(self.wrong(CHANGED)),
                    Err(error) => Err(error.into()),
                }
            }
        }
    }

    /// What is wrong with this layer.
    pub(super) fn wrong(&self, message: &str) -> Fault {
        Fault::wrong(&format!("{} (layer {})", self.subject, self.layer.descriptor.digest), message)
    }
}

/// A stretch of a file of the project, verified as it is read.
pub(super) fn stretch(
    file: &Inside,
    offset: u64,
    at: &Descriptor,
) -> Result<Verifying<impl Read + Send + use<>>, Fault> {
    let (mut open, _) = file.open()?;
    open.seek(SeekFrom::Start(offset)).map_err(file.io())?;
    Ok(Verifying::new(open.take(at.size), at.digest, Some(at.size)))
}

/// Fails once somebody asked to stop.
pub(in crate::bake) struct Watched<'w, R> {
    pub(in crate::bake) inner: R,
    pub(in crate::bake) world: World<'w>,
}

impl<R: Read> Read for Watched<'_, R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.world.interrupt.requested() {
            return Err(io::Error::other("interrupted"));
        }
        self.inner.read(into)
    }
}
