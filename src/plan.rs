//! What a bake will make, known before any work is done: its key, its tag, its layers; and the refusal of what does
//! not fit together.
//!
//! Pure: recipe, lock and the digests of local files go in. No clock, disk or network has a say in a key.

mod change;
mod check;
mod host;
mod image;
mod key;
mod lineage;

use std::collections::BTreeMap;

use crate::digest::Digest;
use crate::lock::Lock;
use crate::name::{RecipeName, Tag};
use crate::recipe::Recipe;
use crate::text::Document;
use crate::tree::Tree;

pub use change::{Change, Kind, compare};
pub use check::{Misfit, PlanError};
pub use host::{HostBase, HostPlan, PlannedVolume};
pub use image::{ImagePlan, LayerKind, PlannedLayer, PlatformPlan};
pub use key::{KEY_FORMAT, inputs};
pub use lineage::{lineage, parent_of};

/// What a bake of one recipe will make.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Plan {
    name: RecipeName,
    key: Digest,
    tag: Tag,
    work: Work,
    inputs: BTreeMap<String, Digest>,
}

/// What is made.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Work {
    /// A container image.
    Image(ImagePlan),
    /// A host's image.
    Ami(HostPlan),
}

impl Plan {
    /// Plans a recipe with its lock and its own files; `parent` is the plan of the recipe that it builds on, where
    /// it says `from = "recipe:NAME"`.
    ///
    /// # Errors
    /// When the lock does not answer the recipe, or the parts do not fit together.
    pub fn new(
        name: &RecipeName,
        recipe: &Document<Recipe>,
        lock: &Document<Lock>,
        files: &Tree,
        parent: Option<&Self>,
    ) -> Result<Self, PlanError> {
        let checked = check::Checked::new(name, recipe, &lock.value, parent)?;
        let inputs = key::inputs(recipe, lock, files, parent.filter(|_| checked.parent.is_some()));
        let key = key::key(&inputs);
        let work = match &recipe.value {
            Recipe::Image(image) => {
                let files = (files, &inputs);
                Work::Image(image::plan(name, image, recipe, &lock.value, files, checked.parent)?)
            }
            Recipe::Ami(ami) => Work::Ami(host::plan(ami, &lock.value, files)),
        };
        let tag = format!("{}-{}", recipe.value.version(), key.short());
        let tag = tag.parse().map_err(|error| PlanError::new(name, recipe, "version", Misfit::Name(error)))?;
        Ok(Self { name: name.clone(), key, tag, work, inputs })
    }

    /// The recipe.
    #[must_use]
    pub fn name(&self) -> &RecipeName {
        &self.name
    }

    /// The digest of all that the result depends on.
    #[must_use]
    pub fn key(&self) -> Digest {
        self.key
    }

    /// What the result is called, for good.
    #[must_use]
    pub fn tag(&self) -> &Tag {
        &self.tag
    }

    /// What is made.
    #[must_use]
    pub fn work(&self) -> &Work {
        &self.work
    }

    /// All that the key was made of, by name.
    #[must_use]
    pub fn inputs(&self) -> &BTreeMap<String, Digest> {
        &self.inputs
    }

    /// What changed since a plan that had these inputs.
    #[must_use]
    pub fn compare(&self, before: &BTreeMap<String, Digest>) -> Vec<Change> {
        compare(before, &self.inputs)
    }
}

#[cfg(test)]
mod tests;
