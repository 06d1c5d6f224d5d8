//! The inputs of a build, out of a store that is at hand, for a build in another store.
//!
//! Only what a lock pins by digest is taken: nothing that was made of it, and nothing that was learnt from it.

use crate::bake::event::Listener;
use crate::bake::port::{Download, Fetch, PortError, RawManifest, Registry};
use crate::digest::Digest;
use crate::lock::Lock;
use crate::name::Reference;
use crate::store::{Store, StoreError};

/// Ports that look into a store before they ask the world.
#[derive(Clone, Copy)]
pub struct Inputs<'i> {
    /// What is at hand.
    pub present: &'i Store,
    /// Who asks registries.
    pub registry: Option<&'i dyn Registry>,
    /// Who downloads.
    pub fetch: Option<&'i dyn Fetch>,
}

impl Inputs<'_> {
    /// Puts the configurations of a lock's bases into a store, as far as they are at hand: they are asked for by
    /// digest there before any registry is.
    ///
    /// # Errors
    /// When a store cannot be read or written.
    pub fn take_configs(&self, lock: &Lock, into: &Store) -> Result<(), StoreError> {
        let platforms = lock.base.iter().flat_map(|base| &base.platform);
        platforms.filter_map(|on| on.config).try_for_each(|config| self.take(&config, into).map(drop))
    }

    /// Copies a blob, all its bytes verified; tells its size, if it is at hand and sound.
    fn take(&self, digest: &Digest, into: &Store) -> Result<Option<u64>, StoreError> {
        let Some(mut blob) = self.present.read(digest)? else { return Ok(None) };
        match into.put(&mut blob, Some(*digest)) {
            Ok((_, size)) => Ok(Some(size)),
            Err(StoreError::Mismatch(_)) => {
                self.present.drop_blob(digest)?;
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}

impl Registry for Inputs<'_> {
    fn manifest(&self, reference: &Reference, tell: Listener<'_>) -> Result<RawManifest, PortError> {
        match self.registry {
            Some(registry) => registry.manifest(reference, tell),
            None => Err(PortError::Offline { subject: reference.to_string() }),
        }
    }

    fn blob(
        &self,
        from: &Reference,
        digest: Digest,
        size: u64,
        store: &Store,
        tell: Listener<'_>,
    ) -> Result<(), PortError> {
        match (self.take(&digest, store)?, self.registry) {
            (Some(_), _) => Ok(()),
            (None, Some(registry)) => registry.blob(from, digest, size, store, tell),
            (None, None) => Err(PortError::Offline { subject: format!("{from} ({digest})") }),
        }
    }
}

impl Fetch for Inputs<'_> {
    fn fetch(&self, what: &Download, store: &Store, tell: Listener<'_>) -> Result<(Digest, u64), PortError> {
        if let Some(digest) = what.expected
            && let Some(size) = self.take(&digest, store)?
        {
            return Ok((digest, size));
        }
        match self.fetch {
            Some(fetch) => fetch.fetch(what, store, tell),
            None => Err(PortError::Offline { subject: what.url.to_string() }),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;
    use crate::bake::event::SILENT;

    fn store() -> (tempfile::TempDir, Store) {
        let root = tempfile::tempdir().unwrap();
        let store = Store::open(root.path(), SystemTime::UNIX_EPOCH).unwrap();
        (root, store)
    }

    #[test]
    fn what_is_at_hand_is_taken_and_everything_else_is_asked_for() {
        let ((_present_root, present), (_root, into)) = (store(), store());
        let (digest, size) = present.put(&mut &b"input"[..], None).unwrap();
        let inputs = Inputs { present: &present, registry: None, fetch: None };
        let reference: Reference = "localhost/a:1".parse().unwrap();
        inputs.blob(&reference, digest, size, &into, SILENT).unwrap();
        assert_eq!(into.size(&digest), Some(size));
        let error = inputs.blob(&reference, Digest::of(b"other"), 5, &into, SILENT).unwrap_err();
        assert!(matches!(error, PortError::Offline { .. }), "{error}");
        let url = "https://example.com/a.zip".parse().unwrap();
        let mut what = Download { name: "a".to_owned(), url, expected: Some(digest), limit: 99 };
        assert_eq!(inputs.fetch(&what, &into, SILENT).unwrap(), (digest, size));
        // What nobody has pinned may be anything.
        what.expected = None;
        assert!(matches!(inputs.fetch(&what, &into, SILENT).unwrap_err(), PortError::Offline { .. }));
    }
}
