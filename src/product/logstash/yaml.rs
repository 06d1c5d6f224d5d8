//! The part of YAML that RubyGems and its relatives write into gems, and nothing more: block lists and maps, all five
//! ways to write a text, tags, and anchors. A general reader would bring a dozen crates and the parts of YAML that
//! nobody misses; what this one does not know it refuses, with the line.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::lines::{Line, Lines, YamlError};
use super::scalar;

/// A value with its tag, if it has one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Node {
    /// Such as `!ruby/object:Gem::Version`.
    pub(super) tag: Option<String>,
    /// What it is.
    pub(super) value: Value,
}

/// What a node is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    /// Nothing at all.
    Null,
    /// A text, a number or a truth value: all of them as they are written.
    Text(String),
    /// A list.
    List(Vec<Rc<Node>>),
    /// Keys and values, in their order; no key is there twice.
    Map(Vec<(String, Rc<Node>)>),
}

/// Gems nest five deep.
const DEEPEST: usize = 16;

/// Reads one document.
///
/// # Errors
/// When it is no YAML, or more YAML than gems have in them.
pub(super) fn read(text: &str) -> Result<Rc<Node>, YamlError> {
    let mut reader = Reader { lines: Lines::new(text)?, anchors: BTreeMap::new(), depth: 0 };
    let first = reader.lines.current().map_or("", |line| line.text);
    let node = match first.strip_prefix("---") {
        Some(rest) if rest.is_empty() || rest.starts_with(' ') => {
            reader.lines.advance();
            reader.value(rest.trim(), Home { indent: -1, list_beside: true })?
        }
        _ => reader.block(-1)?,
    };
    match reader.lines.current() {
        None => Ok(node),
        Some(_) => Err(reader.lines.wrong("there is something where nothing belongs")),
    }
}

/// Where a value stands that may go on in the next lines.
#[derive(Clone, Copy)]
struct Home {
    /// The column of the key or the hyphen it belongs to: what belongs to it is further to the right.
    indent: isize,
    /// A list may stand directly below its key.
    list_beside: bool,
}

struct Reader<'t> {
    lines: Lines<'t>,
    anchors: BTreeMap<String, Rc<Node>>,
    depth: usize,
}

impl<'t> Reader<'t> {
    /// What the current line begins: a list, a map, or a text. It has to be further to the right than `outside`.
    fn block(&mut self, outside: isize) -> Result<Rc<Node>, YamlError> {
        let Some(line) = self.lines.current().filter(|line| line.column() > outside) else {
            return Ok(node(Value::Null));
        };
        if self.depth == DEEPEST {
            return Err(self.lines.wrong("it is nested too deeply"));
        }
        self.depth += 1;
        let value = if is_item(line.text) {
            self.list(line.indent)?
        } else if scalar::key(line.text).map_err(|what| self.lines.wrong(what))?.is_some() {
            self.map(line.indent)?
        } else {
            self.lines.advance();
            let home = Home { indent: outside, list_beside: false };
            let value = self.value(line.text, home);
            self.depth -= 1;
            return value;
        };
        self.depth -= 1;
        if self.lines.current().is_some_and(|next| next.column() > outside && next.indent != line.indent) {
            return Err(self.lines.wrong("it is neither in the column of what is above it nor further out"));
        }
        Ok(node(value))
    }

    fn list(&mut self, indent: usize) -> Result<Value, YamlError> {
        let mut items = Vec::new();
        while let Some(line) = self.lines.current().filter(|line| line.indent == indent && is_item(line.text)) {
            let rest = &line.text[1..];
            let inner = rest.trim_start_matches(' ');
            let column = indent + 1 + rest.len() - inner.len();
            let nests = is_item(inner) || scalar::key(inner).map_err(|what| self.lines.wrong(what))?.is_some();
            items.push(if nests {
                // `- - a` and `- a: b`: what follows the hyphen is a block of its own that begins in this line.
                self.lines.leave(Line { indent: column, text: inner });
                self.block(line.column())?
            } else {
                self.lines.advance();
                self.value(inner, Home { indent: line.column(), list_beside: false })?
            });
        }
        Ok(Value::List(items))
    }

    fn map(&mut self, indent: usize) -> Result<Value, YamlError> {
        let mut entries: Vec<(String, Rc<Node>)> = Vec::new();
        let mut seen = BTreeSet::new();
        while let Some(line) = self.lines.current().filter(|line| line.indent == indent && !is_item(line.text)) {
            let key = scalar::key(line.text).map_err(|what| self.lines.wrong(what))?;
            let Some((key, rest)) = key else {
                return Err(self.lines.wrong("there is no `key:` in it"));
            };
            if !seen.insert(key.clone()) {
                return Err(self.lines.wrong(format!("the key `{key}` is there twice")));
            }
            self.lines.advance();
            let value = self.value(rest, Home { indent: line.column(), list_beside: true })?;
            entries.push((key, value));
        }
        Ok(Value::Map(entries))
    }

    /// What follows a key, a hyphen or the three hyphens at the beginning; the line it is in is behind us.
    fn value(&mut self, text: &'t str, home: Home) -> Result<Rc<Node>, YamlError> {
        let at = self.lines.number();
        let wrong = |what: &str| YamlError { line: at, what: what.to_owned() };
        let (mut tag, mut anchor, mut rest) = (None, None, text.trim_start());
        while let Some(sign @ ('!' | '&')) = rest.chars().next() {
            let (word, after) = rest.split_once(' ').unwrap_or((rest, ""));
            let place = if sign == '!' { &mut tag } else { &mut anchor };
            if place.replace(word.trim_start_matches('&').to_owned()).is_some() {
                return Err(wrong("it has two tags or two anchors"));
            }
            rest = after.trim_start();
        }
        if let Some(name) = rest.trim_end().strip_prefix('*') {
            if tag.is_some() || anchor.is_some() {
                return Err(wrong("what points elsewhere has no tag or anchor"));
            }
            return self.anchors.get(name).cloned().ok_or_else(|| wrong("it points to what is not above it"));
        }
        let made = match rest.chars().next() {
            None => self.below(home)?,
            Some('|' | '>') => node(Value::Text(scalar::block(rest, home.indent, &mut self.lines)?)),
            Some('"' | '\'') => node(Value::Text(scalar::quoted(rest, home.indent, &mut self.lines)?)),
            _ if rest.trim_end() == "[]" => node(Value::List(Vec::new())),
            _ if rest.trim_end() == "{}" => node(Value::Map(Vec::new())),
            _ => match scalar::plain(rest, home.indent, &mut self.lines)? {
                text if matches!(text.as_str(), "~" | "null" | "Null" | "NULL") => node(Value::Null),
                text => node(Value::Text(text)),
            },
        };
        let made = match tag {
            None => made,
            Some(_) if made.tag.is_some() => return Err(wrong("it has two tags")),
            Some(tag) => tagged(tag, &made).map_err(|what| wrong(&what))?,
        };
        if let Some(anchor) = anchor {
            self.anchors.insert(anchor, Rc::clone(&made));
        }
        Ok(made)
    }

    /// A value that begins in the line after its key.
    fn below(&mut self, home: Home) -> Result<Rc<Node>, YamlError> {
        match self.lines.current() {
            Some(line) if line.column() == home.indent && home.list_beside && is_item(line.text) => {
                self.block(home.indent - 1)
            }
            // Nothing is below: a key without a value.
            _ => self.block(home.indent),
        }
    }
}

fn node(value: Value) -> Rc<Node> {
    Rc::new(Node { tag: None, value })
}

fn tagged(tag: String, node: &Node) -> Result<Rc<Node>, String> {
    let value = match (tag.as_str(), &node.value) {
        ("!binary" | "!!binary", Value::Text(text)) => Value::Text(scalar::binary(text)?),
        // The tag says that what looks like nothing, or like a number, is a text.
        ("!" | "!str" | "!!str", Value::Null) => Value::Text(String::new()),
        ("!!null", Value::Null | Value::Text(_)) => Value::Null,
        (_, value) => value.clone(),
    };
    let is_object = tag.starts_with("!ruby/object:");
    if !is_object && !matches!(tag.as_str(), "!" | "!str" | "!!str" | "!binary" | "!!binary" | "!!null") {
        return Err(format!("nobody knows the tag `{tag}` here"));
    }
    Ok(Rc::new(Node { tag: is_object.then_some(tag), value }))
}

/// Whether a line is an item of a list.
fn is_item(text: &str) -> bool {
    text.strip_prefix('-').is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
}
