//! Values of a stack's parameters.

use serde_json::{Value, json};

use super::choice::Choice;
use super::fault::ExportError;
use super::named::{Named, camel, spelled};

/// A list of `ParameterKey` and `ParameterValue`, which `create-stack`, `update-stack` and `create-change-set` take by
/// `--parameters file://`, and version 2 of the CLI's `deploy` by `--parameter-overrides file://`. Only what has to be
/// deployed is in it: a template has to declare every parameter that it is given.
///
/// # Errors
/// When an image is in a folder, AMIs are in several regions, or two parameters would have one name.
pub fn cloudformation(choice: &Choice<'_>) -> Result<Value, ExportError> {
    let mut all = Vec::new();
    for (recipe, record) in choice.images() {
        let image = choice.pulled(recipe, record, "what CloudFormation deploys")?;
        all.push(Named::new(recipe, &["image"], &image));
    }
    for (recipe, record) in choice.hosts() {
        let here = choice.amis_here(recipe, record)?;
        if here.is_empty() && !record.amis.is_empty() {
            let mut regions: Vec<_> = record.amis.iter().map(|ami| ami.region.clone()).collect();
            regions.sort();
            regions.dedup();
            return Err(ExportError::WhichRegion { recipe: recipe.clone(), regions });
        }
        all.extend(here.iter().map(|ami| Named::new(recipe, &["ami", ami.architecture.as_str()], &ami.id)));
    }
    let parameters = spelled(&all, camel)?.into_iter();
    Ok(parameters.map(|(name, value)| json!({ "ParameterKey": name, "ParameterValue": value })).collect())
}
