//! The making of a plan.

use super::check::{Checked, Misfit, PlanError};
use super::planned::{Plan, Work};
use super::{host, key, stack};
use crate::lock::Lock;
use crate::name::RecipeName;
use crate::recipe::Recipe;
use crate::text::Document;
use crate::tree::Tree;

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
        let checked = Checked::new(name, recipe, &lock.value, parent)?;
        let inputs = key::inputs(recipe, lock, files, parent.filter(|_| checked.parent.is_some()));
        let key = inputs.key();
        let tag = format!("{}-{}", recipe.value.version(), key.short());
        let tag = tag.parse().map_err(|error| PlanError::new(name, recipe, "version", Misfit::Name(error)))?;
        let work = match &recipe.value {
            Recipe::Image(image) => {
                let files = (files, inputs.of_files());
                Work::Image(stack::plan(name, image, recipe, &lock.value, files, checked.parent)?)
            }
            Recipe::Ami(ami) => Work::Ami(host::plan(ami, &lock.value, files, (name, &tag))),
        };
        Ok(Self { name: name.clone(), key, tag, work, inputs })
    }
}
