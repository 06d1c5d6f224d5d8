//! What each program demands of its image: the rules of Elasticsearch, Kibana, Logstash, Filebeat and Fluent Bit, and those
//! that every image has to keep.
//!
//! A rule speaks about what is in the recipe and in its own files, and, where names are enough, about what archives bring.
//! What a base brings along is not looked at here: a check needs no network and no lock.

mod baked;
mod base;
mod discovery;
pub mod elasticsearch;
mod elasticsearch_files;
mod environment;
#[cfg(test)]
mod examples;
#[cfg(test)]
pub(crate) mod fixture;
mod fluent_bit_files;
mod heap;
pub mod identity;
mod inner;
pub mod install;
pub mod java_properties;
pub mod kibana;
mod kibana_files;
pub mod logstash;
mod logstash_files;
mod password;
mod plugin;
mod removed;
pub mod rule;
pub(crate) mod rules;
mod runtime;
pub(crate) mod script;
pub(crate) mod secret;
pub(crate) mod settings;
mod settings_files;
pub mod subject;
mod substitution;
mod variable;
pub(crate) mod yaml;

use crate::finding::{Code, Finding};
use crate::local::LocalError;
use crate::name::ImagePath;
use crate::recipe::Recipe;

pub use baked::{Misplaced, brought};
pub use identity::{Identity, identify};
pub use install::{interest, judges_together, places, plugin as install, together};
pub use plugin::{InstallError, Installed, Job, PluginFacts};
pub use rule::Rule;
pub use rules::RULES;
pub use subject::Subject;

use subject::{Found, Scene};

/// What is wrong with an image's recipe and files, by file, line and code. A host's recipe has none of it.
///
/// # Errors
/// When one of its files cannot be read any more.
pub fn check(subject: &Subject<'_>) -> Result<Vec<Finding>, LocalError> {
    let Recipe::Image(image) = &subject.document.value else { return Ok(Vec::new()) };
    let scene = Scene::new(subject, holds_settings)?;
    let mut found = Found::default();
    shared(&scene, &mut found)?;
    base::check(&scene, image, &mut found);
    runtime::check(&scene, image, &mut found);
    heap::check(&scene, image, &mut found);
    discovery::check(&scene, image, &mut found);
    environment::check(&scene, image, &mut found);
    substitution::check(&scene, image, &mut found);
    removed::check(&scene, image, &mut found);
    baked::check(&scene, image, &mut found);
    elasticsearch_files::check(&scene, image, &mut found);
    settings_files::check(&scene, image, &mut found);
    kibana_files::check(&scene, image, &mut found);
    logstash_files::check(&scene, image, &mut found);
    fluent_bit_files::check(&scene, image, &mut found);
    Ok(found.finish())
}

/// Whether a program that has rules here may read its settings from a file of this name.
fn holds_settings(path: &ImagePath) -> bool {
    const EXTENSIONS: [&str; 7] = ["yml", "yaml", "options", "properties", "conf", "config", "cfg"];
    path.file_name()
        .rsplit_once('.')
        .is_some_and(|(_, extension)| EXTENSIONS.iter().any(|known| extension.eq_ignore_ascii_case(known)))
}

/// The rules that images and hosts share. They look at every text by itself.
pub(crate) fn shared(scene: &Scene<'_>, found: &mut Found) -> Result<(), LocalError> {
    secret::check(scene.subject.file, scene.subject.text, found);
    scene.each_text(found, |file, found| {
        secret::check(&file.source, &file.text, found);
        password::check_file(scene, file, found);
        script::check_metadata(file, found);
    })?;
    password::check_recipe(scene, found);
    baked::check_litter(scene, found);
    Ok(())
}

/// Whether findings of this code are secrets, which nothing that publishes may let through.
#[must_use]
pub fn is_secret(code: Code) -> bool {
    secret::RULES.iter().any(|rule| rule.code == code)
}
