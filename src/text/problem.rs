//! What is wrong in a text, and where in it things stand.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::path::PathBuf;

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
pub struct Positions(pub(super) BTreeMap<String, Range<usize>>);

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

/// The nearest of some known words to one that is unknown, for "did you mean".
#[must_use]
pub fn nearest<'w>(wrong: &str, known: impl IntoIterator<Item = &'w str>) -> Option<&'w str> {
    // Comparing costs length times length, and nothing this long is a slip of the pen.
    if wrong.len() > 64 {
        return None;
    }
    let score = |word: &str| strsim::normalized_damerau_levenshtein(&wrong.to_lowercase(), &word.to_lowercase());
    known
        .into_iter()
        .map(|word| (score(word), word))
        .filter(|(score, _)| *score > 0.55)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, word)| word)
}

/// A word where only some are known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}: {help}")]
pub struct UnknownWord {
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    pub help: String,
}

impl UnknownWord {
    pub(crate) fn new(text: &str, known: &[&str]) -> Self {
        let help = match nearest(text, known.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("one of: {}", known.join(", ")),
        };
        let text: String = text.chars().take(300).collect();
        Self { message: format!("`{text}` is not known here"), help }
    }
}
