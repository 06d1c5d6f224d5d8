//! Variables for shells and for Docker Compose.

use super::choice::Choice;
use super::fault::ExportError;
use super::named::{Named, snake, spelled, values};

/// A line for each variable: `NAME='value'`.
///
/// # Errors
/// When two would have one name, or a value cannot be said.
pub fn env(choice: &Choice<'_>) -> Result<String, ExportError> {
    lines(&values(choice)?)
}

pub(super) fn lines(all: &[Named<'_>]) -> Result<String, ExportError> {
    let line = |(name, value): (String, String)| {
        // Between single quotes a shell takes everything as it is. Compose does too, but for `\` and `'`, which the two
        // escape in different ways.
        if value.contains(['\'', '\\']) || value.contains(|c: char| c.is_control()) {
            return Err(ExportError::Unsayable { name, value: value.escape_debug().to_string() });
        }
        Ok(format!("{name}='{value}'\n"))
    };
    spelled(all, |words| snake(words).to_ascii_uppercase())?.into_iter().map(line).collect()
}
