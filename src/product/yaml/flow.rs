//! `[a, b]` and `{a: b}`.

use super::node::{DEEPEST, Mapping, Node, Value, YamlError, unread, wrong};
use super::scalar::quoted;

/// Reads a list or mapping at the beginning of `rest`, which may end many lines below: what it says, and how many
/// bytes it takes.
pub(super) fn read(rest: &str, line: usize, depth: usize) -> Result<(Node, usize), YamlError> {
    let mut reader = Reader { rest, at: 0, line, counted: 0 };
    let node = reader.node(depth)?;
    Ok((node, reader.at))
}

struct Reader<'t> {
    rest: &'t str,
    at: usize,
    /// The line that `counted` is on.
    line: usize,
    counted: usize,
}

impl Reader<'_> {
    fn node(&mut self, depth: usize) -> Result<Node, YamlError> {
        let line = self.line();
        if depth > DEEPEST {
            return unread(line, "what is nested this deep");
        }
        let value = match self.peek() {
            Some('[') => self.list(depth)?,
            Some('{') => self.map(depth)?,
            Some('"' | '\'') => {
                let (text, length) = quoted(&self.rest[self.at..], line)?;
                self.at += length;
                Value::Text { text, quoted: true }
            }
            Some('&' | '*' | '!') => return unread(line, "an anchor or a tag"),
            Some(c @ ('@' | '`' | '%' | '|' | '>')) => return wrong(line, format!("no value starts with `{c}`")),
            _ => self.plain()?,
        };
        Ok(Node { line, value })
    }

    fn list(&mut self, depth: usize) -> Result<Value, YamlError> {
        let opened = self.line();
        let mut list = Vec::new();
        self.at += 1;
        loop {
            match self.peek() {
                Some(']') => break,
                None => return wrong(opened, "the `[` is never closed"),
                _ => list.push(self.node(depth + 1)?),
            }
            match self.peek() {
                Some(',') => self.at += 1,
                Some(']') => break,
                // A key is on one line, so this one stands behind a list that should have ended above.
                Some(':') if list.last().is_some_and(|node: &Node| node.line < self.line()) => {
                    return wrong(opened, "the `[` is never closed");
                }
                Some(':') => return unread(self.line(), "a mapping without braces in a list"),
                None => return wrong(opened, "the `[` is never closed"),
                Some(c) => return wrong(self.line(), format!("there is `{c}` where `,` or `]` should be")),
            }
        }
        self.at += 1;
        Ok(Value::List(list))
    }

    fn map(&mut self, depth: usize) -> Result<Value, YamlError> {
        let opened = self.line();
        let mut map = Mapping::default();
        self.at += 1;
        loop {
            match self.peek() {
                Some('}') => break,
                None => return wrong(opened, "the `{` is never closed"),
                _ => {}
            }
            let key = self.node(depth + 1)?;
            let line = key.line;
            let Value::Text { text, .. } = key.value else { return unread(line, "a key that is no text") };
            let node = if self.peek() == Some(':') {
                self.at += 1;
                match self.peek() {
                    Some(',' | '}') => Node { line, value: Value::Empty },
                    _ => self.node(depth + 1)?,
                }
            } else {
                Node { line, value: Value::Empty }
            };
            map.add(text, line, node)?;
            match self.peek() {
                Some(',') => self.at += 1,
                Some('}') => break,
                None => return wrong(opened, "the `{` is never closed"),
                Some(c) => return wrong(self.line(), format!("there is `{c}` where `,` or `}}` should be")),
            }
        }
        self.at += 1;
        Ok(map.finish())
    }

    fn plain(&mut self) -> Result<Value, YamlError> {
        let rest = &self.rest[self.at..];
        let after = |c: char| c.is_whitespace() || matches!(c, ',' | '[' | ']' | '{' | '}');
        if rest.strip_prefix(['-', '?']).is_some_and(|rest| rest.starts_with(after)) {
            return wrong(self.line(), "no value is a dash or a question mark");
        }
        let mut before = ' ';
        let mut chars = rest.char_indices().peekable();
        let mut end = rest.len();
        while let Some((i, c)) = chars.next() {
            let key = c == ':' && chars.peek().is_none_or(|(_, c)| after(*c));
            if matches!(c, ',' | '[' | ']' | '{' | '}') || key || (c == '#' && before.is_whitespace()) {
                end = i;
                break;
            }
            before = c;
        }
        self.at += end;
        let words: Vec<_> = rest[..end].split_whitespace().collect();
        if words.is_empty() {
            let found = rest.chars().next().map_or_else(|| "the end".to_owned(), |c| format!("`{c}`"));
            return wrong(self.line(), format!("there is {found} where a value should be"));
        }
        Ok(Value::Text { text: words.join(" "), quoted: false })
    }

    /// The next character that is neither white space nor in a comment.
    fn peek(&mut self) -> Option<char> {
        loop {
            let trimmed = self.rest[self.at..].trim_start();
            self.at = self.rest.len() - trimmed.len();
            if !trimmed.starts_with('#') {
                return trimmed.chars().next();
            }
            self.at += trimmed.find('\n').unwrap_or(trimmed.len());
        }
    }

    /// The line that has been reached.
    fn line(&mut self) -> usize {
        self.line += self.rest[self.counted..self.at].matches('\n').count();
        self.counted = self.at;
        self.line
    }
}
