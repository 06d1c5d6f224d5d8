//! All that the wire clients are told from outside: they read neither environment nor home folder.

use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use crate::bake::interrupt::Interrupt;
use crate::name::Registry;
use crate::remote::mirror::Mirrors;

/// What the wire clients are told.
#[derive(Clone, Debug, Default)]
pub struct WireConfig {
    /// Through whom to go out.
    pub proxies: Proxies,
    /// Docker's `config.json`, where credentials for registries are. A file that is not there is an empty one.
    pub docker_config: Option<PathBuf>,
    /// The `.netrc` file, where credentials for downloads are. A file that is not there is an empty one.
    /// They are sent by TLS, or to the machine itself; never in the clear to another one.
    pub netrc: Option<PathBuf>,
    /// The folders in which `docker-credential-NAME` programs are looked for: what `PATH` says.
    pub search_path: Vec<PathBuf>,
    /// What is fetched from elsewhere.
    pub mirrors: Mirrors,
    /// No socket is opened.
    pub offline: bool,
    /// Registries spoken to by plain HTTP, beside those on the machine itself. Without a port: on any port.
    pub insecure: BTreeSet<Registry>,
    /// A PEM file with certificate authorities that are trusted beside those of the system.
    pub extra_ca: Option<PathBuf>,
    /// Ends every wait.
    pub interrupt: Interrupt,
    /// The time at which this is told, to find out when this machine's clock is the reason for a refusal.
    pub now: Option<SystemTime>,
    /// How long to wait for what.
    pub timing: Timing,
    /// How blobs are cut for sending.
    pub pieces: Pieces,
    /// The registries in ECR that are pushed to. Others are read with what AWS's own variables and profiles say.
    pub ecr: Vec<EcrSite>,
    /// How AWS is spoken to.
    pub aws: Aws,
}

/// How blobs are cut for sending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pieces {
    /// Up to this size, a blob is sent in one request, and all of it again when that breaks.
    pub whole: u64,
    /// The size of the requests for one that is larger.
    pub chunk: u64,
}

impl Default for Pieces {
    fn default() -> Self {
        // Whole: what takes over a second at 16 MB/s is worth two more requests and a note of how far it has come.
        // Chunk: at 1 GB/s a request and its note, some 2 ms, cost 3 %; and few registries refuse as much at once.
        Self { whole: 16 << 20, chunk: 64 << 20 }
    }
}

/// A registry in ECR.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EcrSite {
    /// Its usual name, which references have.
    pub registry: Registry,
    /// The account that owns it, by its 12 digits.
    pub account: String,
    /// Its region.
    pub region: String,
    /// Where it is reached, where that is not its name.
    pub endpoint: Option<Registry>,
    /// A role that is assumed for all calls.
    pub role: Option<String>,
    /// What the role's trust policy asks for.
    pub external_id: Option<String>,
}

impl EcrSite {
    /// The host that is spoken to.
    #[must_use]
    pub fn host(&self) -> &Registry {
        self.endpoint.as_ref().unwrap_or(&self.registry)
    }
}

/// How AWS is spoken to, where that is not what AWS's own variables and profiles say.
#[derive(Clone, Default)]
pub struct Aws {
    /// The address of all its services.
    pub endpoint: Option<String>,
    /// The id of an access key, and the key.
    pub keys: Option<(String, String)>,
}

impl fmt::Debug for Aws {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Aws").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}

/// Through whom to go out, as the variables of these names say; an empty text is no proxy.
///
/// The rules are curl's, with one exception that all container tools share: what is on the machine itself is
/// never asked for through a proxy, which could not reach it.
#[derive(Clone, Default)]
pub struct Proxies {
    /// `HTTP_PROXY`, for `http://` addresses.
    pub http: String,
    /// `HTTPS_PROXY`, for `https://` addresses.
    pub https: String,
    /// `ALL_PROXY`, where the other two say nothing.
    pub all: String,
    /// `NO_PROXY`: hosts, domains, addresses and networks that are spoken to directly; `*` for all.
    pub no: String,
}

impl fmt::Debug for Proxies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The others may hold a password.
        f.debug_struct("Proxies").field("no", &self.no).finish_non_exhaustive()
    }
}

/// How long to wait for what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// For a TCP connection.
    pub connect: Duration,
    /// For the next byte.
    pub idle: Duration,
    /// For the answer to bytes that were sent, which a registry may have to put together before it says that it has them.
    pub answer: Duration,
    /// Before the second try; doubled for each further one.
    pub first_wait: Duration,
    /// Between tries, at most.
    pub longest_wait: Duration,
    /// A server may ask us to wait this long; if it asks for more, people are told instead.
    pub longest_asked: Duration,
    /// For a credential program, which may have to ask a service or a person's keychain.
    pub credentials: Duration,
    /// Until EC2 shows everywhere what was made or taken away.
    pub settling: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            // A connection across the world takes under a second; 10 s lets three SYN packets get lost.
            connect: Duration::from_secs(10),
            // A registry that fetches from another one behind it is silent for 10 s and more.
            idle: Duration::from_secs(30),
            // A registry on object storage copies the whole of a large blob at its end.
            answer: Duration::from_mins(5),
            // With doubling, five tries span 4 to 8 s: a restarting server is back by then.
            first_wait: Duration::from_millis(500),
            longest_wait: Duration::from_secs(30),
            // People look up what hangs after about two minutes.
            longest_asked: Duration::from_mins(2),
            credentials: Duration::from_mins(1),
            // Snapshots were seen to take a minute; those who run the service advise to give up after two.
            settling: Duration::from_mins(2),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_password_is_not_shown() {
        let proxies = Proxies { https: "http://me:hunter2@proxy:3128".to_owned(), ..Proxies::default() };
        let config = WireConfig { proxies, ..WireConfig::default() };
        assert!(!format!("{config:?}").contains("hunter2"));
    }

    #[test]
    fn a_key_is_not_shown() {
        let aws = Aws { keys: Some(("AKID".to_owned(), "hunter2".to_owned())), ..Aws::default() };
        assert!(!format!("{:?}", WireConfig { aws, ..WireConfig::default() }).contains("hunter2"));
    }
}
