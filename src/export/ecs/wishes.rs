//! What no record says of a task.

use std::str::FromStr;

use crate::name::{ImagePath, Platform};

/// What a person says of a task.
#[derive(Clone, Debug, Default)]
pub struct TaskWishes {
    /// For Fargate instead of EC2.
    pub fargate: bool,
    /// The platform that it runs on.
    pub platform: Option<Platform>,
    /// The role that ECS itself takes on, to read secrets and to pull.
    pub execution_role: Option<String>,
    /// The role that the programs take on.
    pub task_role: Option<String>,
    /// Where secrets come from, with `{target}`, `{recipe}` and `{name}` in it.
    pub secrets: Option<String>,
    /// Folders of the host.
    pub mounts: Vec<Mount>,
    /// MiB of the whole task.
    pub memory: Option<u32>,
    /// CPU units of the whole task.
    pub cpu: Option<u32>,
}

/// Where secrets come from when nobody says: a parameter of SSM's, by its name.
pub(super) const SECRETS: &str = "/elkbake/{target}/{recipe}/{name}";

/// A folder of the host that a container sees: `/var/lib/es:/usr/share/elasticsearch/data`, as `docker run` spells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    pub(super) source: ImagePath,
    pub(super) path: ImagePath,
    pub(super) read_only: bool,
}

/// Why a text is no mount.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is HOST-PATH:PATH or HOST-PATH:PATH:ro, both paths from the root")]
pub struct MountError;

impl FromStr for Mount {
    type Err = MountError;

    fn from_str(text: &str) -> Result<Self, MountError> {
        let parts: Vec<_> = text.split(':').collect();
        let (source, path, read_only) = match parts[..] {
            [source, path] | [source, path, "rw"] => (source, path, false),
            [source, path, "ro"] => (source, path, true),
            _ => return Err(MountError),
        };
        let path_of = |text: &str| text.parse::<ImagePath>().map_err(|_| MountError);
        Ok(Self { source: path_of(source)?, path: path_of(path)?, read_only })
    }
}
