//! From a plan to an image in the store.
//!
//! Nothing is done that was done before: the image is kept under the plan's key, each layer under its input. Only what
//! is missing is fetched, unpacked and written, on all platforms side by side.

mod annotate;
mod base;
mod fault;
mod heard;
mod image;
mod layer;
mod mount;
mod order;
mod overlay;
mod package;
mod run;
mod source;

pub use fault::{BuildError, BuildFault};
pub use image::{build, fetch_base};
pub use order::{Order, Parent};
