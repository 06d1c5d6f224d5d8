//! Files that people commit, written so that no crash leaves half of one.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::aside;

/// A file could not be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {}: {source}", path.display())]
pub struct SaveError {
    /// Which.
    pub path: PathBuf,
    /// What the system says.
    pub source: io::Error,
}

/// Puts `text` into the file at `path`, which holds either the old or the new text at any instant. Tells whether the
/// file changed: one that says the same already is not touched.
///
/// # Errors
/// When the file or its folder cannot be written; the old file is then as it was.
pub fn save(path: &Path, text: &str) -> Result<bool, SaveError> {
    let fail = |source| SaveError { path: path.to_owned(), source };
    if fs::read(path).is_ok_and(|old| old == text.as_bytes()) {
        return Ok(false);
    }
    let mut file = aside::begin(aside::folder_of(path), ".elkbake-").map_err(fail)?;
    file.write_all(text.as_bytes()).map_err(fail)?;
    aside::settle(file, path).map_err(fail)?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_left_alone_when_it_says_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("es.lock");
        assert!(save(&path, "one").unwrap());
        assert!(save(&path, "two").unwrap());
        assert!(!save(&path, "two").unwrap());
        assert_eq!(fs::read_to_string(&path).unwrap(), "two");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_folder_that_is_not_there_is_an_error_that_names_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("none/es.lock");
        let error = save(&path, "one").unwrap_err().to_string();
        assert!(error.starts_with("cannot write") && error.contains("none/es.lock"), "{error}");
    }
}
