//! What an image needs of the task definition that runs it.

use std::collections::{BTreeMap, BTreeSet};

use crate::name::ImagePath;
use crate::recipe::{ImageRecipe, NetworkMode};
use crate::text::table;

table! {
    /// What a task definition has to say for an image.
    #[derive(Serialize, Deserialize)]
    #[serde(deny_unknown_fields, default)]
    pub struct Needs {
        /// How ECS tells that the container is healthy.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub health_check: Option<HealthCheck>,
        /// Limits of the process, by name.
        pub ulimits: BTreeMap<String, Ulimit>,
        /// The hard limit of memory, in MiB.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub memory: Option<u32>,
        /// The memory reserved on the host, in MiB.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub memory_reservation: Option<u32>,
        /// CPU units; 1024 are one processor.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub cpu: Option<u32>,
        /// Seconds between the stop signal and the kill.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub stop_timeout: Option<u32>,
        /// Paths that the program writes to.
        pub writable: BTreeSet<ImagePath>,
        /// Ports that the program listens on: `9200/tcp`.
        pub ports: BTreeSet<String>,
        /// How the task is connected: host, bridge or awsvpc.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub network_mode: Option<NetworkMode>,
        /// Names of environment variables that have to be filled from secrets.
        pub secrets: BTreeSet<String>,
        /// Kernel settings of the container's own network.
        pub sysctls: BTreeMap<String, String>,
    }

    /// A command by which ECS tells that a container is healthy.
    #[derive(Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    pub struct HealthCheck {
        /// The command, as a task definition spells it.
        pub command: Vec<String>,
        /// Seconds between two checks.
        pub interval: u16,
        /// Seconds until a check has failed.
        pub timeout: u16,
        /// Failures in a row that make the container unhealthy.
        pub retries: u16,
        /// Seconds after the start in which failures do not count.
        pub start_period: u16,
    }

    /// A limit of a process; -1 is none.
    #[derive(Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    pub struct Ulimit {
        /// What the process starts with.
        pub soft: i64,
        /// What it may raise that to.
        pub hard: i64,
    }
}

#[expect(clippy::derivable_impls, reason = "`table!` derives what serde has only")]
impl Default for Needs {
    fn default() -> Self {
        Self {
            health_check: None,
            ulimits: BTreeMap::new(),
            memory: None,
            memory_reservation: None,
            cpu: None,
            stop_timeout: None,
            writable: BTreeSet::new(),
            ports: BTreeSet::new(),
            network_mode: None,
            secrets: BTreeSet::new(),
            sysctls: BTreeMap::new(),
        }
    }
}

impl Needs {
    /// What a recipe says of running its image.
    #[must_use]
    pub fn of(recipe: &ImageRecipe) -> Self {
        let ports = recipe.config.as_ref().map(|config| config.ports.clone()).unwrap_or_default();
        let Some(runtime) = &recipe.runtime else {
            return Self { ports, ..Self::default() };
        };
        let health_check = runtime.health_check.as_ref().map(|check| HealthCheck {
            command: check.command.clone(),
            interval: check.interval,
            timeout: check.timeout,
            retries: check.retries,
            start_period: check.start_period,
        });
        let limit = |limit: &crate::recipe::Ulimit| Ulimit { soft: limit.soft, hard: limit.hard };
        Self {
            health_check,
            ulimits: runtime.ulimits.iter().map(|(name, values)| (name.clone(), limit(values))).collect(),
            memory: runtime.memory,
            memory_reservation: runtime.memory_reservation,
            cpu: runtime.cpu,
            stop_timeout: runtime.stop_timeout,
            writable: runtime.writable.clone(),
            ports,
            network_mode: runtime.network_mode,
            secrets: runtime.secrets.clone(),
            sysctls: runtime.sysctls.clone(),
        }
    }
}
