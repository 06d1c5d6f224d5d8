//! Which engine is turned to.

use std::path::PathBuf;
use std::time::Duration;

use super::address::Address;
use crate::bake::interrupt::Interrupt;
use crate::bake::port::PortError;
use crate::name::Platform;

/// All that is said of engines from outside.
#[derive(Clone, Debug, Default)]
pub struct EngineConfig {
    /// Those that are named, the first that is for a platform counts.
    pub named: Vec<Named>,
    /// Sockets that are tried where nobody names an engine for a platform, in this order.
    pub sockets: Vec<PathBuf>,
    /// The folder with `ca.pem`, `cert.pem` and `key.pem`; without it, nothing is spoken to by TLS.
    pub certificates: Option<PathBuf>,
    /// The folders in which `ssh` is looked for.
    pub search_path: Vec<PathBuf>,
    /// The id of the run.
    pub run: String,
    /// Only sockets of this machine are opened.
    pub offline: bool,
    /// Ends every wait.
    pub interrupt: Interrupt,
    /// How long to wait for what.
    pub timing: EngineTiming,
}

/// An engine that somebody named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// The platform that it is for; all where none is said.
    pub platform: Option<Platform>,
    /// Where it is, as it was written.
    pub address: String,
    /// Who says so, for people.
    pub by: String,
}

/// How long to wait for what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EngineTiming {
    /// For a connection.
    pub connect: Duration,
    /// For the answer to a question about what the engine knows.
    pub answer: Duration,
    /// For the next byte of what it sends or takes.
    pub idle: Duration,
    /// For work of its own: unpacking layers, comparing file systems.
    pub work: Duration,
}

impl Default for EngineTiming {
    fn default() -> Self {
        Self {
            // SSH asks for keys, looks up names and starts a program: seconds, on a machine far away.
            connect: Duration::from_secs(20),
            // A busy daemon answers after seconds; people give up after a minute.
            answer: Duration::from_mins(1),
            idle: Duration::from_mins(1),
            // 10 GB of layers, unpacked on a slow disk.
            work: Duration::from_mins(15),
        }
    }
}

/// The engine for a platform.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Chosen {
    pub(super) address: Address,
    /// Whether somebody said that it is for just this platform, whatever it runs on itself.
    pub(super) is_for_this: bool,
}

impl EngineConfig {
    /// The engine for a platform.
    pub(super) fn choose(&self, platform: &Platform) -> Result<Chosen, PortError> {
        let fits = |named: &&Named| named.platform.as_ref().is_none_or(|only| only == platform);
        if let Some(named) = self.named.iter().find(fits) {
            let address = named.address.parse::<Address>().map_err(|error| PortError::Docker {
                subject: named.by.clone(),
                message: error.to_string(),
                help: "`unix:///var/run/docker.sock` is where Docker usually is".to_owned(),
            })?;
            return Ok(Chosen { address, is_for_this: named.platform.is_some() });
        }
        match self.sockets.iter().find(|socket| socket.exists()) {
            Some(socket) => Ok(Chosen { address: Address::Unix(socket.clone()), is_for_this: false }),
            None => Err(self.none(platform)),
        }
    }

    fn none(&self, platform: &Platform) -> PortError {
        let tried: Vec<_> = self.sockets.iter().map(|socket| socket.display().to_string()).collect();
        let there = if tried.is_empty() { String::new() } else { format!(": there is no {}", tried.join(" and no ")) };
        PortError::Docker {
            subject: format!("a container engine for {platform}"),
            message: format!("none was found{there}"),
            help: "start one, with `systemctl start docker` or `podman system service --time=0 unix:///run/podman/podman.sock`; \
                   or name one by `--engine`, `[engine]` in elkbake.toml or DOCKER_HOST"
                .to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(platform: Option<&str>, address: &str) -> Named {
        let platform = platform.map(|platform| platform.parse().unwrap());
        Named { platform, address: address.to_owned(), by: "`--engine`".to_owned() }
    }

    fn chosen(config: &EngineConfig, platform: &str) -> Result<(String, bool), String> {
        match config.choose(&platform.parse().unwrap()) {
            Ok(chosen) => Ok((chosen.address.to_string(), chosen.is_for_this)),
            Err(PortError::Docker { subject, message, help }) => Err(format!("{subject}: {message}; {help}")),
            Err(other) => panic!("{other}"),
        }
    }

    #[test]
    fn the_first_that_is_for_a_platform_counts() {
        let config = EngineConfig {
            named: vec![
                named(Some("linux/arm64"), "ssh://arm"),
                named(None, "tcp://all:1"),
                named(None, "tcp://later"),
            ],
            ..EngineConfig::default()
        };
        assert_eq!(chosen(&config, "linux/arm64").unwrap(), ("ssh://arm".to_owned(), true));
        assert_eq!(chosen(&config, "linux/amd64").unwrap(), ("tcp://all:1".to_owned(), false));
    }

    #[test]
    fn where_nobody_names_one_the_first_socket_that_is_there_counts() {
        let folder = tempfile::tempdir().unwrap();
        let socket = |name: &str| folder.path().join(name);
        let sockets = vec![socket("docker.sock"), socket("podman.sock")];
        let named = vec![named(Some("linux/arm64"), "ssh://arm")];
        let config = EngineConfig { named, sockets, ..EngineConfig::default() };
        let error = chosen(&config, "linux/amd64").unwrap_err();
        for part in ["for linux/amd64: none was found", "docker.sock and no ", "systemctl start docker", "DOCKER_HOST"]
        {
            assert!(error.contains(part), "{error}");
        }
        std::fs::write(socket("podman.sock"), "").unwrap();
        assert!(chosen(&config, "linux/amd64").unwrap().0.ends_with("podman.sock"));
        std::fs::write(socket("docker.sock"), "").unwrap();
        assert!(chosen(&config, "linux/amd64").unwrap().0.ends_with("docker.sock"));
    }

    #[test]
    fn a_wrong_address_is_told_with_who_said_it() {
        let config = EngineConfig { named: vec![named(None, "docker")], ..EngineConfig::default() };
        assert!(chosen(&config, "linux/amd64").unwrap_err().starts_with("`--engine`: `docker` is no engine: "));
    }
}
