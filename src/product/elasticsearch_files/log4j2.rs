//! `log4j2.properties`.

use std::collections::{BTreeMap, BTreeSet};

use crate::product::java_properties::{self, Property};
use crate::product::rules::{LOG4J_APPENDER, LOG4J_FILE, LOG4J_INCOMPLETE, LOG4J_SYNTAX, LOG4J_TWICE};
use crate::product::subject::{Found, TextFile};

/// Where a log file lies: as Elasticsearch itself says it, or as its image has it.
const LOGS: [&str; 2] = ["${sys:es.logs.base_path}", "/usr/share/elasticsearch/logs/"];

pub(super) fn check(file: &TextFile<'_>, found: &mut Found) {
    let properties = match java_properties::read(file.text.as_bytes()) {
        Ok(properties) => properties,
        Err(error) => {
            let rule = if error.twice { &LOG4J_TWICE } else { &LOG4J_SYNTAX };
            return found.add(rule, file.place(error.line), error.message);
        }
    };
    let mut names = BTreeSet::new();
    for (appender, line) in parts(&properties, "appender.") {
        for key in ["name", "type"] {
            match properties.get(&format!("appender.{appender}.{key}")).filter(|property| !property.value.is_empty()) {
                Some(property) if key == "name" => drop(names.insert(property.value.as_str())),
                Some(_) => {}
                None => {
                    let message = format!("the appender `{appender}` has no `{key}`");
                    found.add(&LOG4J_INCOMPLETE, file.place(line), message);
                }
            }
        }
    }
    for (logger, line) in parts(&properties, "logger.") {
        if !properties.contains_key(&format!("logger.{logger}.name"))
            && !properties.contains_key(&format!("logger.{logger}"))
        {
            found.add(&LOG4J_INCOMPLETE, file.place(line), format!("the logger `{logger}` has no `name`"));
        }
    }
    for (key, Property { value, line }) in &properties {
        let logs = key.starts_with("rootLogger.") || key.starts_with("logger.") || key.starts_with("appender.");
        let refers = logs && key.contains(".appenderRef.") && key.strip_suffix(".ref").is_some();
        if refers && !value.contains("${") && !names.contains(value.as_str()) {
            found.add(&LOG4J_APPENDER, file.place(*line), format!("there is no appender called `{value}`"));
        }
        let names_file = key.strip_suffix(".fileName").or_else(|| key.strip_suffix(".filePattern"));
        let written = names_file.is_some() && key.starts_with("appender.");
        // Another variable may stand for any folder.
        let elsewhere = value.starts_with('/') && !LOGS.iter().any(|logs| value.starts_with(logs));
        if written && elsewhere && !value.starts_with("/dev/") {
            found.add(&LOG4J_FILE, file.place(*line), format!("`{key}` is `{value}`"));
        }
    }
}

/// The names that stand behind a prefix and before another dot, each with its first line.
fn parts<'p>(properties: &'p BTreeMap<String, Property>, prefix: &str) -> BTreeMap<&'p str, usize> {
    let mut parts = BTreeMap::new();
    for (key, property) in properties {
        if let Some((part, _)) = key.strip_prefix(prefix).and_then(|rest| rest.split_once('.')) {
            let line = parts.entry(part).or_insert(property.line);
            *line = property.line.min(*line);
        }
    }
    parts
}
