//! How inputs are reached: mirrors, credentials, and not at all.

use super::{generic, market, plain};
use crate::kitchen::project::Kitchen;
use crate::kitchen::registry::{Guard, Registry};

/// `user:password` in base64.
const ME: &str = "bWU6aHVudGVyMg==";

#[test]
fn offline_names_what_is_missing_and_opens_no_socket() {
    let (registry, _, kitchen) = market();
    let ran = kitchen.run(&["lock", "--offline"]).code(3);
    let ran = ran.complains("base: ").complains("plugin far (").complains("archive agent (").complains("`--offline`");
    assert!(!ran.stderr.contains("plugin local"), "a file of the project is at hand: {}", ran.stderr);
    assert!(registry.requests().is_empty() && !kitchen.has("recipes/es.lock"));
}

#[test]
fn a_mirror_is_asked_and_the_lock_keeps_the_name() {
    let registry = Registry::start();
    let image = registry.image("mirror/elk/base", "1", &["linux/amd64"]);
    let text = generic("docker.elastic.co/elk/base:1")
        + "[[archive]]\nname = \"agent\"\nurl = \"https://artifacts.example.com/agent.tar.gz\"\ninto = \"/opt\"\n";
    registry.file("agent.tar.gz", b"an agent");
    let kitchen = Kitchen::new().recipe("app", &text).file(
        "elkbake.toml",
        format!(
            "[mirror]\n\"docker.elastic.co\" = \"{host}/mirror\"\n\"https://artifacts.example.com\" = \"http://{host}/files\"\n",
            host = registry.host()
        ),
    );
    let ran = kitchen.run(&["lock"]).success();
    assert!(ran.stderr.contains("docker.elastic.co is fetched from the mirror"), "{}", ran.stderr);
    let lock = kitchen.read("recipes/app.lock");
    assert!(
        lock.contains("from = \"docker.elastic.co/elk/base:1\"") && lock.contains(&image.digest.to_string()),
        "{lock}"
    );
    assert!(lock.contains("url = \"https://artifacts.example.com/agent.tar.gz\""), "{lock}");
    assert!(!lock.contains(&registry.host()), "{lock}");
}

#[test]
fn offline_no_mirror_is_said_to_be_asked() {
    let kitchen = Kitchen::new()
        .recipe("app", &generic("docker.elastic.co/elk/base:1"))
        .file("elkbake.toml", "[mirror]\n\"docker.elastic.co\" = \"mirror.example.com/elastic\"\n");
    let ran = kitchen.run(&["lock", "--offline"]).code(3).complains("by way of the mirror mirror.example.com/elastic");
    assert!(!ran.stderr.contains("is fetched from the mirror"), "nothing is: {}", ran.stderr);
}

#[test]
fn a_registry_with_tokens_is_given_what_docker_knows() {
    let registry = Registry::start();
    registry.image("elk/base", "1", &["linux/amd64"]);
    registry.guard(Guard::token("me", "hunter2"));
    let kitchen = plain(&registry);
    let ran = kitchen.run(&["lock"]).code(4).complains("base: ").complains("access denied");
    assert!(!ran.stderr.contains("hunter2"));
    let config = format!("{{\"auths\":{{\"{}\":{{\"auth\":\"{ME}\"}}}}}}", registry.host());
    kitchen.write("../home/.docker/config.json", config);
    let ran = kitchen.run(&["lock"]).success();
    assert!(!(ran.stdout + &ran.stderr + &kitchen.read("recipes/app.lock")).contains("hunter2"));
}

#[test]
fn basic_credentials_that_are_wrong_say_who_was_tried() {
    let registry = Registry::start();
    registry.image("elk/base", "1", &["linux/amd64"]);
    registry.guard(Guard::basic("me", "other"));
    let kitchen = plain(&registry);
    kitchen.write("docker/config.json", format!("{{\"auths\":{{\"{}\":{{\"auth\":\"{ME}\"}}}}}}", registry.host()));
    let folder = kitchen.project().join("docker");
    let kitchen = kitchen.env("DOCKER_CONFIG", folder.to_str().unwrap());
    let ran = kitchen.run(&["lock"]).code(4).complains("`me`");
    assert!(!ran.stderr.contains("hunter2") && !ran.stderr.contains(ME), "{}", ran.stderr);
}

#[test]
fn a_proxy_is_not_asked_for_this_machine() {
    let (_registry, _, kitchen) = market();
    let kitchen = kitchen.env("http_proxy", "http://127.0.0.1:1").env("HTTPS_PROXY", "http://127.0.0.1:1");
    kitchen.run(&["lock"]).success();
}
