//! What tests cook with: a small world on loopback.

pub mod project;
pub mod registry;
