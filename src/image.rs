//! Container images as bytes: what registries and layouts hold, read strictly.

pub mod oci;
