//! A project with one host, and what `elkbake build` makes of it.

use std::fs;
use std::path::Path;
use std::process::Command;

use elkbake::ami::verdict::{self, Nonce, Verdict};
use elkbake::digest::Digest;
use elkbake::recipe::Architecture;
use serde_json::Value;

use crate::machine::run;

/// One volume of each kind: known by its name, by being the instance's own, and by its size alone. ECS is a part of the
/// base there; here it is one of the recipe's files.
const RECIPE: &str = r#"kind = "ami"
version = "2026.11"
region = "eu-west-1"
base.id = "ami-0123456789abcdef0"

[sysctl]
"vm.max_map_count" = 1048576
"vm.swappiness" = 1

[docker.daemon]
log-driver = "json-file"
log-opts = { max-size = "50m", max-file = "3" }
default-ulimits = { memlock = { Name = "memlock", Soft = -1, Hard = -1 } }

[ecs]
ECS_CONTAINER_STOP_TIMEOUT = "120s"

[host]
huge_pages = "never"
journal = { SystemMaxUse = "100M" }
enable = ["ecs.service"]

[[user]]
name = "baker"
uid = 990

[[volume]]
name = "data"
kind = "gp3"
size = 1
device = "/dev/xvdf"
mount = "/var/lib/elasticsearch"

[[volume]]
name = "docker"
kind = "instance-store"
raid0 = true
mount = "/var/lib/docker"

[[volume]]
name = "scratch"
kind = "gp3"
size = 3
filesystem = "ext4"
mount = "/srv/scratch"

[[folder]]
path = "/var/lib/elasticsearch"
owner = "1000:0"
mode = "0770"

[[folder]]
path = "/srv/on-the-root-disk"
owner = "990:990"
mode = "0750"
"#;

const LOCK: &str = r#"format = 1

[[ami]]
architecture = "x86_64"
region = "eu-west-1"
want = "id:ami-0123456789abcdef0 in eu-west-1"
id = "ami-0123456789abcdef0"
name = "debian-12-amd64"
owner = "136693071363"
snapshot = "snap-0123456789abcdef0"
root_device = "/dev/xvda"
created = "2026-11-01T00:00:00.000Z"
"#;

/// An agent that starts as Amazon's does, and as that gives itself an identity where it has none.
const ECS: &str = "[Unit]\nRequires=docker.service\nAfter=docker.service\nAfter=cloud-final.service\nPartOf=docker.service\n\
    [Service]\nExecStartPre=/bin/mkdir -p /var/lib/ecs/data\n\
    ExecStart=/bin/sh -c 'cd /var/lib/ecs/data; [ -e id ] || cat /proc/sys/kernel/random/uuid > id; exec sleep infinity'\n\
    Restart=on-failure\nRestartSec=10s\n[Install]\nWantedBy=multi-user.target\n";

/// User data for the two ways in which a host is delivered, and how its lines on the console begin.
pub struct Documents {
    pub host: Vec<u8>,
    pub bake: Vec<u8>,
    nonce: Nonce,
}

impl Documents {
    pub fn build() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write("elkbake.toml", "");
        write("recipes/host.toml", RECIPE);
        write("recipes/host.lock", LOCK);
        write("ami/host/usr/lib/systemd/system/ecs.service", ECS);
        let mut build = Command::new(env!("CARGO_BIN_EXE_elkbake"));
        build.args(["build", "host", "--output", "user-data:host.mime", "--json", "--store", "store"]);
        let said: Value = serde_json::from_str(&run(build.current_dir(folder.path()))).unwrap();
        let build = &said["builds"][0];
        let digest = |value: &Value| value.as_str().unwrap().parse::<Digest>().unwrap();
        let documents = build["documents"].as_array().unwrap();
        let bake = documents.iter().find(|document| document["engine"] == "instance").unwrap();
        let hex = digest(&bake["digest"]).hex();
        let blob = Path::new("store/v1/blobs/sha256").join(&hex[..2]).join(&hex);
        let key = build["key"].as_str().unwrap();
        let key = key.parse().or_else(|_| Digest::from_hex(key)).unwrap();
        Self {
            host: fs::read(folder.path().join("host.mime")).unwrap(),
            bake: fs::read(folder.path().join(blob)).unwrap(),
            nonce: Nonce::of(&key, Architecture::X86),
        }
    }

    /// What the host has said of itself.
    pub fn verdict(&self, console: &[u8]) -> Option<Verdict> {
        verdict::read(&String::from_utf8_lossy(console), &self.nonce)
    }
}
