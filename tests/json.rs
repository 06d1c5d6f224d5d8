//! What `--json` prints: one document, with what docs/json.md says.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::kitchen::built::Tarball;
use crate::kitchen::project::Kitchen;
use crate::kitchen::registry::Registry;

/// Keys whose own keys are data.
const MAPS: [&str; 5] = ["annotations", "labels", "packages", "inputs", "with"];

/// A command, some runs of it, and the keys of docs/json.md that these do not print.
type Case<'c> = (&'c str, Vec<Vec<&'c str>>, &'c [&'c str]);

/// What `elkbake build` says of hosts alone; `ami` is no key, but what one of them says.
const HOST_BUILD: [&str; 9] = ["ami", "kind", "engine", "most", "documents", "plain", "items", "share", "problem"];

/// Image recipes on a base in a registry, and one that cannot be read.
fn market() -> (Registry, Kitchen) {
    let registry = Registry::start();
    registry.image("elastic/es", "8.19.3", &["linux/amd64"]);
    let recipe = format!(
        "kind = \"image\"\nproduct = \"generic\"\nversion = \"1\"\nfrom = \"{}\"\nplatforms = [\"linux/amd64\"]\n\
         [[archive]]\nname = \"tool\"\npath = \"tool.tar\"\ninto = \"/opt\"\n[config]\nuser = \"1000\"\n",
        registry.reference("elastic/es:8.19.3")
    );
    let tool = Tarball::new().file("tool/run", b"#!").bytes();
    let other = recipe.replace("1000", "0");
    let kitchen = Kitchen::new().recipe("es", &recipe).recipe("other", &other).file("tool.tar", &tool);
    let kitchen = kitchen.file("images/other/etc/motd", "hello\n").file("images/es/etc/motd", "bye\n");
    let target = |name: &str| {
        format!("[target.{name}]\nregistry = \"{}/{name}\"\nmanifest = \"{name}.json\"\n", registry.host())
    };
    kitchen.write("elkbake.toml", target("reg") + &target("prod"));
    kitchen.run(&["build"]).success();
    kitchen
        .write("recipes/broken.toml", "kind = \"image\"\nproduct = \"generik\"\nversion = \"1\"\nfrom = \"scratch\"\n");
    (registry, kitchen)
}

/// All keys of a document, but for those of data.
pub fn keys(value: &Value, into: &mut BTreeSet<String>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                into.insert(key.clone());
                if !(MAPS.contains(&key.as_str()) && value.is_object()) {
                    keys(value, into);
                }
            }
        }
        Value::Array(values) => values.iter().for_each(|value| keys(value, into)),
        _ => {}
    }
}

/// The keys that a section of docs/json.md names.
pub fn told(section: &str) -> BTreeSet<String> {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/json.md")).unwrap();
    let heading = format!("\n## `{section}`\n");
    let begin = text.find(&heading).unwrap_or_else(|| panic!("docs/json.md has no section {section}"));
    let rest = &text[begin + heading.len()..];
    let section = &rest[..rest.find("\n## ").unwrap_or(rest.len())];
    section.split('"').skip(1).step_by(2).map(str::to_owned).collect()
}

#[test]
fn every_key_is_in_the_documentation_and_every_key_in_there_is_printed() {
    let (_registry, kitchen) = market();
    let mut problems = told("problems");
    assert!(problems.remove("problems"));
    let host = [
        "base",
        "region",
        "engine",
        "architecture",
        "id",
        "snapshot",
        "regions",
        "volumes",
        "packages",
        "files",
        "bytes",
        "images",
        "copy",
        "parameter",
        "launch_template",
        "share",
        "iops",
        "throughput",
        "monthly",
        "snapshots_at_most",
        "root_size",
        "incomplete",
        "prices",
    ];
    // What is there of hosts is in `host::push`.
    let amis = [
        "region",
        "replicated",
        "amis",
        "architecture",
        "id",
        "name",
        "snapshot",
        "changed",
        "would",
        "boots",
        "at",
        "ms",
        "notes",
        "recorded",
    ];
    let cases: [Case<'_>; 12] = [
        ("check", vec![vec!["check"]], &["code", "severity", "message", "why", "fix", "file", "line"]),
        ("lock", vec![vec!["lock", "--update"]], &["input", "from", "to"]),
        (
            "plan",
            vec![vec!["plan", "--why"], vec!["plan", "--why", "--against", "recipes/other.lock"]],
            &[&host[..], &["no_record", "since_record", "changes", "input", "key"]].concat(),
        ),
        ("build", vec![vec!["build"]], &[&HOST_BUILD[..], &["version", "permissions", "extends"]].concat()),
        ("inspect", vec![vec!["inspect", "--files"]], &["version", "permissions", "extends"]),
        ("diff", vec![vec!["diff", "es", "other"], vec!["diff", "recipes/es.lock", "recipes/other.lock"]], &["input"]),
        (
            "verify --rebuild",
            vec![vec!["verify", "--rebuild"]],
            &["platform", "part", "entry", "field", "first", "second", "what", "said", "is"],
        ),
        ("push", vec![vec!["push", "--target", "reg", "--dry-run"], vec!["push", "--target", "reg"]], &amis),
        (
            "promote",
            vec![
                vec!["promote", "--from", "reg", "--to", "prod", "--dry-run"],
                vec!["promote", "--from", "reg", "--to", "prod"],
            ],
            &["region", "replicated"],
        ),
        ("verify", vec![vec!["verify", "--target", "prod"]], &["architecture", "id"]),
        ("store gc", vec![vec!["store", "gc"]], &[]),
        ("store verify", vec![vec!["store", "verify"]], &["digest", "key", "damage", "dropped"]),
    ];
    for (command, runs, elsewhere) in cases {
        let mut printed = BTreeSet::new();
        for run in &runs {
            let ran = kitchen.run(&[&run[..], &["--json"]].concat());
            let document = ran.json();
            keys(&document, &mut printed);
            if let Some(all) = document.get("problems") {
                // Of what is recorded, nothing is broken.
                if ["promote", "verify"].contains(&command) {
                    assert_eq!((ran.code, all.as_array().unwrap().len()), (0, 0), "{command}: {all}");
                    continue;
                }
                assert_eq!((ran.code, all.as_array().unwrap().len()), (3, 1), "{command}: {all}");
                let one = &all[0];
                assert_eq!((&one["recipe"], &one["exit"]), (&"broken".into(), &3.into()), "{command}");
                assert_eq!((&one["file"], &one["line"]), (&"recipes/broken.toml".into(), &2.into()), "{command}");
                assert_eq!(one["help"], "did you mean `generic`?", "{command}");
            }
        }
        let told = told(&format!("elkbake {command} --json"));
        let has_problems = printed.contains("problems");
        let known = |key: &&String| told.contains(*key) || (has_problems && problems.contains(*key));
        let untold: Vec<_> = printed.iter().filter(|key| !known(key)).collect();
        assert!(untold.is_empty(), "docs/json.md does not say what `elkbake {command}` means by {untold:?}");
        let untrue: Vec<_> =
            told.iter().filter(|key| !printed.contains(*key) && !elsewhere.contains(&key.as_str())).collect();
        assert!(untrue.is_empty(), "`elkbake {command}` never prints {untrue:?} of docs/json.md");
    }
}

#[test]
fn what_a_host_is_built_into_is_in_the_documentation() {
    let kitchen = crate::build::host::kitchen("");
    let mut printed = BTreeSet::new();
    keys(&kitchen.run(&["build", "--output", "user-data:host.mime", "--json"]).success().json(), &mut printed);
    let told = told("elkbake build --json");
    let untold: Vec<_> = printed.iter().filter(|key| !told.contains(*key) && *key != "problems").collect();
    assert!(untold.is_empty(), "docs/json.md does not say what {untold:?} means");
    let missing: Vec<_> = HOST_BUILD.iter().skip(1).filter(|key| !printed.contains(**key)).collect();
    assert!(missing.is_empty(), "`elkbake build` of a host never prints {missing:?}");
}

#[test]
fn a_problem_without_a_place_says_whose_it_is_and_what_to_do() {
    let kitchen = Kitchen::new()
        .recipe("app", "kind = \"image\"\nproduct = \"generic\"\nversion = \"1\"\nfrom = \"rootfs:none.tar\"\n");
    for command in [&["lock"][..], &["plan"], &["build"], &["inspect"]] {
        let document = kitchen.run(&[command, &["--json"]].concat()).code(3).json();
        let one = &document["problems"][0];
        assert_eq!((&one["recipe"], &one["exit"], one.get("line")), (&"app".into(), &3.into(), None), "{command:?}");
    }
    let document = kitchen.run(&["inspect", "--json"]).code(3).json();
    assert_eq!(document["problems"][0]["help"], "run `elkbake build app`");
}
