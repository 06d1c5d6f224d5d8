//! What tests cook with: a small world on loopback.

#[cfg(feature = "aws")]
pub mod cloud;
pub mod project;
pub mod registry;
