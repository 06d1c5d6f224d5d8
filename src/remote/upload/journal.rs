//! What the next process needs to go on with an upload: where it is, and the state of its hash.
//!
//! It is kept in the store, under the name of registry, repository and blob. Nothing here is needed for the upload at
//! hand: where the store cannot be written, a killed process just loses what it has sent.

use std::time::Duration;

use hyper::Uri;

use crate::bake::event::{Event, Listener};
use crate::digest::{Digest, Hasher};
use crate::remote::door::Door;
use crate::store::{Partial, Store};

/// How often to look whether another run has finished with the same upload.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// The journal of one upload.
pub(super) struct Journal<'s> {
    store: &'s Store,
    key: Digest,
    /// Held while we write. It stays empty, and an empty one is gone with us.
    _alone: Option<Partial<'s>>,
}

/// An upload that an earlier process has begun.
pub(super) struct Begun {
    /// Where it is.
    pub(super) location: Uri,
    /// The state of the hash somewhere on the way.
    pub(super) mark: Hasher,
}

#[derive(serde::Serialize, serde::Deserialize)]
struct Entry {
    location: String,
    passed: u64,
    state: String,
}

impl<'s> Journal<'s> {
    /// Opens it, after whoever sends the same now. Tells whether there was one.
    pub(super) async fn open(door: &Door, digest: Digest, store: &'s Store, tell: Listener<'_>) -> (Self, bool) {
        let name = format!("upload {}/{}@{digest}", door.registry, door.repository);
        let mut waited = false;
        let alone = loop {
            match store.partial(&name) {
                Ok(Some(alone)) => break Some(alone),
                Ok(None) if waited => {}
                Ok(None) => {
                    tell(Event::Note(&format!("{}: another run sends it already; waiting for that", door.subject)));
                    waited = true;
                }
                Err(error) => {
                    tell(Event::Note(&format!("{}: cannot note how far it is: {error}", door.subject)));
                    break None;
                }
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        };
        (Self { store, key: Digest::of(name.as_bytes()), _alone: alone }, waited)
    }

    /// What an earlier process has begun.
    pub(super) fn begun(&self) -> Option<Begun> {
        // What cannot be read is as good as absent: it is sent again.
        let entry: Entry = self.store.result(&self.key).ok()??;
        Some(Begun { location: entry.location.parse().ok()?, mark: Hasher::thawed(&entry.state, entry.passed)? })
    }

    /// Notes how far it is. Not an upload that goes on at another server: the address alone may open that.
    pub(super) fn note(&self, door: &Door, location: &Uri, mark: &Hasher) {
        if !door.is_at(location) {
            return self.forget();
        }
        let entry = Entry { location: location.to_string(), passed: mark.size(), state: mark.frozen() };
        let _ = self.store.keep_lightly(&self.key, &entry, &[]);
    }

    /// There is nothing to go on with.
    pub(super) fn forget(&self) {
        let _ = self.store.forget(&self.key);
    }
}
