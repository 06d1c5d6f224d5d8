//! What Docker makes of what is baked: a daemon with everything in a folder of its own, which has no network.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::onto_debian::{bakery, debian_with_attributes, expected, unpack};
use super::seen::{assert_same, seen};
use super::{program, run};
use crate::kitchen::project::Kitchen;

/// Docker puts these into every container, whatever the image holds there.
const DOCKERS_OWN: [&str; 8] =
    [".dockerenv", "dev", "etc/hostname", "etc/hosts", "etc/mtab", "etc/resolv.conf", "proc", "sys"];

/// A daemon of its own; it ends when this is dropped.
pub struct Daemon {
    docker: PathBuf,
    process: Child,
    folder: tempfile::TempDir,
}

impl Daemon {
    pub fn start() -> Option<Self> {
        Self::start_with(&[])
    }

    /// Starts one that is told more.
    pub fn start_with(more: &[String]) -> Option<Self> {
        let (docker, dockerd) = (program(&["docker"], "docker.io")?, program(&["dockerd"], "docker.io")?);
        let folder = tempfile::tempdir().unwrap();
        let within = |name: &str| folder.path().join(name);
        let log = std::fs::File::create(within("log")).unwrap();
        let mut command = Command::new(dockerd);
        command.arg("--data-root").arg(within("data")).arg("--exec-root").arg(within("exec"));
        command.arg("--pidfile").arg(within("pid")).arg("--host").arg(format!("unix://{}", within("socket").display()));
        // No rules and no bridges on the machine.
        command.args(["--bridge=none", "--iptables=false", "--ip6tables=false", "--ip-masq=false"]);
        let process =
            command.args(more).stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap();
        let mut daemon = Self { docker, process, folder };
        let begun = Instant::now();
        while !daemon.docker().arg("info").output().unwrap().status.success() {
            let ended = daemon.process.try_wait().unwrap();
            let log = std::fs::read_to_string(daemon.folder.path().join("log")).unwrap_or_default();
            assert!(ended.is_none() && begun.elapsed() < Duration::from_secs(60), "dockerd does not start:\n{log}");
            std::thread::sleep(Duration::from_millis(50));
        }
        Some(daemon)
    }

    /// Where it is.
    pub fn address(&self) -> String {
        format!("unix://{}", self.folder.path().join("socket").display())
    }

    /// A call of Docker's command line.
    pub fn docker(&self) -> Command {
        let mut command = Command::new(&self.docker);
        command.arg("--host").arg(self.address());
        // Nobody's settings and contexts.
        command.env("DOCKER_CONFIG", self.folder.path().join("config")).env_remove("DOCKER_CONTEXT");
        command
    }

    /// What a container of an image has in its file system, without what Docker puts there.
    pub fn files(&self, image: &str, to: &Path) -> BTreeMap<PathBuf, String> {
        let container = run(self.docker().args(["create", "--network=none", image, "/none"]));
        let archive = to.with_extension("tar");
        run(self.docker().arg("export").arg("--output").arg(&archive).arg(container.trim()));
        run(self.docker().args(["rm", container.trim()]));
        std::fs::create_dir(to).unwrap();
        unpack(&archive, to);
        as_docker_tells(seen(to))
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // Asked to end, it ends what it has started and unmounts what it has mounted.
        let pid = rustix::process::Pid::from_child(&self.process);
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        let begun = Instant::now();
        while matches!(self.process.try_wait(), Ok(None)) && begun.elapsed() < Duration::from_secs(20) {
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Without what is Docker's own. Of extended attributes, `docker export` writes down capabilities only.
fn as_docker_tells(mut seen: BTreeMap<PathBuf, String>) -> BTreeMap<PathBuf, String> {
    seen.retain(|path, _| !DOCKERS_OWN.iter().any(|own| path.starts_with(own)));
    for text in seen.values_mut() {
        text.truncate(text.find(" user.").unwrap_or(text.len()));
    }
    seen
}

/// Pushes the house to a registry; tells what it is called there, by tag and by digest.
fn pushed(kitchen: &Kitchen, port: u16) -> [String; 2] {
    let target = format!("[target.reg]\nregistry = \"127.0.0.1:{port}/elk\"\nmanifest = \"reg.json\"\n");
    kitchen.write("elkbake.toml", target);
    let push = kitchen.run(&["push", "house", "--target", "reg", "--json"]).success().json()["pushes"][0].clone();
    let by_digest = push["reference"].as_str().unwrap().to_owned();
    let tag = push["tag"].as_str().unwrap();
    [format!("127.0.0.1:{port}/elk/house:{tag}"), by_digest]
}

/// An image goes to Docker as an archive and by a registry, with layers of both kinds; what comes out is what tar and
/// plain calls of the file system make of the same recipe, and it runs.
#[test]
fn what_is_baked_is_loaded_pulled_and_run_by_docker() {
    let kitchen = bakery();
    let Some(base) = debian_with_attributes(&kitchen) else { return };
    let Some(registry) = program(&["docker-registry", "registry"], "docker-registry") else { return };
    let Some(skopeo) = program(&["skopeo"], "skopeo") else { return };
    let Some(daemon) = Daemon::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    let within = |name: &str| folder.path().join(name);
    let expected = as_docker_tells(expected(&base, folder.path()));
    let load = |name: &str| {
        let archive = within(&format!("{name}-image.tar"));
        kitchen.run(&["build", "house", "--output", &format!("docker-archive:{}", archive.display())]).success();
        let said = run(daemon.docker().args(["load", "--quiet", "--input"]).arg(archive));
        said.trim().strip_prefix("Loaded image: ").unwrap_or_else(|| panic!("{said}")).to_owned()
    };
    let loaded = load("gzip");
    assert_same(&expected, &daemon.files(&loaded, &within("gzip")), "docker load");
    assert_eq!(run(daemon.docker().args(["run", "--rm", "--network=none", &loaded, "/bin/house"])), "baked\n");
    // What it calls an image is the digest of its configuration, and with containerd's store that of its manifest, which an
    // archive does not have.
    let identity = |image: &str| {
        let text = run(daemon.docker().args(["image", "inspect", image]));
        let told = &serde_json::from_str::<Value>(&text).unwrap()[0];
        ["RootFS", "Config", "Created", "Architecture", "Os"].map(|part| told[part].clone())
    };

    let server = super::registry::serve(&registry, folder.path());
    let before = identity(&loaded);
    assert!(before.iter().all(|part| !part.is_null()), "{before:?}");
    run(daemon.docker().args(["rmi", "--force", &loaded]));
    for (n, pushed) in pushed(&kitchen, server.1).iter().enumerate() {
        run(daemon.docker().args(["pull", "--quiet", pushed]));
        assert_eq!(identity(pushed), before, "the same image, by its configuration");
        assert_eq!(run(daemon.docker().args(["run", "--rm", "--network=none", pushed, "/bin/house"])), "baked\n");
        assert_same(&expected, &daemon.files(pushed, &within(&format!("pulled{n}"))), "docker pull");
        run(daemon.docker().args(["rmi", "--force", pushed]));
        let mut copy = Command::new(&skopeo);
        copy.args(["--insecure-policy", "copy", "--quiet", "--src-tls-verify=false", &format!("docker://{pushed}")]);
        run(copy.arg(format!("dir:{}", within(&format!("copied{n}")).display())));
    }

    // Docker reads zstd from version 23 on, so it is unpacked in the archive.
    kitchen.write("recipes/house.toml", format!("compression = \"zstd\"\n{}", kitchen.read("recipes/house.toml")));
    assert_same(&expected, &daemon.files(&load("zstd"), &within("zstd")), "docker load, from zstd");
}
