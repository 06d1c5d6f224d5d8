//! From TOML tables to types, noting every mistake and every position on the way.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::problem::{Positions, Problem, nearest};

/// A type that can be read from a TOML value.
pub trait Read: Sized {
    /// Keys whose values no two items of one list may share.
    const UNIQUE: &'static [&'static str] = &[];

    /// Reads one value. `None` means that the reader has been told what is wrong.
    fn read(value: &Spanned<DeValue<'_>>, reader: &mut Reader) -> Option<Self>;

    /// What stands for a key that is not there; `None` where the key is required.
    #[must_use]
    fn absent() -> Option<Self> {
        None
    }

    /// The JSON Schema of what is read.
    fn schema() -> serde_json::Value;
}

/// More mistakes than these are counted, not told: nobody reads on.
const MOST_PROBLEMS: usize = 100;

/// A text that is repeated in a message is cut to so many characters.
const LONGEST_MESSAGE: usize = 500;

/// Collects what is found while a text is read.
pub struct Reader {
    problems: Vec<Problem>,
    positions: Positions,
    path: Vec<String>,
    top: Vec<String>,
    unordered: BTreeSet<String>,
    end: usize,
}

/// All that a reader knows in the end.
pub(super) struct Collected {
    pub(super) problems: Vec<Problem>,
    pub(super) positions: Positions,
    pub(super) unordered: BTreeSet<String>,
}

impl Reader {
    pub(super) fn new(end: usize) -> Self {
        Self {
            problems: Vec::new(),
            positions: Positions::default(),
            path: Vec::new(),
            top: Vec::new(),
            unordered: BTreeSet::new(),
            end,
        }
    }

    pub(super) fn finish(mut self) -> Collected {
        self.problems.sort_by_key(|problem| (problem.span.start, problem.span.end));
        self.problems.dedup();
        let more = self.problems.len().saturating_sub(MOST_PROBLEMS);
        if more > 0 {
            self.problems.truncate(MOST_PROBLEMS);
            let span = self.problems.last().map_or(0..0, |last| last.span.clone());
            self.problem_at(span, format!("{more} more mistakes follow"), None);
        }
        Collected { problems: self.problems, positions: self.positions, unordered: self.unordered }
    }

    /// Reads the root of a text.
    pub(super) fn document<T: Read>(&mut self, root: &Spanned<DeTable<'_>>) -> Option<T> {
        let value = Spanned::new(0..self.end, DeValue::Table(root.get_ref().clone()));
        T::read(&value, self)
    }

    /// Notes a mistake.
    pub fn problem_at(&mut self, span: Range<usize>, mut message: String, help: Option<String>) {
        if let Some((cut, _)) = message.char_indices().nth(LONGEST_MESSAGE) {
            message.truncate(cut);
            message.push('…');
        }
        self.problems.push(Problem { span, message, help });
    }

    /// Notes a mistake in the value that was read under `key` of what is being read; `""` for the whole.
    pub fn mistake(&mut self, key: &str, message: impl Into<String>, help: &str) {
        let path = if key.is_empty() { self.path.join(".") } else { self.path_of(key) };
        let help = (!help.is_empty()).then(|| help.to_owned());
        self.problem_at(self.positions.of(&path), message.into(), help);
    }

    /// Notes a mistake in `value`, and reads nothing.
    pub fn wrong<T>(&mut self, value: &Spanned<DeValue<'_>>, message: String, help: Option<String>) -> Option<T> {
        self.problem_at(value.span(), message, help);
        None
    }

    /// Notes that `value` is of another kind than `wanted`, and reads nothing.
    pub fn wrong_kind<T>(&mut self, value: &Spanned<DeValue<'_>>, wanted: &str, help: Option<String>) -> Option<T> {
        let found = match value.get_ref() {
            DeValue::Integer(_) | DeValue::Array(_) => format!("an {}", value.get_ref().type_str()),
            other => format!("a {}", other.type_str()),
        };
        self.wrong(value, format!("this has to be {wanted}, it is {found}"), help)
    }

    /// Reads a value that stands under `key` inside what is being read.
    pub fn within<T: Read>(&mut self, key: &str, value: &Spanned<DeValue<'_>>) -> Option<T> {
        self.path.push(key.to_owned());
        self.positions.0.insert(self.path.join("."), value.span());
        let read = T::read(value, self);
        self.path.pop();
        read
    }

    /// Reads the entry `key` of a table, which may be left out where `absent` has a value for that.
    pub fn field<T: Read>(&mut self, table: &Table<'_, '_>, key: &str, absent: Option<T>) -> Option<T> {
        match table.entries.get(key) {
            Some(value) => self.within(key, value),
            None if absent.is_some() => absent,
            None => {
                self.missing(table, key);
                None
            }
        }
    }

    fn missing(&mut self, table: &Table<'_, '_>, key: &str) {
        // Under a slip of the pen it is there: one mistake, told once.
        if let Some(&guess) = table.guesses.get(key) {
            self.problems[guess].help = Some(format!("did you mean `{key}`? It has to be here"));
            return;
        }
        let inside = if self.path.is_empty() { String::new() } else { format!(" in `{}`", self.path.join(".")) };
        let place = if self.path.is_empty() { 0..0 } else { table.span.clone() };
        self.problem_at(place, format!("`{key}` is missing{inside}"), None);
    }

    /// Opens a table whose keys are all known.
    pub fn table<'t, 'i>(&mut self, value: &'t Spanned<DeValue<'i>>, keys: &[&'static str]) -> Option<Table<'t, 'i>> {
        let Some(entries) = value.get_ref().as_table() else {
            let is_list = value.get_ref().as_array().is_some();
            let help = self.last().filter(|_| is_list).map(|key| format!("write `[{key}]`, with single brackets"));
            return self.wrong_kind(value, "a table", help);
        };
        if self.path.is_empty() {
            self.top = keys.iter().map(|&key| key.to_owned()).collect();
        }
        let mut guesses = BTreeMap::new();
        for key in entries.keys().filter(|key| !keys.contains(&key.get_ref().as_ref())) {
            let free = keys.iter().copied().filter(|known| !entries.contains_key(*known));
            let help = if self.belongs_to_the_top(key.get_ref()) {
                format!("`{}` stands at the top of the file, above the first `[table]`", key.get_ref())
            } else if let Some(near) = nearest(key.get_ref(), free) {
                guesses.entry(near).or_insert(self.problems.len());
                format!("did you mean `{near}`?")
            } else {
                format!("known here: {}", keys.join(", "))
            };
            self.problem_at(key.span(), format!("unknown key `{}`", key.get_ref()), Some(help));
        }
        Some(Table { entries, span: value.span(), guesses })
    }

    fn belongs_to_the_top(&self, key: &str) -> bool {
        !self.path.is_empty() && self.top.iter().any(|top| top == key)
    }

    /// The key of what is being read; the list's where it is an item of one.
    pub(super) fn last(&self) -> Option<&str> {
        self.path.iter().rev().map(String::as_str).find(|key| key.parse::<usize>().is_err())
    }

    /// Notes that the order of the list that is being read says nothing.
    pub(super) fn order_is_free(&mut self) {
        self.unordered.insert(self.path.join("."));
    }

    fn path_of(&self, key: &str) -> String {
        self.path.iter().map(String::as_str).chain([key]).collect::<Vec<_>>().join(".")
    }
}

/// A table that is being read.
pub struct Table<'t, 'i> {
    entries: &'t DeTable<'i>,
    span: Range<usize>,
    /// Known keys that may be meant by unknown ones, with the mistakes that say so.
    guesses: BTreeMap<&'static str, usize>,
}
