//! From an image to a repository of a target.
//!
//! First one looks: what has the tag, and which blobs are not there. What has the tag already is done; what has another
//! image under it is refused, before anything is sent. Then blobs go side by side, manifests after their blobs, the
//! index after its manifests, and the tag last, so that nobody ever sees a part of an image.

mod artifact;
mod cargo;
mod fault;
mod folder;
mod ship;

pub use artifact::{artifact, current};
pub use cargo::Cargo;
pub use fault::PushError;
pub use folder::{into_folder, layout_of, look_in_folder};
pub use ship::{Desk, Look, Shipped, look, ship};

#[cfg(test)]
mod tests;
