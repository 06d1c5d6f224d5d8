//! Why there is no AMI.

use crate::bake::port::PortError;
use crate::recipe::{Architecture, Region};

/// So many lines of a console are shown: the end is where it went wrong.
const SHOWN: usize = 40;

/// Why there is no AMI, or why it is not what it has to be.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// The locked base is not there any more, or is another.
    #[error("base {id} in {region}: {message}; lock the recipe again")]
    Base {
        /// The image.
        id: String,
        /// Where.
        region: Region,
        /// What is wrong with it.
        message: String,
    },
    /// Something that is asked for cannot be had of EC2.
    #[error("{subject}: {message}")]
    Misfit {
        /// What.
        subject: String,
        /// Why, and what to do.
        message: String,
    },
    /// No user data was made for a processor.
    #[error("there is no user data for {0}: the image that was there a moment ago is gone; push again")]
    NoUserData(Architecture),
    /// The name of the image is another's.
    #[error(
        "the name {name} is taken in {region} by {id}, which was not made from this key: deregister it, or raise the recipe's version"
    )]
    NameTaken {
        /// The name.
        name: String,
        /// Where.
        region: Region,
        /// Who has it.
        id: String,
    },
    /// The host says that something went wrong.
    #[error("{instance} in {region} failed{}{}", lines("", .problems), shown(.console))]
    Failed {
        /// The instance.
        instance: String,
        /// Where.
        region: Region,
        /// What it says.
        problems: Vec<String>,
        /// The end of its console.
        console: Vec<String>,
    },
    /// The host has stopped and said nothing.
    #[error(
        "{instance} in {region} stopped without a verdict on its console: its user data did not run to its end; see \
         there, and that the base has cloud-init{}",
        shown(.console)
    )]
    NoVerdict {
        /// The instance.
        instance: String,
        /// Where.
        region: Region,
        /// The end of its console.
        console: Vec<String>,
    },
    /// The host did not come to an end.
    #[error(
        "{instance} in {region} is still {state} after {minutes} min: see its console, or raise `timeout`{}",
        shown(.console)
    )]
    Endless {
        /// The instance.
        instance: String,
        /// Where.
        region: Region,
        /// Its state.
        state: String,
        /// How long it was waited for.
        minutes: u32,
        /// The end of its console.
        console: Vec<String>,
    },
    /// Somebody, or EC2, ended the instance.
    #[error(
        "{instance} in {region} was ended from outside{}; push again to have another one started{}",
        because(.reason.as_ref()),
        shown(.console)
    )]
    Ended {
        /// The instance.
        instance: String,
        /// Where.
        region: Region,
        /// Why, where EC2 says so.
        reason: Option<String>,
        /// The end of its console.
        console: Vec<String>,
    },
    /// Every instance that the order names was ended before it had done anything.
    #[error("no instance could be started in {region}: {message}")]
    NotStarted {
        /// Where.
        region: Region,
        /// What happened.
        message: String,
    },
    /// EC2 could not make the image.
    #[error("{image} in {region} is {state}{}; mend that, and push again to have it made anew", because(.reason.as_ref()))]
    Image {
        /// The image.
        image: String,
        /// Where.
        region: Region,
        /// Its state.
        state: String,
        /// Why, where EC2 says so.
        reason: Option<String>,
    },
    /// The image that the others are copies of is not there.
    #[error("there is nothing to copy from {0}: push again when it has its image")]
    NoHome(Region),
    /// An image is there, and something about it, or something that is to point to it, could not be changed.
    #[error("{image} in {region} is there, and not all that it has to be: {source}; push again to go on")]
    Unfinished {
        /// The image.
        image: String,
        /// Where.
        region: Region,
        /// What went wrong.
        source: Box<HostError>,
    },
    /// An image was taken away, and what lies under it could not be.
    #[error(
        "{image} is removed, and not what lies under it, {}: {source}; `elkbake sweep` of the target removes that",
        snapshots.join(", ")
    )]
    Leftover {
        /// The image.
        image: String,
        /// Its snapshots that are left.
        snapshots: Vec<String>,
        /// What went wrong first.
        source: PortError,
    },
    /// AWS could not be reached, or refused.
    #[error(transparent)]
    Port(#[from] PortError),
}

impl HostError {
    /// Why an instance was ended, where EC2 says so.
    pub(super) fn reason(&self) -> Option<&str> {
        if let Self::Ended { reason, .. } = self { reason.as_deref() } else { None }
    }

    /// Whether EC2 has taken a spot instance away.
    pub(super) fn is_taken(&self) -> bool {
        self.reason().is_some_and(is_taken)
    }

    /// Whether the person wanted to stop.
    #[must_use]
    pub fn is_interrupt(&self) -> bool {
        match self {
            Self::Port(PortError::Interrupted) => true,
            Self::Unfinished { source, .. } => source.is_interrupt(),
            _ => false,
        }
    }
}

/// Whether this is why EC2 itself has taken a spot instance away.
pub(super) fn is_taken(reason: &str) -> bool {
    reason.starts_with("Server.Spot")
}

/// The end of a console, as errors show it.
pub(super) fn tail(console: &str) -> Vec<String> {
    let plain = |line: &str| line.chars().filter(|c| !c.is_control()).take(300).collect::<String>();
    let lines: Vec<_> = console.split(['\n', '\r']).map(plain).filter(|line| !line.trim().is_empty()).collect();
    let from = lines.len().saturating_sub(SHOWN);
    lines.into_iter().skip(from).collect()
}

fn because(reason: Option<&String>) -> String {
    reason.map_or_else(String::new, |reason| format!(": {reason}"))
}

fn shown(end: &[String]) -> String {
    if end.is_empty() {
        return "; there is nothing on its console".to_owned();
    }
    lines("\nthe end of its console:", end)
}

fn lines(head: &str, all: &[String]) -> String {
    if all.is_empty() {
        return String::new();
    }
    let all: String = all.iter().map(|line| format!("\n  {line}")).collect();
    format!("{}{all}", if head.is_empty() { ":" } else { head })
}
