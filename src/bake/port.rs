//! The world as the steps see it: small traits that `remote` implements for real and tests
//! implement as they like.

mod ec2;
mod ecr;
mod engine;

use std::collections::BTreeSet;

use crate::bake::event::Listener;
use crate::digest::Digest;
use crate::name::Reference;
use crate::recipe::{AmiBase, Architecture, Region, Url};
use crate::store::{Store, StoreError};

pub use ec2::{
    Ask, CopyOrder, Disk, Ec2, Ec2Site, ImageMade, ImageOrder, ImageStep, Instance, Machine, Mapped, Mapping, RunOrder,
    SpotRequest, Started, Tags, Template, TypeFacts,
};
pub use ecr::{
    Closeness, EcrControl, Mutability, ReplicationRule, RepositoryEncryption, RepositoryState, RepositoryStep,
};
pub use engine::{
    Became, Confines, Container, Ended, Engine, EngineFacts, Engines, Kept, Mount, Pulse, RUN_LABEL, Said, Talk, Thing,
};

/// Why something could not be had from outside.
#[derive(Debug, thiserror::Error)]
pub enum PortError {
    /// Sockets are not to be opened.
    #[error("{subject} is not at hand, and `--offline` forbids to fetch it")]
    Offline {
        /// What is missing.
        subject: String,
    },
    /// The other side says that there is no such thing.
    #[error("{subject}: not found{}", detail(.message))]
    NotFound {
        /// What was asked for.
        subject: String,
        /// What the other side said, if anything.
        message: String,
    },
    /// The other side does not let us.
    #[error("{subject}: access denied{}", detail(.message))]
    Denied {
        /// What was asked for.
        subject: String,
        /// What the other side said, and which credentials were tried.
        message: String,
    },
    /// No answer, or none that is worth retrying once more.
    #[error("{subject}: {message}")]
    Unreachable {
        /// What was asked for.
        subject: String,
        /// What happened at the last try.
        message: String,
    },
    /// An answer that cannot be right: wrong digest, HTML instead of JSON, more than was promised.
    #[error("{subject}: {message}")]
    Wrong {
        /// What was asked for.
        subject: String,
        /// What is wrong with the answer.
        message: String,
    },
    /// What is there is not to be changed: a tag that names something else.
    #[error("{subject}: {message}")]
    Immutable {
        /// What was to be written.
        subject: String,
        /// What the other side said.
        message: String,
    },
    /// AWS says no.
    #[error("{subject}: {message}")]
    Cloud {
        /// What was asked for.
        subject: String,
        /// The service's own words.
        message: String,
    },
    /// A container engine is not there, is none that can be used, or could not do what it was asked for.
    #[error("{subject}: {message}")]
    Docker {
        /// Which engine.
        subject: String,
        /// What is wrong.
        message: String,
        /// What to do about it.
        help: String,
    },
    /// The store could not take it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The user asked to stop.
    #[error("interrupted")]
    Interrupted,
}

/// How a subject says that a mirror is asked for it.
pub const BY_MIRROR: &str = "by way of the mirror";

fn detail(message: &str) -> String {
    if message.is_empty() { String::new() } else { format!(" ({message})") }
}

/// An OCI manifest or index exactly as the registry holds it, checked against its digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawManifest {
    /// The digest of the bytes.
    pub digest: Digest,
    /// What the registry says they are.
    pub media_type: String,
    /// The bytes.
    pub bytes: Vec<u8>,
}

/// The reading side of registries.
pub trait Registry: Sync {
    /// Gets a manifest by digest where the reference has one, else by tag (`latest` where it has none).
    ///
    /// # Errors
    /// When it cannot be had, or is not what its digest says.
    fn manifest(&self, reference: &Reference, tell: Listener<'_>) -> Result<RawManifest, PortError>;

    /// Puts a blob into the store, going on where an earlier try stopped. Does nothing when it is there.
    ///
    /// # Errors
    /// When it cannot be had, or is not what its digest says.
    fn blob(
        &self,
        from: &Reference,
        digest: Digest,
        size: u64,
        store: &Store,
        tell: Listener<'_>,
    ) -> Result<(), PortError>;
}

/// A blob that a registry is to have.
#[derive(Clone, Copy, Debug)]
pub struct Freight<'f> {
    /// Which bytes.
    pub digest: Digest,
    /// How many.
    pub size: u64,
    /// Where they can be had when the store does not have them, and what may be mounted where that is the same registry.
    pub origin: Option<&'f Reference>,
}

/// How a blob came to be in a repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// It was there.
    Present,
    /// The registry took it from another repository of its own.
    Mounted,
    /// It was sent: so many bytes of it by this call, the rest by an earlier one that was cut off.
    Sent(u64),
}

/// The writing side of registries.
pub trait Publish: Sync {
    /// The digest of what has a reference's tag or digest; `None` where nothing has.
    ///
    /// # Errors
    /// When the registry does not answer, or does not let us. A repository that is not there holds nothing.
    fn held(&self, reference: &Reference, tell: Listener<'_>) -> Result<Option<Digest>, PortError>;

    /// Which of some blobs a repository does not have.
    ///
    /// # Errors
    /// When the registry does not answer, or does not let us.
    fn missing(&self, into: &Reference, blobs: &[Digest], tell: Listener<'_>) -> Result<BTreeSet<Digest>, PortError>;

    /// Brings a blob into a repository: mounted where that can be, otherwise sent from the store, or straight from its
    /// origin; going on where an earlier call, of an earlier process even, was cut off.
    ///
    /// # Errors
    /// When it does not get there, or the registry says that it has other bytes now.
    fn send(
        &self,
        into: &Reference,
        freight: Freight<'_>,
        store: &Store,
        tell: Listener<'_>,
    ) -> Result<Arrival, PortError>;

    /// Puts a manifest under its digest, or under the tag of `at` where that has one. What it points to is there already.
    ///
    /// # Errors
    /// [`PortError::Immutable`] when the tag is another manifest's for good; otherwise when it does not get there, or
    /// the registry has it under another digest.
    fn publish(&self, at: &Reference, manifest: &RawManifest, tell: Listener<'_>) -> Result<(), PortError>;
}

/// What is to be downloaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Download {
    /// What people call it.
    pub name: String,
    /// Where it is.
    pub url: Url,
    /// Which bytes are expected; `None` when they are seen for the first time.
    pub expected: Option<Digest>,
    /// More bytes than this are refused.
    pub limit: u64,
}

/// Plain downloads.
pub trait Fetch: Sync {
    /// Puts what a URL holds into the store, going on where an earlier try stopped, and tells its digest and size.
    ///
    /// # Errors
    /// When it cannot be had, is too long, or is not what was expected.
    fn fetch(&self, what: &Download, store: &Store, tell: Listener<'_>) -> Result<(Digest, u64), PortError>;
}

/// What EC2 knows of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AmiFacts {
    /// Its id in the region.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The account that owns it.
    pub owner: String,
    /// The snapshot of its root disk.
    pub snapshot: String,
    /// The device name of its root disk.
    pub root_device: String,
    /// When it was made.
    pub created: String,
    /// When it was or will be marked as deprecated.
    pub deprecated: Option<String>,
}

/// Looks up host images.
pub trait AmiLookup: Sync {
    /// Finds the one image that `base` means in a region.
    ///
    /// # Errors
    /// When there is none, when it has another owner or architecture, when AWS says no.
    fn find(&self, base: &AmiBase, architecture: Architecture, region: &Region) -> Result<AmiFacts, PortError>;
}
