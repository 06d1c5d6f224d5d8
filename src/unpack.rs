//! Archives from anywhere, read with suspicion.
//!
//! Whoever made an archive may have wanted to write outside of it, to fill the disk, or to show two readers two
//! different things. What is refused is refused with the entry's name, before anything is made of the rest.
//!
//! Every entry of every format goes through one guard, so that a zip cannot do what a tar may not. The formats'
//! headers are read here and not by a crate, because what they may not say matters more than what they say: readers that
//! forgive (a doubled name, two headers that disagree, bytes that belong to no entry) each forgive in another way.

mod archive;
mod claims;
mod error;
#[cfg(test)]
mod fixture;
mod gem;
mod guard;
mod inflate;
mod limits;
mod links;
mod meter;
mod place;
mod tar;
#[cfg(test)]
mod tests;
mod unpacked;
mod zip;

pub use archive::unpack;
pub use error::UnpackError;
pub use gem::{Gem, gem};
pub use limits::{Limits, RATIO, RATIO_FROM};
pub use meter::Advance;
pub use place::{place, place_file};
pub use unpacked::Unpacked;
