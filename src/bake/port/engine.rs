//! What is asked of a container engine: anything that speaks Docker's API.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::time::Duration;

use super::PortError;
use crate::digest::Digest;
use crate::name::{ImagePath, Platform};

/// The label of all that elkbake makes in an engine; its value is the id of the run, and a
/// number for each time that the run turned to an engine. Who sweeps finds things by it.
pub const RUN_LABEL: &str = "elkbake.run";

/// Container engines, one for each platform.
pub trait Engines: Sync {
    /// Turns to the engine for a platform, which answers and is new enough.
    ///
    /// # Errors
    /// When there is none, it does not answer, is too old, or is for another platform.
    fn engine(&self, platform: &Platform) -> Result<Box<dyn Engine + '_>, PortError>;
}

/// What is known of an engine that has answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineFacts {
    /// Where it is, as people write it.
    pub address: String,
    /// Its name and version, in its own words.
    pub version: String,
    /// What it runs on.
    pub platform: Platform,
    /// Whether an image may be handed to it without the layers that it has.
    pub takes_parts: bool,
    /// Whether a file that it sends belongs to whom it belongs in the container.
    pub tells_owners: bool,
    /// The id of this visit of the run, which is the value of [`RUN_LABEL`].
    pub run: String,
}

/// A container that is to be made.
#[derive(Clone, Copy, Debug)]
pub struct Container<'c> {
    /// Its image, by a name or an id of the engine.
    pub image: &'c str,
    /// The program and its arguments.
    pub command: &'c [String],
    /// Variables beside those of the image, each `NAME=VALUE`.
    pub env: &'c [String],
    /// The user; the image's where none is given.
    pub user: Option<&'c str>,
    /// The folder it starts in; the image's where none is given.
    pub workdir: Option<&'c ImagePath>,
    /// Its network, in the engine's words: `none`, `host`.
    pub network: &'c str,
    /// The most memory that it may take, in bytes.
    pub memory: Option<u64>,
    /// What is mounted into it.
    pub mounts: &'c [Mount<'c>],
    /// What more is said of how it lives, where it is started as ECS would.
    pub confines: Option<&'c Confines>,
}

/// What a task definition says of a container, in the engine's units.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Confines {
    /// The soft and the hard limits of its processes, by name.
    pub ulimits: BTreeMap<String, (i64, i64)>,
    /// The memory that is reserved for it, in bytes.
    pub reserved: Option<u64>,
    /// Its share of the processors, of which each has 1024.
    pub shares: Option<u32>,
    /// Whether its own files cannot be changed.
    pub read_only: bool,
    /// Folders in memory.
    pub fleeting: Vec<ImagePath>,
    /// Kernel settings of its own network.
    pub sysctls: BTreeMap<String, String>,
    /// Names of the container itself in its network.
    pub names: Vec<String>,
    /// Whether somebody speaks to it: its input stays open as long as that one listens.
    pub listens: bool,
}

/// A way to speak with the program of a container. An error is an [`std::io::Error`] around a [`PortError`].
pub struct Talk<'e> {
    /// Its standard input. When this is dropped, nothing more is heard.
    pub mouth: Box<dyn Write + Send + 'e>,
    /// Its standard output.
    pub ear: Box<dyn Read + Send + 'e>,
}

/// What a command in a container said, and its exit code.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// The exit code.
    pub code: i64,
    /// The beginning of its output.
    pub text: String,
}

/// A volume that a container sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mount<'c> {
    /// The volume.
    pub volume: &'c str,
    /// The folder it is seen at.
    pub at: &'c ImagePath,
    /// Whether the container may change it.
    pub writable: bool,
}

/// What is heard of a container while it runs, in this order.
#[derive(Clone, Copy, Debug)]
pub enum Pulse<'p> {
    /// It has been started.
    Started,
    /// It prints something.
    Prints(&'p [u8]),
    /// It prints no more. Mostly it has ended then, and how will soon be known.
    Silent,
}

/// How a container ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    /// The exit code of its program.
    pub code: i64,
    /// Whether the kernel ended it because it wanted more memory than it may take.
    pub out_of_memory: bool,
}

/// What became of a path in a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Became {
    /// It is another, or something in it is.
    Changed,
    /// It is new.
    Added,
    /// It is gone, or everything in it was before it was filled anew.
    Removed,
}

/// What kind of thing an engine keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Thing {
    /// A container. First of all: it uses the others.
    Container,
    /// An image.
    Image,
    /// A volume.
    Volume,
}

/// Something that a run made in an engine.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Kept {
    /// What it is.
    pub thing: Thing,
    /// How the engine calls it.
    pub id: String,
    /// The id of the run that made it.
    pub run: String,
}

/// A container engine. All that it makes bears [`RUN_LABEL`].
pub trait Engine: Sync {
    /// What is known of it.
    fn facts(&self) -> &EngineFacts;

    /// The images that it has: the tar streams in their layers, from the bottom up.
    ///
    /// # Errors
    /// When it does not say so.
    fn stacks(&self) -> Result<Vec<Vec<Digest>>, PortError>;

    /// Hands an image over, as `docker save` writes it.
    ///
    /// # Errors
    /// When the archive cannot be read or the engine does not take it.
    fn load(&self, archive: &mut dyn Read) -> Result<(), PortError>;

    /// The id of an image by its name; `None` where there is none of that name.
    ///
    /// # Errors
    /// When it does not say so.
    fn image(&self, name: &str) -> Result<Option<String>, PortError>;

    /// Makes a volume and tells its name.
    ///
    /// # Errors
    /// When it cannot be made.
    fn volume(&self) -> Result<String, PortError>;

    /// Makes a container, which is not started, and tells its id.
    ///
    /// # Errors
    /// When it cannot be made.
    fn container(&self, container: &Container<'_>) -> Result<String, PortError>;

    /// Unpacks a tar stream into a folder of a container.
    ///
    /// # Errors
    /// When the stream cannot be read or the engine does not take it.
    fn fill(&self, container: &str, folder: &ImagePath, tar: &mut dyn Read) -> Result<(), PortError>;

    /// Starts a container and waits for its end, at most so long; what it does is handed on as it comes. `None` when it has
    /// not ended by then: it still runs.
    ///
    /// # Errors
    /// When it cannot be started, or the engine stops answering.
    fn run(
        &self,
        container: &str,
        limit: Duration,
        heard: &mut dyn FnMut(Pulse<'_>),
    ) -> Result<Option<Ended>, PortError>;

    /// Starts a container to speak with its program.
    ///
    /// # Errors
    /// When it cannot be started.
    fn converse(&self, container: &str) -> Result<Talk<'_>, PortError>;

    /// Runs a command in a container that runs, at most so long. `None` when it has not ended by then.
    ///
    /// # Errors
    /// When it cannot be started, or the engine stops answering.
    fn exec(&self, container: &str, command: &[String], limit: Duration) -> Result<Option<Said>, PortError>;

    /// A path of a container as a tar stream, the path itself first; `None` where there is none.
    ///
    /// # Errors
    /// When the engine does not begin to send it.
    fn fetch<'e>(&'e self, container: &str, path: &ImagePath) -> Result<Option<Box<dyn Read + 'e>>, PortError>;

    /// Asks the program of a container to end as its image says, and kills it when it has not ended after so long.
    ///
    /// # Errors
    /// When the engine does not say that it has ended.
    fn stop(&self, container: &str, patience: Duration) -> Result<(), PortError>;

    /// What a container changed in the files of its image, in no order.
    ///
    /// # Errors
    /// When the engine does not say so.
    fn changes(&self, container: &str) -> Result<Vec<(String, Became)>, PortError>;

    /// The whole file system of a container, as a tar stream without what is mounted. An error while reading is an
    /// [`std::io::Error`] around a [`PortError`].
    ///
    /// # Errors
    /// When the engine does not begin to send it.
    fn export<'e>(&'e self, container: &str) -> Result<Box<dyn Read + 'e>, PortError>;

    /// All that runs of elkbake have made and not removed.
    ///
    /// # Errors
    /// When the engine does not say so.
    fn kept(&self) -> Result<Vec<Kept>, PortError>;

    /// Removes something, also while people wait for an end. What is gone is removed.
    ///
    /// # Errors
    /// When it is still there after that.
    fn remove(&self, thing: Thing, id: &str) -> Result<(), PortError>;
}
