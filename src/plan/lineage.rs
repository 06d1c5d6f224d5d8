//! Recipes that build on recipes.

use super::check::{Misfit, PlanError};
use crate::name::RecipeName;
use crate::recipe::{From, Recipe};
use crate::text::Document;

/// The recipes that a recipe builds on, the first of them first; the recipe itself is not among them.
///
/// # Errors
/// When one of them is not there, makes no container image, or they build on each other in a circle.
pub fn lineage<'r>(
    name: &RecipeName,
    recipe: &'r Document<Recipe>,
    find: impl Fn(&RecipeName) -> Option<&'r Document<Recipe>>,
) -> Result<Vec<RecipeName>, PlanError> {
    let mut line = vec![name.clone()];
    let mut at = recipe;
    while let Some(parent) = parent_of(&at.value) {
        let fail = |misfit| {
            let name = line.last().unwrap_or(name);
            Err(PlanError::new(name, at, "from", misfit))
        };
        if let Some(start) = line.iter().position(|earlier| earlier == parent) {
            let circle = line[start..].iter().chain([parent]).cloned().collect();
            return fail(Misfit::Circle(circle));
        }
        let Some(next) = find(parent) else {
            return fail(Misfit::NoParent(parent.clone()));
        };
        if matches!(next.value, Recipe::Ami(_)) {
            return fail(Misfit::ParentIsHost(parent.clone()));
        }
        line.push(parent.clone());
        at = next;
    }
    line.reverse();
    line.pop();
    Ok(line)
}

/// The recipe that a recipe builds on, where it does.
#[must_use]
pub fn parent_of(recipe: &Recipe) -> Option<&RecipeName> {
    match recipe {
        Recipe::Image(image) => match &image.from {
            From::Recipe(parent) => Some(parent),
            _ => None,
        },
        Recipe::Ami(_) => None,
    }
}
