//! Strict reading of the TOML texts that people write: every mistake of a text in one pass, each at
//! its place; and, from the same declarations, the JSON Schema of what may be said.
//!
//! Here instead of serde, because serde stops at the first mistake and forgets positions. A type is
//! declared once, with `table!` or `word!`, and that one declaration is the struct,
//! its reader, its schema and its documentation.

mod canonical;
mod declare;
mod problem;
mod read;

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

pub use canonical::canonical;
pub(crate) use declare::{read_as_text, table, word};
pub use problem::{Positions, Problem, TextError, line_and_column, nearest};
pub use read::{Read, Reader};
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

/// Turns the bytes of a file into text, or says why they are none.
///
/// # Errors
/// When the bytes are too many or not UTF-8.
pub fn decode(path: &Path, bytes: Vec<u8>) -> Result<String, TextError> {
    let fail = |text: &str, span: Range<usize>, message: String, help: &str| TextError {
        path: path.to_owned(),
        text: text.to_owned(),
        problems: vec![Problem { span, message, help: Some(help.to_owned()) }],
    };
    if bytes.len() > LONGEST_TEXT {
        let message = format!("this file has {} bytes; texts of up to {LONGEST_TEXT} bytes are read", bytes.len());
        return Err(fail("", 0..0, message, "large content belongs into files under `images/` or `ami/`"));
    }
    String::from_utf8(bytes).map_err(|error| {
        let good = error.utf8_error().valid_up_to();
        let text = String::from_utf8_lossy(&error.as_bytes()[..good]).into_owned();
        let message = format!("byte {good} is not UTF-8");
        fail(&text, good..good, message, "save the file as UTF-8 without a byte order mark")
    })
}

/// Reads a whole text as a `T`.
///
/// # Errors
/// All that is wrong with it.
pub fn parse<T: Read>(path: &Path, text: &str) -> Result<Document<T>, TextError> {
    let (root, syntax) = DeTable::parse_recoverable(text);
    let mut reader = Reader::new(text.len());
    for error in syntax {
        let span = error.span().unwrap_or(0..0);
        reader.problem_at(span, error.message().to_owned(), None);
    }
    // After a syntax error the rest of the table is guesswork: what is missing may only be unreadable.
    let value = if reader.has_problems() { None } else { reader.document(&root) };
    let (problems, positions) = reader.finish();
    match value {
        Some(value) if problems.is_empty() => Ok(Document { value, positions, canonical: canonical(root.get_ref()) }),
        _ => Err(TextError { path: path.to_owned(), text: text.to_owned(), problems }),
    }
}

read_as_text!(
    crate::digest::Digest,
    crate::name::ImagePath,
    crate::name::Platform,
    crate::name::RecipeName,
    crate::name::Reference,
    crate::name::Registry,
    crate::name::Repository,
    crate::name::Tag,
);
