//! Values of Terraform's variables, as `*.auto.tfvars.json` holds them.

use serde_json::{Value, json};

use super::choice::Choice;
use super::described::{hosts, images};
use super::fault::ExportError;

/// The variables `elkbake_images` and `elkbake_amis`. Both are always there: Terraform asks a person for a variable that
/// is declared and has no value.
///
/// # Errors
/// When an image is in a folder, or a record cannot be exported.
pub fn terraform(choice: &Choice<'_>) -> Result<Value, ExportError> {
    for (recipe, record) in choice.images() {
        choice.pulled(recipe, record, "what Terraform deploys")?;
    }
    Ok(json!({ "elkbake_images": images(choice)?, "elkbake_amis": hosts(choice) }))
}
