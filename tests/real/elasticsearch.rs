//! A real Elasticsearch with Debian's Java under it, plugins installed by file operations, and its own installer beside
//! ours. It is the distribution that Elastic publishes for tests of plugins, so that it is in Maven's repository.

mod shipped;
mod without_docker;

use std::collections::BTreeMap;
use std::io::{Cursor, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::{Duration, Instant};

use base64::Engine as _;
use serde_json::Value;
use zip::write::SimpleFileOptions;
use zip::{ZipArchive, ZipWriter};

use super::engine::Engine;
use super::onto_debian::{debian, place};
use super::seen::{assert_same, seen};
use super::{artefact, port, run};
use crate::kitchen::project::Kitchen;

const VERSION: &str = "8.19.21";

/// Laid out as the official image is: everything in one folder, Java among it.
pub const BASE: &str = r#"
kind    = "image"
product = "generic"
version = "8.19.21"
from    = "rootfs:debian.tar"

[[archive]]
name  = "java"
path  = "java.tar"
into  = "/usr/share/elasticsearch/jdk"

[[archive]]
name  = "elasticsearch"
path  = "elasticsearch.zip"
into  = "/usr/share/elasticsearch"
strip = 1
owner = "1000:0"

[files]
"usr/share/elasticsearch/**" = { owner = "1000:0", mode = "0660" }
"usr/local/bin/*"            = { mode = "0755" }

[config]
entrypoint = ["/usr/share/elasticsearch/bin/elasticsearch"]
user       = "1000:0"
workdir    = "/usr/share/elasticsearch"

[config.env]
ES_JAVA_OPTS = "-Xms384m -Xmx384m"
PATH         = "/usr/share/elasticsearch/bin:/usr/bin:/bin"
"#;

/// How full the disk of the machine is, is not what is tested.
pub const PLAIN_NODE: &str = "discovery.type: single-node
xpack.security.enabled: false
http.host: 127.0.0.1
transport.host: 127.0.0.1
cluster.routing.allocation.disk.threshold_enabled: false
";

/// A recipe for plugins by name and file.
fn recipe(plugins: &[(&str, &str)]) -> String {
    let mut text =
        format!("kind = \"image\"\nproduct = \"elasticsearch\"\nversion = \"{VERSION}\"\nfrom = \"recipe:base\"\n");
    for (name, file) in plugins {
        text.push_str(&format!("\n[[plugin]]\nname = \"{name}\"\npath = \"{file}\"\n"));
    }
    text
}

fn descriptor(name: &str, class: &str) -> String {
    format!(
        "name={name}\ndescription=of the house\nversion=1.0.0\nclassname={class}\njava.version=11\n\
         elasticsearch.version={VERSION}\nextended.plugins=\nhas.native.controller=false\n"
    )
}

/// A class that does nothing beyond what its parent does, as a compiler would write it.
fn class(name: &str, parent: &str) -> Vec<u8> {
    let mut bytes = vec![0xca, 0xfe, 0xba, 0xbe, 0, 0, 0, 52, 0, 10];
    let text = |bytes: &mut Vec<u8>, text: &str| {
        bytes.push(1);
        bytes.extend(u16::try_from(text.len()).unwrap().to_be_bytes());
        bytes.extend(text.as_bytes());
    };
    // Constants 1 to 4: the class and its parent, each as a reference to its name.
    bytes.extend([7, 0, 2]);
    text(&mut bytes, name);
    bytes.extend([7, 0, 4]);
    text(&mut bytes, parent);
    // 5 to 9: the parent's constructor, and the name of the attribute that holds code.
    text(&mut bytes, "<init>");
    text(&mut bytes, "()V");
    bytes.extend([12, 0, 5, 0, 6]);
    bytes.extend([10, 0, 3, 0, 7]);
    text(&mut bytes, "Code");
    // Public; no interfaces, no fields, one method: a public constructor that calls its parent's.
    bytes.extend([0, 0x21, 0, 1, 0, 3, 0, 0, 0, 0, 0, 1, 0, 1, 0, 5, 0, 6, 0, 1, 0, 9, 0, 0, 0, 17]);
    bytes.extend([0, 1, 0, 1, 0, 0, 0, 5, 0x2a, 0xb7, 0, 8, 0xb1, 0, 0, 0, 0, 0, 0]);
    bytes
}

fn packed(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in entries {
        zip.start_file(*name, SimpleFileOptions::default()).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// A plugin with something in every folder for which the installer has a rule.
fn house() -> Vec<u8> {
    let jar = packed(&[("house/Oven.class", &class("house/Oven", "org/elasticsearch/plugins/Plugin"))]);
    packed(&[
        ("plugin-descriptor.properties", descriptor("house", "house.Oven").as_bytes()),
        ("house-1.0.0.jar", &jar),
        ("LICENSE.txt", b"free\n"),
        ("bin/house-tool", b"#!/bin/sh\necho tool\n"),
        ("config/house.yml", b"oven: hot\n"),
        ("words/rye/list.txt", b"one\ntwo\n"),
        ("words/bin/mill", b"#!/bin/sh\n"),
    ])
}

/// The security plugin of OpenSearch, made out to be one for Elasticsearch, without some of its jars.
fn security(real: &Path, without: &str) -> Vec<u8> {
    let mut from = ZipArchive::new(std::fs::File::open(real).unwrap()).unwrap();
    let mut to = ZipWriter::new(Cursor::new(Vec::new()));
    for i in 0..from.len() {
        let entry = from.by_index_raw(i).unwrap();
        let name = entry.name().unwrap().into_owned();
        if name == "plugin-descriptor.properties" {
            to.start_file(name, SimpleFileOptions::default()).unwrap();
            let text = descriptor("opensearch-security", "org.opensearch.security.OpenSearchSecurityPlugin");
            to.write_all(text.as_bytes()).unwrap();
        } else if without.is_empty() || !name.starts_with(without) {
            to.raw_copy_file(entry).unwrap();
        }
    }
    to.finish().unwrap().into_inner()
}

/// Everything that is baked here, or `None` when `PEERS=0` says that it may be missing.
fn kitchen() -> Option<Kitchen> {
    let security_zip = artefact("opensearch-plugin.zip", "opensearch-plugin")?;
    let kitchen = Kitchen::new()
        .recipe("base", BASE)
        .recipe("node", &recipe(&[("house", "zips/house.zip")]))
        .recipe("both", &recipe(&[("house", "zips/house.zip"), ("opensearch-security", "zips/security.zip")]))
        .recipe("hell", &recipe(&[("opensearch-security", "zips/hell.zip")]))
        .recipe("foreign", &recipe(&[("opensearch-security", "zips/foreign.zip")]))
        .file("images/base/usr/share/elasticsearch/config/elasticsearch.yml", PLAIN_NODE)
        .file("zips/house.zip", house())
        .file("zips/security.zip", security(&security_zip, "lz4-java-"))
        .file("zips/hell.zip", security(&security_zip, ""));
    std::fs::create_dir(kitchen.project().join("images/base/usr/share/elasticsearch/data")).unwrap();
    shipped::add(&kitchen);
    place(&security_zip, &kitchen.project().join("zips/foreign.zip"));
    debian(&kitchen)?;
    for (name, fetch) in [("java.tar", "java"), ("elasticsearch.zip", "elasticsearch")] {
        place(&artefact(name, fetch)?, &kitchen.project().join(name));
    }
    Some(kitchen)
}

/// Bakes a recipe and loads it into an engine.
fn loaded(kitchen: &Kitchen, engine: &Engine, recipe: &str) -> String {
    let archive = kitchen.project().join("image.tar");
    let output = format!("docker-archive:{}", archive.display());
    kitchen.run(&["build", recipe, "--output", &output]).success();
    let name = engine.load(&archive);
    std::fs::remove_file(archive).unwrap();
    name
}

fn home(root: &str) -> BTreeMap<PathBuf, String> {
    seen(&Path::new(root.trim()).join("usr/share/elasticsearch"))
}

/// What Elasticsearch's own installer makes of packages on an image.
fn installed_by_itself(
    kitchen: &Kitchen,
    engine: &Engine,
    image: &str,
    zips: &[&str],
) -> Result<BTreeMap<PathBuf, String>, String> {
    let volume = format!("--volume={}:/zips:ro", kitchen.project().join("zips").display());
    let options = ["--network=none", "--name=installer", &volume, "--entrypoint=bin/elasticsearch-plugin"];
    let files: Vec<_> = zips.iter().map(|zip| format!("file:///zips/{zip}")).collect();
    let args = [&["install", "--batch"][..], &files.iter().map(String::as_str).collect::<Vec<_>>()].concat();
    let output = engine.container(&options, image, &args).output().unwrap();
    let result = if output.status.success() {
        let root = run(engine.podman().args(["mount", "installer"]));
        Ok(home(&root))
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    };
    run(engine.podman().args(["rm", "--force", "installer"]));
    result
}

/// In one test, because most of its time goes into the base.
#[test]
fn elasticsearch_runs_what_we_install_and_what_we_ship_and_would_have_installed_the_same() {
    let Some(kitchen) = kitchen() else { return };
    let Some(engine) = Engine::new() else { return };
    let base = loaded(&kitchen, &engine, "base");
    installs_the_same(&kitchen, &engine, &base);
    shipped::starts_as_its_task_says(&kitchen, &engine, &base);
}

fn installs_the_same(kitchen: &Kitchen, engine: &Engine, base: &str) {
    kitchen.run(&["build", "foreign"]).code(3).complains("a plugin for OpenSearch 2.19.4");
    // Both find the same fault.
    let class = "net.jpountz.lz4.LZ4BlockInputStream";
    kitchen.run(&["build", "hell"]).code(3).complains(class).complains("jar hell");
    let error = installed_by_itself(kitchen, engine, base, &["hell.zip"]).unwrap_err();
    assert!(error.contains("jar hell") && error.contains(class), "{error}");

    let ours = run(engine.podman().args(["image", "mount", &loaded(kitchen, engine, "both")]));
    let theirs = installed_by_itself(kitchen, engine, base, &["house.zip", "security.zip"]).unwrap();
    for (path, start) in [
        ("plugins/opensearch-security/plugin-security.policy", "0644 1000:0 file"),
        ("plugins/house/words/bin/mill", "0755 1000:0 file"),
        ("bin/house/house-tool", "0755 1000:0 file"),
        ("config/house/house.yml", "0660 1000:0 file"),
    ] {
        assert!(theirs[Path::new(path)].starts_with(start), "{path}: {}", theirs[Path::new(path)]);
    }
    assert_same(&theirs, &home(&ours), "Elasticsearch's installer and ours");

    let node = Node::start(engine, &loaded(kitchen, engine, "node"));
    let plugins = node.plugins();
    assert_eq!(plugins.as_array().map(Vec::len), Some(1), "{plugins}");
    assert_eq!((&plugins[0]["name"], &plugins[0]["classname"]), (&"house".into(), &"house.Oven".into()), "{plugins}");
}

/// A node that is starting, or has started; it ends when this is dropped.
struct Node<'a> {
    engine: &'a Engine,
    child: std::cell::RefCell<Child>,
    log: tempfile::NamedTempFile,
    port: u16,
    /// Who asks, with password.
    user: Option<String>,
}

impl<'a> Node<'a> {
    fn start(engine: &'a Engine, image: &str) -> Self {
        Self::start_with(engine, image, &[], &[])
    }

    fn start_with(engine: &'a Engine, image: &str, env: &[&str], args: &[&str]) -> Self {
        // On the machine's own loopback.
        let (http, transport) = (port(), port());
        let log = tempfile::NamedTempFile::new().unwrap();
        let ports = [format!("-Ehttp.port={http}"), format!("-Etransport.port={transport}")];
        let options: Vec<_> = env.iter().map(|pair| format!("--env={pair}")).collect();
        let options = ["--rm", "--network=host", "--name=node"].into_iter().chain(options.iter().map(String::as_str));
        let args: Vec<_> = args.iter().copied().chain(ports.iter().map(String::as_str)).collect();
        let mut command = engine.container(&options.collect::<Vec<_>>(), image, &args);
        command.stdout(log.reopen().unwrap()).stderr(log.reopen().unwrap());
        Self { engine, child: command.spawn().unwrap().into(), log, port: http, user: None }
    }

    /// Asks as this user, `NAME:PASSWORD`.
    fn user(mut self, user: &str) -> Self {
        self.user = Some(user.to_owned());
        self
    }

    /// The plugins that it has loaded, as it says once it has started.
    fn plugins(&self) -> Value {
        self.wait("/_nodes/plugins")["nodes"].as_object().unwrap().values().next().unwrap()["plugins"].clone()
    }

    /// What it answers once it has started.
    fn wait(&self, path: &str) -> Value {
        let begun = Instant::now();
        // Half a minute where nothing else runs; several where much does.
        while begun.elapsed() < Duration::from_secs(1200) {
            if let Some(answer) = self.ask(path) {
                return answer;
            }
            if let Some(status) = self.child.borrow_mut().try_wait().unwrap() {
                panic!("the node ended, {status}:\n{}", std::fs::read_to_string(self.log.path()).unwrap());
            }
            std::thread::sleep(Duration::from_millis(200));
        }
        panic!("the node does not answer:\n{}", std::fs::read_to_string(self.log.path()).unwrap());
    }

    fn ask(&self, path: &str) -> Option<Value> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let user = self.user.iter().map(|user| base64::engine::general_purpose::STANDARD.encode(user));
        let user: String = user.map(|user| format!("Authorization: Basic {user}\r\n")).collect();
        write!(stream, "GET {path} HTTP/1.0\r\nHost: localhost\r\n{user}Connection: close\r\n\r\n").ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let (head, body) = answer.split_once("\r\n\r\n")?;
        head.split_whitespace().nth(1).filter(|status| *status == "200")?;
        serde_json::from_str::<Value>(body).ok().filter(|body| body["_nodes"]["successful"] == 1)
    }
}

impl Drop for Node<'_> {
    fn drop(&mut self) {
        let _ = self.engine.podman().args(["rm", "--force", "--time=0", "node"]).output();
        let _ = self.child.borrow_mut().wait();
    }
}
