//! What a host needs so that Elastic's programs run on it: the rules for AMI recipes.

mod agent;
mod checks;
pub mod delivery;
mod docker;
#[cfg(test)]
mod examples;
mod host;
mod instance_store;
mod lean;
mod mount;
mod rules;
pub mod storage;
mod tables;
mod tuning;
pub mod user_data;
pub mod verdict;
mod volume;

use crate::finding::Finding;
use crate::local::LocalError;
use crate::product::subject::{Found, Scene};
use crate::product::{Subject, shared};
use crate::recipe::Recipe;

pub use rules::RULES;
pub use tuning::{Identity, Tuning, TuningError};

/// What is wrong with a host's recipe and files, by file, line and code. An image's recipe has none of it.
///
/// # Errors
/// When one of its files cannot be read any more.
pub fn check(subject: &Subject<'_>) -> Result<Vec<Finding>, LocalError> {
    let Recipe::Ami(ami) = &subject.document.value else { return Ok(Vec::new()) };
    let scene = Scene::new(subject, |_| true)?;
    let mut found = Found::default();
    shared(&scene, &mut found)?;
    agent::check(&scene, ami, &mut found);
    docker::check(&scene, ami, &mut found);
    host::check(&scene, ami, &mut found);
    tables::check(&scene, ami, &mut found);
    volume::check(&scene, ami, &mut found);
    Ok(found.finish())
}
