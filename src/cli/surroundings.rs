//! Everything that a run takes from its process: read here once, then passed on as values.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::failure::Failure;
use super::global::Global;
use crate::name::Platform;
use crate::plan::Stamps;
use crate::project::Project;

/// What a run finds around it.
pub(super) struct Surroundings {
    variables: BTreeMap<String, String>,
    /// The store that `ELKBAKE_STORE` names, which may be no text. An empty variable says nothing, as a script that
    /// clears it means it.
    pub(super) store: Option<PathBuf>,
    /// The working folder, absolute.
    pub(super) folder: PathBuf,
    /// The time at which the run began.
    pub(super) now: SystemTime,
    /// How many columns a person sees, where that is known.
    terminal: Option<usize>,
    /// Whether a person reads standard output as it comes.
    pub(super) stdout_is_terminal: bool,
    /// Whether a person reads standard error as it comes.
    pub(super) stderr_is_terminal: bool,
    /// Whether a person writes standard input.
    stdin_is_terminal: bool,
}

impl Surroundings {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads environment, folder and clock")]
    pub(super) fn of_process() -> Self {
        let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        Self {
            variables: std::env::vars_os().filter_map(text).collect(),
            store: std::env::var_os("ELKBAKE_STORE").filter(|path| !path.is_empty()).map(PathBuf::from),
            folder: std::env::current_dir().unwrap_or_else(|_| PathBuf::from(".")),
            now: SystemTime::now(),
            terminal: rustix::termios::tcgetwinsize(std::io::stderr())
                .ok()
                .map(|size| usize::from(size.ws_col))
                .filter(|columns| *columns > 0),
            stdout_is_terminal: std::io::stdout().is_terminal(),
            stderr_is_terminal: std::io::stderr().is_terminal(),
            stdin_is_terminal: std::io::stdin().is_terminal(),
        }
    }

    /// Whether there is somebody who reads a question and can answer it.
    pub(super) fn can_be_asked(&self) -> bool {
        self.stdin_is_terminal && self.stderr_is_terminal
    }

    /// A variable that is set and not empty.
    pub(super) fn variable(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// How many columns what is told may take: `COLUMNS` says it where there is no terminal, or another one is meant.
    pub(super) fn columns(&self) -> usize {
        let said = self.variable("COLUMNS").and_then(|columns| columns.parse().ok());
        said.or(self.terminal).unwrap_or(100)
    }

    /// The first of some variables that is set; curl's programs know proxies in lower and upper case.
    pub(super) fn first_of(&self, names: &[&str]) -> Option<String> {
        names.iter().find_map(|name| self.variable(name)).map(str::to_owned)
    }

    /// What images say of when and from what they were made.
    pub(super) fn stamps(&self, global: &Global, project: &Project) -> Result<Stamps, Failure> {
        let epoch = self.variable("SOURCE_DATE_EPOCH").map(str::parse).transpose().map_err(|_| {
            Failure::usage("SOURCE_DATE_EPOCH is no number of seconds since 1970")
                .hint("`git log -1 --format=%ct` prints one; without the variable the newest input's time counts")
        })?;
        let source = project.defaults.source.as_ref().map(ToString::to_string);
        Ok(Stamps { epoch, revision: global.revision.clone(), source })
    }

    /// The platform of the machine, as images call it.
    #[expect(clippy::unused_self, reason = "it is what a run finds around it, and a test may want another")]
    pub(super) fn platform(&self) -> Platform {
        let architecture = match std::env::consts::ARCH {
            "x86_64" => "amd64",
            "aarch64" => "arm64",
            other => other,
        };
        Platform { architecture: architecture.to_owned(), variant: None }
    }

    /// The folders in which programs are looked for.
    pub(super) fn search_path(&self) -> Vec<PathBuf> {
        self.variable("PATH").map(|path| path.split(':').map(PathBuf::from).collect()).unwrap_or_default()
    }

    /// The user's folder.
    pub(super) fn home(&self) -> Option<&Path> {
        self.variable("HOME").map(Path::new)
    }

    /// Where the store is when nobody says otherwise: the XDG cache folder.
    pub(super) fn default_store(&self) -> Result<PathBuf, Failure> {
        // The XDG specification: a relative path in the variable is to be ignored.
        let cache = self.variable("XDG_CACHE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
        let cache = cache.or_else(|| self.home().map(|home| home.join(".cache")));
        cache.map(|cache| cache.join("elkbake")).ok_or_else(|| {
            Failure::usage("there is no place for the store: neither XDG_CACHE_HOME nor HOME is set")
                .hint("name one with --store DIR or ELKBAKE_STORE")
        })
    }
}
