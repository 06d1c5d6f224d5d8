//! What an image says of itself, and what a task definition has to say for it.

use std::collections::{BTreeMap, BTreeSet};

use super::grammar::{EnvName, Port, Signal, SysctlKey, UlimitName, User};
use crate::name::ImagePath;
use crate::text::{Plain, Positive, Reader, Text, table, word};

word! {
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

table! {
    /// What the image says of itself.
    pub struct Config {
        /// The program that is started, and its first arguments.
        pub entrypoint: Option<Vec<String>>,
        /// The arguments that a task may replace.
        pub cmd: Option<Vec<String>>,
        /// Environment variables, added to the base's or in place of them.
        pub env: BTreeMap<String, String> as BTreeMap<Text<EnvName>, String>,
        /// Environment variables of the base that are to go.
        pub env_remove: BTreeSet<String> as BTreeSet<Text<EnvName>>,
        /// The user, `NAME`, `UID` or `UID:GID`.
        pub user: Option<String> as Option<Text<User>>,
        /// The folder that the program starts in.
        pub workdir: Option<ImagePath>,
        /// Labels of the image.
        pub labels: BTreeMap<String, String>,
        /// Annotations of the OCI manifest, beside those that elkbake writes.
        pub annotations: BTreeMap<String, String>,
        /// Ports that the program listens on: `"9200/tcp"`.
        pub ports: BTreeSet<String> as BTreeSet<Text<Port>>,
        /// Paths that are volumes.
        pub volumes: BTreeSet<ImagePath>,
        /// The signal that stops the program: `"SIGTERM"`.
        pub stop_signal: Option<String> as Option<Text<Signal>>,
        /// Refused: ECS does not read a health check from an image. Say it under `[runtime]`.
        pub healthcheck: Option<serde_json::Value>,
    }

    /// What a task definition has to say for this image.
    pub struct Runtime {
        /// How ECS tells that the container is healthy.
        pub health_check: Option<HealthCheck>,
        /// Limits of the process, by name: `nofile`, `memlock`.
        pub ulimits: BTreeMap<String, Ulimit> as BTreeMap<Text<UlimitName>, Ulimit>,
        /// The hard limit of memory, in MiB.
        pub memory: Option<u32> as Option<Positive>,
        /// The memory reserved on the host, in MiB.
        pub memory_reservation: Option<u32> as Option<Positive>,
        /// CPU units; 1024 are one processor.
        pub cpu: Option<u32>,
        /// Seconds between the stop signal and the kill.
        pub stop_timeout: Option<u32>,
        /// Paths that the program writes to: with these, the root file system can be read-only.
        pub writable: BTreeSet<ImagePath>,
        /// How the task is connected: host, bridge or awsvpc.
        pub network_mode: Option<NetworkMode>,
        /// Names of environment variables that the task definition has to fill from secrets.
        pub secrets: BTreeSet<String> as BTreeSet<Text<EnvName>>,
        /// Kernel settings of the container's own network: `net.ipv4.tcp_retries2`.
        pub sysctls: BTreeMap<String, String> as BTreeMap<Text<SysctlKey>, String>,
    }

    /// A command by which ECS tells that a container is healthy.
    #[checked(check)]
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
    #[checked(check)]
    pub struct Ulimit {
        /// What the process starts with.
        pub soft: i64,
        /// What it may raise that to.
        pub hard: i64,
    }
}

impl HealthCheck {
    fn check(&self, reader: &mut Reader) {
        let is_known = matches!(self.command.first().map(String::as_str), Some("CMD" | "CMD-SHELL"));
        if !is_known || self.command.len() < 2 {
            let help = "as in `[\"CMD-SHELL\", \"curl -fs localhost:9200 || exit 1\"]`";
            reader.mistake("command", "this begins with \"CMD\" or \"CMD-SHELL\", then comes the command", help);
        }
    }
}

impl Ulimit {
    fn check(&self, reader: &mut Reader) {
        for (key, limit) in [("soft", self.soft), ("hard", self.hard)] {
            if limit < -1 {
                reader.mistake(key, "a limit is -1 for none, or a number from 0", "");
            }
        }
        let endless = |limit: i64| if limit == -1 { i64::MAX } else { limit };
        if endless(self.soft) > endless(self.hard) {
            reader.mistake(
                "soft",
                "the soft limit is above the hard one",
                "no process may start with more than `hard`",
            );
        }
    }
}

impl Plain<Self> for Ulimit {
    fn plain(self) -> Self {
        self
    }
}
