//! What all requests share: the runtime, the connections, what was told, and the way to stop.

use std::collections::BTreeSet;
use std::future::Future;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::Semaphore;

use crate::bake::event::{Event, Listener};
use crate::bake::port::PortError;
use crate::name::Registry;
use crate::remote::auth::Auth;
#[cfg(feature = "aws")]
use crate::remote::aws::access::Access;
use crate::remote::config::WireConfig;
use crate::remote::http::Http;
use crate::remote::netrc::Netrc;
use crate::remote::proxy::Ways;
use crate::remote::retry::{Failure, Tries};
use crate::remote::stop::unless_stopped;
#[cfg(not(feature = "aws"))]
use crate::remote::without_aws::access::Access;

/// So many blobs are sent at one time, to all registries together: each has some 2 MB in memory on its way, and as many
/// fill any wire. An image alone sends four to each of its regions.
const STREAMS: usize = 16;

/// Reads from registries and download sites. Shared by all threads.
pub struct Wire {
    pub(super) config: WireConfig,
    pub(super) http: Http,
    pub(super) auth: Auth,
    #[cfg(feature = "aws")]
    pub(super) access: Arc<Access>,
    netrc: OnceLock<Result<Netrc, String>>,
    /// Mirror rules that people have heard of.
    told: Mutex<BTreeSet<String>>,
    /// Registries that take blobs in one request only, as they have shown.
    in_one: Mutex<BTreeSet<Registry>>,
    /// Held by whoever sends a blob, for as long as one request.
    pub(super) streams: Semaphore,
    handle: Handle,
    runtime: Option<Runtime>,
}

/// Why the wire clients cannot be used at all.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// A proxy that cannot be spoken to.
    #[error("{variable}: {why}")]
    Proxy {
        /// Which variable names it.
        variable: &'static str,
        /// What is wrong.
        why: String,
    },
    /// The system does not let us begin.
    #[error("cannot prepare for the network: {0}")]
    Start(String),
}

impl Wire {
    /// Prepares, without opening any socket or file.
    ///
    /// # Errors
    /// When a proxy is no proxy, or when the system refuses threads.
    pub fn new(config: WireConfig) -> Result<Self, WireError> {
        let ways = Ways::new(&config.proxies).map_err(|(variable, why)| WireError::Proxy { variable, why })?;
        // Two threads drive the sockets; hashing and writing is done by the threads that wait.
        let runtime = Builder::new_multi_thread().worker_threads(2).thread_name("wire").enable_all().build();
        let runtime = runtime.map_err(|error| WireError::Start(error.to_string()))?;
        let http = Http::new(ways, config.timing, config.extra_ca.clone()).map_err(WireError::Start)?;
        let access = Arc::new(Access::new(&config));
        Ok(Self {
            http,
            auth: Auth::new(&config, Arc::clone(&access)),
            #[cfg(feature = "aws")]
            access,
            netrc: OnceLock::new(),
            told: Mutex::default(),
            in_one: Mutex::default(),
            streams: Semaphore::new(STREAMS),
            handle: runtime.handle().clone(),
            runtime: Some(runtime),
            config,
        })
    }

    /// Does work that needs sockets, until it is done or the person asks to stop.
    pub(super) fn run<T>(
        &self,
        subject: &str,
        work: impl Future<Output = Result<T, PortError>>,
    ) -> Result<T, PortError> {
        self.run_for(subject, Duration::ZERO, work)
    }

    /// The same for work that may go on so long after the person has asked to stop.
    pub(super) fn run_for<T>(
        &self,
        subject: &str,
        grace: Duration,
        work: impl Future<Output = Result<T, PortError>>,
    ) -> Result<T, PortError> {
        if self.config.offline {
            return Err(PortError::Offline { subject: subject.to_owned() });
        }
        unless_stopped(&self.handle, &self.config.interrupt, grace, work)
    }

    /// Does one thing until it succeeds, fails for good, or has failed too often.
    pub(super) async fn persist<T>(
        &self,
        subject: &str,
        tell: Listener<'_>,
        once: impl AsyncFn() -> Result<T, Failure>,
    ) -> Result<T, PortError> {
        let mut tries = Tries::new(self.config.timing);
        loop {
            match once().await {
                Ok(done) => return Ok(done),
                Err(failure) => tries.wait(subject, failure, tell).await?,
            }
        }
    }

    /// Says once that a mirror is used.
    pub(super) fn tell_of_mirror(&self, rule: &str, tell: Listener<'_>) {
        // Offline, nothing is fetched from anywhere.
        if self.config.offline {
            return;
        }
        if self.told.lock().unwrap_or_else(PoisonError::into_inner).insert(rule.to_owned()) {
            tell(Event::Note(rule));
        }
    }

    /// Remembers that a registry takes blobs in one request only.
    pub(super) fn takes_in_one(&self, registry: &Registry) {
        self.in_one.lock().unwrap_or_else(PoisonError::into_inner).insert(registry.clone());
    }

    /// Whether a registry has shown that it takes blobs in one request only.
    pub(super) fn is_in_one(&self, registry: &Registry) -> bool {
        self.in_one.lock().unwrap_or_else(PoisonError::into_inner).contains(registry)
    }

    /// Whether a registry is spoken to by plain HTTP.
    pub(super) fn is_plain(&self, registry: &Registry) -> bool {
        let listed = |host: &Registry| {
            host.as_str().eq_ignore_ascii_case(registry.as_str()) || host.as_str().eq_ignore_ascii_case(registry.host())
        };
        registry.is_loopback() || self.config.insecure.iter().any(listed)
    }

    /// The credentials for downloads.
    pub(super) fn netrc(&self) -> Result<&Netrc, String> {
        let path = self.config.netrc.as_deref();
        let read = self.netrc.get_or_init(|| path.map_or_else(|| Ok(Netrc::default()), Netrc::load));
        read.as_ref().map_err(Clone::clone)
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        // A look-up of a host name cannot be stopped, and need not be waited for.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
