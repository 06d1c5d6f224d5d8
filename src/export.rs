//! The manifest in the words of the tools that deploy: one file for each format, all of them from the same records.

mod choice;
mod cloudformation;
mod described;
mod ecs;
mod env;
mod fault;
mod github;
mod json;
mod launch_template;
mod named;
mod policy;
mod terraform;

pub use choice::Choice;
pub use cloudformation::cloudformation;
pub use ecs::{Definition, Mount, MountError, Task, TaskWishes, task};
pub use env::env;
pub use fault::ExportError;
pub use github::github;
pub use json::json;
pub use launch_template::{HostWishes, LaunchTemplate, launch_template};
pub use policy::{MOST_CHARACTERS, Policy, PolicyError, Rights};
pub use terraform::terraform;

#[cfg(test)]
mod tests;
