//! Mappings and lists by indentation.

use super::flow;
use super::node::{DEEPEST, Mapping, Node, Value, YamlError, unread, wrong};
use super::scalar::{colon, quoted, uncommented};

/// Reads a whole text.
///
/// # Errors
/// The first thing that is no YAML, or none that is read here.
pub(crate) fn read(text: &str) -> Result<Node, YamlError> {
    let text = text.trim_start_matches('\u{feff}');
    let mut reader = Reader { text, lines: lines(text), next: 0 };
    if let Some(line) = reader.peek() {
        let marked = reader.content(line);
        if marked.starts_with('%') {
            return unread(line.number, "a directive");
        }
        if marked == "---" {
            reader.next += 1;
        }
    }
    let root = match reader.peek() {
        Some(line) => reader.block(None, line.indent, 0)?,
        None => Node { line: 1, value: Value::Empty },
    };
    match reader.peek() {
        None => Ok(root),
        Some(line) if matches!(reader.content(line), "---" | "...") => unread(line.number, "a second document"),
        Some(line) if reader.content(line).starts_with(['|', '>']) => {
            unread(line.number, "a text that is no further in than what it belongs to")
        }
        Some(line) => wrong(line.number, "this line belongs to nothing above it; look at how far it is indented"),
    }
}

/// A line that is neither blank nor a comment, or what is left of it.
#[derive(Clone, Copy)]
struct Line {
    number: usize,
    /// How far its content is in.
    indent: usize,
    /// Where its content starts and ends.
    start: usize,
    end: usize,
    /// A tab stands where only spaces may.
    tab: bool,
}

fn lines(text: &str) -> Vec<Line> {
    let mut all = Vec::new();
    let mut start = 0;
    for (i, line) in text.split('\n').enumerate() {
        let (begin, whole) = (start, line);
        start += line.len() + 1;
        let spaces = whole.len() - whole.trim_start_matches(' ').len();
        let content = whole.trim_start();
        if !content.is_empty() && !content.starts_with('#') {
            let tab = whole[spaces..].starts_with('\t');
            let end = begin + whole.trim_end().len();
            all.push(Line { number: i + 1, indent: spaces, start: begin + whole.len() - content.len(), end, tab });
        }
    }
    all
}

struct Reader<'t> {
    text: &'t str,
    lines: Vec<Line>,
    next: usize,
}

impl<'t> Reader<'t> {
    fn peek(&self) -> Option<Line> {
        self.lines.get(self.next).copied()
    }

    fn content(&self, line: Line) -> &'t str {
        &self.text[line.start..line.end]
    }

    /// What starts on the next line, which is `indent` in.
    fn block(&mut self, parent: Option<usize>, indent: usize, depth: usize) -> Result<Node, YamlError> {
        let Some(line) = self.peek() else { return Ok(Node { line: 1, value: Value::Empty }) };
        no_tab(line)?;
        if depth > DEEPEST {
            return unread(line.number, "what is nested this deep");
        }
        let content = self.content(line);
        if is_item(content) {
            self.list(indent, depth)
        } else if self.key(line)?.is_some() {
            self.map(indent, depth)
        } else {
            self.value(parent, depth)
        }
    }

    fn list(&mut self, indent: usize, depth: usize) -> Result<Node, YamlError> {
        let mut list = Vec::new();
        let mut first = 0;
        while let Some(line) = self.peek().filter(|line| line.indent == indent && is_item(self.content(*line))) {
            no_tab(line)?;
            first = if list.is_empty() { line.number } else { first };
            let rest = self.content(line)[1..].trim_start();
            let node = if uncommented(rest).is_empty() {
                self.next += 1;
                match self.peek().filter(|next| next.indent > indent) {
                    Some(next) => self.block(Some(indent), next.indent, depth + 1)?,
                    None => Node { line: line.number, value: Value::Empty },
                }
            } else {
                // What stands behind the dash is as far in as it looks.
                let start = line.end - rest.len();
                let inner = indent + (start - line.start);
                self.lines[self.next] = Line { indent: inner, start, ..line };
                self.block(Some(indent), inner, depth + 1)?
            };
            list.push(node);
        }
        self.not_further_in(indent)?;
        Ok(Node { line: first, value: Value::List(list) })
    }

    fn map(&mut self, indent: usize, depth: usize) -> Result<Node, YamlError> {
        let mut map = Mapping::default();
        let mut first = None;
        while let Some(line) = self.peek().filter(|line| line.indent == indent && !is_item(self.content(*line))) {
            no_tab(line)?;
            first.get_or_insert(line.number);
            if matches!(self.content(line), "---" | "...") && indent == 0 {
                break;
            }
            let Some((key, value)) = self.key(line)? else {
                if self.content(line).starts_with(['|', '>']) {
                    return unread(line.number, "a text that is no further in than its key");
                }
                return wrong(line.number, "this is no `key: value`: a colon and a space stand behind a key");
            };
            let node = if uncommented(&self.text[value..line.end]).is_empty() {
                self.next += 1;
                match self.peek() {
                    Some(next) if next.indent > indent => self.block(Some(indent), next.indent, depth + 1)?,
                    Some(next) if next.indent == indent && is_item(self.content(next)) => {
                        self.list(indent, depth + 1)?
                    }
                    _ => Node { line: line.number, value: Value::Empty },
                }
            } else {
                self.lines[self.next] = Line { start: value, ..line };
                if is_item(&self.text[value..line.end]) {
                    return wrong(line.number, "a list starts on a line of its own");
                }
                self.value(Some(indent), depth + 1)?
            };
            map.add(key, line.number, node)?;
        }
        self.not_further_in(indent)?;
        Ok(Node { line: first.unwrap_or(1), value: map.finish() })
    }

    fn not_further_in(&self, indent: usize) -> Result<(), YamlError> {
        match self.peek() {
            Some(line) if line.tab => no_tab(line),
            Some(line) if line.indent > indent => {
                wrong(line.number, "this line is indented further than those that it stands among")
            }
            _ => Ok(()),
        }
    }

    /// The key that a line starts with, and where its value starts.
    fn key(&self, line: Line) -> Result<Option<(String, usize)>, YamlError> {
        let content = self.content(line);
        match content.chars().next() {
            Some('"' | '\'') => {
                let (key, length) = quoted(&self.text[line.start..], line.number)?;
                let Some(rest) = content.get(length..) else { return Ok(None) };
                let Some(value) = rest.trim_start().strip_prefix(':') else { return Ok(None) };
                if !value.is_empty() && !value.starts_with([' ', '\t']) {
                    return wrong(line.number, "a space stands behind the colon of a key");
                }
                Ok(Some((key, line.end - value.trim_start().len())))
            }
            Some('&' | '*' | '!') => unread(line.number, "an anchor or a tag"),
            Some('?') if content.len() == 1 || content.starts_with("? ") => {
                unread(line.number, "a key on its own line")
            }
            Some('[' | '{' | '|' | '>' | '@' | '`' | '%' | ']' | '}' | ',') | None => Ok(None),
            Some(_) => {
                let Some(colon) = colon(uncommented(content)) else { return Ok(None) };
                if colon == 0 {
                    return unread(line.number, "a value without a key");
                }
                let value = content[colon + 1..].trim_start();
                Ok(Some((content[..colon].trim_end().to_owned(), line.end - value.len())))
            }
        }
    }

    /// A value that starts at the rest of a line and may go on over lines that are further in than its parent.
    fn value(&mut self, parent: Option<usize>, depth: usize) -> Result<Node, YamlError> {
        let Some(line) = self.peek() else { return Ok(Node { line: 1, value: Value::Empty }) };
        let content = self.content(line);
        let number = line.number;
        let value = match content.chars().next() {
            Some('"' | '\'') => {
                let (text, length) = quoted(&self.text[line.start..], number)?;
                self.skip_to(line.start + length)?;
                Value::Text { text, quoted: true }
            }
            Some('[' | '{') => {
                let (node, length) = flow::read(&self.text[line.start..], number, depth)?;
                self.skip_to(line.start + length)?;
                node.value
            }
            Some('|' | '>') => Value::Text { text: self.text_block(line, parent), quoted: true },
            Some('&' | '*' | '!') => return unread(number, "an anchor or a tag"),
            Some(c @ ('@' | '`' | '%' | ']' | '}' | ',')) => {
                return wrong(number, format!("no value starts with `{c}`"));
            }
            Some('?') if content.len() == 1 || content.starts_with("? ") => {
                return unread(number, "a key on its own line");
            }
            _ => Value::Text { text: self.plain(parent)?, quoted: false },
        };
        Ok(Node { line: number, value })
    }

    /// A text without quotes: all lines that are further in go on with it, until one that ends in a comment.
    fn plain(&mut self, parent: Option<usize>) -> Result<String, YamlError> {
        let mut text = String::new();
        let mut commented = false;
        let mut end = None;
        while let Some(line) =
            self.peek().filter(|line| text.is_empty() || parent.is_none_or(|parent| line.indent > parent))
        {
            if parent.is_none() && matches!(self.content(line), "---" | "...") {
                break;
            }
            let content = self.content(line);
            let plain = uncommented(content);
            commented |= end.is_some_and(|end: usize| self.text[end..line.start].contains('#'));
            end = Some(line.end);
            if commented {
                return wrong(line.number, "this line goes on with a value that a comment has ended");
            }
            if colon(plain).is_some() {
                let message = if text.is_empty() {
                    "there is a colon and a space inside a value; put the value into quotes"
                } else {
                    "this line is indented further than the key above, so it goes on with that key's value"
                };
                return wrong(line.number, message);
            }
            commented = plain.len() < content.len();
            text.push_str(if text.is_empty() { "" } else { " " });
            text.push_str(plain);
            self.next += 1;
        }
        Ok(text)
    }

    /// The lines of a `|` or `>`, which starts on a line: all that are further in, and blank ones; a `#` is none of a
    /// comment there.
    fn text_block(&mut self, line: Line, parent: Option<usize>) -> String {
        let least = parent.map_or(1, |parent| parent + 1);
        let mut text = String::new();
        let mut end = line.end;
        let mut rest = self.text[end..].split_inclusive('\n');
        end += rest.next().map_or(0, str::len);
        for line in rest {
            let content = line.trim_start_matches(' ');
            if line.len() - content.len() < least && !content.trim().is_empty() {
                break;
            }
            text.push_str(content.trim_end());
            text.push('\n');
            end += line.len();
        }
        while self.peek().is_some_and(|line| line.start < end) {
            self.next += 1;
        }
        text
    }

    /// Goes on behind a quoted text or a flow value, on whose last line nothing else stands.
    fn skip_to(&mut self, end: usize) -> Result<(), YamlError> {
        let mut number = 1;
        while let Some(line) = self.peek().filter(|line| line.start < end) {
            self.next += 1;
            number = line.number;
        }
        let rest = self.text[end..].split('\n').next().unwrap_or_default();
        if !uncommented(rest).trim().is_empty() {
            return wrong(number, format!("there is `{}` behind the value", rest.trim()));
        }
        Ok(())
    }
}

fn no_tab(line: Line) -> Result<(), YamlError> {
    if line.tab {
        return wrong(line.number, "there is a tab in the indentation, where YAML takes only spaces");
    }
    Ok(())
}

/// Whether a line is an item of a list.
fn is_item(content: &str) -> bool {
    content.strip_prefix('-').is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t']))
}
