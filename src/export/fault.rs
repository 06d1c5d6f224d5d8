//! Why something cannot be exported, and what to do about it.

use crate::name::{Platform, RecipeName};
use crate::recipe::{Architecture, Region};
use crate::text::nearest;

/// Why something cannot be exported.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExportError {
    /// Nothing was published yet.
    #[error("nothing is recorded of the target {target}")]
    Empty {
        /// The target.
        target: String,
    },
    /// It was not published.
    #[error("the target {target} has no record of {recipe}")]
    Unknown {
        /// What was asked for.
        recipe: RecipeName,
        /// The target.
        target: String,
        /// What it has a record of.
        known: Vec<RecipeName>,
    },
    /// Its first push did not reach all regions.
    #[error("{recipe} has no record in the target {target}: its push did not reach {missing}")]
    Unfinished {
        /// What was asked for.
        recipe: RecipeName,
        /// The target.
        target: String,
        /// The regions that lack it.
        missing: String,
    },
    /// A record that names no place.
    #[error("the record of {recipe} does not say where the image is")]
    Nowhere {
        /// Whose record.
        recipe: RecipeName,
    },
    /// A folder is nothing to deploy from.
    #[error("{recipe} is in the folder {folder}, and {tool} cannot pull from there")]
    Folder {
        /// Whose image.
        recipe: RecipeName,
        /// The OCI layout.
        folder: String,
        /// Who would have to pull it.
        tool: &'static str,
    },
    /// It is somewhere else.
    #[error("{recipe} is not in {region}")]
    NotThere {
        /// Whose record.
        recipe: RecipeName,
        /// The region that was asked for.
        region: Region,
        /// Where it is.
        regions: Vec<Region>,
    },
    /// One region has to be chosen.
    #[error("the AMIs of {recipe} are in {}, and a stack is in one region", list(regions))]
    WhichRegion {
        /// Whose record.
        recipe: RecipeName,
        /// Where they are.
        regions: Vec<Region>,
    },
    /// Two names become one.
    #[error("{a} and {b} would both be called {name}")]
    Clash {
        /// The one recipe.
        a: RecipeName,
        /// The other.
        b: RecipeName,
        /// What both would be called.
        name: String,
    },
    /// A text that the format has no way to say.
    #[error("{name} would be `{value}`, which no line can say so that both a shell and Docker Compose read it alike")]
    Unsayable {
        /// The variable.
        name: String,
        /// What it should hold.
        value: String,
    },
    /// No container comes of an AMI.
    #[error("{recipe} is a host's image, and a task definition is of containers")]
    Host {
        /// Whose record.
        recipe: RecipeName,
    },
    /// No instance comes of an image.
    #[error("{recipe} is a container image, and a launch template is of a host's")]
    Container {
        /// Whose record.
        recipe: RecipeName,
    },
    /// One host has to be chosen.
    #[error("a launch template is for one host, and the target {target} has {}", known.len())]
    WhichHost {
        /// The target.
        target: String,
        /// Its hosts.
        known: Vec<RecipeName>,
    },
    /// One processor has to be chosen.
    #[error("the AMIs of {recipe} are for {}, and a launch template has one", list(known))]
    WhichProcessor {
        /// Whose record.
        recipe: RecipeName,
        /// What they are for.
        known: Vec<Architecture>,
    },
    /// The records do not say which images run together.
    #[error("a task definition is for one task, and the target {target} has {} images", known.len())]
    WhichTask {
        /// The target.
        target: String,
        /// Its images.
        known: Vec<RecipeName>,
    },
    /// Two containers of a task contradict each other.
    #[error("{a} and {b} cannot be in one task: {why}")]
    Apart {
        /// The one recipe.
        a: RecipeName,
        /// The other.
        b: RecipeName,
        /// What keeps them apart.
        why: String,
    },
    /// ECS would refuse it.
    #[error("{recipe}: {what}")]
    Refused {
        /// Whose record.
        recipe: RecipeName,
        /// What, and what ECS takes.
        what: String,
        /// What to do.
        help: String,
    },
    /// No container runs there.
    #[error("the task cannot run on {platform}: {recipe} is not for it")]
    Platform {
        /// Whose image.
        recipe: RecipeName,
        /// What was asked for.
        platform: Platform,
        /// What it is for.
        known: Vec<Platform>,
    },
}

impl ExportError {
    /// What to do about it.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        Some(match self {
            Self::Empty { target } => format!("run `elkbake push --target {target}` first, or name another --target"),
            Self::Unknown { recipe, known, target } => nearest(recipe.as_str(), known.iter().map(RecipeName::as_str))
                .map_or_else(
                    || format!("recorded are: {}; `elkbake push --target {target}` adds others", list(known)),
                    |near| format!("did you mean `{near}`?"),
                ),
            Self::Unfinished { recipe, target, .. } => {
                format!("run `elkbake push {recipe} --target {target}` again: it completes what is missing")
            }
            Self::Nowhere { recipe } => format!("push {recipe} again: the manifest was not written by elkbake"),
            Self::Folder { .. } => {
                "name a target in a registry with --target, or use --format json, env or github".to_owned()
            }
            Self::NotThere { regions, .. } => format!("it is in: {}", list(regions)),
            Self::WhichRegion { .. } => "say which with --region".to_owned(),
            Self::Clash { .. } => "export them one at a time, or rename one of the recipes".to_owned(),
            Self::Unsayable { .. } => "use --format json".to_owned(),
            Self::Host { .. } => "use --format terraform, cloudformation, env, github or json for it".to_owned(),
            Self::Container { .. } => "use --format ecs for it, or another".to_owned(),
            Self::WhichHost { known, .. } if known.is_empty() => {
                "`elkbake push` of a host's recipe makes one, in a target with `[target.NAME.ec2]`".to_owned()
            }
            Self::WhichHost { known, .. } => format!("name one of: {}", list(known)),
            Self::WhichProcessor { .. } => "say which with --architecture".to_owned(),
            Self::WhichTask { known, .. } => {
                format!(
                    "name the recipes whose containers run together, the main one first; there are: {}",
                    list(known)
                )
            }
            Self::Apart { .. } => "export a task definition for each".to_owned(),
            Self::Refused { help, .. } => help.clone(),
            Self::Platform { known, .. } => format!("it is for: {}", list(known)),
        })
    }

    /// Whether another command line would do, with the records as they are.
    #[must_use]
    pub fn is_usage(&self) -> bool {
        !matches!(
            self,
            Self::Empty { .. }
                | Self::Unknown { .. }
                | Self::Unfinished { .. }
                | Self::Nowhere { .. }
                | Self::Refused { .. }
        )
    }
}

pub(super) fn list<T: std::fmt::Display>(all: &[T]) -> String {
    all.iter().map(T::to_string).collect::<Vec<_>>().join(", ")
}
