//! What resolving reaches out to.

use std::io::{self, ErrorKind};
use std::path::Path;

use crate::bake::event::Listener;
use crate::bake::interrupt::Interrupt;
use crate::bake::port::{AmiLookup, Download, Engines, Fetch, PortError, Registry};
use crate::digest::Digest;
use crate::recipe::Url;
use crate::store::Store;

/// Nothing larger is taken as a plugin, an archive or a base: a disk that fills up serves nobody.
pub const LARGEST_ARTEFACT: u64 = 8 << 30;

/// What resolving reaches out to. A port that is `None` is closed: `--offline`.
#[derive(Clone, Copy)]
pub struct World<'w> {
    /// The project's folder.
    pub project: &'w Path,
    /// Registries.
    pub registry: Option<&'w dyn Registry>,
    /// Downloads.
    pub fetch: Option<&'w dyn Fetch>,
    /// Host images.
    pub ami: Option<&'w dyn AmiLookup>,
    /// Container engines.
    pub engines: Option<&'w dyn Engines>,
    /// The Maven repository that the project names.
    pub maven: Option<&'w Url>,
    /// Where downloads are kept.
    pub store: &'w Store,
    /// Who is told.
    pub tell: Listener<'w>,
    /// Whether to stop.
    pub interrupt: &'w Interrupt,
}

impl<'w> World<'w> {
    pub(in crate::bake) fn registry(&self, subject: &dyn ToString) -> Result<&'w dyn Registry, PortError> {
        self.registry.ok_or_else(|| PortError::Offline { subject: subject.to_string() })
    }

    pub(in crate::bake) fn ami(&self, subject: &dyn ToString) -> Result<&'w dyn AmiLookup, PortError> {
        self.ami.ok_or_else(|| PortError::Offline { subject: subject.to_string() })
    }

    pub(in crate::bake) fn engines(&self) -> Result<&'w dyn Engines, PortError> {
        self.engines.ok_or_else(|| PortError::Docker {
            subject: "a container engine".to_owned(),
            message: "this turns to none".to_owned(),
            help: "build the recipe first, with `elkbake build`".to_owned(),
        })
    }

    /// Downloads something, unless its bytes are known and here.
    pub(in crate::bake) fn download(
        &self,
        name: String,
        url: &Url,
        expected: Option<Digest>,
        limit: u64,
    ) -> Result<(Digest, u64), PortError> {
        if let Some(digest) = expected
            && let Some(size) = self.held(&digest, url)?
        {
            return Ok((digest, size));
        }
        let fetch = self.fetch.ok_or_else(|| PortError::Offline { subject: url.to_string() })?;
        fetch.fetch(&Download { name, url: url.clone(), expected, limit }, self.store, self.tell)
    }

    /// The size of a blob that is here and sound; a damaged one is dropped, so that it is fetched again.
    fn held(&self, digest: &Digest, url: &Url) -> Result<Option<u64>, PortError> {
        let Some(mut blob) = self.store.read(digest)? else { return Ok(None) };
        match io::copy(&mut blob, &mut io::sink()) {
            Ok(size) => Ok(Some(size)),
            Err(error) if error.kind() == ErrorKind::InvalidData => {
                self.store.drop_blob(digest)?;
                Ok(None)
            }
            Err(error) => {
                let message = format!("{digest} cannot be read from the store: {error}");
                Err(PortError::Wrong { subject: url.to_string(), message })
            }
        }
    }
}
