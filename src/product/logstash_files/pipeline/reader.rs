//! A text that is read way by way, and what is told where all of them fail: the place which no way got beyond.

/// Why a text is no pipeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) struct PipelineError {
    /// On which line, from 1.
    pub(in super::super) line: usize,
    pub(in super::super) message: String,
}

/// Deeper nests are refused, so that no text can exhaust the stack.
const DEEPEST: usize = 100;

/// A text, and how far it is read.
/// A way of reading: `None` where it fails.
pub(super) type Way = Option<()>;

/// A text, and how far it is read.
pub(super) struct Reader<'t> {
    text: &'t str,
    pub(super) at: usize,
    depth: usize,
    /// How far any way has come.
    furthest: usize,
    /// Where nobody is told what is wanted, because who asked for it will tell.
    quiet: Option<usize>,
    /// What would have been right there.
    wanted: Vec<String>,
    /// Or what is wrong there, and where that begins.
    told: Option<(usize, String)>,
}

impl<'t> Reader<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self { text, at: 0, depth: 0, furthest: 0, quiet: None, wanted: Vec::new(), told: None }
    }

    pub(super) fn ended(&self) -> bool {
        self.at == self.text.len()
    }

    pub(super) fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    fn line(&self, at: usize) -> usize {
        self.text[..at].matches('\n').count() + 1
    }

    // --- failing ---

    fn fails_at(&mut self, at: usize) -> bool {
        if at > self.furthest {
            (self.furthest, self.told) = (at, None);
            self.wanted.clear();
        }
        at == self.furthest
    }

    pub(super) fn wants(&mut self, what: &str) {
        if self.quiet != Some(self.at) && self.fails_at(self.at) && !self.wanted.iter().any(|wanted| wanted == what) {
            self.wanted.push(what.to_owned());
        }
    }

    pub(super) fn error(&self) -> PipelineError {
        if let Some((begin, message)) = &self.told {
            return PipelineError { line: self.line(*begin), message: message.clone() };
        }
        let wanted = self.wanted.join(" or ");
        let message = match self.text[self.furthest..].chars().next() {
            Some(c) => format!("{wanted} is expected, and not `{}`", c.escape_debug()),
            None => format!("the file ends where {wanted} is expected"),
        };
        PipelineError { line: self.line(self.furthest), message }
    }

    /// Something that is known by one name, whatever it may begin with.
    pub(super) fn one<T>(&mut self, what: &str, way: impl FnOnce(&mut Self) -> Option<T>) -> Option<T> {
        let outer = self.quiet.replace(self.at);
        let done = way(self);
        self.quiet = outer;
        if done.is_none() {
            self.wants(what);
        }
        done
    }

    // --- words and signs ---

    /// Reads one thing or nothing.
    pub(super) fn attempt<T>(&mut self, way: impl FnOnce(&mut Self) -> Option<T>) -> Option<T> {
        let (at, depth) = (self.at, self.depth);
        let done = way(self);
        self.depth = depth;
        if done.is_none() {
            self.at = at;
        }
        done
    }

    /// The same for what may be inside of itself.
    pub(super) fn nested<T>(&mut self, way: impl FnOnce(&mut Self) -> Option<T>) -> Option<T> {
        if self.depth == DEEPEST {
            if self.fails_at(self.text.len()) {
                self.told = Some((self.at, format!("there are more than {DEEPEST} levels in each other")));
            }
            return None;
        }
        self.attempt(|reader| {
            reader.depth += 1;
            way(reader)
        })
    }

    /// White space and comments, which may be anywhere between two things.
    pub(super) fn space(&mut self) {
        loop {
            let start = self.at;
            self.blank();
            if self.rest().starts_with('#') {
                self.at += self.rest().find('\n').map_or(self.rest().len(), |end| end + 1);
            }
            if self.at == start {
                return;
            }
        }
    }

    pub(super) fn blank(&mut self) -> bool {
        let end = self.rest().find(|c| !matches!(c, ' ' | '\t' | '\r' | '\n')).unwrap_or(self.rest().len());
        self.at += end;
        end > 0
    }

    pub(super) fn sign(&mut self, sign: &str) -> Way {
        if self.rest().starts_with(sign) {
            self.at += sign.len();
            return Some(());
        }
        self.wants(&format!("`{}`", sign.trim()));
        None
    }

    /// A word that need not be there: nobody is told that it is wanted.
    pub(super) fn word(&mut self, word: &str) -> Way {
        let is_next = self.rest().starts_with(word);
        self.at += if is_next { word.len() } else { 0 };
        is_next.then_some(())
    }

    /// What closes something, which is told with the line where that was opened.
    pub(super) fn close(&mut self, sign: &str, open: &str, opened: usize) -> Way {
        self.space();
        if self.rest().starts_with(sign) {
            return self.sign(sign);
        }
        if self.rest().is_empty() && self.fails_at(self.at) {
            self.told = Some((opened, format!("this `{open}` is never closed")));
        }
        self.wants(&format!("the `{sign}` that closes the `{open}` of line {}", self.line(opened)));
        None
    }

    /// At least `least` characters of a kind.
    pub(super) fn run(&mut self, least: usize, what: &str, of: fn(char) -> bool) -> Way {
        let end = self.rest().find(|c| !of(c)).unwrap_or(self.rest().len());
        if end < least {
            self.wants(what);
            return None;
        }
        self.at += end;
        Some(())
    }

    /// A text or a pattern up to its end, which a backslash directly before it hides, even where two stand there.
    fn quoted(&mut self, quote: char) -> Way {
        let begin = self.at;
        let mut chars = self.rest().char_indices().skip(1).peekable();
        while let Some((i, c)) = chars.next() {
            match c {
                '\\' => drop(chars.next_if(|(_, c)| *c == quote)),
                c if c == quote => {
                    self.at = begin + i + 1;
                    return Some(());
                }
                _ => {}
            }
        }
        if self.fails_at(self.text.len()) {
            self.told = Some((begin, format!("the text that starts with {quote} here has no end")));
        }
        None
    }

    pub(super) fn string(&mut self) -> Way {
        match self.rest().chars().next() {
            Some(quote @ ('"' | '\'')) => self.quoted(quote),
            _ => {
                self.wants("a text in quotes");
                None
            }
        }
    }

    pub(super) fn pattern(&mut self) -> Way {
        if self.rest().starts_with('/') { self.quoted('/') } else { None }
    }

    /// At least two characters, the first of which is no digit.
    pub(super) fn bareword(&mut self) -> Way {
        if !self.rest().starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
            return None;
        }
        self.run(2, "a word of at least two letters", |c| c.is_ascii_alphanumeric() || c == '_')
    }

    pub(super) fn number(&mut self) -> Way {
        self.attempt(|reader| {
            reader.at += usize::from(reader.rest().starts_with('-'));
            let digits = |reader: &Self| {
                reader.rest().len() - reader.rest().trim_start_matches(|c: char| c.is_ascii_digit()).len()
            };
            let whole = digits(reader);
            if whole == 0 {
                return None;
            }
            reader.at += whole;
            if reader.rest().starts_with('.') {
                reader.at += 1;
                reader.at += digits(reader);
            }
            Some(())
        })
    }
}
