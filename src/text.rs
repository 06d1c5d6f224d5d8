//! Strict reading of the TOML texts that people write: every mistake of a text in one pass, each at
//! its place; and, from the same declarations, the JSON Schema of what may be said.
//!
//! Here instead of serde, because serde stops at the first mistake and forgets positions. A type is
//! declared once, with `table!` or `word!`, and that one declaration is the struct,
//! its reader, its schema and its documentation.

mod canonical;
mod declare;
mod depth;
mod kind;
mod problem;
mod read;
mod strict;

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

use canonical::canonical;
pub(crate) use declare::{field, field_schema, read_as_text, table, word};
pub use problem::{Positions, Problem, TextError, UnknownWord, line_and_column, nearest};
pub use read::{Read, Reader, Table};
pub(crate) use strict::grammar;
pub use strict::{Grammar, GrammarError, Plain, Positive, Scalar, Text};
pub use toml::Spanned;
pub use toml::de::{DeTable, DeValue};

/// Longer texts are refused unread: no recipe is long, but many things that are not recipes are.
pub const LONGEST_TEXT: usize = 1 << 20;

/// A text that was read, with what it says and where.
#[derive(Clone, Debug)]
pub struct Document<T> {
    /// What it says.
    pub value: T,
    /// Where it says it.
    pub positions: Positions,
    /// What it says in its only spelling, key by key: comments, order and layout are gone.
    pub canonical: BTreeMap<String, String>,
}

/// Turns the bytes of a file into text, or says why they are none. A byte order mark is dropped.
///
/// # Errors
/// When the bytes are too many or not UTF-8.
pub fn decode(path: &Path, bytes: Vec<u8>) -> Result<String, TextError> {
    too_long(path, bytes.len())?;
    if bytes.starts_with(b"\xFF\xFE") || bytes.starts_with(b"\xFE\xFF") {
        return Err(refused(path, "", 0..0, "this file is UTF-16".to_owned(), "save it as UTF-8"));
    }
    let mut text = String::from_utf8(bytes).map_err(|error| {
        let good = error.utf8_error().valid_up_to();
        let text = String::from_utf8_lossy(&error.as_bytes()[..good]).into_owned();
        refused(path, &text, good..good, format!("byte {good} is not UTF-8"), "save the file as UTF-8")
    })?;
    if text.starts_with('\u{FEFF}') {
        text.drain(..'\u{FEFF}'.len_utf8());
    }
    Ok(text)
}

/// Reads a whole text as a `T`.
///
/// # Errors
/// All that is wrong with it.
pub fn parse<T: Read>(path: &Path, text: &str) -> Result<Document<T>, TextError> {
    too_long(path, text.len())?;
    if let Some(byte) = depth::too_deep(text) {
        let message = format!("this is nested deeper than {} levels", depth::DEEPEST);
        return Err(refused(path, text, byte..byte, message, "close brackets that were left open"));
    }
    let (root, syntax) = DeTable::parse_recoverable(text);
    let mut reader = Reader::new(text.len());
    let mut is_readable = true;
    for error in syntax {
        let span = error.span().unwrap_or(0..0);
        if error.message() == "duplicate key" {
            let message = format!("`{}` is said twice", text.get(span.clone()).unwrap_or_default());
            reader.problem_at(span, message, Some("keep one of the two".to_owned()));
        } else {
            // The rest of the table is guesswork: what is missing may only be unreadable.
            is_readable = false;
            reader.problem_at(span, error.message().to_owned(), None);
        }
    }
    let value = if is_readable { reader.document(&root) } else { None };
    let read::Collected { problems, positions, unordered } = reader.finish();
    match value {
        Some(value) if problems.is_empty() => {
            Ok(Document { value, positions, canonical: canonical(root.get_ref(), &unordered) })
        }
        _ => Err(TextError { path: path.to_owned(), text: text.to_owned(), problems }),
    }
}

fn refused(path: &Path, text: &str, span: Range<usize>, message: String, help: &str) -> TextError {
    let problems = vec![Problem { span, message, help: Some(help.to_owned()) }];
    TextError { path: path.to_owned(), text: text.to_owned(), problems }
}

fn too_long(path: &Path, bytes: usize) -> Result<(), TextError> {
    if bytes <= LONGEST_TEXT {
        return Ok(());
    }
    let message = format!("this file has more than {LONGEST_TEXT} bytes, and longer texts are not read");
    Err(refused(path, "", 0..0, message, "large content belongs into files under `images/` or `ami/`"))
}

read_as_text!(
    crate::digest::Digest = "^sha256:[0-9a-f]{64}$",
    crate::name::ImagePath = "^/",
    crate::name::Platform = "^linux/[a-z0-9]+(/[a-z0-9]+)?$",
    crate::name::RecipeName = "^[a-z0-9]+([-._][a-z0-9]+)*$",
    crate::name::Reference,
    crate::name::Registry = "^[A-Za-z0-9\\[]",
    crate::name::Repository = "^[a-z0-9]+([-._/]+[a-z0-9]+)*$",
    crate::name::Tag = "^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$",
);
