//! How a registry behaves that is right and yet not like others.

/// Whether tags may be moved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Immutable {
    /// They may.
    #[default]
    No,
    /// Not to another digest.
    Moved,
    /// Not even to the digest that they have: ECR.
    Twice,
}

/// The behaviour of a registry.
#[expect(clippy::struct_excessive_bools, reason = "each is a habit of its own, and any may meet any other")]
#[derive(Clone, Debug)]
pub struct Rules {
    /// Whether tags may be moved.
    pub immutable: Immutable,
    /// Blobs may be taken from other repositories.
    pub mounts: bool,
    /// The address of an upload holds for one place in it only, as that of the CNCF's registry does.
    pub strict_locations: bool,
    /// A part that was cut off is thrown away.
    pub drops_parts: bool,
    /// Parts of uploads are answered as if they were taken, and are not.
    pub loses_chunks: bool,
    /// Larger requests are answered with 413.
    pub largest: Option<usize>,
    /// Uploads go on at another server.
    pub uploads_at: Option<String>,
    /// Addresses of uploads are without host.
    pub relative: bool,
    /// What registries say of the smallest chunk.
    pub least_chunk: Option<u64>,
    /// Answers say which digest they are about.
    pub says_digest: bool,
    /// So many bytes of an upload are taken in a millisecond, and no more.
    pub pace: Option<usize>,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            immutable: Immutable::No,
            mounts: true,
            strict_locations: false,
            drops_parts: false,
            loses_chunks: false,
            largest: None,
            uploads_at: None,
            relative: false,
            least_chunk: None,
            says_digest: true,
            pace: None,
        }
    }
}
