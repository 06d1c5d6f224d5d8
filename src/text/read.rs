//! From TOML values to types, noting every mistake and every position on the way.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use serde_json::json;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::canonical;
use super::problem::{Positions, Problem, nearest};

/// A type that can be read from a TOML value.
pub trait Read: Sized {
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

/// Collects what is found while a text is read.
pub struct Reader {
    problems: Vec<Problem>,
    positions: BTreeMap<String, Range<usize>>,
    path: Vec<String>,
    end: usize,
}

impl Reader {
    pub(super) fn new(end: usize) -> Self {
        Self { problems: Vec::new(), positions: BTreeMap::new(), path: Vec::new(), end }
    }

    pub(super) fn has_problems(&self) -> bool {
        !self.problems.is_empty()
    }

    pub(super) fn finish(mut self) -> (Vec<Problem>, Positions) {
        self.problems.sort_by_key(|problem| (problem.span.start, problem.span.end));
        (self.problems, Positions(self.positions))
    }

    /// Reads the root of a text.
    pub(super) fn document<T: Read>(&mut self, root: &Spanned<DeTable<'_>>) -> Option<T> {
        let value = Spanned::new(0..self.end, DeValue::Table(root.get_ref().clone()));
        T::read(&value, self)
    }

    /// Notes a mistake.
    pub fn problem_at(&mut self, span: Range<usize>, message: String, help: Option<String>) {
        self.problems.push(Problem { span, message, help });
    }

    /// Notes a mistake in `value`, and reads nothing.
    pub fn wrong<T>(&mut self, value: &Spanned<DeValue<'_>>, message: String, help: Option<String>) -> Option<T> {
        self.problem_at(value.span(), message, help);
        None
    }

    /// Notes that `value` is of another kind than `wanted`, and reads nothing.
    pub fn wrong_kind<T>(&mut self, value: &Spanned<DeValue<'_>>, wanted: &str) -> Option<T> {
        let found = match value.get_ref() {
            DeValue::Integer(_) | DeValue::Array(_) => format!("an {}", value.get_ref().type_str()),
            other => format!("a {}", other.type_str()),
        };
        self.wrong(value, format!("this has to be {wanted}, it is {found}"), None)
    }

    /// Reads a value that stands under `key` inside what is being read.
    pub fn within<T: Read>(&mut self, key: &str, value: &Spanned<DeValue<'_>>) -> Option<T> {
        self.path.push(key.to_owned());
        self.positions.insert(self.path.join("."), value.span());
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
                let place = table.place(self.end);
                let inside =
                    if self.path.is_empty() { String::new() } else { format!(" in `{}`", self.path.join(".")) };
                self.problem_at(place, format!("`{key}` is missing{inside}"), None);
                None
            }
        }
    }

    /// Opens a table whose keys are all known.
    pub fn table<'t, 'i>(&mut self, value: &'t Spanned<DeValue<'i>>, keys: &[&str]) -> Option<Table<'t, 'i>> {
        let Some(entries) = value.get_ref().as_table() else {
            return self.wrong_kind(value, "a table");
        };
        for key in entries.keys().filter(|key| !keys.contains(&key.get_ref().as_ref())) {
            let help = match nearest(key.get_ref(), keys.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("known here: {}", keys.join(", ")),
            };
            self.problem_at(key.span(), format!("unknown key `{}`", key.get_ref()), Some(help));
        }
        Some(Table { entries, span: value.span() })
    }
}

/// A table that is being read.
pub struct Table<'t, 'i> {
    entries: &'t DeTable<'i>,
    span: Range<usize>,
}

impl Table<'_, '_> {
    /// Where to point when something is missing: the table's opening, or the end of the text for the root.
    fn place(&self, end: usize) -> Range<usize> {
        if self.span == (0..end) { end..end } else { self.span.clone() }
    }
}

impl Read for String {
    fn read(value: &Spanned<DeValue<'_>>, reader: &mut Reader) -> Option<Self> {
        match value.get_ref() {
            DeValue::String(text) if text.contains('\0') => {
                reader.wrong(value, "this text holds a NUL character".to_owned(), None)
            }
            DeValue::String(text) => Some(text.to_string()),
            _ => reader.wrong_kind(value, "a string"),
        }
    }

    fn schema() -> serde_json::Value {
        json!({ "type": "string" })
    }
}

impl Read for bool {
    fn read(value: &Spanned<DeValue<'_>>, reader: &mut Reader) -> Option<Self> {
        value.get_ref().as_bool().or_else(|| reader.wrong_kind(value, "`true` or `false`"))
    }

    fn schema() -> serde_json::Value {
        json!({ "type": "boolean" })
    }
}

macro_rules! read_integer {
    ($($type:ident)*) => {$(
        impl Read for $type {
            fn read(value: &Spanned<DeValue<'_>>, reader: &mut Reader) -> Option<Self> {
                let Some(digits) = value.get_ref().as_integer() else {
                    return reader.wrong_kind(value, "a whole number");
                };
                match Self::from_str_radix(digits.as_str(), digits.radix()) {
                    Ok(number) => Some(number),
                    Err(_) => {
                        let message = format!("this has to be a whole number from {} to {}", Self::MIN, Self::MAX);
                        reader.wrong(value, message, None)
                    }
                }
            }

            fn schema() -> serde_json::Value {
                json!({ "type": "integer", "minimum": Self::MIN, "maximum": Self::MAX })
            }
        }
    )*};
}

read_integer!(u16 u32 u64 i64);

impl<T: Read> Read for Option<T> {
    fn read(value: &Spanned<DeValue<'_>>, reader: &mut Reader) -> Option<Self> {
        T::read(value, reader).map(Some)
    }

    fn absent() -> Option<Self> {
        Some(None)
    }

    fn schema() -> serde_json::Value {
        T::schema()
    }
}

impl<T: Read> Read for Vec<T> {
    fn read(value: &Spanned<DeValue<'_>>, reader: &mut Reader) -> Option<Self> {
        let Some(items) = value.get_ref().as_array() else {
            return reader.wrong_kind(value, "an array");
        };
        let read: Vec<_> = items.iter().enumerate().map(|(i, item)| reader.within(&i.to_string(), item)).collect();
        read.into_iter().collect()
    }

    fn absent() -> Option<Self> {
        Some(Self::new())
    }

    fn schema() -> serde_json::Value {
        json!({ "type": "array", "items": T::schema() })
    }
}

/// A list in which the order says nothing and nothing may stand twice.
impl<T: Read + Ord> Read for BTreeSet<T> {
    fn read(value: &Spanned<DeValue<'_>>, reader: &mut Reader) -> Option<Self> {
        let Some(items) = value.get_ref().as_array() else {
            return reader.wrong_kind(value, "an array");
        };
        let mut set = Self::new();
        let mut all = true;
        for (i, item) in items.iter().enumerate() {
            let new = reader.within(&i.to_string(), item).map(|read| set.insert(read));
            if new == Some(false) {
                reader.problem_at(item.span(), "this stands here twice".to_owned(), None);
            }
            all &= new == Some(true);
        }
        all.then_some(set)
    }

    fn absent() -> Option<Self> {
        Some(Self::new())
    }

    fn schema() -> serde_json::Value {
        json!({ "type": "array", "items": T::schema(), "uniqueItems": true })
    }
}

impl<K: std::str::FromStr<Err: std::fmt::Display> + Ord, V: Read> Read for BTreeMap<K, V> {
    fn read(value: &Spanned<DeValue<'_>>, reader: &mut Reader) -> Option<Self> {
        let Some(entries) = value.get_ref().as_table() else {
            return reader.wrong_kind(value, "a table");
        };
        let mut map = Self::new();
        let mut all = true;
        for (key, value) in entries {
            let name = match key.get_ref().parse::<K>() {
                Ok(name) => Some(name),
                Err(error) => {
                    reader.problem_at(key.span(), error.to_string(), None);
                    None
                }
            };
            match (name, reader.within(key.get_ref(), value)) {
                (Some(name), Some(value)) => drop(map.insert(name, value)),
                _ => all = false,
            }
        }
        all.then_some(map)
    }

    fn absent() -> Option<Self> {
        Some(Self::new())
    }

    fn schema() -> serde_json::Value {
        json!({ "type": "object", "additionalProperties": V::schema() })
    }
}

/// Anything, for documents of other programs that pass through unread.
impl Read for serde_json::Value {
    fn read(value: &Spanned<DeValue<'_>>, _: &mut Reader) -> Option<Self> {
        Some(canonical::json(value.get_ref()))
    }

    fn schema() -> serde_json::Value {
        json!({})
    }
}
