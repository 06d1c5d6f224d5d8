//! What products make of variables in their configuration: which takes a default, and where.

use super::environment::arguments;
use super::rules::{DEFAULT_ALWAYS, EMPTY_VARIABLE, KB_DEFAULT, VARIABLE_ELSEWHERE};
use super::subject::{Found, Scene};
use super::variable::{Variable, takes_default_always, variables};
use crate::recipe::{ImageRecipe, Product};

/// The first Kibana that takes a default.
const KIBANA_DEFAULT: (u64, u64, u64) = (8, 15, 0);

pub(super) fn check(scene: &Scene<'_>, image: &ImageRecipe, found: &mut Found) {
    match image.product {
        Product::Elasticsearch if takes_default_always(image) => check_elasticsearch(scene, image, found),
        Product::Kibana => check_kibana(scene, image, found),
        _ => {}
    }
}

fn check_elasticsearch(scene: &Scene<'_>, image: &ImageRecipe, found: &mut Found) {
    let env = image.config.iter().flat_map(|config| &config.env);
    for file in scene.files.iter().filter(|file| file.path.file_name() == "elasticsearch.yml") {
        for (number, line) in file.live_lines() {
            for Variable { name, default, .. } in variables(line) {
                if let Some(default) = default {
                    let message = format!("`${{{name}:{default}}}` is `{default}`, whatever `{name}` is");
                    found.add(&DEFAULT_ALWAYS, file.place(number), message);
                }
            }
            let alone = line.split_once(": ").and_then(|(_, value)| value.trim().strip_prefix("${")?.strip_suffix('}'));
            if env.clone().any(|(name, value)| value.is_empty() && alone == Some(name)) {
                let message = format!("`{}` is empty and stands in no quotes", alone.unwrap_or_default());
                found.add(&EMPTY_VARIABLE, file.place(number), message);
            }
        }
    }
    for argument in arguments(image).into_iter().filter(|argument| !variables(&argument.value).is_empty()) {
        let message = format!("the argument `{}` is `{}`", argument.name, argument.value);
        found.add(&VARIABLE_ELSEWHERE, scene.key(&argument.at), message);
    }
    let is_setting = |name: &str| name.contains('.') || name.starts_with("ES_SETTING_");
    for (name, value) in env.filter(|(name, value)| is_setting(name) && !variables(value).is_empty()) {
        let message = format!("`{name}` is `{value}`");
        found.add(&VARIABLE_ELSEWHERE, scene.key(&format!("config.env.{name}")), message);
    }
}

fn check_kibana(scene: &Scene<'_>, image: &ImageRecipe, found: &mut Found) {
    let knows = image.version.triple().is_none_or(|version| version >= KIBANA_DEFAULT);
    let is_word = |text: &str| !text.is_empty() && text.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'_');
    for file in scene.files.iter().filter(|file| file.path.file_name() == "kibana.yml") {
        for (number, line) in file.live_lines() {
            for Variable { name, default, .. } in variables(line) {
                if let Some(default) = default.filter(|default| !(knows && is_word(default))) {
                    let message = format!("Kibana {} takes `${{{name}:{default}}}` as it is", image.version);
                    found.add(&KB_DEFAULT, file.place(number), message);
                }
            }
        }
    }
}
