//! A manifest as text.

use std::path::Path;

use super::{LONGEST_MANIFEST, Manifest, RecordError};

impl Manifest {
    /// The text of the file: sorted, a line for each value so that two versions can be compared, and the same bytes
    /// from the same manifest.
    ///
    /// # Errors
    /// When it would be longer than what is read; `path` is the file that it is for.
    pub fn to_text(&self, path: &Path) -> Result<String, RecordError> {
        let mut text = serde_json::to_string_pretty(self)
            .map_err(|error| RecordError::Wrong { path: path.to_owned(), message: error.to_string() })?;
        text.push('\n');
        if text.len() > LONGEST_MANIFEST {
            return Err(RecordError::Grown { path: path.to_owned(), bytes: text.len() });
        }
        Ok(text)
    }
}
