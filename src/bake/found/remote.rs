//! An image in a registry.

use std::io::Read;

use super::documents::{self, Documents};
use crate::bake::event::Listener;
use crate::bake::found::{Found, Holder};
use crate::bake::port::{PortError, Registry};
use crate::bake::resolve::Fault;
use crate::digest::{Digest, Mismatch};
use crate::image::oci::{self, Descriptor, OciError};
use crate::name::{Platform, Reference};
use crate::store::Store;

/// An image in a registry; what is fetched of it stays in the store.
#[derive(Clone, Copy)]
pub struct Remote<'w> {
    /// Which.
    pub reference: &'w Reference,
    /// Who asks registries.
    pub registry: &'w dyn Registry,
    /// Where configurations and layers are kept.
    pub store: &'w Store,
    /// Who is told.
    pub tell: Listener<'w>,
}

impl Remote<'_> {
    fn top(&self) -> Result<Descriptor, Fault> {
        let raw = self.registry.manifest(self.reference, self.tell)?;
        Ok(Descriptor { digest: raw.digest, size: raw.bytes.len() as u64, media_type: raw.media_type })
    }

    fn fetch(&self, at: &Descriptor) -> Result<(), PortError> {
        if self.store.size(&at.digest) == Some(at.size) {
            return Ok(());
        }
        self.registry.blob(self.reference, at.digest, at.size, self.store, self.tell)
    }

    fn gone(&self, at: &Descriptor) -> Fault {
        let message = format!("{} was fetched and is not in the store", at.digest);
        Fault::Wrong { subject: self.reference.to_string(), message }
    }
}

impl Documents for Remote<'_> {
    fn subject(&self) -> String {
        self.reference.to_string()
    }

    fn document(&self, at: &Descriptor) -> Result<Vec<u8>, Fault> {
        let raw = self.registry.manifest(&self.reference.at(at.digest), self.tell)?;
        match Digest::of(&raw.bytes) {
            got if got == at.digest => Ok(raw.bytes),
            got => {
                let message = Mismatch::Digest { expected: at.digest, got }.to_string();
                Err(Fault::Wrong { subject: self.reference.to_string(), message })
            }
        }
    }

    fn config(&self, at: &Descriptor) -> Result<Vec<u8>, Fault> {
        let (size, limit) = (at.size, oci::LONGEST_CONFIG);
        if size > limit {
            return Err(self.wrong(at, OciError::TooLong { kind: "OCI configuration", size, limit }));
        }
        if let Some(bytes) = self.store.bytes(&at.digest, limit)? {
            return Ok(bytes);
        }
        self.fetch(at)?;
        self.store.bytes(&at.digest, limit)?.ok_or_else(|| self.gone(at))
    }

    fn wrong(&self, at: &Descriptor, source: OciError) -> Fault {
        Fault::Oci { subject: format!("{} ({})", self.reference, at.digest), source }
    }
}

impl Holder for Remote<'_> {
    fn find(&self, only: Option<&Platform>) -> Result<Found, Fault> {
        documents::find(self, &self.top()?, only)
    }

    fn layer(&self, at: &Descriptor) -> Result<Box<dyn Read + Send + '_>, Fault> {
        self.fetch(at)?;
        Ok(Box::new(self.store.read(&at.digest)?.ok_or_else(|| self.gone(at))?))
    }
}
