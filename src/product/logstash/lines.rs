//! The lines of a YAML text, with the reader's place among them.

/// Why a text is not read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub(super) struct YamlError {
    /// In which line, counted from 1.
    pub(super) line: usize,
    /// What is wrong.
    pub(super) what: String,
}

/// What YAML takes for white space; Unicode has more of it.
pub(super) const WHITE: [char; 2] = [' ', '\t'];

/// A line that is not blank.
#[derive(Clone, Copy)]
pub(super) struct Line<'t> {
    /// How many spaces are before the text.
    pub(super) indent: usize,
    /// The rest of the line.
    pub(super) text: &'t str,
}

impl Line<'_> {
    /// The indent as a column that may be compared with one left of the first.
    pub(super) fn column(&self) -> isize {
        self.indent.cast_signed()
    }
}

/// Lines, and how many of them are read.
pub(super) struct Lines<'t> {
    raw: Vec<&'t str>,
    at: usize,
    /// Whether the last line ends as a line does.
    ends: bool,
    /// What is left of the line that is read next, where a part of it is read already.
    rest: Option<Line<'t>>,
}

impl<'t> Lines<'t> {
    pub(super) fn new(text: &'t str) -> Result<Self, YamlError> {
        let ends = text.ends_with('\n');
        let text = text.strip_suffix('\n').unwrap_or(text);
        // Three dots end a document, behind a text that ends with blank lines for example.
        let raw: Vec<_> = text.strip_suffix("\n...").unwrap_or(text).split('\n').collect();
        // The last three end a line for some readers and not for others; nobody who quotes them has to write them so.
        let odd = |c: char| (c.is_control() && c != '\t') || matches!(c, '\u{85}' | '\u{2028}' | '\u{2029}');
        match raw.iter().position(|line| line.contains(odd)) {
            Some(i) => Err(YamlError { line: i + 1, what: "it holds a control character".to_owned() }),
            None => Ok(Self { raw, at: 0, ends, rest: None }),
        }
    }

    /// The line that is read next; blank lines do not count.
    pub(super) fn current(&mut self) -> Option<Line<'t>> {
        if self.rest.is_none() {
            self.skip_blank();
            self.rest = self.raw.get(self.at).map(|line| {
                let text = line.trim_start_matches(' ');
                Line { indent: line.len() - text.len(), text }
            });
        }
        self.rest
    }

    /// Goes on to the next line.
    pub(super) fn advance(&mut self) {
        self.at += 1;
        self.rest = None;
    }

    /// Leaves only a part of the line that is read next.
    pub(super) fn leave(&mut self, rest: Line<'t>) {
        self.rest = Some(rest);
    }

    /// The line that is read next as it is, blank or not, with its indent.
    pub(super) fn raw(&self) -> Option<(usize, &'t str)> {
        let line = *self.raw.get(self.at)?;
        Some((line.len() - line.trim_start_matches(' ').len(), line))
    }

    /// Goes over blank lines and says how many there were.
    pub(super) fn skip_blank(&mut self) -> usize {
        let blank = self.raw[self.at.min(self.raw.len())..].iter().take_while(|line| is_blank(line)).count();
        self.at += blank;
        blank
    }

    /// Whether all is read, and the last line had no end.
    pub(super) fn is_cut(&self) -> bool {
        self.at >= self.raw.len() && !self.ends
    }

    /// The number of the line that was read last.
    pub(super) fn number(&self) -> usize {
        self.at.max(1)
    }

    /// An error in the line that is read next.
    pub(super) fn wrong(&self, what: impl Into<String>) -> YamlError {
        YamlError { line: self.at + 1, what: what.into() }
    }
}

pub(super) fn is_blank(line: &str) -> bool {
    line.chars().all(|c| WHITE.contains(&c))
}
