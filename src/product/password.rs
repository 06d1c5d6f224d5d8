//! Secrets that are known by the name they stand under: `password`, `api_key`, `ELASTIC_PASSWORD`.

use super::environment::{Argument, arguments};
use super::inner;
use super::rule::Rule;
use super::rules::{AWS_KEY, PASSWORD, PASSWORD_FILE, SECRET_ENV, TOKEN};
use super::secret::hidden;
use super::settings;
use super::subject::{Found, Place, Scene, TextFile};
use super::yaml::{self, Node, Value};
use crate::recipe::{ImageRecipe, Product, Recipe};

/// Looks through the settings of a file.
pub(super) fn check_file(scene: &Scene<'_>, file: &TextFile<'_>, found: &mut Found) {
    let product = match &scene.subject.document.value {
        Recipe::Image(image) => Some(image.product),
        Recipe::Ami(_) => None,
    };
    for (line, name, value) in named_values(file, product) {
        let place = file.place(line);
        let by_kind = (name == "auth" && is_docker_login(file)) || is_token(&name, product);
        if (by_kind || is_secret_name(&name)) && is_literal(&value) && !known(found, &place) {
            let shown = hidden(&literal_part(&value));
            found.add(&PASSWORD, place.clone(), format!("`{name}` is set to `{shown}`"));
        }
        check_inside(&format!("`{name}`"), &value, &PASSWORD, place, found);
    }
}

/// Looks through the recipe's arguments and variables.
pub(super) fn check_recipe(scene: &Scene<'_>, found: &mut Found) {
    if let Recipe::Image(image) = &scene.subject.document.value {
        for Argument { at, name, value } in arguments(image) {
            let place = scene.key(&at);
            if is_secret_name(&name) && is_literal(&value) && !known(found, &place) {
                found.add(&PASSWORD, place, format!("the argument `{name}` is set to `{}`", hidden(&value)));
            }
        }
        for (key, word) in words(image) {
            check_inside("an argument", word, &PASSWORD, scene.key(&key), found);
        }
    }
    for (key, name, value) in variables(&scene.subject.document.value) {
        let place = scene.key(&key);
        if is_secret_name(&name) && is_literal(&value) && !known(found, &place) {
            found.add(&SECRET_ENV, place.clone(), format!("the variable `{name}` is set to `{}`", hidden(&value)));
        }
        check_inside(&format!("the variable `{name}`"), &value, &SECRET_ENV, place, found);
        check_password_file(scene, &key, &name, &value, found);
    }
}

/// A value may hold more than one thing, as options of Java and connection strings do.
fn check_inside(what: &str, value: &str, rule: &Rule, place: Place, found: &mut Found) {
    let secret = |(name, value): &(&str, &str)| is_secret_name(name) && is_literal(value);
    if let Some((name, value)) = inner::pairs(value).into_iter().find(secret)
        && !found.has(&[&AWS_KEY, &TOKEN, &PASSWORD, &SECRET_ENV], &place)
    {
        found.add(rule, place, format!("{what} sets `{name}` to `{}`", hidden(value)));
    }
}

/// The words of everything that is started: where each stands, and what it is.
fn words(image: &ImageRecipe) -> Vec<(String, &str)> {
    let config = image.config.iter().flat_map(|config| {
        [("config.entrypoint".to_owned(), &config.entrypoint), ("config.cmd".to_owned(), &config.cmd)]
    });
    let config = config.filter_map(|(key, list)| Some((key, list.as_ref()?)));
    let run = image.run.iter().enumerate().map(|(i, run)| (format!("run.{i}.command"), &run.command));
    let check = image.runtime.iter().filter_map(|runtime| runtime.health_check.as_ref());
    let check = check.map(|check| ("runtime.health_check.command".to_owned(), &check.command));
    let lists = config.chain(run).chain(check);
    let words = |(key, list): (String, &'_ Vec<String>)| -> Vec<String> {
        (0..list.len()).map(|i| format!("{key}.{i}")).collect()
    };
    lists.flat_map(|(key, list)| words((key, list)).into_iter().zip(list.iter().map(String::as_str))).collect()
}

/// Fluent Bit calls tokens so in words of small letters, too, and has no tokenizers.
fn is_token(name: &str, product: Option<Product>) -> bool {
    product == Some(Product::FluentBit) && name.to_ascii_lowercase().ends_with("_token")
}

/// A line whose secret was known by its looks needs no second finding.
fn known(found: &Found, place: &Place) -> bool {
    found.has(&[&AWS_KEY, &TOKEN, &PASSWORD], place)
}

fn check_password_file(scene: &Scene<'_>, key: &str, name: &str, value: &str, found: &mut Found) {
    let plain = name.strip_suffix("_FILE").filter(|plain| is_secret_name(plain));
    let baked = value.parse().is_ok_and(|path| scene.subject.local.has_file(&path));
    if plain.is_some() && baked {
        found.add(&PASSWORD_FILE, scene.key(key), format!("`{name}` names `{value}`, which is baked"));
    }
}

/// Every variable of a recipe: where it stands, its name and its value.
fn variables(recipe: &Recipe) -> Vec<(String, String, String)> {
    let mut all = Vec::new();
    let mut add = |table: String, env: &std::collections::BTreeMap<String, String>| {
        all.extend(env.iter().map(|(name, value)| (format!("{table}.{name}"), name.clone(), value.clone())));
    };
    match recipe {
        Recipe::Image(image) => {
            image.config.iter().for_each(|config| add("config.env".to_owned(), &config.env));
            image.run.iter().enumerate().for_each(|(i, run)| add(format!("run.{i}.env"), &run.env));
        }
        Recipe::Ami(ami) => add("ecs".to_owned(), &ami.ecs),
    }
    all
}

/// Line, name and value of whatever is set in a file, by the kind of the file.
fn named_values(file: &TextFile<'_>, product: Option<Product>) -> Vec<(usize, String, String)> {
    if file.has_extension(&["yml", "yaml", "json"]) || is_docker_login(file) {
        // What is between braces only the stricter reader sees into, which does not read everything.
        if let Ok(root) = yaml::read(&file.text) {
            let mut all = Vec::new();
            leaves(&root, "", &mut all);
            return all;
        }
        let settings = settings::read(&file.text).into_iter();
        return settings.map(|setting| (setting.line, last_part(&setting.key), setting.value)).collect();
    }
    if file.has_extension(&["conf"]) && product == Some(Product::FluentBit) {
        return lines(file, |line| vec![spaced(line)]);
    }
    let assigns = ["sh", "env", "conf", "cfg", "ini", "properties", "options", "service", "config", "bash", "toml"];
    let bare = !file.path.file_name().trim_start_matches('.').contains('.');
    if bare || file.has_extension(&assigns) || file.text.starts_with("#!/bin/") {
        return lines(file, |line| {
            if line.contains("=>") { arrows(line) } else { vec![assigned(line).or_else(|| mapped(line))] }
        });
    }
    Vec::new()
}

/// Line, name and value of all texts below a node.
fn leaves(node: &Node, key: &str, all: &mut Vec<(usize, String, String)>) {
    match &node.value {
        Value::Map(map) => {
            for (name, _, node) in map {
                leaves(node, &if key.is_empty() { name.clone() } else { format!("{key}.{name}") }, all);
            }
        }
        Value::List(items) => items.iter().for_each(|item| leaves(item, key, all)),
        Value::Text { text, .. } => all.push((node.line, last_part(key), text.clone())),
        Value::Empty => {}
    }
}

fn lines(file: &TextFile<'_>, read: impl Fn(&str) -> Vec<Option<(String, String)>>) -> Vec<(usize, String, String)> {
    let of_line = |(number, line)| read(line).into_iter().flatten().map(move |(name, value)| (number, name, value));
    file.live_lines().flat_map(of_line).collect()
}

/// Logstash: `user => "a" password => "b"`.
fn arrows(line: &str) -> Vec<Option<(String, String)>> {
    let pair = |(at, _): (usize, &str)| {
        let name = line[..at].trim_end().rsplit([' ', '\t', '{', ',']).next()?.trim_matches(['"', '\'']);
        Some((name.to_owned(), first_value(&line[at + 2..])))
    };
    line.match_indices("=>").map(pair).collect()
}

/// Fluent Bit: `HTTP_Passwd secret`.
fn spaced(line: &str) -> Option<(String, String)> {
    let (name, value) = line.trim().split_once([' ', '\t'])?;
    Some((name.to_owned(), first_value(value)))
}

/// Shells, properties, units: `export NAME=value`, `Environment=NAME=value`, `name = value`.
fn assigned(line: &str) -> Option<(String, String)> {
    let mut line = line.trim();
    for before in ["export ", "readonly ", "local ", "declare ", "set ", "echo ", "Environment=", "-e ", "\"", "'"] {
        line = line.strip_prefix(before).unwrap_or(line).trim_start();
    }
    let (name, value) = line.split_once('=')?;
    let name = name.trim_end();
    let word = name.bytes().all(|c| c.is_ascii_alphanumeric() || matches!(c, b'_' | b'.' | b'-'));
    (word && !name.is_empty() && !value.starts_with('=')).then(|| (name.to_owned(), first_value(value)))
}

/// A line of YAML that a script writes: `echo "elasticsearch.password: secret" >> kibana.yml`.
fn mapped(line: &str) -> Option<(String, String)> {
    let (name, value) = line.split_once(": ")?;
    let name = name.trim().rsplit([' ', '"', '\'']).next()?;
    let dotted =
        name.contains('.') && name.bytes().all(|c| c.is_ascii_alphanumeric() || matches!(c, b'_' | b'.' | b'-'));
    dotted.then(|| (name.to_owned(), first_value(value)))
}

/// The first value of a text: what is in quotes, or the first word.
fn first_value(text: &str) -> String {
    let text = text.trim_start();
    match text.chars().next() {
        Some(quote @ ('"' | '\'')) => text[1..].split(quote).next().unwrap_or_default().to_owned(),
        _ => text.split([' ', '\t', ',', '}', ';', '"', '\'']).next().unwrap_or_default().to_owned(),
    }
}

fn last_part(key: &str) -> String {
    // `cloud.auth` and `cloud.id` say more than their last part.
    let from =
        if key.ends_with("cloud.auth") { "cloud.auth".len() } else { key.rsplit('.').next().map_or(0, str::len) };
    key[key.len() - from..].to_owned()
}

fn is_docker_login(file: &TextFile<'_>) -> bool {
    file.path.as_str().ends_with("/.docker/config.json") || file.path.file_name() == ".dockercfg"
}

/// Whether what stands under a name is a secret. `password_file`, `password_hashing` and the like are not.
fn is_secret_name(name: &str) -> bool {
    const ENDS: [&str; 19] = [
        "password",
        "passwd",
        "pwd",
        "passphrase",
        "secret",
        "secretkey",
        "accesskey",
        "privatekey",
        "apikey",
        "cloudauth",
        "encryptionkey",
        "authtoken",
        "accesstoken",
        "servicetoken",
        "serviceaccounttoken",
        "sessiontoken",
        "authdata",
        "licensekey",
        "sharedkey",
    ];
    let last = name.rsplit('.').next().unwrap_or_default();
    let plain = |text: &str| text.chars().filter(|c| !matches!(c, '_' | '-' | '.')).collect::<String>().to_lowercase();
    let (whole, last_plain) = (plain(name), plain(last));
    // A name in capitals is a variable, where `_TOKEN` is always one; as a setting, `token` is often a tokenizer's.
    let upper = !name.chars().any(|c| c.is_ascii_lowercase());
    whole.ends_with("cloudauth")
        || ENDS.iter().any(|end| last_plain.ends_with(end))
        || (upper && (last.ends_with("_TOKEN") || last == "TOKEN" || last.ends_with("_PASS")))
}

/// Whether a value is the secret itself and not a reference to where it comes from.
fn is_literal(value: &str) -> bool {
    let value = value.trim();
    let said = !matches!(value, "" | "true" | "false" | "yes" | "no" | "0" | "1" | "null" | "~" | "none");
    // What a filter puts in the place of secrets.
    let masks = ["redacted", "masked", "filtered", "hidden", "removed"];
    let bare = value.trim_matches(|c: char| !c.is_alphanumeric()).to_ascii_lowercase();
    let crossed = |mark: char| value.len() > 2 && value.chars().all(|c| c.eq_ignore_ascii_case(&mark));
    let said = said && !masks.contains(&bare.as_str()) && !['*', 'x', '#', '.'].into_iter().any(crossed);
    // A mapping's own keys are looked at by themselves; a path says where the secret is.
    let is_other = value.starts_with(['{', '[']) || is_path(value);
    said && !is_other && !literal_part(value).is_empty()
}

/// Whether a value is an absolute path of several parts. A password may well begin with a slash, but not so.
fn is_path(value: &str) -> bool {
    let part = |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
    value.strip_prefix('/').is_some_and(|rest| rest.contains('/') && rest.split('/').all(part))
}

/// What of a value is no reference: the default of `${NAME:default}`, or all of a plain one.
fn literal_part(value: &str) -> String {
    let value = value.trim();
    if let Some(inner) = value.strip_prefix("${").and_then(|rest| rest.split('}').next()) {
        let default = inner.split_once(':').map_or("", |(_, default)| default);
        return default.trim_start_matches(['-', '=']).trim_start_matches(['?', '+']).to_owned();
    }
    let reference =
        value.starts_with(['$', '<', '`']) || ["{{", "%{", "arn:aws"].iter().any(|start| value.starts_with(start));
    // `user:${PASSWORD}`, as in `cloud.auth`.
    if reference || value.contains("${") { String::new() } else { value.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_known_by_name() {
        for name in [
            "password",
            "elasticsearch.password",
            "ELASTIC_PASSWORD",
            "http_passwd",
            "HTTP_Passwd",
            "bootstrap.password",
            "xpack.security.http.ssl.keystore.secure_password",
            "api_key",
            "API_KEY",
            "cloud.auth",
            "Cloud_Auth",
            "xpack.security.encryptionKey",
            "AWS_SECRET_ACCESS_KEY",
            "GITHUB_TOKEN",
            "DB_SECRET",
            "ssl.key_passphrase",
            "elasticsearch.serviceAccountToken",
            "ECS_ENGINE_AUTH_DATA",
            "keyPassphrase",
            "jdbc_password",
            "ES_PWD",
            "Shared_Key",
            "javax.net.ssl.keyStorePassword",
        ] {
            assert!(is_secret_name(name), "{name}");
        }
        for name in [
            "password_file",
            "ELASTIC_PASSWORD_FILE",
            "password_hashing.algorithm",
            "token",
            "tokenizer",
            "token.enabled",
            "key",
            "ssl.key",
            "cloud.id",
            "user",
            "PASSWORD_POLICY",
            "secrets",
            "xpack.security.authc.token.timeout",
        ] {
            assert!(!is_secret_name(name), "{name}");
        }
    }

    #[test]
    fn references_are_no_secrets_but_their_defaults_are() {
        for value in [
            "",
            "${ES_PWD}",
            "$ES_PWD",
            "${ES_PWD:}",
            "$(aws ssm)",
            "`cmd`",
            "<password>",
            "{{ pw }}",
            "arn:aws:ssm:eu-west-1:1:parameter/x",
            "true",
            "yes",
            "1",
            "{ \"type\": \"keyword\" }",
            "/run/secrets/db",
            "u:${P}",
            "****",
            "[REDACTED]",
            "xxx",
            "<hidden>",
        ] {
            assert!(!is_literal(value), "{value}");
        }
        for value in ["changeme", "${ES_PWD:changeme}", "${ES_PWD:-changeme}", "u:p"] {
            assert!(is_literal(value), "{value}");
        }
        assert_eq!(literal_part("${A:-b}"), "b");
    }

    #[test]
    fn values_are_found_in_every_format() {
        let pair = |name: &str, value: &str| Some((name.to_owned(), value.to_owned()));
        assert_eq!(
            arrows("elasticsearch { user => \"a\" password => 'b c' \"key\" => d }"),
            [pair("user", "a"), pair("password", "b c"), pair("key", "d")]
        );
        assert_eq!(spaced("    HTTP_Passwd  secret"), pair("HTTP_Passwd", "secret"));
        assert_eq!(assigned("export ELASTIC_PASSWORD=\"x y\""), pair("ELASTIC_PASSWORD", "x y"));
        assert_eq!(assigned("Environment=\"A=b\""), pair("A", "b"));
        assert_eq!(assigned("if [ \"$PASSWORD\" = \"\" ]"), None);
        assert_eq!(assigned("a == b"), None);
        assert_eq!(assigned("=>"), None);
        assert_eq!(mapped("echo 'kibana.password: x' >> a"), pair("kibana.password", "x"));
        assert_eq!(mapped("echo \"the password: x\""), None);
    }
}
