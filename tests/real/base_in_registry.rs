//! A real base, as skopeo and podman put it into Debian's registry or save it to files, and what an engine does with what
//! is baked on it.

use std::path::Path;
use std::process::Command;

use elkbake::digest::Digest;
use serde_json::Value;

use super::engine::Engine;
use super::onto_debian::{debian, tag};
use super::{program, registry, run};
use crate::kitchen::project::Kitchen;

const PARENT: &str = r#"
kind    = "image"
product = "generic"
version = "1"
from    = "rootfs:debian.tar"

[config]
env    = { OVEN = "wood", DOUGH = "rye" }
cmd    = ["/bin/echo", "never said"]
labels = { kept = "yes" }
"#;

const CHILD: &str = r#"
kind      = "image"
product   = "generic"
version   = "2"
from      = "BASE"
platforms = [PLATFORMS]

[config]
entrypoint  = ["/bin/house", "first argument"]
cmd         = ["second"]
env         = { OVEN = "stone" }
env_remove  = ["DOUGH"]
user        = "1000:1000"
workdir     = "/srv"
labels      = { added = "too" }
ports       = ["9200/tcp"]
stop_signal = "SIGINT"
"#;

const PROGRAM: &str = "#!/bin/sh\necho \"$1, $2, $(id -u):$(id -g), $(pwd), ${OVEN-}, ${DOUGH-none}\"\n";

/// A name for a base, what the recipe calls it, its platforms, and what puts it into the project.
type Base<'b> = (&'b str, String, usize, &'b dyn Fn(&Path));

/// Copies the parent into a registry in one of the two formats and as an index, and from there into files of all
/// formats; bakes on each, and starts the result.
#[test]
fn what_is_baked_on_a_base_is_started_as_it_says_wherever_the_base_lies() {
    let on_arm = format!("platforms = [\"linux/arm64\"]\n{PARENT}");
    let kitchen = Kitchen::new().recipe("parent", PARENT).recipe("on-arm", &on_arm);
    if debian(&kitchen).is_none() {
        return;
    }
    let Some(docker_registry) = program(&["docker-registry", "registry"], "docker-registry") else { return };
    let (Some(skopeo), Some(engine)) = (program(&["skopeo"], "skopeo"), Engine::new()) else { return };
    let folder = tempfile::tempdir().unwrap();
    let server = registry::serve(&docker_registry, folder.path());
    let address = |tag: &str| format!("127.0.0.1:{}/elk/parent:{tag}", server.1);
    for (recipe, to, format) in [("parent", "oci", "oci"), ("parent", "v2s2", "v2s2"), ("on-arm", "arm", "oci")] {
        let layout = folder.path().join(to);
        kitchen.run(&["build", recipe, "--output", &format!("oci:{}", layout.display())]).success();
        let mut skopeo = Command::new(&skopeo);
        skopeo.args(["--insecure-policy", "copy", "--quiet", "--dest-tls-verify=false", "--format", format]);
        run(skopeo.arg(format!("oci:{}:{}", layout.display(), tag(&layout))).arg(format!("docker://{}", address(to))));
    }
    run(engine.podman().args(["manifest", "create", "index"]));
    for tag in ["oci", "arm"] {
        let from = format!("docker://{}", address(tag));
        run(engine.podman().args(["manifest", "add", "--tls-verify=false", "index", &from]));
    }
    let to = format!("docker://{}", address("index"));
    run(engine.podman().args(["manifest", "push", "--all", "--tls-verify=false", "index", &to]));

    let pulled = address("oci");
    run(engine.podman().args(["pull", "--quiet", "--tls-verify=false", &pulled]));
    let podman = |format: &str, to: &Path| {
        run(engine.podman().args(["save", "--quiet", "--format", format, "--output"]).arg(to).arg(&pulled));
    };
    let from_registry = |_: &Path| {};
    let podman_archive = |to: &Path| podman("docker-archive", to);
    let podman_layout = |to: &Path| podman("oci-dir", to);
    let skopeo_archive = |to: &Path| {
        let mut skopeo = Command::new(&skopeo);
        skopeo.args(["--insecure-policy", "copy", "--quiet", "--src-tls-verify=false", &format!("docker://{pulled}")]);
        run(skopeo.arg(format!("docker-archive:{}:elk/parent:1", to.display())));
    };
    let (archive, layout) = ("docker-archive:base".to_owned(), "oci:base".to_owned());
    let bases: [Base<'_>; 6] = [
        ("oci", address("oci"), 1, &from_registry),
        ("v2s2", address("v2s2"), 1, &from_registry),
        ("index", address("index"), 2, &from_registry),
        ("podman-archive", archive.clone(), 1, &podman_archive),
        ("podman-layout", layout, 1, &podman_layout),
        ("skopeo-archive", archive, 1, &skopeo_archive),
    ];
    for (tag, from, platforms, save) in bases {
        let list = &["\"linux/amd64\"", "\"linux/arm64\""][..platforms];
        let child = CHILD.replace("BASE", &from).replace("PLATFORMS", &list.join(", "));
        // A store of its own: the parent's layers are in the first one.
        let kitchen = Kitchen::new().recipe("child", &child).file("images/child/bin/house", PROGRAM);
        save(&kitchen.project().join("base"));
        let archive = folder.path().join(format!("{tag}.tar"));
        let output = format!("docker-archive:{}", archive.display());
        let built = kitchen.run(&["build", "child", "--json"]).success().json();
        let first = built["builds"][0]["digest"].as_str().unwrap().to_owned();
        let ran =
            kitchen.run(&["build", "child", "--json", "--platform", "linux/amd64", "--output", &output]).success();
        assert_eq!(ran.json()["builds"][0]["digest"], first, "{tag}");
        let name = engine.load(&archive);
        let said = engine.run(&[], &name, &[]).success();
        assert_eq!(said, "first argument, second, 1000:1000, /srv, stone, none\n", "{tag}");
        let config: Value = serde_json::from_str(&run(engine.podman().args(["image", "inspect", &name]))).unwrap();
        let config = &config[0]["Config"];
        assert_eq!((&config["Labels"]["kept"], &config["Labels"]["added"]), (&"yes".into(), &"too".into()), "{tag}");
        assert_eq!(config["StopSignal"], "SIGINT", "{tag}");
        assert!(config["ExposedPorts"].get("9200/tcp").is_some(), "{tag}: {config}");
        run(engine.podman().args(["rmi", "--force", &name]));
    }
}

/// However a root file system is packed, it is the same one.
#[test]
fn a_root_file_system_may_be_packed_in_any_way() {
    let first = Kitchen::new();
    let Some(base) = debian(&first) else { return };
    let layers = |file: &str, pack: Option<&[&str]>| {
        let recipe = PARENT.replace("debian.tar", file);
        let kitchen = Kitchen::new().recipe("parent", &recipe);
        let to = kitchen.project().join(file);
        match pack {
            Some(pack) => {
                let to = std::fs::File::create(to).unwrap();
                let status = Command::new(pack[0]).args(&pack[1..]).arg("--stdout").arg(&base).stdout(to).status();
                assert!(status.unwrap().success(), "{pack:?}");
            }
            None => std::fs::hard_link(&base, &to).or_else(|_| std::fs::copy(&base, &to).map(drop)).unwrap(),
        }
        let layout = kitchen.project().join("layout");
        kitchen.run(&["build", "parent", "--output", "oci:layout"]).success();
        let blob = |digest: &str| {
            let digest: Digest = digest.parse().unwrap();
            let bytes = std::fs::read(layout.join("blobs/sha256").join(digest.hex())).unwrap();
            serde_json::from_slice::<Value>(&bytes).unwrap()
        };
        let index: Value = serde_json::from_slice(&std::fs::read(layout.join("index.json")).unwrap()).unwrap();
        let manifest = blob(index["manifests"][0]["digest"].as_str().unwrap());
        blob(manifest["config"]["digest"].as_str().unwrap())["rootfs"]["diff_ids"].clone()
    };
    let plain = layers("debian.tar", None);
    for (file, pack) in [
        ("debian.tar.gz", &["gzip", "-1"][..]),
        ("debian.tar.xz", &["xz", "-0", "--threads=0"]),
        ("debian.tar.zst", &["zstd", "-1", "--quiet"]),
    ] {
        let Some(_) = program(&[pack[0]], pack[0]) else { return };
        assert_eq!(layers(file, Some(pack)), plain, "{file}");
    }
}
