//! `elkbake plan`, as a user sees it.

pub mod locked;
mod shared;
mod why;

use crate::kitchen::project::{Kitchen, golden, interrupted};
use crate::kitchen::registry::{Fault, Registry};

/// A project with a base, a plugin, an archive and files of its own.
fn market() -> (Registry, Kitchen) {
    let registry = Registry::start();
    registry.image("elasticsearch", "8.19.3", &["linux/amd64", "linux/arm64"]);
    let url = registry.url(&registry.file("agent.tar.gz", b"an agent"));
    let text = format!(
        r#"kind = "image"
product = "elasticsearch"
version = "8.19.3"
from = "{host}/elasticsearch:8.19.3"
platforms = ["linux/amd64", "linux/arm64"]
repository = "elk/es"

[[plugin]]
name = "local"
path = "plugins/local.zip"

[[archive]]
name = "agent"
url = "{url}"
into = "/opt"
platforms = ["linux/arm64"]
"#,
        host = registry.host()
    );
    let kitchen = Kitchen::new()
        .recipe("es", &text)
        .file("plugins/local.zip", "from here")
        .file("images/es/usr/share/elasticsearch/config/elasticsearch.yml", "cluster.name: ${CLUSTER}\n")
        .file("images/es/etc/motd", "welcome\n");
    (registry, kitchen)
}

/// A text without what differs from run to run: the registry's port, and so what is counted from it.
fn steady(text: &str, registry: &Registry) -> String {
    let text = text.replace(&registry.host(), "REGISTRY");
    let mut steady = String::new();
    let mut rest = text.as_str();
    // Digests and the tag's twelve digits depend on the port by way of the recipe's text.
    while let Some(at) = rest.find(|c: char| c.is_ascii_hexdigit()) {
        let end = rest[at..].find(|c: char| !c.is_ascii_hexdigit()).map_or(rest.len(), |length| at + length);
        let (word, is_digest) = (&rest[at..end], [12, 64].contains(&(end - at)));
        steady += &rest[..at];
        steady += if is_digest { "DIGEST" } else { word };
        rest = &rest[end..];
    }
    steady + rest
}

fn key(kitchen: &Kitchen, name: &str) -> String {
    let plan = kitchen.run(&["plan", name, "--json"]).success().json();
    plan["plans"][0]["key"].as_str().unwrap().to_owned()
}

const SCRATCH: &str = "kind = \"image\"\nproduct = \"generic\"\nversion = \"1\"\nfrom = \"scratch\"\n";

/// A recipe that builds on another.
fn on(parent: &str) -> String {
    SCRATCH.replace("scratch", &format!("recipe:{parent}"))
}

#[test]
fn it_is_printed_for_people() {
    let (registry, kitchen) = market();
    kitchen.run(&["lock"]).success();
    golden("plan.txt", &steady(&kitchen.run(&["plan"]).success().stdout, &registry));
}

#[test]
fn it_is_printed_for_programs() {
    let (registry, kitchen) = market();
    kitchen.run(&["lock"]).success();
    let document = kitchen.run(&["plan", "--json", "--why"]).success().json();
    let text = serde_json::to_string_pretty(&document).unwrap() + "\n";
    golden("plan.json", &steady(&text, &registry));
    let plan = &document["plans"][0];
    let (tag, key) = (plan["tag"].as_str().unwrap(), plan["key"].as_str().unwrap());
    assert_eq!(tag, format!("8.19.3-{}", &key["sha256:".len()..][..12]));
}

#[test]
fn it_asks_nobody_once_the_lock_is_there() {
    let (registry, kitchen) = market();
    kitchen.run(&["lock"]).success();
    registry.forget();
    let first = kitchen.run(&["plan", "--json", "--why"]).success();
    assert_eq!(kitchen.run(&["plan", "--json", "--why", "--offline"]).success().stdout, first.stdout);
    assert!(registry.requests().is_empty());
    let cold = kitchen.env("HOME", "/nonexistent");
    cold.run(&["plan"]).success().says("input to fetch");
}

#[test]
fn a_lock_that_is_missing_is_made_and_that_is_said() {
    let (registry, kitchen) = market();
    kitchen.run(&["plan", "--offline"]).code(3).complains("`--offline`");
    assert!(registry.requests().is_empty() && !kitchen.has("recipes/es.lock"));
    let first = kitchen.run(&["plan"]).success().complains("recipes/es.lock was missing and has been made");
    kitchen.run(&["lock", "--check"]).success();
    let second = kitchen.run(&["plan"]).success();
    assert!(!second.stderr.contains("missing"), "{}", second.stderr);
    assert_eq!(first.stdout, second.stdout, "what was just fetched is at hand");
}

#[test]
fn a_secret_is_refused_before_a_lock_is_made() {
    let kitchen = Kitchen::new().recipe("app", SCRATCH);
    kitchen.write("images/app/key.pem", "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\n-----END RSA PRIVATE KEY-----\n");
    kitchen.run(&["plan"]).code(7).complains("images/app/key.pem");
    assert!(!kitchen.has("recipes/app.lock"));
}

#[test]
fn whoever_presses_ctrl_c_ends_it_whatever_else_is_wrong() {
    let (registry, kitchen) = market();
    let kitchen = kitchen.recipe("a-broken", "kind = \"image\"");
    registry.fault("/files/agent.tar.gz", 1, Fault::Stall);
    let child = kitchen
        .command(&["plan"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let begun = std::time::Instant::now();
    while registry.requests_to("/files/agent.tar.gz").is_empty() {
        assert!(begun.elapsed().as_secs() < 60, "it does not ask");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    interrupted(child).code(130);
    assert!(!kitchen.has("recipes/es.lock"));
}

#[test]
fn the_recipe_that_it_builds_on_counts() {
    let kitchen = Kitchen::new().recipe("base", SCRATCH).recipe("app", &on("base"));
    let before = key(&kitchen, "app");
    assert_eq!(key(&kitchen, "app"), before);
    kitchen.write("images/base/etc/motd", "hello\n");
    let after = key(&kitchen, "app");
    assert_ne!(before, after);
    kitchen.write("recipes/base.toml", format!("# only a comment\n{SCRATCH}"));
    assert_eq!(key(&kitchen, "app"), after);
    kitchen.run(&["plan", "app"]).success().says("recipe:base (");
}

#[test]
fn recipes_in_a_circle_are_refused_at_their_place() {
    let kitchen = Kitchen::new().recipe("a", &on("b")).recipe("b", &on("c")).recipe("c", &on("a"));
    let ran = kitchen.run(&["plan", "a"]).code(3).complains("in a circle: a -> b -> c -> a");
    ran.complains("recipes/c.toml:4:8").complains("^^^^");
    let kitchen = Kitchen::new().recipe("a", &on("a"));
    kitchen.run(&["plan"]).code(3).complains("in a circle: a -> a");
    Kitchen::new().recipe("a", &on("none")).run(&["plan"]).code(3).complains("recipes/a.toml:4:8").complains("none");
}

#[test]
fn one_bad_recipe_does_not_hide_another() {
    let kitchen = Kitchen::new().recipe("a", "kind = \"image\"").recipe("b", SCRATCH);
    kitchen.run(&["plan"]).code(3).says("b 1-").complains("recipes/a.toml");
}

#[test]
fn a_file_of_the_project_that_is_not_the_pinned_one_is_told() {
    let recipe = "kind = \"image\"\nproduct = \"generic\"\nversion = \"1\"\nfrom = \"scratch\"\n[[archive]]\nname = \"tool\"\npath = \"tool.tar\"\ninto = \"/opt\"\n";
    let kitchen = Kitchen::new().recipe("app", recipe).file("tool.tar", "one");
    kitchen.run(&["plan"]).success();
    kitchen.write("tool.tar", "another");
    kitchen.run(&["plan"]).code(3).complains("tool.tar is not the file that the lock pins").complains("elkbake lock");
    kitchen.run(&["lock"]).success().says("changed");
    kitchen.run(&["plan"]).success();
}
