//! Answers as XML. They are made as JSON, whose members become elements.

use serde_json::Value;

/// An answer's elements; those of a list are called `item` by EC2 and `member` elsewhere. What is null is left out.
pub fn elements(value: &Value, item: &str) -> String {
    let mut xml = String::new();
    write(&mut xml, value, item);
    xml
}

fn write(xml: &mut String, value: &Value, item: &str) {
    match value {
        Value::Null => {}
        Value::Bool(value) => xml.push_str(if *value { "true" } else { "false" }),
        Value::Number(number) => xml.push_str(&number.to_string()),
        Value::String(text) => xml.push_str(&escaped(text)),
        Value::Array(list) => list.iter().for_each(|one| element(xml, item, one, item)),
        Value::Object(members) => members.iter().for_each(|(name, value)| element(xml, name, value, item)),
    }
}

fn element(xml: &mut String, name: &str, value: &Value, item: &str) {
    match value {
        Value::Null => {}
        Value::Array(list) if list.is_empty() => xml.push_str(&format!("<{name}/>")),
        value => {
            xml.push_str(&format!("<{name}>"));
            write(xml, value, item);
            xml.push_str(&format!("</{name}>"));
        }
    }
}

/// A text as it may stand in an element. Control characters have no way to be written in XML 1.0 at all.
pub fn escaped(text: &str) -> String {
    text.chars()
        .map(|letter| match letter {
            '&' => "&amp;".to_owned(),
            '<' => "&lt;".to_owned(),
            '>' => "&gt;".to_owned(),
            '"' => "&quot;".to_owned(),
            '\r' => "&#xd;".to_owned(),
            letter => letter.to_string(),
        })
        .collect()
}
