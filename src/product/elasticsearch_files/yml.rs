//! `elasticsearch.yml`.

use std::collections::BTreeMap;

use crate::product::base::is_elastics;
use crate::product::rules::{MANDATORY_MISSING, YML_EMPTY, YML_SYNTAX, YML_TWICE};
use crate::product::subject::{Found, TextFile};
use crate::product::yaml::{self, Fault, Node, Value};
use crate::recipe::ImageRecipe;

pub(super) fn check(file: &TextFile<'_>, image: &ImageRecipe, found: &mut Found) {
    let root = match yaml::read(&file.text) {
        Ok(root) => root,
        // Others may read it: nothing is known of it here.
        Err(error) if error.fault == Fault::Unread => return,
        Err(error) => return found.add(&YML_SYNTAX, file.place(error.line), error.message),
    };
    if root.value == Value::Empty {
        return;
    }
    if !matches!(root.value, Value::Map(_)) {
        return found.add(&YML_SYNTAX, file.place(root.line), "it is no mapping of settings");
    }
    let mut settings = BTreeMap::new();
    flatten(&root, "", root.line, file, &mut settings, found);
    if let Some((line, Node { value, .. })) = settings.get("plugin.mandatory") {
        check_mandatory(file, image, *line, value, found);
    }
}

/// Goes down to the settings, which have texts or lists as values.
fn flatten<'n>(
    node: &'n Node,
    key: &str,
    line: usize,
    file: &TextFile<'_>,
    settings: &mut BTreeMap<String, (usize, &'n Node)>,
    found: &mut Found,
) {
    match &node.value {
        Value::Map(map) => {
            for (name, line, node) in map {
                let key = if key.is_empty() { name.clone() } else { format!("{key}.{name}") };
                flatten(node, &key, *line, file, settings, found);
            }
        }
        value if value.is_null() => found.add(&YML_EMPTY, file.place(line), format!("`{key}` has no value")),
        value => {
            let nested = |node: &Node| matches!(node.value, Value::Map(_) | Value::List(_));
            if let Value::List(items) = value
                && let Some(item) = items.iter().find(|item| nested(item))
            {
                let message = format!("`{key}` is a list, and lists hold nothing but values");
                found.add(&YML_SYNTAX, file.place(item.line), message);
            }
            if let Some((first, _)) = settings.insert(key.to_owned(), (line, node)) {
                found.add(&YML_TWICE, file.place(line), format!("`{key}` is set in line {first} already"));
            }
        }
    }
}

/// Whether the plugins that have to be there can be: Elastic's own images have none, so they come from the recipe.
fn check_mandatory(file: &TextFile<'_>, image: &ImageRecipe, line: usize, value: &Value, found: &mut Found) {
    if !is_elastics(&image.from) {
        return;
    }
    let names: Vec<&str> = match value {
        Value::List(list) => list.iter().filter_map(|node| node.value.text()).collect(),
        value => value.text().into_iter().flat_map(|text| text.split(',')).collect(),
    };
    for name in names.into_iter().map(str::trim).filter(|name| !name.is_empty() && !name.contains("${")) {
        if !image.plugin.iter().any(|plugin| plugin.name == name) {
            found.add(
                &MANDATORY_MISSING,
                file.place(line),
                format!("`{name}` is mandatory and no `[[plugin]]` of the recipe"),
            );
        }
    }
}
