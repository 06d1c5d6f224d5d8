//! Which container engines a run may turn to, and how it signs what it makes there.

use std::path::PathBuf;
use std::time::UNIX_EPOCH;

use super::failure::Failure;
use super::global::Global;
use super::surroundings::Surroundings;
use super::workspace::Workspace;
use crate::bake::interrupt::Interrupt;
use crate::digest::Digest;
use crate::name::Platform;
use crate::remote::docker::{EngineConfig, EngineTiming, Named};

/// Where Docker is, and where Podman is, when nobody says otherwise.
const DOCKER: &str = "/var/run/docker.sock";
const PODMAN: &str = "/run/podman/podman.sock";

/// All that is said of engines: on the command line first, then by the project, then by Docker's own variable.
pub(super) fn config(
    workspace: &Workspace,
    surroundings: &Surroundings,
    global: &Global,
    offline: bool,
    interrupt: &Interrupt,
) -> Result<EngineConfig, Failure> {
    let variable = |name: &str| surroundings.variable(name);
    let mut named = typed(&global.engine)?;
    let said = &workspace.project.engine;
    let by = |key: &str| format!("{key} in elkbake.toml");
    named.extend(said.platform.iter().map(|(platform, address)| Named {
        platform: Some(platform.clone()),
        address: address.clone(),
        by: by("[engine.platform]"),
    }));
    let of_all = [(said.address.as_deref(), by("[engine]")), (variable("DOCKER_HOST"), "DOCKER_HOST".to_owned())];
    named.extend(
        of_all.into_iter().filter_map(|(address, by)| Some(Named { platform: None, address: address?.to_owned(), by })),
    );
    let of_user = |name: &str| variable("XDG_RUNTIME_DIR").map(|folder| PathBuf::from(folder).join(name));
    let sockets = [Some(DOCKER.into()), of_user("docker.sock"), of_user("podman/podman.sock"), Some(PODMAN.into())];
    let certificates = variable("DOCKER_CERT_PATH").map(PathBuf::from);
    let certificates = certificates.or_else(|| surroundings.home().map(|home| home.join(".docker")));
    Ok(EngineConfig {
        named,
        sockets: sockets.into_iter().flatten().collect(),
        certificates: certificates.filter(|_| variable("DOCKER_TLS_VERIFY").is_some()),
        search_path: surroundings.search_path(),
        run: Run::of_process(surroundings).to_string(),
        offline,
        interrupt: interrupt.clone(),
        timing: EngineTiming::default(),
    })
}

/// What was typed: `ENGINE`, or `PLATFORM=ENGINE`. Those for one platform come first.
fn typed(engines: &[String]) -> Result<Vec<Named>, Failure> {
    let mut named = Vec::new();
    for text in engines {
        let (platform, address) = match text.split_once('=').filter(|(platform, _)| platform.starts_with("linux/")) {
            Some((platform, address)) => (Some(platform.parse::<Platform>().map_err(Failure::usage)?), address),
            None => (None, text.as_str()),
        };
        named.push(Named { platform, address: address.to_owned(), by: "`--engine`".to_owned() });
    }
    named.sort_by_key(|named| named.platform.is_none());
    Ok(named)
}

/// A run of elkbake, as all that it makes in an engine names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Run {
    /// The machine, by the beginning of its name's digest.
    machine: String,
    process: u32,
    /// When it began, in seconds since 1970: processes share numbers over time.
    begun: u64,
}

impl Run {
    pub(super) fn of_process(surroundings: &Surroundings) -> Self {
        let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        Self {
            machine: Digest::of(name.trim().as_bytes()).hex()[..8].to_owned(),
            process: std::process::id(),
            begun: surroundings.now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()),
        }
    }

    /// Reads the label of something in an engine. `None` where another elkbake wrote it.
    pub(super) fn parse(label: &str) -> Option<Self> {
        let mut parts = label.split('-');
        let run = Self {
            machine: parts.next()?.to_owned(),
            process: parts.next()?.parse().ok()?,
            begun: parts.next()?.parse().ok()?,
        };
        Some(run)
    }

    /// Whether it is over for certain, seen from another run: it ran on the same machine and its process is gone.
    pub(super) fn is_over(&self, seen_from: &Self) -> bool {
        let lives = || rustix::process::Pid::from_raw(self.process.cast_signed());
        self.machine == seen_from.machine
            && (self.process == seen_from.process && self.begun != seen_from.begun
                || lives().is_none_or(|pid| rustix::process::test_kill_process(pid) == Err(rustix::io::Errno::SRCH)))
    }
}

impl std::fmt::Display for Run {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}-{}", self.machine, self.process, self.begun)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_for_one_platform_come_first() {
        let named = typed(&["tcp://a:1".to_owned(), "linux/arm64=ssh://b".to_owned()]).unwrap();
        assert_eq!(
            (named[0].platform.as_ref().unwrap().to_string().as_str(), &*named[0].address),
            ("linux/arm64", "ssh://b")
        );
        assert_eq!((&named[1].platform, &*named[1].address), (&None, "tcp://a:1"));
        assert!(typed(&["linux/=x".to_owned()]).is_err());
        // A name with an equals sign in it is a name.
        assert_eq!(typed(&["unix:///a=b".to_owned()]).unwrap()[0].address, "unix:///a=b");
    }

    #[test]
    fn a_run_is_over_when_its_process_is_gone_and_only_then() {
        let us = Run { machine: "00112233".to_owned(), process: std::process::id(), begun: 7 };
        assert_eq!(Run::parse(&format!("{us}-3")), Some(us.clone()));
        assert!(!us.is_over(&us));
        assert!(!Run { process: 1, ..us.clone() }.is_over(&us), "the first process of a machine lives");
        assert!(Run { process: i32::MAX.cast_unsigned(), ..us.clone() }.is_over(&us));
        assert!(Run { begun: 6, ..us.clone() }.is_over(&us), "another had our number before");
        let elsewhere = Run { machine: "44556677".to_owned(), process: i32::MAX.cast_unsigned(), begun: 7 };
        assert!(!elsewhere.is_over(&us), "nobody knows");
        assert_eq!((Run::parse("x"), Run::parse("a-b-c")), (None, None));
    }
}
