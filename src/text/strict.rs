//! Texts and numbers that keep to a rule while they are read, and are plain for those who use them.
//!
//! A field is declared `pub ports: BTreeSet<String> as BTreeSet<Text<Port>>`: it is read, and described in the
//! schema, as what stands after `as`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;

use serde_json::json;
use toml::Spanned;
use toml::de::DeValue;

use super::read::{Read, Reader};

/// What texts of one kind look like.
pub trait Grammar {
    /// What such a text is called: `environment variable`.
    const KIND: &'static str;
    /// The rule in words.
    const RULE: &'static str;
    /// The rule as a regular expression, for the schema. It may be laxer than [`Grammar::holds`], never stricter.
    const PATTERN: &'static str;

    /// The rule.
    fn holds(text: &str) -> bool;
}

/// Declares kinds of texts, each by what it is called, its pattern, its rule in words and the check that decides.
macro_rules! grammar {
    ($(
        $(#[doc = $about:literal])*
        $name:ident = $kind:literal, $pattern:literal, $rule:literal, $holds:expr;
    )*) => {$(
        $(#[doc = $about])*
        pub(crate) enum $name {}

        impl $crate::text::Grammar for $name {
            const KIND: &'static str = $kind;
            const RULE: &'static str = $rule;
            const PATTERN: &'static str = $pattern;

            fn holds(text: &str) -> bool {
                let holds: fn(&str) -> bool = $holds;
                holds(text)
            }
        }
    )*};
}
pub(crate) use grammar;

/// A text of the kind `G`.
pub struct Text<G>(String, PhantomData<G>);

/// Why a text is not of the kind that it should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no {kind}: {rule}")]
pub struct GrammarError {
    text: String,
    kind: &'static str,
    rule: &'static str,
}

impl<G: Grammar> FromStr for Text<G> {
    type Err = GrammarError;

    fn from_str(text: &str) -> Result<Self, GrammarError> {
        if !text.contains('\0') && G::holds(text) {
            Ok(Self(text.to_owned(), PhantomData))
        } else {
            Err(GrammarError { text: text.chars().take(300).collect(), kind: G::KIND, rule: G::RULE })
        }
    }
}

impl<G: Grammar> Read for Text<G> {
    fn read(value: &Spanned<DeValue<'_>>, reader: &mut Reader) -> Option<Self> {
        let text = String::read(value, reader)?;
        match text.parse() {
            Ok(read) => Some(read),
            Err(error) => reader.wrong(value, GrammarError::to_string(&error), None),
        }
    }

    fn schema() -> serde_json::Value {
        json!({ "type": "string", "pattern": G::PATTERN })
    }
}

impl<G> PartialEq for Text<G> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl<G> Eq for Text<G> {}

impl<G> PartialOrd for Text<G> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<G> Ord for Text<G> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.cmp(&other.0)
    }
}

impl<G> fmt::Debug for Text<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// A number from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Positive(u32);

impl Read for Positive {
    fn read(value: &Spanned<DeValue<'_>>, reader: &mut Reader) -> Option<Self> {
        match u32::read(value, reader)? {
            0 => reader.wrong(value, "this has to be more than 0".to_owned(), None),
            number => Some(Self(number)),
        }
    }

    fn schema() -> serde_json::Value {
        json!({ "type": "integer", "minimum": 1, "maximum": u32::MAX })
    }
}

/// A text or a whole number.
#[derive(Clone, Debug, PartialEq)]
pub struct Scalar(serde_json::Value);

impl Read for Scalar {
    fn read(value: &Spanned<DeValue<'_>>, reader: &mut Reader) -> Option<Self> {
        match value.get_ref() {
            DeValue::String(_) => String::read(value, reader).map(|text| Self(text.into())),
            DeValue::Integer(_) => i64::read(value, reader).map(|number| Self(number.into())),
            _ => reader.wrong_kind(value, "a string or a whole number", None),
        }
    }

    fn schema() -> serde_json::Value {
        json!({ "type": ["string", "integer"] })
    }
}

/// What a strict value is for those who use it.
pub trait Plain<T> {
    /// The same without the rule.
    fn plain(self) -> T;
}

impl Plain<String> for String {
    fn plain(self) -> String {
        self
    }
}

impl<G> Plain<String> for Text<G> {
    fn plain(self) -> String {
        self.0
    }
}

impl Plain<u32> for Positive {
    fn plain(self) -> u32 {
        self.0
    }
}

impl Plain<Self> for serde_json::Value {
    fn plain(self) -> Self {
        self
    }
}

impl Plain<serde_json::Value> for Scalar {
    fn plain(self) -> serde_json::Value {
        self.0
    }
}

impl<A: Plain<B>, B> Plain<Option<B>> for Option<A> {
    fn plain(self) -> Option<B> {
        self.map(Plain::plain)
    }
}

impl<T: Plain<U>, U: Ord> Plain<BTreeSet<U>> for BTreeSet<T> {
    fn plain(self) -> BTreeSet<U> {
        self.into_iter().map(Plain::plain).collect()
    }
}

impl<K: Plain<L>, L: Ord, V: Plain<W>, W> Plain<BTreeMap<L, W>> for BTreeMap<K, V> {
    fn plain(self) -> BTreeMap<L, W> {
        self.into_iter().map(|(key, value)| (key.plain(), value.plain())).collect()
    }
}
