//! Settings wherever they are made: in the product's file, in variables that its image turns into settings, or among
//! the arguments that it is started with.

use super::rules::{DIGIT_ENV, DOTTED_ENV, UPPER_CASE_ENV};
use super::settings::{self, Setting};
use super::subject::{Found, Place, Scene};
use super::variable;
use crate::recipe::{ImageRecipe, Product};

/// A setting with its place.
pub(super) struct Placed {
    pub(super) key: String,
    pub(super) value: String,
    pub(super) place: Place,
}

/// What the image's product is told: by its file, the environment and its arguments. Variables that the recipe itself sets
/// stand for what it sets them to.
pub(super) fn settings(scene: &Scene<'_>, image: &ImageRecipe) -> Vec<Placed> {
    let name = match image.product {
        Product::Elasticsearch => "elasticsearch.yml",
        Product::Kibana => "kibana.yml",
        Product::Logstash => "logstash.yml",
        Product::Filebeat => "filebeat.yml",
        Product::FluentBit | Product::Generic => return Vec::new(),
    };
    let mut all = Vec::new();
    for file in scene.files.iter().filter(|file| file.path.file_name() == name) {
        let placed = |Setting { key, value, line }| {
            let value = variable::resolve(&value, image);
            Placed { key, value, place: file.place(line) }
        };
        all.extend(settings::read(&file.text).into_iter().map(placed));
    }
    for (name, value) in image.config.iter().flat_map(|config| &config.env) {
        if let Some(key) = setting_of(name, image.product) {
            all.push(Placed { key, value: value.clone(), place: scene.key(&format!("config.env.{name}")) });
        }
    }
    all.extend(arguments(image).into_iter().map(|argument| Placed {
        place: scene.key(&argument.at),
        key: argument.name,
        value: argument.value,
    }));
    all
}

/// A setting among the arguments that the program is started with.
pub(super) struct Argument {
    /// Where in the recipe.
    pub(super) at: String,
    pub(super) name: String,
    pub(super) value: String,
}

/// `-Ekey=value`, `-E key=value` and `--key=value` in entrypoint and command.
pub(super) fn arguments(image: &ImageRecipe) -> Vec<Argument> {
    let mut all = Vec::new();
    let Some(config) = &image.config else { return all };
    for (list, words) in [("entrypoint", &config.entrypoint), ("cmd", &config.cmd)] {
        for (i, word) in words.iter().flatten().enumerate() {
            let setting = word.strip_prefix("--").or_else(|| word.strip_prefix("-E")).unwrap_or(word);
            // A shell's assignments have no dot in their names.
            let pair =
                setting.trim().split_once('=').filter(|(name, _)| name.contains('.') && !name.contains([' ', '$']));
            if let Some((name, value)) = pair {
                let at = format!("config.{list}.{i}");
                all.push(Argument { at, name: name.to_owned(), value: value.to_owned() });
            }
        }
    }
    all
}

/// The setting that a variable stands for. Kibana and Logstash know theirs from a list in which `_` is a dot.
fn setting_of(name: &str, product: Product) -> Option<String> {
    match product {
        Product::Elasticsearch => match name.strip_prefix("ES_SETTING_") {
            Some(rest) => Some(rest.replace("__", "\0").replace('_', ".").replace('\0', "_").to_ascii_lowercase()),
            None => name.contains('.').then(|| name.to_owned()),
        },
        Product::Kibana | Product::Logstash if name.contains('.') => Some(name.to_owned()),
        Product::Kibana | Product::Logstash => Some(name.replace('_', ".").to_ascii_lowercase()),
        _ => None,
    }
}

/// The variables that Elasticsearch's image loses.
pub(super) fn check(scene: &Scene<'_>, image: &ImageRecipe, found: &mut Found) {
    if image.product != Product::Elasticsearch {
        return;
    }
    let version = image.version.triple();
    for name in image.config.iter().flat_map(|config| config.env.keys()) {
        let place = || scene.key(&format!("config.env.{name}"));
        if name.contains('.') && name.bytes().any(|c| c.is_ascii_uppercase()) {
            found.add(&UPPER_CASE_ENV, place(), format!("`{name}` has upper-case letters"));
        } else if name.contains('.')
            && version.is_some_and(|(major, minor, _)| major == 8 && (17..=19).contains(&minor))
        {
            found.add(&DOTTED_ENV, place(), format!("{} drops `{name}`", image.version));
        }
        let digits = name.strip_prefix("ES_SETTING_").is_some_and(|rest| rest.bytes().any(|c| c.is_ascii_digit()));
        if digits && version.is_some_and(|version| version < (8, 3, 0)) {
            found.add(&DIGIT_ENV, place(), format!("{} ignores `{name}`", image.version));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_become_settings() {
        let es = |name: &str| setting_of(name, Product::Elasticsearch);
        assert_eq!(es("discovery.type").as_deref(), Some("discovery.type"));
        assert_eq!(es("ES_SETTING_DISCOVERY_SEED__HOSTS").as_deref(), Some("discovery.seed_hosts"));
        assert_eq!(es("ES_JAVA_OPTS"), None);
        assert_eq!(setting_of("ELASTICSEARCH_URL", Product::Kibana).as_deref(), Some("elasticsearch.url"));
        assert_eq!(setting_of("API_HTTP_HOST", Product::Logstash).as_deref(), Some("api.http.host"));
        assert_eq!(setting_of("A_B", Product::Filebeat), None);
    }
}
