//! The outside world for commands that need it, put together from what the user's surroundings say.

use std::path::PathBuf;
use std::sync::OnceLock;

use super::args::Global;
use super::failure::{Exit, Failure};
use super::store;
use super::surroundings::Surroundings;
use super::workspace::Workspace;
use crate::bake::interrupt::Interrupt;
use crate::bake::port::AmiLookup;
use crate::bake::resolve::World as Ports;
use crate::remote::{Mirrors, Proxies, Timing, Wire, WireConfig};
use crate::store::Store;

/// What a command may need from outside, opened when it first asks for it: a command that finds everything at hand
/// opens nothing.
pub(super) struct World<'w> {
    workspace: &'w Workspace,
    surroundings: &'w Surroundings,
    global: &'w Global,
    offline: bool,
    pub(super) interrupt: Interrupt,
    opened: OnceLock<Result<Opened, (Exit, String)>>,
}

/// All of it.
pub(super) struct Opened {
    wire: Wire,
    amis: Box<dyn AmiLookup + Send>,
    pub(super) store: Store,
}

impl Opened {
    /// The ports, for the steps.
    pub(super) fn ports(&self) -> Ports<'_> {
        Ports { registry: &self.wire, fetch: &self.wire, amis: self.amis.as_ref() }
    }
}

impl<'w> World<'w> {
    pub(super) fn new(
        workspace: &'w Workspace,
        surroundings: &'w Surroundings,
        global: &'w Global,
        offline: bool,
    ) -> Self {
        Self { workspace, surroundings, global, offline, interrupt: interrupt(), opened: OnceLock::new() }
    }

    /// Opens it, once.
    pub(super) fn open(&self) -> Result<&Opened, Failure> {
        let opened = self.opened.get_or_init(|| self.open_now().map_err(|failure| (failure.exit, failure.message)));
        opened.as_ref().map_err(|(exit, message)| Failure::new(*exit, message))
    }

    fn open_now(&self) -> Result<Opened, Failure> {
        let store = store::open(self.global, self.surroundings)?;
        let wire = Wire::new(self.wire_config()?)?;
        let amis = amis(&wire, self.offline, &self.interrupt);
        Ok(Opened { wire, amis, store })
    }

    fn wire_config(&self) -> Result<WireConfig, Failure> {
        let around = self.surroundings;
        let at_home = |name: &str| around.home().map(|home| home.join(name));
        let proxy = |names: &[&str]| around.first_of(names).unwrap_or_default();
        let project = &self.workspace.project;
        let mirrors = project.mirror.iter().map(|(from, to)| (from.to_string(), to.to_string()));
        Ok(WireConfig {
            proxies: Proxies {
                // Not HTTP_PROXY: where a web server starts us, a request's `Proxy` header becomes that variable.
                http: proxy(&["http_proxy"]),
                https: proxy(&["https_proxy", "HTTPS_PROXY"]),
                all: proxy(&["all_proxy", "ALL_PROXY"]),
                no: proxy(&["no_proxy", "NO_PROXY"]),
            },
            docker_config: match around.variable("DOCKER_CONFIG") {
                Some(folder) => Some(PathBuf::from(folder).join("config.json")),
                None => at_home(".docker/config.json"),
            },
            netrc: around.variable("NETRC").map(PathBuf::from).or_else(|| at_home(".netrc")),
            search_path: around.variable("PATH").map(|path| path.split(':').map(PathBuf::from).collect()).unwrap_or_default(),
            mirrors: Mirrors::new(mirrors).map_err(Failure::input)?,
            offline: self.offline,
            insecure: Default::default(),
            extra_ca: None,
            interrupt: self.interrupt.clone(),
            timing: Timing::default(),
        })
    }
}

/// Lets Ctrl-C ask for a stop. A second one ends the process on the spot: all that elkbake writes survives that.
fn interrupt() -> Interrupt {
    use signal_hook::consts::{SIGINT, SIGTERM};
    let interrupt = Interrupt::default();
    for signal in [SIGINT, SIGTERM] {
        let flag = interrupt.flag();
        let registered =
            signal_hook::flag::register_conditional_shutdown(signal, i32::from(Exit::Interrupted.code()), flag.clone())
                .and_then(|_| signal_hook::flag::register(signal, flag));
        // Without a handler the signal keeps its usual effect, which is a stop as well.
        drop(registered);
    }
    interrupt
}

#[cfg(feature = "aws")]
fn amis(wire: &Wire, offline: bool, interrupt: &Interrupt) -> Box<dyn AmiLookup + Send> {
    Box::new(crate::remote::aws::Aws::new(wire.runtime(), interrupt.clone(), offline))
}

#[cfg(not(feature = "aws"))]
fn amis(_: &Wire, _: bool, _: &Interrupt) -> Box<dyn AmiLookup + Send> {
    Box::new(NoAws)
}

/// What a build without the AWS SDKs answers.
#[cfg(not(feature = "aws"))]
struct NoAws;

#[cfg(not(feature = "aws"))]
impl AmiLookup for NoAws {
    fn find(
        &self,
        _: &crate::recipe::AmiBase,
        _: crate::recipe::Architecture,
        region: &crate::recipe::Region,
    ) -> Result<crate::bake::port::AmiFacts, crate::bake::port::PortError> {
        Err(crate::bake::port::PortError::Cloud {
            subject: format!("the base AMI in {region}"),
            message: "this elkbake was built without AWS (--no-default-features)".to_owned(),
        })
    }
}
