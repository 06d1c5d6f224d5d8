//! How a run can end: the one place that knows exit codes and hints.

use std::fmt;
use std::io;
use std::path::Path;

use serde_json::json;

use crate::bake::build::{BuildError, BuildFault};
use crate::bake::host::HostError;
use crate::bake::ledger::LedgerError;
use crate::bake::output::OutputError;
use crate::bake::port::{BY_MIRROR, PortError};
use crate::bake::push::PushError;
use crate::bake::resolve::{Fault, ResolveError};
use crate::bake::smoke::SmokeError;
use crate::export::ExportError;
use crate::image::settle::SettleError;
use crate::name::RecipeName;
use crate::product::InstallError;
use crate::store::StoreError;
use crate::text::{TextError, line_and_column};

/// The documented contract with scripts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exit {
    /// Done.
    Done,
    /// A check or a verification failed.
    CheckFailed,
    /// The command line is wrong.
    Usage,
    /// A recipe, a lock, an artefact or a file is wrong.
    BadInput,
    /// The network or a registry.
    Network,
    /// AWS.
    Aws,
    /// Docker.
    Docker,
    /// What may not be done.
    Refused,
    /// The user asked to stop.
    Interrupted,
}

impl Exit {
    pub(super) const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::CheckFailed => 1,
            Self::Usage => 2,
            Self::BadInput => 3,
            Self::Network => 4,
            Self::Aws => 5,
            Self::Docker => 6,
            Self::Refused => 7,
            Self::Interrupted => 130,
        }
    }
}

/// Why a run did not do what it was asked for.
#[derive(Clone, Debug)]
pub(super) struct Failure {
    /// How the process ends.
    pub(super) exit: Exit,
    /// What is wrong, and where.
    pub(super) what: What,
    /// What to do next.
    pub(super) hint: Option<String>,
    /// The recipe that it happened with, where programs are to be told.
    recipe: Option<RecipeName>,
}

/// What is wrong, and where.
#[derive(Clone, Debug)]
pub(super) enum What {
    /// In words.
    Words(String),
    /// In a text, whose lines can be shown.
    Text(Box<TextError>),
}

impl Failure {
    pub(super) fn new(exit: Exit, message: impl fmt::Display) -> Self {
        Self { exit, what: What::Words(message.to_string()), hint: None, recipe: None }
    }

    pub(super) fn usage(message: impl fmt::Display) -> Self {
        Self::new(Exit::Usage, message)
    }

    pub(super) fn input(message: impl fmt::Display) -> Self {
        Self::new(Exit::BadInput, message)
    }

    /// A file that cannot be read or written.
    pub(super) fn file(action: &str, path: &Path, error: &io::Error) -> Self {
        Self::input(format!("{action} {}: {error}", path.display()))
    }

    /// Adds lines below what is wrong.
    #[must_use]
    pub(super) fn and_lines(mut self, lines: &[String]) -> Self {
        if let What::Words(words) = &mut self.what {
            words.extend(lines.iter().map(|line| format!("\n  {line}")));
        }
        self
    }

    /// Adds what to do next.
    #[must_use]
    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Says before it what it is about.
    #[must_use]
    pub(super) fn about(mut self, what: &str) -> Self {
        if let What::Words(words) = &mut self.what {
            *words = format!("{what}: {words}");
        }
        self
    }

    /// Adds with which recipe it happened.
    #[must_use]
    pub(super) fn with(mut self, recipe: &RecipeName) -> Self {
        self.recipe = Some(recipe.clone());
        self
    }

    /// All that is wrong, each with its place where it has one, for programs.
    fn problems(&self) -> Vec<serde_json::Value> {
        let exit = self.exit.code();
        match &self.what {
            What::Words(message) => {
                vec![json!({ "recipe": self.recipe, "exit": exit, "message": message, "help": self.hint })]
            }
            What::Text(error) => {
                let place = |start| line_and_column(&error.text, start);
                let problems = error.problems.iter().map(|problem| (place(problem.span.start), problem));
                let told = problems.map(|((line, column), problem)| {
                    json!({
                        "recipe": self.recipe, "exit": exit, "message": problem.message, "help": problem.help,
                        "file": error.path, "line": line, "column": column,
                    })
                });
                told.collect()
            }
        }
    }
}

/// All that is wrong with all of them, for programs.
pub(super) fn problems(failures: &[Failure]) -> Vec<serde_json::Value> {
    failures.iter().flat_map(Failure::problems).collect()
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.what {
            What::Words(words) => f.write_str(words),
            What::Text(error) => error.fmt(f),
        }
    }
}

impl From<TextError> for Failure {
    fn from(error: TextError) -> Self {
        Self { exit: Exit::BadInput, what: What::Text(Box::new(error)), hint: None, recipe: None }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::input(&error)
    }
}

impl From<PortError> for Failure {
    fn from(error: PortError) -> Self {
        let hint = match &error {
            PortError::Docker { help, .. } => Some(help.clone()),
            _ => None,
        };
        Self { hint, ..Self::new(exit_of(&error), error) }
    }
}

impl From<BuildError> for Failure {
    fn from(error: BuildError) -> Self {
        let exit = match &error.fault {
            BuildFault::Port(port) => exit_of(port),
            BuildFault::Settle(SettleError::Below(below)) | BuildFault::Install(InstallError::Below(below)) => {
                below.downcast_ref::<Fault>().map_or(Exit::BadInput, of_fault)
            }
            BuildFault::Input(fault) => of_fault(fault),
            BuildFault::Run { .. } => Exit::Docker,
            BuildFault::Misplaced(misplaced) if misplaced.is_secret() => Exit::Refused,
            _ => Exit::BadInput,
        };
        let hint = error.fault.help();
        Self { hint, ..Self::new(exit, error) }
    }
}

impl From<SmokeError> for Failure {
    fn from(error: SmokeError) -> Self {
        match error {
            SmokeError::Port(error) => error.into(),
            SmokeError::Store(error) => error.into(),
            SmokeError::Build(error) => error.into(),
            SmokeError::Missing(_) => Self::input(error),
        }
    }
}

impl From<ExportError> for Failure {
    fn from(error: ExportError) -> Self {
        let exit = if error.is_usage() { Exit::Usage } else { Exit::BadInput };
        Self { hint: error.help(), ..Self::new(exit, error) }
    }
}

impl From<OutputError> for Failure {
    fn from(error: OutputError) -> Self {
        let exit = match &error {
            OutputError::Interrupted => Exit::Interrupted,
            _ => Exit::BadInput,
        };
        Self::new(exit, error)
    }
}

impl From<PushError> for Failure {
    fn from(error: PushError) -> Self {
        let exit = match &error {
            PushError::Taken { .. } => Exit::Refused,
            PushError::Unproven { .. } | PushError::Document { .. } | PushError::Nested { .. } => Exit::Network,
            PushError::Port(port) => exit_of(port),
            PushError::Output(OutputError::Interrupted) => Exit::Interrupted,
            PushError::Missing { .. }
            | PushError::Layout { .. }
            | PushError::Name(_)
            | PushError::Output(_)
            | PushError::Store(_) => Exit::BadInput,
        };
        Self::new(exit, error)
    }
}

impl From<LedgerError> for Failure {
    fn from(error: LedgerError) -> Self {
        let exit = match &error {
            LedgerError::Interrupted => Exit::Interrupted,
            _ => Exit::BadInput,
        };
        let hint = match &error {
            LedgerError::OtherTarget { found, .. } => Some(format!(
                "give each target its own `manifest` in elkbake.toml; if `{found}` was renamed, say its new name in the file"
            )),
            LedgerError::Io { .. } => Some("`manifest` of the target in elkbake.toml says where it is".to_owned()),
            _ => None,
        };
        Self { hint, ..Self::new(exit, error) }
    }
}

impl From<HostError> for Failure {
    fn from(error: HostError) -> Self {
        let hint = match &error {
            HostError::Base { .. } => Some("run `elkbake lock --update`"),
            _ => None,
        };
        Self { hint: hint.map(str::to_owned), ..Self::new(of_host(&error), error) }
    }
}

fn of_host(error: &HostError) -> Exit {
    match error {
        HostError::Port(error) | HostError::Leftover { source: error, .. } => exit_of(error),
        HostError::Unfinished { source, .. } => of_host(source),
        HostError::NameTaken { .. } => Exit::Refused,
        HostError::Base { .. } | HostError::Misfit { .. } | HostError::NoUserData(_) => Exit::BadInput,
        _ => Exit::Aws,
    }
}

impl From<ResolveError> for Failure {
    fn from(error: ResolveError) -> Self {
        let exit = match &error {
            ResolveError::UnknownInput { .. } => Exit::Usage,
            // The first says how the process ends; a wish to stop says it before all others.
            ResolveError::Inputs { faults, .. } => {
                let exits: Vec<_> = faults.iter().map(|one| of_fault(&one.fault)).collect();
                let stopped = exits.iter().find(|exit| **exit == Exit::Interrupted);
                *stopped.or(exits.first()).unwrap_or(&Exit::BadInput)
            }
        };
        let hint = match &error {
            ResolveError::Inputs { faults, .. } => faults.iter().find_map(|one| hint_of(&one.fault)),
            ResolveError::UnknownInput { .. } => None,
        };
        Self { hint: hint.map(str::to_owned), ..Self::new(exit, error) }
    }
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        // That advice is about locks.
        let hint = hint_of(&fault).filter(|_| !matches!(fault, Fault::Port(PortError::Offline { .. })));
        Self { hint: hint.map(str::to_owned), ..Self::new(of_fault(&fault), fault) }
    }
}

/// What to do about what could not be had, where that is not said already.
fn hint_of(fault: &Fault) -> Option<&'static str> {
    match fault {
        Fault::Port(PortError::Offline { .. }) => Some("run `elkbake lock` once where the network may be used"),
        Fault::Port(PortError::Unreachable { subject, .. }) if subject.contains(BY_MIRROR) => {
            Some("`[mirror]` in elkbake.toml says that this mirror is asked, and there is no way around it")
        }
        Fault::Port(PortError::Unreachable { .. }) => {
            Some("where the internet is out of reach, `[mirror]` in elkbake.toml says what stands for a host")
        }
        Fault::Port(PortError::Denied { .. }) => {
            Some("for a registry `docker login HOST` writes down who you are, for downloads `~/.netrc` says it")
        }
        _ => None,
    }
}

fn of_fault(fault: &Fault) -> Exit {
    match fault {
        Fault::Port(error) => exit_of(error),
        // What a registry holds is not the user's input.
        Fault::Oci { .. } => Exit::Network,
        _ => Exit::BadInput,
    }
}

/// How a run ends when something could not be had from outside.
fn exit_of(error: &PortError) -> Exit {
    match error {
        PortError::Offline { .. } | PortError::Store(_) => Exit::BadInput,
        PortError::NotFound { .. }
        | PortError::Denied { .. }
        | PortError::Unreachable { .. }
        | PortError::Wrong { .. } => Exit::Network,
        PortError::Immutable { .. } => Exit::Refused,
        PortError::Cloud { .. } => Exit::Aws,
        PortError::Docker { .. } => Exit::Docker,
        PortError::Interrupted => Exit::Interrupted,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mirror_that_does_not_answer_is_not_the_remedy() {
        let hint = |subject: &str| {
            let unreachable = PortError::Unreachable { subject: subject.to_owned(), message: "gone".to_owned() };
            Failure::from(Fault::Port(unreachable)).hint.unwrap()
        };
        assert!(hint("docker.elastic.co/a:1").contains("says what stands for a host"));
        assert!(hint(&format!("docker.elastic.co/a:1 ({BY_MIRROR} b/a:1)")).contains("this mirror is asked"));
    }

    #[test]
    fn what_an_error_is_about_is_said_once() {
        let plugin = |subject: &str| {
            let fault = Fault::Wrong { subject: subject.to_owned(), message: "no zip".to_owned() };
            let input = crate::lock::Input::Plugin("icu".to_owned());
            crate::bake::resolve::InputFault { input, fault }.to_string()
        };
        assert_eq!(plugin("plugin icu (https://a.example/icu.zip)"), "plugin icu (https://a.example/icu.zip): no zip");
        assert_eq!(plugin("icu.zip"), "plugin icu: icu.zip: no zip");
        assert_eq!(plugin("plugin icu2 (b)"), "plugin icu: plugin icu2 (b): no zip");
    }
}
