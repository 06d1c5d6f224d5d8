//! What a text says, and what can be wrong with it.

use std::collections::BTreeMap;

/// A value with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Node {
    /// The line it starts on, from 1.
    pub(crate) line: usize,
    pub(crate) value: Value,
}

/// A value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    /// Nothing stands there.
    Empty,
    /// A text as it is written, without quotes; `quoted` where it had some, or was a block.
    Text { text: String, quoted: bool },
    /// A list.
    List(Vec<Node>),
    /// A mapping: each key with the line it stands on.
    Map(Vec<(String, usize, Node)>),
}

impl Value {
    /// Whether it is nothing, in any spelling.
    pub(crate) fn is_null(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Text { text, quoted } => !quoted && matches!(text.as_str(), "~" | "null" | "Null" | "NULL"),
            Self::List(_) | Self::Map(_) => false,
        }
    }

    /// The text, where it is one.
    pub(crate) fn text(&self) -> Option<&str> {
        match self {
            Self::Text { text, .. } => Some(text),
            _ => None,
        }
    }
}

/// Whose fault it is that a text cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// No reader of YAML takes it.
    Wrong,
    /// YAML, perhaps, but none that is read here.
    Unread,
}

/// Why a text cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {message}")]
pub(crate) struct YamlError {
    /// The line, from 1.
    pub(crate) line: usize,
    pub(crate) message: String,
    pub(crate) fault: Fault,
}

/// No reader takes this.
pub(super) fn wrong<T>(line: usize, message: impl Into<String>) -> Result<T, YamlError> {
    Err(YamlError { line, message: message.into(), fault: Fault::Wrong })
}

/// Others may read this.
pub(super) fn unread<T>(line: usize, what: &str) -> Result<T, YamlError> {
    Err(YamlError { line, message: format!("{what} is not read here"), fault: Fault::Unread })
}

/// Deeper ones are refused, so that no text can exhaust the stack.
pub(super) const DEEPEST: usize = 64;

/// A mapping that is being read.
#[derive(Default)]
pub(super) struct Mapping {
    entries: Vec<(String, usize, Node)>,
    /// The lines of the keys so far, because a file may have very many.
    seen: BTreeMap<String, usize>,
}

impl Mapping {
    /// Adds a key that is not there yet.
    pub(super) fn add(&mut self, key: String, line: usize, node: Node) -> Result<(), YamlError> {
        if let Some(first) = self.seen.insert(key.clone(), line) {
            return wrong(line, format!("`{key}` is said a second time, after line {first}"));
        }
        self.entries.push((key, line, node));
        Ok(())
    }

    pub(super) fn finish(self) -> Value {
        Value::Map(self.entries)
    }
}
