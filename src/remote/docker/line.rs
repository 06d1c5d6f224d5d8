//! One call to an engine: until it is answered, takes too long, or the person asks to stop.

use std::fmt::Write as _;
use std::future::Future;
use std::io;
use std::time::Duration;

use bollard::errors::Error;
use bollard::{API_DEFAULT_VERSION, BollardRequest};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use tokio::runtime::Handle;
use tokio::time::timeout;

use super::choose::EngineTiming;
use super::way::Way;
use crate::bake::interrupt::Interrupt;
use crate::bake::port::PortError;
use crate::remote::causes::causes;
use crate::remote::stop::unless_stopped;

/// No call lasts as long: each has a limit of its own here, and bollard's is out of the way.
const A_DAY: u64 = 24 * 60 * 60;

/// Calls to one engine.
pub(super) struct Line {
    pub(super) api: bollard::Docker,
    pub(super) timing: EngineTiming,
    address: String,
    handle: Handle,
    interrupt: Interrupt,
}

impl Line {
    /// Prepares, without opening a connection.
    pub(super) fn new(
        way: Way,
        address: String,
        timing: EngineTiming,
        handle: &Handle,
        interrupt: &Interrupt,
    ) -> Result<Self, PortError> {
        let base = way.base();
        // A connection for each call: one that has waited may be dead, and a new one costs nothing on this machine.
        let client = Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build(way);
        let transport = move |request: BollardRequest| {
            let client = client.clone();
            async move { client.request(request).await.map_err(Error::from) }
        };
        let api = bollard::Docker::connect_with_custom_transport(transport, Some(base), A_DAY, API_DEFAULT_VERSION);
        let api = api.map_err(|error| engine_error(&address, "it cannot be asked", &error))?;
        Ok(Self { api, timing, address, handle: handle.clone(), interrupt: interrupt.clone() })
    }

    /// Waits for an answer. `what` is what cannot be done when there is none.
    pub(super) fn ask<T>(
        &self,
        what: &str,
        limit: Duration,
        work: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, PortError> {
        self.wait(async { self.within(what, limit, work).await })
    }

    /// The same for what has to be done although the person wants to stop.
    pub(super) fn ask_anyway<T>(
        &self,
        what: &str,
        limit: Duration,
        work: impl Future<Output = Result<T, Error>>,
    ) -> Result<Result<T, Error>, PortError> {
        let late = |_| self.late(what, limit);
        self.handle.block_on(async { timeout(limit, work).await }).map_err(late)
    }

    /// Waits for something until the person asks to stop.
    pub(super) fn wait<T>(&self, work: impl Future<Output = Result<T, PortError>>) -> Result<T, PortError> {
        self.wait_a_little(Duration::ZERO, work)
    }

    /// The same, and so long after that.
    pub(super) fn wait_a_little<T>(
        &self,
        grace: Duration,
        work: impl Future<Output = Result<T, PortError>>,
    ) -> Result<T, PortError> {
        unless_stopped(&self.handle, &self.interrupt, grace, work)
    }

    /// Does something within its time.
    pub(super) async fn within<T>(
        &self,
        what: &str,
        limit: Duration,
        work: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, PortError> {
        match timeout(limit, work).await {
            Ok(done) => done.map_err(|error| self.failed(what, &error)),
            Err(_) => Err(self.late(what, limit)),
        }
    }

    /// What the engine said, with what to do about it.
    pub(super) fn failed(&self, what: &str, error: &Error) -> PortError {
        engine_error(&self.address, what, error)
    }

    /// The engine does not answer.
    pub(super) fn late(&self, what: &str, limit: Duration) -> PortError {
        self.wrong(format!("{what}: nothing came for {limit:?}"), STUCK)
    }

    /// Something that is wrong with the engine.
    pub(super) fn wrong(&self, message: String, help: &str) -> PortError {
        PortError::Docker { subject: subject(&self.address), message, help: help.to_owned() }
    }
}

const STUCK: &str = "see whether the engine still answers, with `docker info`, and start it again where it does not";
const ABSENT: &str = "start it, or name another one by `--engine`, `[engine]` in elkbake.toml or DOCKER_HOST";
const DENIED: &str = "ask to be let in: for Docker's socket, `usermod --append --groups docker USER` and a new login";
const FULL: &str = "make room on the engine's disk: `docker system df` tells what takes it";
const NO_PROGRAM: &str = "see whether the image so far has the program, and whether it may be started";
const OWN_LOG: &str = "the engine's own log says more";

fn subject(address: &str) -> String {
    format!("the engine at {address}")
}

/// Whether the engine says that there is no such thing.
pub(super) fn is_absent(error: &Error) -> bool {
    matches!(error, Error::DockerResponseServerError { status_code: 404, .. })
}

fn engine_error(address: &str, what: &str, error: &Error) -> PortError {
    let said = said(error);
    let is = |kind: io::ErrorKind| io_kinds(error).contains(&kind);
    let help = if said.contains("no space left") || said.contains("disk quota") {
        FULL
    } else if said.contains("exec:") {
        NO_PROGRAM
    } else if is(io::ErrorKind::PermissionDenied) {
        DENIED
    } else if matches!(error, Error::DockerResponseServerError { .. } | Error::DockerStreamError { .. }) {
        OWN_LOG
    } else if is(io::ErrorKind::NotFound) || is(io::ErrorKind::ConnectionRefused) || is(io::ErrorKind::TimedOut) {
        ABSENT
    } else {
        STUCK
    };
    PortError::Docker { subject: subject(address), message: format!("{what}: {said}"), help: help.to_owned() }
}

/// What an error says and what is behind it, each only once, without bollard's words around the engine's own.
fn said(error: &Error) -> String {
    match error {
        Error::DockerResponseServerError { message, status_code } if message.trim().is_empty() => {
            format!("it answers with status {status_code}")
        }
        Error::DockerResponseServerError { message, .. } => message.trim().to_owned(),
        Error::DockerStreamError { error } => error.trim().to_owned(),
        error => {
            let mut said = String::new();
            for error in causes(error) {
                let text = error.to_string();
                // The layers above the cause say no more than that they are layers.
                if !said.contains(&text) && !text.starts_with("client error") {
                    let colon = if said.is_empty() { "" } else { ": " };
                    let _ = write!(said, "{colon}{text}");
                }
            }
            said
        }
    }
}

fn io_kinds(error: &Error) -> Vec<io::ErrorKind> {
    // It stands for its cause, which is not behind it then.
    let mut kinds: Vec<_> = if let Error::IOError { err } = error { vec![err.kind()] } else { Vec::new() };
    kinds.extend(causes(error).filter_map(|cause| cause.downcast_ref()).map(io::Error::kind));
    kinds
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(error: &Error) -> String {
        match engine_error("unix:///run/x.sock", "it does not say what it is", error) {
            PortError::Docker { subject, message, help } => format!("{subject}: {message}; {help}"),
            other => panic!("{other}"),
        }
    }

    #[test]
    fn an_engine_is_quoted_without_what_others_put_around_its_words() {
        let server = |message: &str| Error::DockerResponseServerError { status_code: 500, message: message.to_owned() };
        assert_eq!(
            told(&server("layer does not exist\n")),
            "the engine at unix:///run/x.sock: it does not say what it is: layer does not exist; the engine's own log says more"
        );
        assert!(told(&server("write /x: no space left on device")).ends_with(FULL));
        assert!(told(&server("")).contains("it answers with status 500"));
        assert!(is_absent(&Error::DockerResponseServerError { status_code: 404, message: String::new() }));
    }

    #[test]
    fn what_to_do_depends_on_why_it_does_not_answer() {
        let io = |kind: io::ErrorKind| Error::IOError { err: io::Error::new(kind, "why") };
        assert!(told(&io(io::ErrorKind::PermissionDenied)).ends_with(DENIED));
        assert!(told(&io(io::ErrorKind::ConnectionRefused)).ends_with(ABSENT));
        assert!(told(&io(io::ErrorKind::UnexpectedEof)).ends_with(STUCK));
    }
}
