//! What can be said of a container image.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use super::value::{Checksum, Glob, ProjectPath, Url, Version};
use crate::name::{ImagePath, NameError, Platform, RecipeName, Reference, Repository, text_serde};
use crate::text::{read_as_text, table, word};
use crate::tree::{Mode, Owner};

word! {
    /// Whose rules an image has to keep.
    pub enum Product {
        /// Elasticsearch.
        Elasticsearch = "elasticsearch",
        /// Kibana.
        Kibana = "kibana",
        /// Logstash.
        Logstash = "logstash",
        /// Filebeat.
        Filebeat = "filebeat",
        /// Fluent Bit.
        FluentBit = "fluent-bit",
        /// None of these.
        Generic = "generic",
    }

    /// How layers are compressed.
    pub enum Compression {
        /// What every engine reads.
        Gzip = "gzip",
        /// Smaller and faster, for Docker 23 and newer.
        Zstd = "zstd",
    }

    /// How ECS connects the container to a network.
    pub enum NetworkMode {
        /// The host's own network.
        Host = "host",
        /// Docker's bridge, with ports of the host.
        Bridge = "bridge",
        /// A network interface of the task's own.
        Awsvpc = "awsvpc",
    }
}

/// What an image is built on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum From {
    /// Nothing.
    Scratch,
    /// An image in a registry.
    Registry(Reference),
    /// An OCI layout folder.
    Oci(ProjectPath),
    /// What `docker save` wrote.
    DockerArchive(ProjectPath),
    /// A root file system as a tarball.
    Rootfs(ProjectPath),
    /// What another recipe of the project makes.
    Recipe(RecipeName),
}

/// Why a text is no [`From`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FromError {
    /// A bad name.
    #[error(transparent)]
    Name(#[from] NameError),
    /// A bad path.
    #[error(transparent)]
    Path(#[from] super::value::ValueError),
}

impl FromStr for From {
    type Err = FromError;

    fn from_str(text: &str) -> Result<Self, FromError> {
        Ok(match text.split_once(':') {
            _ if text == "scratch" => Self::Scratch,
            Some(("oci", path)) => Self::Oci(path.parse()?),
            Some(("docker-archive", path)) => Self::DockerArchive(path.parse()?),
            Some(("rootfs", path)) => Self::Rootfs(path.parse()?),
            Some(("recipe", name)) => Self::Recipe(name.parse()?),
            _ => Self::Registry(text.parse()?),
        })
    }
}

impl fmt::Display for From {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scratch => f.write_str("scratch"),
            Self::Registry(reference) => write!(f, "{reference}"),
            Self::Oci(path) => write!(f, "oci:{path}"),
            Self::DockerArchive(path) => write!(f, "docker-archive:{path}"),
            Self::Rootfs(path) => write!(f, "rootfs:{path}"),
            Self::Recipe(name) => write!(f, "recipe:{name}"),
        }
    }
}

text_serde!(From);
read_as_text!(From);

table! {
    /// A recipe for a container image.
    pub struct ImageRecipe {
        /// `"image"`.
        pub kind: String,
        /// Whose rules the image has to keep: elasticsearch, kibana, logstash, filebeat, fluent-bit or generic.
        pub product: Product,
        /// The version of the product, or of the image where the product is generic. The tag begins with it.
        pub version: Version,
        /// One line for people: what the image is for.
        pub description: Option<String>,
        /// The base: a registry reference, `oci:PATH`, `docker-archive:PATH`, `rootfs:PATH`, `recipe:NAME` or `scratch`.
        pub from: From,
        /// The platforms to bake for.
        pub platforms: BTreeSet<Platform> = BTreeSet::from([Platform { architecture: "amd64".to_owned(), variant: None }]),
        /// The repository in each target; the recipe's name where none is given.
        pub repository: Option<Repository>,
        /// How layers are compressed: gzip, or zstd for engines from Docker 23 on.
        pub compression: Compression = Compression::Gzip,
        /// Plugins of the product, each its own layer.
        pub plugin: Vec<Plugin>,
        /// Anything else that is downloaded or unpacked, each its own layer.
        pub archive: Vec<Archive>,
        /// Commands run inside the image so far: the only thing that needs a container engine.
        pub run: Vec<Run>,
        /// Paths of the base that are not to be seen any more.
        pub remove: BTreeSet<ImagePath>,
        /// Owner and mode of files under `images/NAME/`, by pattern; where several match, the longest pattern counts.
        pub files: BTreeMap<Glob, FileRule>,
        /// What the image says of itself.
        pub config: Option<Config>,
        /// What ECS does not take from an image: it goes into the manifest, for the task definition.
        pub runtime: Option<Runtime>,
        /// How to tell that the image works.
        pub test: Option<Test>,
    }

    /// A plugin of the product.
    pub struct Plugin {
        /// Its name, as the product lists it.
        pub name: String,
        /// Its version; the product's where none is given.
        pub version: Option<Version>,
        /// Where to download it; an official plugin needs none.
        pub url: Option<Url>,
        /// Its file in the project, instead of a download.
        pub path: Option<ProjectPath>,
        /// Its Maven coordinates, `GROUP:ARTIFACT:VERSION`, in the repository named in `elkbake.toml`.
        pub maven: Option<String>,
        /// The checksum that its publisher states.
        pub checksum: Option<Checksum>,
        /// The platforms it is for; all of the recipe's where none is given.
        pub platforms: BTreeSet<Platform>,
    }

    /// Something to unpack into the image, or a single file to put there.
    pub struct Archive {
        /// What the lock, the plan and the manifest call it.
        pub name: String,
        /// Where to download it.
        pub url: Option<Url>,
        /// Its file in the project, instead of a download.
        pub path: Option<ProjectPath>,
        /// Its Maven coordinates, `GROUP:ARTIFACT:VERSION`, in the repository named in `elkbake.toml`.
        pub maven: Option<String>,
        /// The checksum that its publisher states.
        pub checksum: Option<Checksum>,
        /// The folder to unpack into, or with `unpack = false` the path of the file.
        pub into: ImagePath,
        /// Whether to unpack it.
        pub unpack: bool = true,
        /// How many leading path components to drop.
        pub strip: u16 = 0,
        /// The owner of all that comes out of it.
        pub owner: Owner = Owner { uid: 0, gid: 0 },
        /// The mode of the file, with `unpack = false`.
        pub mode: Option<Mode>,
        /// Patterns of what to take; everything where none is given.
        pub only: BTreeSet<Glob>,
        /// Patterns of what to leave out.
        pub except: BTreeSet<Glob>,
        /// The platforms it is for; all of the recipe's where none is given.
        pub platforms: BTreeSet<Platform>,
    }

    /// A command to run inside the image so far.
    pub struct Run {
        /// What the plan calls it.
        pub name: String,
        /// The program and its arguments; no shell is put between.
        pub command: Vec<String>,
        /// Its environment, beside the image's.
        pub env: BTreeMap<String, String>,
        /// Its network: `none`, or `host` where it cannot do without.
        pub network: String = "none".to_owned(),
        /// The user it runs as; the image's where none is given.
        pub user: Option<String>,
        /// The folder it starts in; the image's where none is given.
        pub workdir: Option<ImagePath>,
    }

    /// Owner and mode of files.
    pub struct FileRule {
        /// Their owner, `"UID:GID"`.
        pub owner: Option<Owner>,
        /// Their mode, `"0644"`; folders keep theirs.
        pub mode: Option<Mode>,
    }

    /// What the image says of itself.
    pub struct Config {
        /// The program that is started, and its first arguments.
        pub entrypoint: Option<Vec<String>>,
        /// The arguments that a task may replace.
        pub cmd: Option<Vec<String>>,
        /// Environment variables, added to the base's or in place of them.
        pub env: BTreeMap<String, String>,
        /// Environment variables of the base that are to go.
        pub env_remove: BTreeSet<String>,
        /// The user, `NAME`, `UID` or `UID:GID`.
        pub user: Option<String>,
        /// The folder that the program starts in.
        pub workdir: Option<ImagePath>,
        /// Labels of the image.
        pub labels: BTreeMap<String, String>,
        /// Annotations of the OCI manifest, beside those that elkbake writes.
        pub annotations: BTreeMap<String, String>,
        /// Ports that the program listens on: `"9200/tcp"`.
        pub ports: BTreeSet<String>,
        /// Paths that are volumes.
        pub volumes: BTreeSet<ImagePath>,
        /// The signal that stops the program: `"SIGTERM"`.
        pub stop_signal: Option<String>,
        /// Refused: ECS does not read a health check from an image. Say it under `[runtime]`.
        pub healthcheck: Option<serde_json::Value>,
    }

    /// What a task definition has to say for this image.
    pub struct Runtime {
        /// How ECS tells that the container is healthy.
        pub health_check: Option<HealthCheck>,
        /// Limits of the process, by name: `nofile`, `memlock`.
        pub ulimits: BTreeMap<String, Ulimit>,
        /// The hard limit of memory, in MiB.
        pub memory: Option<u32>,
        /// The memory reserved on the host, in MiB.
        pub memory_reservation: Option<u32>,
        /// CPU units; 1024 are one processor.
        pub cpu: Option<u32>,
        /// Seconds between the stop signal and the kill.
        pub stop_timeout: Option<u32>,
        /// Paths that the program writes to: with these, the root file system can be read-only.
        pub writable: BTreeSet<ImagePath>,
        /// How the task is connected: host, bridge or awsvpc.
        pub network_mode: Option<NetworkMode>,
        /// Names of environment variables that the task definition has to fill from secrets.
        pub secrets: BTreeSet<String>,
        /// Kernel settings of the container's own network: `net.ipv4.tcp_retries2`.
        pub sysctls: BTreeMap<String, String>,
    }

    /// A command by which ECS tells that a container is healthy.
    pub struct HealthCheck {
        /// The command: `["CMD-SHELL", "…"]` or `["CMD", "…"]`.
        pub command: Vec<String>,
        /// Seconds between two checks.
        pub interval: u16 = 30,
        /// Seconds until a check has failed.
        pub timeout: u16 = 5,
        /// Failures in a row that make the container unhealthy.
        pub retries: u16 = 3,
        /// Seconds after the start in which failures do not count.
        pub start_period: u16 = 0,
    }

    /// A limit of a process; -1 is none.
    pub struct Ulimit {
        /// What the process starts with.
        pub soft: i64,
        /// What it may raise that to.
        pub hard: i64,
    }

    /// How to tell that the image works.
    pub struct Test {
        /// When the container counts as started.
        pub ready: Option<Ready>,
        /// Seconds until it has to be.
        pub timeout: u32 = 120,
        /// What has to hold then.
        pub expect: Vec<Expect>,
        /// Recipes whose images run beside it.
        pub with: BTreeSet<RecipeName>,
    }

    /// When a container counts as started; all that is given has to hold.
    pub struct Ready {
        /// An address that answers: `"http://localhost:9200/"`.
        pub http: Option<Url>,
        /// The status that it answers with.
        pub status: u16 = 200,
        /// A port that takes connections.
        pub tcp: Option<u16>,
        /// A text in the container's log.
        pub log: Option<String>,
    }

    /// Something that has to hold in a started container.
    pub struct Expect {
        /// A command in the container that has to succeed.
        pub command: Vec<String>,
        /// An address that has to answer with 200.
        pub http: Option<Url>,
        /// A text that the command prints or the answer holds.
        pub contains: Option<String>,
        /// A file that has to be there.
        pub file: Option<ImagePath>,
        /// The mode it has.
        pub mode: Option<Mode>,
        /// The owner it has.
        pub owner: Option<Owner>,
    }
}
