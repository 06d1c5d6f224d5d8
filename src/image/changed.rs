//! What a container changed, as a layer holds it.
//!
//! An engine says which paths it changed, and sends the whole file system; from the two, and from what lies below, comes
//! the same layer whatever the engine keeps its files in. What is as it was below is left out, though the command may have
//! written it again; a folder that was emptied and filled again becomes the files that are missing; times are dropped.
//! What engines put into every container is no change, and neither are the folders that they make for it.
//!
//! Hard links between files that changed are kept, and extended attributes of them as far as the engine sends any
//! (Docker: capabilities). An attribute that was taken off a file of the base is not seen, because a listing knows none.

mod fit;
mod gather;
mod read;
mod report;

pub use read::changed;
pub use report::{Changed, ChangedError, Report};

#[cfg(test)]
mod tests;
