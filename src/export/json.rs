//! One document for programs.

use serde_json::{Value, json as document};

use super::choice::Choice;
use super::described::{hosts, images};
use super::fault::ExportError;

/// The format of the document. Keys are added without a new number; none is taken away or changes its meaning.
const FORMAT: u32 = 1;

/// What was chosen, as one document.
///
/// # Errors
/// When a record cannot be exported.
pub fn json(choice: &Choice<'_>) -> Result<Value, ExportError> {
    Ok(document!({
        "format": FORMAT,
        "target": choice.target,
        "region": choice.region,
        "images": images(choice)?,
        "amis": hosts(choice),
    }))
}
