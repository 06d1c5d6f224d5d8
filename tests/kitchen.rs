//! What tests cook with: a small world on loopback.

pub mod baked;
pub mod built;
pub mod cloud;
#[cfg(feature = "aws")]
pub mod ecr;
pub mod engine;
#[cfg(feature = "aws")]
pub mod iam;
pub mod job;
pub mod project;
pub mod registry;
pub mod script;
