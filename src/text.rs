//! Strict reading of the TOML texts that people write: every mistake of a text in one pass, each at
//! its place; and, from the same declarations, the JSON Schema of what may be said.
//!
//! Here instead of serde, because serde stops at the first mistake and forgets positions. A type is
//! declared once, with [`table!`](crate::text::table) or [`word!`](crate::text::word), and that one declaration is the struct,
//! its reader, its schema and its documentation.

mod canonical;
mod declare;
mod read;

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

pub use canonical::canonical;
pub(crate) use declare::{read_as_text, table, word};
pub use read::{Read, Reader};
pub use toml::Spanned;
pub use toml::de::{DeTable, DeValue};

/// Longer texts are refused unread: no recipe is long, but many things that are not recipes are.
pub const LONGEST_TEXT: usize = 1 << 20;

/// One mistake in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Which bytes of the text are wrong; empty at the place where something is missing.
    pub span: Range<usize>,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

/// A text that could not be read, with all that is wrong in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextError {
    /// The file.
    pub path: PathBuf,
    /// What stands in it, for showing the place.
    pub text: String,
    /// Its mistakes, in the order of their places; never empty.
    pub problems: Vec<Problem>,
}

impl std::error::Error for TextError {}

impl fmt::Display for TextError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, problem) in self.problems.iter().enumerate() {
            let (line, column) = line_and_column(&self.text, problem.span.start);
            let gap = if i == 0 { "" } else { "\n" };
            write!(f, "{gap}{}:{line}:{column}: {}", self.path.display(), problem.message)?;
        }
        Ok(())
    }
}

/// Line and column of a byte, both from 1, columns in characters.
#[must_use]
pub fn line_and_column(text: &str, byte: usize) -> (usize, usize) {
    let before = &text.as_bytes()[..byte.min(text.len())];
    let start = before.iter().rposition(|&c| c == b'\n').map_or(0, |newline| newline + 1);
    let line = before.iter().filter(|&&c| c == b'\n').count() + 1;
    (line, String::from_utf8_lossy(&before[start..]).chars().count() + 1)
}

/// Where each key of a text stands, by its dotted path: `config.env.LANG`, `plugin.0.name`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Positions(BTreeMap<String, Range<usize>>);

impl Positions {
    /// The bytes of the value at a path, or of the nearest table around it.
    #[must_use]
    pub fn of(&self, path: &str) -> Range<usize> {
        let mut path = path;
        loop {
            if let Some(span) = self.0.get(path) {
                return span.clone();
            }
            match path.rsplit_once('.') {
                Some((outer, _)) => path = outer,
                None => return 0..0,
            }
        }
    }
}

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

/// The nearest of some known words to one that is unknown, for "did you mean".
#[must_use]
pub fn nearest<'w>(wrong: &str, known: impl IntoIterator<Item = &'w str>) -> Option<&'w str> {
    let score = |word: &str| strsim::normalized_damerau_levenshtein(&wrong.to_lowercase(), &word.to_lowercase());
    known
        .into_iter()
        .map(|word| (score(word), word))
        .filter(|(score, _)| *score > 0.55)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, word)| word)
}
