//! Single values by name: what shells, GitHub and CloudFormation are told.

use std::collections::BTreeMap;

use super::choice::{Choice, Place};
use super::fault::ExportError;
use crate::name::RecipeName;

/// A value, and the words that its name is made of.
pub(super) struct Named<'m> {
    pub(super) recipe: &'m RecipeName,
    pub(super) words: Vec<String>,
    pub(super) value: String,
}

impl<'m> Named<'m> {
    pub(super) fn new(recipe: &'m RecipeName, words: &[&str], value: &impl ToString) -> Self {
        let words = std::iter::once(recipe.as_str()).chain(words.iter().copied()).map(str::to_owned).collect();
        Self { recipe, words, value: value.to_string() }
    }
}

/// All that a shell or a workflow might ask for, in the order of the recipes.
pub(super) fn values<'m>(choice: &Choice<'m>) -> Result<Vec<Named<'m>>, ExportError> {
    let mut all = Vec::new();
    for (recipe, record) in choice.images() {
        let image = match choice.place(recipe, record)? {
            Place::Registry(reference) => reference.to_string(),
            Place::Folder(_, text) => text,
        };
        all.push(Named::new(recipe, &["image"], &image));
        all.extend(record.digest.iter().map(|digest| Named::new(recipe, &["digest"], digest)));
        all.push(Named::new(recipe, &["tag"], &record.tag));
        all.push(Named::new(recipe, &["version"], &record.version));
        all.extend(record.regions.iter().map(|(region, place)| Named::new(recipe, &["image", region.as_str()], place)));
    }
    for (recipe, record) in choice.hosts() {
        for ami in choice.amis_here(recipe, record)? {
            all.push(Named::new(recipe, &["ami", ami.architecture.as_str()], &ami.id));
        }
        all.push(Named::new(recipe, &["tag"], &record.tag));
        all.push(Named::new(recipe, &["version"], &record.version));
        for ami in &record.amis {
            all.push(Named::new(recipe, &["ami", ami.region.as_str(), ami.architecture.as_str()], &ami.id));
        }
    }
    Ok(all)
}

/// Spells all names, and refuses to give one name to two recipes.
pub(super) fn spelled(all: &[Named<'_>], spell: fn(&[String]) -> String) -> Result<Vec<(String, String)>, ExportError> {
    let mut owners: BTreeMap<String, &RecipeName> = BTreeMap::new();
    let mut lines = Vec::new();
    for one in all {
        let name = spell(&one.words);
        if let Some(other) = owners.insert(name.clone(), one.recipe) {
            return Err(ExportError::Clash { a: other.clone(), b: one.recipe.clone(), name });
        }
        lines.push((name, one.value.clone()));
    }
    Ok(lines)
}

/// `es_host_image`: letters, digits and `_`, and no digit in front.
pub(super) fn snake(words: &[String]) -> String {
    let name = words.join("_").replace(['-', '.'], "_");
    if name.starts_with(|c: char| c.is_ascii_digit()) { format!("_{name}") } else { name }
}

/// `EsHostImage`: letters and digits.
pub(super) fn camel(words: &[String]) -> String {
    let parts = words.iter().flat_map(|word| word.split(['-', '.', '_']));
    parts.map(|part| part[..1].to_ascii_uppercase() + &part[1..]).collect()
}
