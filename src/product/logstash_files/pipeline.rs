//! The outline of a pipeline: sections, braces, brackets, texts, patterns and comments. What plugins and their settings
//! mean is Logstash's business; a file that does not get this far never starts.

use std::iter::Peekable;
use std::str::CharIndices;

/// A part of a pipeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Section {
    /// Where events come from.
    Input,
    /// What is done to them.
    Filter,
    /// Where they go.
    Output,
}

impl Section {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::Filter => "filter",
            Self::Output => "output",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        [Self::Input, Self::Filter, Self::Output].into_iter().find(|section| section.name() == text)
    }
}

/// Why a text is no pipeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PipelineError {
    /// On which line, from 1.
    pub(super) line: usize,
    pub(super) message: String,
}

/// The sections of a file, in its order.
pub(super) fn read(text: &str) -> Result<Vec<Section>, PipelineError> {
    let mut reader = Reader { text, chars: text.char_indices().peekable(), line: 1, open: Vec::new(), matches: false };
    let mut sections = Vec::new();
    let mut named = None;
    while let Some((at, c)) = reader.next() {
        let top = reader.open.is_empty();
        match c {
            _ if c.is_whitespace() => {}
            '#' => reader.comment(),
            '{' if top => match named.take() {
                Some(section) => {
                    sections.push(section);
                    reader.open.push((c, reader.line));
                }
                None => return reader.wrong("`{` stands without `input`, `filter` or `output` before it"),
            },
            '}' | ']' | ')' => reader.close(c)?,
            _ if top && named.is_some() => return reader.wrong(format!("`{{` is expected, and not `{c}`")),
            _ if top => named = Some(reader.section(at)?),
            '{' | '[' | '(' => reader.open.push((c, reader.line)),
            '"' | '\'' => reader.quoted(c)?,
            '/' if reader.matches => reader.quoted(c)?,
            _ => {}
        }
        reader.matches = if c.is_whitespace() { reader.matches } else { c == '~' };
    }
    match (reader.open.pop(), named) {
        (Some((c, line)), _) => Err(PipelineError { line, message: format!("this `{c}` is never closed") }),
        (None, Some(section)) => reader.wrong(format!("nothing follows `{}`", section.name())),
        (None, None) => Ok(sections),
    }
}

struct Reader<'t> {
    text: &'t str,
    chars: Peekable<CharIndices<'t>>,
    line: usize,
    /// What has been opened, and on which lines.
    open: Vec<(char, usize)>,
    /// Whether a pattern may follow: it stands behind `=~` and `!~` only.
    matches: bool,
}

impl Reader<'_> {
    fn next(&mut self) -> Option<(usize, char)> {
        let next = self.chars.next()?;
        self.line += usize::from(next.1 == '\n');
        Some(next)
    }

    fn wrong<T>(&self, message: impl Into<String>) -> Result<T, PipelineError> {
        Err(PipelineError { line: self.line, message: message.into() })
    }

    fn comment(&mut self) {
        while self.next().is_some_and(|(_, c)| c != '\n') {}
    }

    /// A text or a pattern up to its end, which a backslash directly before it hides, even where two stand there.
    fn quoted(&mut self, end: char) -> Result<(), PipelineError> {
        let line = self.line;
        while let Some((_, c)) = self.next() {
            match c {
                '\\' => drop(self.chars.next_if(|(_, c)| *c == end)),
                c if c == end => return Ok(()),
                _ => {}
            }
        }
        Err(PipelineError { line, message: format!("the text that starts with {end} here has no end") })
    }

    fn close(&mut self, c: char) -> Result<(), PipelineError> {
        match (self.open.pop(), c) {
            (Some(('{', _)), '}') | (Some(('[', _)), ']') | (Some(('(', _)), ')') => Ok(()),
            (Some((open, line)), _) => self.wrong(format!("`{c}` does not close the `{open}` of line {line}")),
            (None, _) => self.wrong(format!("there is nothing that this `{c}` could close")),
        }
    }

    /// The name of a section, whose first letter has been read.
    fn section(&mut self, at: usize) -> Result<Section, PipelineError> {
        while self.chars.next_if(|(_, c)| c.is_alphanumeric() || *c == '_').is_some() {}
        let end = self.chars.peek().map_or(self.text.len(), |(at, _)| *at);
        let word = &self.text[at..end];
        let shown: String = word.chars().take(40).collect();
        Section::parse(word).map_or_else(|| self.wrong(format!("`{shown}` is none of input, filter and output")), Ok)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn sections_are_found_among_everything_else() {
        let text = r#"# input { "
input { tcp { port => 9601 codec => json } }
filter {
  if [message] =~ /^"[a-z]{2}\/#/ and ("a" in [tags] or [n] / 2 > 1) {
    mutate { add_field => { "a}" => 'it"s \' {' } } # } "
  } else if [a] !~ "{" { drop {} }
}
output{elasticsearch{hosts=>["${ES:http://localhost:9200/}"] id=>"two
lines"}}
"#;
        assert_eq!(read(text), Ok(vec![Section::Input, Section::Filter, Section::Output]));
        assert_eq!(read("# nothing\n"), Ok(vec![]));
    }

    #[test]
    fn every_mistake_has_its_line() {
        for (text, line, part) in [
            ("input {\n  tcp {\n", 2, "this `{` is never closed"),
            ("input {\n}\n}\n", 3, "nothing that this `}` could close"),
            ("input {\n  tcp { a => [1, 2 }\n}", 2, "`}` does not close the `[` of line 2"),
            ("input {\n  tcp { a => \"b }\n}", 2, "starts with \" here has no end"),
            ("filter { if [a] =~ /b { } }", 1, "starts with / here has no end"),
            ("input { a { path => \"c:\\\\\" } }", 1, "has no end"),
            ("inputs {\n}", 1, "`inputs` is none of"),
            ("\n{ }", 2, "`{` stands without"),
            ("input tcp { }", 1, "`{` is expected, and not `t`"),
            ("input", 1, "nothing follows `input`"),
            ("input { }\n- a: b", 2, "is none of"),
            ("\"input\" { }", 1, "is none of"),
        ] {
            let error = read(text).unwrap_err();
            assert_eq!(error.line, line, "{text}: {error:?}");
            assert!(error.message.contains(part), "{text}: {error:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused_on_one_of_its_lines(text in "(input|output| |\\{|\\}|\\[|\\]|\"|'|/|~|#|\\\\|a|ä|\n){0,40}") {
            if let Err(error) = read(&text) {
                prop_assert!((1..=text.matches('\n').count() + 1).contains(&error.line));
            }
        }

        #[test]
        fn what_is_balanced_is_read(words in prop::collection::vec("[a-z]{1,5}( => (\"[^\"\\\\\\\\]{0,5}\"|[0-9]))?", 0..5)) {
            let text = format!("input {{ {} }}", words.join(" { } \n"));
            prop_assert_eq!(read(&text), Ok(vec![Section::Input]));
        }
    }
}
