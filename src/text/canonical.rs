//! One spelling for what a TOML text says, so that its hash does not depend on comments, order or layout.

use std::collections::BTreeMap;

use toml::de::{DeTable, DeValue};

/// Each top-level key with its value as canonical JSON: sorted keys, no white space.
///
/// An array of tables is one entry for each table, `plugin.0`, `plugin.1`, so that a comparison
/// can name the one that changed.
#[must_use]
pub fn canonical(table: &DeTable<'_>) -> BTreeMap<String, String> {
    let mut entries = BTreeMap::new();
    for (key, value) in table {
        let key = key.get_ref().as_ref();
        match value.get_ref() {
            DeValue::Array(items) if items.iter().any(|item| item.get_ref().is_table()) => {
                for (i, item) in items.iter().enumerate() {
                    entries.insert(format!("{key}.{i}"), json(item.get_ref()).to_string());
                }
            }
            other => {
                entries.insert(key.to_owned(), json(other).to_string());
            }
        }
    }
    entries
}

/// The JSON of a TOML value. What JSON has no form for (dates, odd floats) stays text,
/// marked by its type so that it never equals a string that looks like it.
pub(super) fn json(value: &DeValue<'_>) -> serde_json::Value {
    use serde_json::Value;
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

fn tagged(kind: &str, text: &str) -> serde_json::Value {
    serde_json::json!({ format!("\0{kind}"): text })
}
