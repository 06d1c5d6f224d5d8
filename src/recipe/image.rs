//! What can be said of a container image.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use super::ingredient::{Archive, FileRule, Jar, Plugin, Run};
use super::setting::{Config, Runtime};
use super::test::Test;
use super::value::{Glob, LayoutTag, ProjectPath, Version};
use crate::name::{ImagePath, NameError, Platform, RecipeName, Reference, Repository, text_serde};
use crate::text::{Reader, read_as_text, table, word};

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
}

/// What an image is built on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum From {
    /// Nothing.
    Scratch,
    /// An image in a registry.
    Registry(Reference),
    /// An OCI layout folder, and which of its images, where it holds several.
    Oci(ProjectPath, Option<LayoutTag>),
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
            // As other tools read it: a folder with a colon in its name cannot be said.
            Some(("oci", place)) => match place.split_once(':') {
                Some((path, tag)) => Self::Oci(path.parse()?, Some(tag.parse()?)),
                None => Self::Oci(place.parse()?, None),
            },
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
            Self::Oci(path, None) => write!(f, "oci:{path}"),
            Self::Oci(path, Some(tag)) => write!(f, "oci:{path}:{tag}"),
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
    #[checked(check)]
    pub struct ImageRecipe {
        /// `"image"`.
        pub kind: String,
        /// Whose rules the image has to keep: elasticsearch, kibana, logstash, filebeat, fluent-bit or generic.
        pub product: Product,
        /// The version of the product, or of the image where the product is generic. The tag begins with it.
        pub version: Version,
        /// One line for people: what the image is for.
        pub description: Option<String>,
        /// The base: a registry reference, `oci:PATH` or `oci:PATH:TAG`, `docker-archive:PATH`, `rootfs:PATH`, `recipe:NAME` or `scratch`.
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
        /// Classes to take out of jars of the image so far, each step its own layer.
        pub jar: Vec<Jar>,
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
}

impl ImageRecipe {
    fn check(&self, reader: &mut Reader) {
        if self.platforms.is_empty() {
            reader.mistake("platforms", "there is no platform to bake for", "name one, as in `[\"linux/amd64\"]`");
        }
        for (i, plugin) in self.plugin.iter().enumerate() {
            self.check_platforms(&format!("plugin.{i}.platforms"), &plugin.platforms, reader);
            if self.product == Product::Generic && !plugin.has_source() {
                let message = format!("nobody knows where the plugin `{}` of a generic image comes from", plugin.name);
                reader.mistake(&format!("plugin.{i}.name"), message, "say `url`, `path` or `maven`");
            }
        }
        for (i, archive) in self.archive.iter().enumerate() {
            self.check_platforms(&format!("archive.{i}.platforms"), &archive.platforms, reader);
        }
        for (i, name) in self.run.iter().enumerate().flat_map(|(i, run)| run.mount.iter().map(move |name| (i, name))) {
            if !self.archive.iter().any(|archive| archive.name == *name) {
                let message = format!("there is no archive `{name}` to mount");
                reader.mistake(&format!("run.{i}.mount"), message, "add it as an `[[archive]]`, or correct its name");
            }
        }
        check_names("plugin", self.plugin.iter().map(|plugin| (&plugin.name, &plugin.platforms)), reader);
        check_names("archive", self.archive.iter().map(|archive| (&archive.name, &archive.platforms)), reader);
    }

    /// Whether an archive is only there for a command to see, and not put into the image.
    #[must_use]
    pub fn is_only_mounted(&self, archive: &Archive) -> bool {
        self.run.iter().any(|run| run.mount.contains(&archive.name))
    }

    fn check_platforms(&self, key: &str, platforms: &BTreeSet<Platform>, reader: &mut Reader) {
        for platform in platforms.difference(&self.platforms) {
            let message = format!("this recipe is not baked for `{platform}`");
            reader.mistake(key, message, "add it to the recipe's `platforms`, or remove it here");
        }
    }
}

/// A name may stand twice where no platform gets both: a program is another file on another processor.
fn check_names<'r>(list: &str, parts: impl Iterator<Item = (&'r String, &'r BTreeSet<Platform>)>, reader: &mut Reader) {
    let mut seen: BTreeMap<&str, Vec<&BTreeSet<Platform>>> = BTreeMap::new();
    for (i, (name, platforms)) in parts.enumerate() {
        let others = seen.entry(name).or_default();
        if others.iter().any(|other| other.is_empty() || platforms.is_empty() || !other.is_disjoint(platforms)) {
            let message = format!("there is another {list} with the name `{name}`");
            let help = "give each its own `name`, or `platforms` that do not overlap";
            reader.mistake(&format!("{list}.{i}.name"), message, help);
        }
        others.push(platforms);
    }
}
