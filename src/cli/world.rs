//! The outside world for commands that need it, put together from what the user's surroundings say.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::OnceLock;

use super::engine;
use super::failure::{Exit, Failure};
use super::global::Global;
use super::store;
use super::surroundings::Surroundings;
use super::workspace::Workspace;
use crate::bake::built::Built;
use crate::bake::event::Listener;
use crate::bake::interrupt::Interrupt;
use crate::bake::resolve::World as Ports;
use crate::lock::Lock;
use crate::plan::Plan;
use crate::project::Place;
use crate::remote::Wire;
use crate::remote::config::{Aws, EcrSite, Pieces, Proxies, Timing, WireConfig};
use crate::remote::docker::{Docker, EngineConfig};
use crate::remote::mirror::Mirrors;
use crate::store::Store;

/// What a command may need from outside, opened when it first asks for it: a command that finds everything at hand
/// opens nothing.
pub(super) struct World<'w> {
    workspace: &'w Workspace,
    surroundings: &'w Surroundings,
    global: &'w Global,
    offline: bool,
    pub(super) interrupt: Interrupt,
    opened: OnceLock<Result<Opened, Failure>>,
    store_if_there: OnceLock<Option<Store>>,
}

/// What is here of what a plan needs.
#[derive(serde::Serialize)]
pub(super) struct AtHand {
    /// Whether the result itself is there.
    pub(super) result: bool,
    /// The plugins and archives that are there, by their names in the recipe.
    pub(super) inputs: BTreeSet<String>,
    /// What plugins may do beyond what all may, where the image was baked here: their policies were read then.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) permissions: BTreeMap<String, BTreeSet<String>>,
}

/// All of it.
pub(super) struct Opened {
    wire: Wire,
    store: Store,
    interrupt: Interrupt,
    engines: Docker,
}

impl Opened {
    /// Who asks registries.
    pub(super) fn wire(&self) -> &Wire {
        &self.wire
    }

    /// Where what is fetched is kept.
    pub(super) fn store(&self) -> &Store {
        &self.store
    }

    /// Who turns to container engines.
    pub(super) fn engines(&self) -> &Docker {
        &self.engines
    }

    /// The ports, for the steps.
    pub(super) fn ports<'p>(&'p self, workspace: &'p Workspace, tell: Listener<'p>) -> Ports<'p> {
        Ports {
            project: &workspace.root,
            registry: Some(&self.wire),
            fetch: Some(&self.wire),
            ami: Some(&self.wire),
            engines: Some(&self.engines),
            maven: workspace.project.defaults.maven.as_ref(),
            store: &self.store,
            tell,
            interrupt: &self.interrupt,
        }
    }
}

impl<'w> World<'w> {
    pub(super) fn new(
        workspace: &'w Workspace,
        surroundings: &'w Surroundings,
        global: &'w Global,
        offline: bool,
    ) -> Self {
        Self {
            workspace,
            surroundings,
            global,
            offline,
            interrupt: interrupt(),
            opened: OnceLock::new(),
            store_if_there: OnceLock::new(),
        }
    }

    /// Opens it, once.
    pub(super) fn open(&self) -> Result<&Opened, Failure> {
        self.opened.get_or_init(|| self.open_now()).as_ref().map_err(Clone::clone)
    }

    /// What is here of what a plan needs: files of the project, and what the store holds. A store that is not there
    /// holds nothing, and is not made for that.
    pub(super) fn at_hand(&self, plan: &Plan, lock: &Lock) -> Result<AtHand, Failure> {
        let store = self.stored();
        let is_stored = |digest| store.is_some_and(|store| store.size(digest).is_some());
        let files = lock.plugin.iter().chain(&lock.archive);
        let here = files.filter(|file| file.url.is_none() || is_stored(&file.sha256)).map(|file| file.name.clone());
        let built = store.map(|store| store.result::<serde_json::Value>(&plan.key())).transpose()?.flatten();
        let permissions = built.as_ref().map(permissions).unwrap_or_default();
        Ok(AtHand { result: built.is_some(), inputs: here.collect(), permissions })
    }

    /// The store if there is one: who only looks does not make it.
    pub(super) fn stored(&self) -> Option<&Store> {
        self.store_if_there.get_or_init(|| store::open_if_there(self.global, self.surroundings)).as_ref()
    }

    fn open_now(&self) -> Result<Opened, Failure> {
        let store = store::open(self.global, self.surroundings)?;
        let wire = Wire::new(self.wire_config()?).map_err(Failure::usage)?;
        let engines = Docker::new(self.engine_config()?);
        Ok(Opened { wire, store, interrupt: self.interrupt.clone(), engines })
    }

    /// Which container engines there are.
    pub(super) fn engine_config(&self) -> Result<EngineConfig, Failure> {
        engine::config(self.workspace, self.surroundings, self.global, self.offline, &self.interrupt)
    }

    /// The registries in ECR that the project's targets are in.
    fn ecr_sites(&self) -> Result<Vec<EcrSite>, Failure> {
        let mut sites = Vec::new();
        for target in self.workspace.project.target.values() {
            let Some(Place::Ecr(ecr)) = target.place() else { continue };
            for region in &ecr.regions {
                sites.push(EcrSite {
                    registry: ecr.registry(region).map_err(Failure::input)?,
                    account: ecr.account.clone(),
                    region: region.to_string(),
                    endpoint: ecr.endpoints.get(region).cloned(),
                    role: ecr.role.clone(),
                    external_id: ecr.external_id.clone(),
                });
            }
        }
        Ok(sites)
    }

    fn wire_config(&self) -> Result<WireConfig, Failure> {
        let around = self.surroundings;
        let at_home = |name: &str| around.home().map(|home| home.join(name));
        let proxy = |names: &[&str]| around.first_of(names).unwrap_or_default();
        let project = &self.workspace.project;
        let insecure = project.registry.iter().filter(|(_, access)| access.plain_http).map(|(name, _)| name.clone());
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
            search_path: around.search_path(),
            mirrors: Mirrors::new(project.mirror.clone())
                .map_err(|error| Failure::input(format!("elkbake.toml: {error}")))?,
            offline: self.offline,
            insecure: insecure.collect(),
            extra_ca: project.defaults.ca.as_ref().map(|ca| ca.below(&self.workspace.root)),
            interrupt: self.interrupt.clone(),
            now: Some(around.now),
            timing: Timing::default(),
            pieces: Pieces::default(),
            ecr: self.ecr_sites()?,
            aws: Aws::default(),
        })
    }
}

/// What the plugins of an image that was built may do. A result of another kind, or of another elkbake, says nothing.
fn permissions(built: &serde_json::Value) -> BTreeMap<String, BTreeSet<String>> {
    let Ok(built) = serde_json::from_value::<Built>(built.clone()) else { return BTreeMap::new() };
    let mut all: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for facts in built.platforms.into_iter().flat_map(|image| image.plugins) {
        all.entry(facts.name).or_default().extend(facts.permissions);
    }
    all.retain(|_, permissions| !permissions.is_empty());
    all
}

/// Lets Ctrl-C ask for a stop. A second one ends the process on the spot: all that elkbake writes survives that.
pub(super) fn interrupt() -> Interrupt {
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
