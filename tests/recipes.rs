//! What is shipped beside the program: the recipes that projects start from, and the two documents that explain every
//! key. A key that no example uses is a key that nobody has explained, so a new one without documentation fails here.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use elkbake::ami;
use elkbake::finding::{Finding, Severity};
use elkbake::local::{self, Local};
use elkbake::name::RecipeName;
use elkbake::product::{self, Subject};
use elkbake::project::{self, Project};
use elkbake::recipe::{self, Recipe};
use elkbake::text::{Document, Read};
use serde_json::{Value, json};

/// Explained in words, because they are there to be refused: no example may use them.
const REFUSED: [&str; 1] = ["image.config.healthcheck"];

fn home() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn text_of(path: &str) -> String {
    fs::read_to_string(home().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// An example in a document, or a whole file.
struct Example {
    /// The document, and the line on which the example begins.
    place: String,
    text: String,
}

/// Every block of a document that is marked as TOML.
fn blocks(path: &str) -> Vec<Example> {
    let text = text_of(path);
    let mut all = Vec::new();
    let mut lines = text.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        if line == "```toml" {
            let block: Vec<_> = lines.by_ref().map(|(_, line)| line).take_while(|line| *line != "```").collect();
            all.push(Example { place: format!("{path}:{}", number + 2), text: block.join("\n") + "\n" });
        }
    }
    assert!(!all.is_empty(), "{path} has no examples");
    all
}

fn shipped() -> Vec<(RecipeName, Example)> {
    let mut names: Vec<_> = fs::read_dir(home().join("recipes"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter_map(|name| name.strip_suffix(".toml").map(str::to_owned))
        .collect();
    names.sort();
    assert!(names.len() >= 6, "{names:?}");
    let example = |name: String| {
        let place = format!("recipes/{name}.toml");
        (name.parse().unwrap(), Example { text: text_of(&place), place })
    };
    names.into_iter().map(example).collect()
}

fn recipe_of(example: &Example) -> Document<Recipe> {
    recipe::parse(Path::new(&example.place), &example.text).unwrap_or_else(|error| panic!("{error}"))
}

fn json_of(example: &Example) -> Value {
    toml::from_str(&example.text).unwrap_or_else(|error| panic!("{}: {error}", example.place))
}

/// The schema of each kind of recipe, which stand beside each other in one document.
fn schema_of_kind(kind: &str) -> Value {
    let schema = Recipe::schema();
    let kinds = schema["oneOf"].as_array().unwrap();
    kinds.iter().find(|of| of["properties"]["kind"]["const"] == kind).unwrap().clone()
}

/// Every key that a schema knows, dotted; what a table is free to name is left out.
fn known(schema: &Value, path: &str, keys: &mut BTreeSet<String>) {
    for (key, of) in schema["properties"].as_object().into_iter().flatten() {
        let path = format!("{path}.{key}");
        known(of, &path, keys);
        keys.insert(path);
    }
    for inside in ["items", "additionalProperties"] {
        if let Some(of) = schema.get(inside) {
            known(of, path, keys);
        }
    }
}

/// Which of those a document uses.
fn used(schema: &Value, value: &Value, path: &str, keys: &mut BTreeSet<String>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| used(&schema["items"], item, path, keys)),
        Value::Object(entries) => {
            for (key, value) in entries {
                let of = &schema["properties"][key];
                if of.is_null() {
                    used(&schema["additionalProperties"], value, path, keys);
                } else {
                    let path = format!("{path}.{key}");
                    used(of, value, &path, keys);
                    keys.insert(path);
                }
            }
        }
        _ => {}
    }
}

/// The keys that no example uses.
fn unexplained(schema: &Value, root: &str, examples: &[Value]) -> BTreeSet<String> {
    let (mut all, mut explained) = (BTreeSet::new(), BTreeSet::new());
    known(schema, root, &mut all);
    for example in examples {
        used(schema, example, root, &mut explained);
    }
    assert!(all.len() >= 5, "{root} has no keys: {schema}");
    all.into_iter().filter(|key| !explained.contains(key)).collect()
}

fn errors(schema: &Value, value: &Value) -> Vec<String> {
    let validator = jsonschema::validator_for(schema).unwrap();
    validator.iter_errors(value).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

/// What the checks have to say, lock or not.
fn findings(name: &RecipeName, example: &Example, local: &Local) -> Vec<Finding> {
    let document = recipe_of(example);
    let subject = Subject {
        name,
        file: Path::new(&example.place),
        text: &example.text,
        document: &document,
        lock: None,
        local,
        project: home(),
    };
    let mut all = product::check(&subject).unwrap();
    all.extend(ami::check(&subject).unwrap());
    all
}

fn grave(findings: &[Finding], least: Severity) -> Vec<String> {
    let told = |f: &Finding| format!("{}:{}: {} [{}]", f.file.display(), f.line, f.message, f.code);
    findings.iter().filter(|finding| finding.severity >= least).map(told).collect()
}

#[test]
fn every_key_of_a_recipe_is_explained() {
    let examples: Vec<_> = blocks("recipes/README.md").iter().map(json_of).collect();
    for kind in ["image", "ami"] {
        let of_kind: Vec<_> = examples.iter().filter(|example| example["kind"] == kind).cloned().collect();
        let open = unexplained(&schema_of_kind(kind), kind, &of_kind);
        let open: Vec<_> = open.iter().filter(|key| !REFUSED.contains(&key.as_str())).collect();
        assert!(open.is_empty(), "recipes/README.md has no example of {open:#?}");
    }
    let document = text_of("recipes/README.md");
    for key in REFUSED {
        let name = key.rsplit('.').next().unwrap();
        assert!(document.contains(&format!("`{name}`")), "recipes/README.md does not speak of {key}");
    }
}

#[test]
fn every_key_of_the_project_file_is_explained() {
    let examples: Vec<_> = blocks("docs/project.md").iter().map(json_of).collect();
    let open = unexplained(&Project::schema(), "elkbake", &examples);
    assert!(open.is_empty(), "docs/project.md has no example of {open:#?}");
}

#[test]
fn a_key_without_an_example_is_named_by_its_path() {
    let examples: Vec<_> = blocks("recipes/README.md").iter().map(json_of).collect();
    let mut schema = schema_of_kind("image");
    schema["properties"]["config"]["properties"]["colour"] = json!({ "type": "string" });
    schema["properties"]["plugin"]["items"]["properties"]["colour"] = json!({ "type": "string" });
    let open = unexplained(&schema, "image", &examples);
    assert!(open.contains("image.config.colour") && open.contains("image.plugin.colour"), "{open:?}");
    assert!(!open.contains("image.config.env"), "{open:?}");
}

#[test]
fn every_example_of_a_recipe_is_read() {
    for example in blocks("recipes/README.md") {
        recipe_of(&example);
    }
}

#[test]
fn every_example_of_the_project_file_is_read() {
    for example in blocks("docs/project.md") {
        project::parse(Path::new(&example.place), &example.text).unwrap_or_else(|error| panic!("{error}"));
    }
}

#[test]
fn no_example_teaches_what_the_checks_refuse() {
    for example in blocks("recipes/README.md") {
        let found = findings(&"example".parse().unwrap(), &example, &Local::default());
        assert_eq!(grave(&found, Severity::Error), [""; 0], "{}", example.place);
    }
}

#[test]
fn shipped_recipes_and_examples_keep_to_the_schemas() {
    let recipes = blocks("recipes/README.md").into_iter().chain(shipped().into_iter().map(|(_, example)| example));
    let schema = Recipe::schema();
    for example in recipes {
        assert_eq!(errors(&schema, &json_of(&example)), [""; 0], "{}", example.place);
    }
    for example in blocks("docs/project.md") {
        assert_eq!(errors(&Project::schema(), &json_of(&example)), [""; 0], "{}", example.place);
    }
}

#[test]
fn the_schemas_refuse_what_the_reader_refuses() {
    let (_, right) = shipped().into_iter().find(|(name, _)| name.as_str() == "elasticsearch").unwrap();
    let wrongs = [
        ("\nversion ", "\nverison "),
        ("kind        = \"image\"", "kind = \"picture\""),
        ("product     = \"elasticsearch\"", "product = \"elastisearch\""),
        ("network_mode = \"host\"", "network_mode = 1"),
        ("stop_timeout = 120", "stop_timeout = -1"),
        ("hard = 65536", "hart = 65536"),
    ];
    for (old, new) in wrongs {
        assert!(right.text.contains(old), "{old}");
        let wrong = Example { place: new.to_owned(), text: right.text.replacen(old, new, 1) };
        assert_ne!(errors(&Recipe::schema(), &json_of(&wrong)), [""; 0], "{new}");
        assert!(recipe::parse(Path::new("wrong.toml"), &wrong.text).is_err(), "{new}");
    }
    let wrong = json!({ "target": { "local": { "oci": 1 } } });
    assert_ne!(errors(&Project::schema(), &wrong), [""; 0]);
}

#[test]
fn shipped_recipes_pass_the_checks() {
    for (name, example) in shipped() {
        let document = recipe_of(&example);
        let rules = match &document.value {
            Recipe::Image(image) => &image.files,
            Recipe::Ami(ami) => &ami.files,
        };
        let folder = document.value.folder(&name);
        let local = local::read(home(), &folder, rules).unwrap();
        // What a command does may be all of it.
        let has_command = matches!(&document.value, Recipe::Image(image) if !image.run.is_empty());
        assert!(has_command || local.files().next().is_some(), "{folder} holds no files");
        assert_eq!(grave(&findings(&name, &example, &local), Severity::Error), [""; 0]);
    }
}

/// The counterpart: the same way of checking finds what is wrong.
#[test]
fn a_shipped_recipe_that_is_spoilt_does_not_pass() {
    let (name, example) = shipped().into_iter().find(|(name, _)| name.as_str() == "filebeat").unwrap();
    let spoilt = Example { text: example.text.replace("0644", "0666"), ..example };
    let document = recipe_of(&spoilt);
    let Recipe::Image(image) = &document.value else { panic!("filebeat is an image") };
    let local = local::read(home(), "images/filebeat", &image.files).unwrap();
    let found = findings(&name, &spoilt, &local);
    assert!(grave(&found, Severity::Error).iter().any(|told| told.contains("[FB001]")), "{found:?}");
}

/// A rule that matches nothing is a rule for a file that has been renamed, which then has another owner and mode.
#[test]
fn every_rule_for_files_of_a_shipped_recipe_matches_one() {
    for (name, example) in shipped() {
        let document = recipe_of(&example);
        let rules = match &document.value {
            Recipe::Image(image) => &image.files,
            Recipe::Ami(ami) => &ami.files,
        };
        let local = local::read(home(), &document.value.folder(&name), rules).unwrap();
        let paths: Vec<PathBuf> = local.files().map(|(path, _)| PathBuf::from(&path.as_str()[1..])).collect();
        for glob in rules.keys() {
            let matcher = glob.matcher().unwrap();
            assert!(paths.iter().any(|path| matcher.is_match(path)), "{}: `{glob}` matches no file", example.place);
        }
    }
}
