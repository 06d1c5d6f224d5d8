//! Container images as bytes: what registries and layouts hold, read strictly; layers, and what they hold.

pub mod assemble;
pub mod below;
pub mod changed;
pub mod compress;
pub mod flatten;
mod gzip;
pub mod jar;
pub mod layer;
pub mod listing;
pub mod oci;
pub mod scan;
pub mod settle;
pub mod stack;
pub mod tar;
pub mod trial;
mod zstd;

pub use crate::moment;
