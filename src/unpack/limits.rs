//! How much an archive may hold.

use crate::recipe::Archive;

/// How many times its own size something may unpack to. Programs and texts pack to a third or a tenth of their size;
/// deflate's best is 1:1032.
pub const RATIO: u64 = 100;

/// Up to so many bytes the ratio does not count: a megabyte of zeros is no bomb.
pub const RATIO_FROM: u64 = 1 << 30;

/// How much an archive may hold, and what it may do.
///
/// The defaults are far above what any program for an image is packed as, and below what fills a disk or a memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Entries, folders included that are only implied.
    pub entries: u64,
    /// Bytes of all names and texts of links together: they are held in memory.
    pub names: u64,
    /// Bytes of all files together, as they are when unpacked.
    pub total: u64,
    /// How many times its own size an archive may unpack to.
    pub ratio: u64,
    /// Up to so many bytes the ratio does not count: a megabyte of zeros is no bomb.
    pub ratio_from: u64,
    /// Whether files may be set-user-id and set-group-id.
    pub set_id: bool,
    /// Whether links may be absolute. Such a link leads out of the archive, unless whoever unpacks it knows its place
    /// in an image and judges by that.
    pub absolute_links: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            // The largest distributions of the products have about 100,000.
            entries: 500_000,
            names: 128 << 20,
            total: 32 << 30,
            ratio: RATIO,
            ratio_from: RATIO_FROM,
            set_id: false,
            absolute_links: false,
        }
    }
}

impl Limits {
    /// What an archive of a recipe may hold. Where its links may lead is judged when they are put to their places.
    #[must_use]
    pub fn of(rules: &Archive) -> Self {
        Self { set_id: rules.set_id, absolute_links: true, ..Self::default() }
    }

    /// Whether so many bytes are too many to come out of so few.
    pub(super) fn is_bomb(&self, packed: u64, unpacked: u64) -> bool {
        unpacked > self.ratio_from && unpacked / self.ratio.max(1) > packed
    }
}
