//! How a lock that cannot be made ends: nothing written, every mistake named, the right code.

use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use elkbake::digest::Digest;

use super::{generic, market, plain, recipe, recipes};
use crate::kitchen::project::{Kitchen, interrupted};
use crate::kitchen::registry::{Fault, Registry};

/// Starts a run that somebody will end.
fn start(kitchen: &Kitchen, args: &[&str]) -> Child {
    kitchen.command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Waits until so many requests have come to a path.
fn until_asked(registry: &Registry, path: &str, times: usize) {
    let begun = Instant::now();
    while registry.requests_to(path).len() < times {
        assert!(begun.elapsed() < Duration::from_secs(60), "nobody asks for {path}: {:?}", registry.requests());
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_wrong_checksum_is_told_with_both() {
    let (registry, _, kitchen) = market();
    let wrong = Digest::of(b"another agent");
    kitchen.write("recipes/es.toml", recipe(&registry, &format!("checksum = \"{wrong}\"")));
    let ran = kitchen.run(&["lock"]).code(3).complains("archive agent (");
    ran.complains(&wrong.to_string()).complains(&Digest::of(b"an agent").to_string()).complains("says the recipe");
    assert_eq!(recipes(&kitchen), ["es.toml"]);
}

#[test]
fn all_inputs_that_are_wrong_are_told_in_one_run() {
    let (registry, _, kitchen) = market();
    let text = recipe(&registry, "").replace("far.zip", "none.zip").replace("agent.tar.gz", "none.tar.gz");
    kitchen
        .write("recipes/es.toml", text.replace("elasticsearch:8.19.3", "none:8.19.3").replace("local.zip", "none.zip"));
    let ran = kitchen.run(&["lock"]).code(4);
    ran.complains("\n  base: ")
        .complains("\n  plugin local: ")
        .complains("\n  plugin far (")
        .complains("\n  archive agent (");
    assert_eq!(recipes(&kitchen), ["es.toml"]);
}

#[test]
fn a_recipe_that_fails_does_not_hide_another() {
    let kitchen = Kitchen::new()
        .recipe("a", &generic("rootfs:none.tar"))
        .recipe("b", "kind = \"image\"")
        .recipe("c", &generic("scratch"));
    kitchen.run(&["lock"]).code(3).says("recipes/c.lock made").complains("none.tar").complains("recipes/b.toml");
    assert_eq!(recipes(&kitchen), ["a.toml", "b.toml", "c.lock", "c.toml"]);
}

#[test]
fn a_secret_is_refused_before_anything_is_asked() {
    let (registry, _, kitchen) = market();
    kitchen.write("images/es/etc/key.pem", "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\n-----END RSA PRIVATE KEY-----\n");
    kitchen.run(&["lock"]).code(7).complains("images/es/etc/key.pem");
    std::fs::remove_file(kitchen.project().join("images/es/etc/key.pem")).unwrap();
    let text = kitchen.read("recipes/es.toml").replace("http://127.0.0.1", "http://me:hunter2@127.0.0.1");
    kitchen.write("recipes/es.toml", text);
    let ran = kitchen.run(&["lock"]).code(3).complains("credentials would be baked into the lock");
    assert!(!ran.stderr.contains("hunter2"), "{}", ran.stderr);
    assert_eq!(recipes(&kitchen), ["es.toml"]);
    assert!(registry.requests().is_empty());
}

#[test]
fn whoever_presses_ctrl_c_finds_nothing_half_done() {
    let registry = Registry::start();
    registry.image("elk/base", "1", &["linux/amd64"]);
    let path = "/v2/elk/base/manifests/1";
    registry.fault(path, 1, Fault::Stall);
    let kitchen = plain(&registry);
    let child = start(&kitchen, &["lock"]);
    until_asked(&registry, path, 1);
    interrupted(child).code(130).complains("interrupted");
    assert_eq!(recipes(&kitchen), ["app.toml"]);
    kitchen.run(&["lock"]).success();
}

#[test]
fn whoever_kills_it_gets_the_rest_the_next_time() {
    let bytes: Vec<u8> = (0..3_000_000_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let registry = Registry::start();
    let path = registry.file("big.bin", &bytes);
    registry.fault(&path, 1, Fault::Cut(2_500_000));
    registry.fault(&path, 1, Fault::Stall);
    let text = format!(
        "{}[[archive]]\nname = \"big\"\nurl = \"{}\"\ninto = \"/opt/big\"\nunpack = false\n",
        generic("scratch"),
        registry.url(&path)
    );
    let kitchen = Kitchen::new().recipe("app", &text);
    let mut child = start(&kitchen, &["lock"]);
    until_asked(&registry, &path, 2);
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(recipes(&kitchen), ["app.toml"]);
    registry.forget();
    kitchen.run(&["lock"]).success();
    assert!(kitchen.read("recipes/app.lock").contains(&Digest::of(&bytes).to_string()));
    let again = registry.requests_to(&path);
    assert!(again.len() == 1 && again[0].header("range").is_some(), "{again:?}");
    assert!(0 < again[0].sent && again[0].sent < bytes.len() as u64, "{} bytes came again", again[0].sent);
}

#[test]
fn a_folder_that_cannot_be_written_is_named() {
    let kitchen = Kitchen::new().recipe("app", &generic("scratch"));
    // A folder where the lock belongs cannot be replaced by it, whoever tries.
    std::fs::create_dir(kitchen.project().join("recipes/app.lock")).unwrap();
    kitchen.run(&["lock"]).code(3).complains("recipes/app.lock");
    assert_eq!(recipes(&kitchen), ["app.lock", "app.toml"]);
}

#[test]
fn without_a_home_it_says_how_to_name_a_store() {
    let kitchen = Kitchen::new().recipe("app", &generic("scratch")).env("HOME", "");
    kitchen.run(&["lock"]).code(2).complains("no place for the store").complains("hint: name one with --store DIR");
}
