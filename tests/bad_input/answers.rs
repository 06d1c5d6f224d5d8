//! A registry and a site that answer something else than what was asked for.

use std::fs;
use std::path::{Path, PathBuf};

use elkbake::digest::Digest;

use crate::kitchen::project::{Kitchen, Ran};
use crate::kitchen::registry::{Fault, Image, Registry};

const MANIFEST: &str = "/v2/elk/base/manifests/1";
const FILE: &str = "/files/agent.zip";

/// A kitchen that has locked one base and one archive, so that its store holds something.
struct Stall {
    registry: Registry,
    image: Image,
    kitchen: Kitchen,
}

impl Stall {
    fn open() -> Self {
        let registry = Registry::start();
        registry.image("elk/base", "1", &["linux/amd64"]);
        registry.file("agent.zip", b"an agent");
        let text = format!(
            "kind = \"image\"\nproduct = \"generic\"\nversion = \"1\"\nplatforms = [\"linux/amd64\"]\n\
             from = \"{}/elk/base:1\"\n[[archive]]\nname = \"agent\"\nurl = \"{}\"\ninto = \"/opt\"\n",
            registry.host(),
            registry.url(FILE)
        );
        let kitchen = Kitchen::new().recipe("app", &text);
        kitchen.run(&["lock"]).success();
        // The tag moves, so that there is something to fetch.
        let image = registry.docker_image("elk/base", "1", &["linux/amd64"]);
        registry.file("agent.zip", b"another agent");
        registry.forget();
        Self { registry, image, kitchen }
    }

    /// What the store holds, and what the project says.
    fn things(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let mut things = Vec::new();
        for folder in
            [self.kitchen.store().join("v1/blobs"), self.kitchen.store().join("v1/index"), self.kitchen.project()]
        {
            list(&folder, &mut things);
        }
        things
    }

    /// Moves one pin under a fault, which has to end with a code and to change nothing.
    fn refuses(&self, input: &str, code: i32) -> Ran {
        let before = self.things();
        let ran = self.kitchen.run(&["lock", &format!("--update={input}")]).code(code);
        assert_eq!(ran.stderr.lines().filter(|line| line.starts_with("error")).count(), 1, "{}", ran.stderr);
        assert!(self.things() == before, "something changed");
        ran
    }

    fn heals(&self) {
        self.kitchen.run(&["lock", "--update"]).success();
        self.kitchen.run(&["store", "verify"]).success();
    }
}

fn list(folder: &Path, into: &mut Vec<(PathBuf, Vec<u8>)>) {
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() { list(&path, into) } else { into.push((path.clone(), fs::read(path).unwrap())) }
    }
}

#[test]
fn a_web_page() {
    let stall = Stall::open();
    stall.registry.fault(MANIFEST, 9, Fault::Page("Please log in".to_owned()));
    stall.registry.fault(FILE, 9, Fault::Page("Please log in".to_owned()));
    stall.refuses("base", 4).complains("base: ").complains("web page").complains("Please log in");
    stall.refuses("agent", 4).complains("archive agent").complains("Please log in");
}

#[test]
fn the_wrong_digest() {
    let stall = Stall::open();
    let image = stall.registry.image("elk/base", "2", &["linux/amd64"]);
    stall.kitchen.write("recipes/app.toml", stall.kitchen.read("recipes/app.toml").replace("base:1", "base:2"));
    let config = format!("/v2/elk/base/blobs/{}", image.configs[0]);
    stall.registry.fault(&config, 9, Fault::Corrupt);
    stall.refuses("base", 4).complains("base: ").complains(&image.configs[0].to_string());
    let manifest = format!("/v2/elk/base/manifests/{}", image.manifests[0]);
    stall.registry.fault(&manifest, 9, Fault::Corrupt);
    stall.refuses("base", 4).complains("base: ").complains(&image.manifests[0].to_string());
}

#[test]
fn half_a_body_comes_to_its_end_in_the_next_request() {
    let stall = Stall::open();
    stall.registry.fault(FILE, 1, Fault::Cut(4));
    stall.kitchen.run(&["lock", "--update=agent"]).success().says("archive agent");
    let sent: Vec<u64> = stall.registry.requests_to(FILE).iter().map(|request| request.sent).collect();
    assert_eq!(sent, [4, 9], "what has come is not asked for again");
    assert!(stall.kitchen.read("recipes/app.lock").contains(&Digest::of(b"another agent").to_string()));
}

#[test]
fn half_a_manifest_is_asked_for_again() {
    let stall = Stall::open();
    stall.registry.fault(MANIFEST, 1, Fault::Cut(10));
    stall.kitchen.run(&["lock", "--update=base"]).success().says(&stall.image.digest.to_string());
}

#[test]
fn a_refusal_for_good_is_not_tried_again() {
    let stall = Stall::open();
    stall.registry.fault(MANIFEST, 9, Fault::Status(400, None));
    stall.refuses("base", 4).complains("base: ").complains("400");
    assert_eq!(stall.registry.requests_to(MANIFEST).len(), 1);
}

#[test]
fn not_now_for_a_moment() {
    for status in [429, 503] {
        let stall = Stall::open();
        stall.registry.fault(MANIFEST, 1, Fault::Status(status, Some("0".to_owned())));
        stall.registry.fault(FILE, 2, Fault::Status(status, Some("0".to_owned())));
        let ran = stall.kitchen.run(&["lock", "--update"]).success().says("changed");
        ran.complains(&status.to_string()).complains("as the server asks");
        assert_eq!(stall.registry.requests_to(FILE).len(), 3);
    }
}

#[test]
fn not_now_for_long() {
    let stall = Stall::open();
    stall.registry.fault(MANIFEST, 9, Fault::Status(429, Some("86400".to_owned())));
    stall.registry.fault(FILE, 9, Fault::Status(503, Some("Mon, 07 Nov 1994 08:49:37 GMT".to_owned())));
    stall.refuses("base", 4).complains("429").complains("the server asks to come back in 24 hours");
    stall.refuses("agent", 4).complains("503").complains("the server asks to come back in 24 hours");
    assert_eq!(stall.registry.requests_to(FILE).len(), 1);
}

#[test]
fn not_now_for_ever() {
    let stall = Stall::open();
    stall.registry.fault(FILE, 99, Fault::Status(503, Some("0".to_owned())));
    stall.refuses("agent", 4).complains("5 times in a row");
    assert_eq!(stall.registry.requests_to(FILE).len(), 5);
}

#[test]
fn a_circle_of_redirects() {
    let stall = Stall::open();
    stall.registry.fault(MANIFEST, 99, Fault::Redirect(MANIFEST.to_owned()));
    stall.registry.fault(FILE, 99, Fault::Redirect(stall.registry.url(FILE)));
    stall.refuses("base", 4).complains("base: ").complains("redirect");
    stall.refuses("agent", 4).complains("archive agent").complains("redirect");
    assert!(stall.registry.requests().len() < 50);
}

#[test]
fn a_manifest_of_10_gb() {
    let stall = Stall::open();
    stall.registry.fault(MANIFEST, 9, Fault::Endless);
    stall.refuses("base", 4).complains("base: ").complains("longer than 4 MiB");
    assert!(stall.registry.sent(MANIFEST) < 100_000_000, "most of it is not read");
}

#[test]
fn a_download_of_10_gb() {
    let stall = Stall::open();
    stall.registry.fault(FILE, 9, Fault::Endless);
    stall.refuses("agent", 4).complains("archive agent").complains("bytes");
    assert!(stall.registry.sent(FILE) < 100_000_000, "most of it is not read");
}

#[test]
fn a_thing_that_is_not_there() {
    let stall = Stall::open();
    stall.registry.fault(FILE, 9, Fault::Status(404, None));
    stall.refuses("agent", 4).complains("archive agent").complains("not found");
    let index = "application/vnd.oci.image.index.v1+json";
    for (manifest, told) in [
        (&b"[]"[..], "it is no manifest"),
        (b"{\"schemaVersion\":2", "it is no manifest"),
        (b"{\"schemaVersion\":1,\"manifests\":[]}", "base: "),
        (b"{\"schemaVersion\":2,\"manifests\":[]}", "is not made for linux/amd64"),
        (b"\xff\x00", "it is no manifest"),
    ] {
        stall.registry.manifest("elk/base", Some("1"), index, manifest);
        let before = stall.things();
        let ran = stall.kitchen.run(&["lock", "--update=base"]).complains(told);
        assert!([3, 4].contains(&ran.code), "{}", ran.stderr);
        assert!(stall.things() == before, "something changed");
    }
}

#[test]
fn after_all_that_it_works_as_before() {
    let stall = Stall::open();
    stall.registry.fault(MANIFEST, 1, Fault::Page("Please log in".to_owned()));
    stall.refuses("base", 4);
    stall.registry.fault(FILE, 1, Fault::Status(404, None));
    stall.refuses("agent", 4);
    stall.heals();
}
