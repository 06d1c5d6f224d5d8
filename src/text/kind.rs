//! The kinds of values that every text is made of: words, numbers, lists, sets and maps.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::canonical;
use super::read::{Read, Reader};

impl Read for String {
    fn read(value: &Spanned<DeValue<'_>>, reader: &mut Reader) -> Option<Self> {
        let in_quotes = |digits: &str| Some(format!("write it in quotes: `\"{digits}\"`"));
        let help = match value.get_ref() {
            DeValue::String(text) if text.contains('\0') => {
                return reader.wrong(value, "this text holds a NUL character".to_owned(), None);
            }
            DeValue::String(text) => return Some(text.to_string()),
            DeValue::Integer(digits) if digits.radix() == 10 => in_quotes(digits.as_str()),
            DeValue::Float(digits) => in_quotes(digits.as_str()),
            DeValue::Boolean(is) => in_quotes(if *is { "true" } else { "false" }),
            _ => None,
        };
        reader.wrong_kind(value, "a string", help)
    }

    fn schema() -> serde_json::Value {
        json!({ "type": "string" })
    }
}

impl Read for bool {
    fn read(value: &Spanned<DeValue<'_>>, reader: &mut Reader) -> Option<Self> {
        let quoted = value.get_ref().as_str().is_some_and(|text| matches!(text, "true" | "false"));
        let help = quoted.then(|| "write it without quotes".to_owned());
        value.get_ref().as_bool().or_else(|| reader.wrong_kind(value, "`true` or `false`", help))
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
                    let quoted = value.get_ref().as_str().is_some_and(|text| text.parse::<i64>().is_ok());
                    return reader.wrong_kind(value, "a whole number", quoted.then(|| "write it without quotes".to_owned()));
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

read_integer!(u8 u16 u32 u64 i64);

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

/// The items of a list, or word that it is none.
fn items<'v, 'i, T: Read>(value: &'v Spanned<DeValue<'i>>, reader: &mut Reader) -> Option<&'v toml::de::DeArray<'i>> {
    if let Some(items) = value.get_ref().as_array() {
        return Some(items);
    }
    let help = match (value.get_ref(), reader.last()) {
        (DeValue::Table(_), Some(key)) if T::schema()["type"] == "object" => {
            Some(format!("write `[[{key}]]`, with double brackets, once for each"))
        }
        (DeValue::String(_), _) => Some("write it in square brackets, even where it is only one".to_owned()),
        _ => None,
    };
    reader.wrong_kind(value, "an array", help)
}

impl<T: Read> Read for Vec<T> {
    fn read(value: &Spanned<DeValue<'_>>, reader: &mut Reader) -> Option<Self> {
        let items = items::<T>(value, reader)?;
        let read: Vec<_> = items.iter().enumerate().map(|(i, item)| reader.within(&i.to_string(), item)).collect();
        for key in T::UNIQUE {
            let mut seen = BTreeSet::new();
            let values = items.iter().filter_map(|item| item.get_ref().get(*key));
            for (value, text) in values.filter_map(|value| Some((value, value.get_ref().as_str()?))) {
                if !seen.insert(text) {
                    let list = reader.last().unwrap_or_default();
                    let message = format!("there is another {list} with the {key} `{text}`");
                    reader.problem_at(value.span(), message, Some(format!("give each its own `{key}`")));
                }
            }
        }
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
        let items = items::<T>(value, reader)?;
        reader.order_is_free();
        let mut set = Self::new();
        let mut all = true;
        for (i, item) in items.iter().enumerate() {
            let new = reader.within(&i.to_string(), item).map(|read| set.insert(read));
            if new == Some(false) {
                reader.problem_at(item.span(), "this stands here twice".to_owned(), Some("remove one".to_owned()));
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

impl<K, V: Read> Read for BTreeMap<K, V>
where
    K: Read + std::str::FromStr<Err: std::fmt::Display> + Ord,
{
    fn read(value: &Spanned<DeValue<'_>>, reader: &mut Reader) -> Option<Self> {
        let Some(entries) = value.get_ref().as_table() else {
            return reader.wrong_kind(value, "a table", None);
        };
        let holds_values = V::schema()["type"].as_str().is_none_or(|kind| kind != "object") && V::schema() != json!({});
        let mut map = Self::new();
        let mut all = true;
        for (key, value) in entries {
            if let (true, Some(dotted)) = (holds_values, dotted(key.get_ref(), value.get_ref())) {
                let message = format!("`{}` has to be a value, it is a table", key.get_ref());
                let help = format!("a key with dots in it is written in quotes: `\"{dotted}\" = …`");
                reader.problem_at(key.span(), message, Some(help));
                all = false;
                continue;
            }
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
        let mut schema = json!({ "type": "object", "additionalProperties": V::schema() });
        if K::schema() != String::schema() {
            schema["propertyNames"] = K::schema();
        }
        schema
    }
}

/// The key that was meant where dots outside of quotes made tables of it.
fn dotted(key: &str, value: &DeValue<'_>) -> Option<String> {
    let mut table: &DeTable<'_> = value.as_table()?;
    let mut whole = key.to_owned();
    while let Some((key, value)) = table.iter().next() {
        whole.push('.');
        whole.push_str(key.get_ref());
        match value.get_ref().as_table() {
            Some(inner) => table = inner,
            None => break,
        }
    }
    Some(whole)
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
