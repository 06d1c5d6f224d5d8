//! One spelling for what a TOML text says, so that its hash does not depend on comments, order or layout.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use toml::de::{DeTable, DeValue};

/// Each top-level key with its value as canonical JSON: sorted keys, no white space.
///
/// An array of tables is one entry for each table, `plugin.0`, `plugin.1`, so that a comparison
/// can name the one that changed. Lists at the paths in `unordered` are sorted: their order says nothing.
#[must_use]
pub(super) fn canonical(table: &DeTable<'_>, unordered: &BTreeSet<String>) -> BTreeMap<String, String> {
    let mut entries = BTreeMap::new();
    for (key, value) in table {
        let key = key.get_ref().as_ref();
        match value.get_ref() {
            DeValue::Array(items) if items.iter().any(|item| item.get_ref().is_table()) => {
                for (i, item) in items.iter().enumerate() {
                    let path = format!("{key}.{i}");
                    entries.insert(path.clone(), sorted(json(item.get_ref()), &path, unordered).to_string());
                }
            }
            other => {
                entries.insert(key.to_owned(), sorted(json(other), key, unordered).to_string());
            }
        }
    }
    entries
}

/// A value with its lists sorted where their order says nothing.
fn sorted(value: Value, path: &str, unordered: &BTreeSet<String>) -> Value {
    match value {
        Value::Array(mut items) => {
            if unordered.contains(path) {
                items.sort_by_cached_key(Value::to_string);
                return Value::Array(items);
            }
            let items = items.into_iter().enumerate();
            items.map(|(i, item)| sorted(item, &format!("{path}.{i}"), unordered)).collect()
        }
        Value::Object(entries) => {
            let entries = entries.into_iter();
            let entries = entries.map(|(key, value)| {
                let value = sorted(value, &format!("{path}.{key}"), unordered);
                (key, value)
            });
            Value::Object(entries.collect())
        }
        other => other,
    }
}

/// The JSON of a TOML value. What JSON has no form for (dates, odd floats) stays text,
/// marked by its type so that it never equals a string that looks like it.
pub(super) fn json(value: &DeValue<'_>) -> Value {
    match value {
        DeValue::String(text) => Value::from(text.as_ref()),
        DeValue::Integer(digits) => match i64::from_str_radix(digits.as_str(), digits.radix()) {
            Ok(number) => Value::from(number),
            Err(_) => tagged("integer", digits.as_str()),
        },
        DeValue::Float(digits) => match digits.as_str().parse::<f64>() {
            Ok(number) if number.is_finite() => Value::from(number),
            _ => tagged("float", digits.as_str()),
        },
        DeValue::Boolean(is) => Value::from(*is),
        DeValue::Datetime(when) => tagged("datetime", &when.to_string()),
        DeValue::Array(items) => items.iter().map(|item| json(item.get_ref())).collect(),
        DeValue::Table(table) => {
            // serde_json keeps keys sorted unless a dependency turns on `preserve_order`; tests/floors.rs holds that off.
            Value::Object(table.iter().map(|(k, v)| (k.get_ref().to_string(), json(v.get_ref()))).collect())
        }
    }
}

fn tagged(kind: &str, text: &str) -> Value {
    serde_json::json!({ format!("\0{kind}"): text })
}
