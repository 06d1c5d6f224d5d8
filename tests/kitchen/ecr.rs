//! A strict ECR: its API, and a registry for each region, over one state. STS and SSM are beside it, as in AWS.
//!
//! ```ignore
//! let ecr = Ecr::start(&["eu-west-1", "us-east-1"]);
//! let bench = Bench::with(ecr.config());
//! ecr.fault("UploadLayerPart", 1, Trouble::Lost);                 // it is done, and the answer never comes
//! // … work …
//! assert_eq!(ecr.asked("CreateRepository"), 1);
//! ```

mod identity;
mod layers;
mod repositories;
mod serve;

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use elkbake::name::Reference;
use elkbake::remote::config::{Aws, EcrSite, WireConfig};
use serde_json::Value;

use super::registry::Registry;

/// The account that all of it belongs to.
pub const ACCOUNT: &str = "123456789012";

/// What goes wrong with an API call.
#[derive(Clone, Debug)]
pub enum Trouble {
    /// It is refused with this code.
    Error(&'static str),
    /// An error status without any word.
    Status(u16),
    /// It is done, and the answer never comes.
    Lost,
    /// The connection ends, and nothing was done.
    HangUp,
    /// After so many bytes of the request's body the connection ends, and nothing was done.
    Cut(usize),
    /// It is done, and the answer says something else of one thing.
    Says(&'static str, Value),
    /// It is done, but only after so long.
    Late(Duration),
    /// The signature is too old or too new for a clock that is so many minutes ahead of ours.
    Clock(i64),
    /// None at all: the call before the next trouble.
    Nothing,
}

/// A call as it came.
#[derive(Clone, Debug)]
pub struct Asked {
    pub action: String,
    pub region: String,
}

/// A call with what came with it, but for the bytes of layers: for who asks whether it was allowed.
#[derive(Clone, Debug)]
pub struct Heard {
    pub service: String,
    pub action: String,
    pub region: String,
    pub account: String,
    pub body: Value,
}

/// How often an action may be called in a second, and how often at once.
pub struct Bucket {
    rate: f64,
    burst: f64,
    left: f64,
    seen: Instant,
}

impl Bucket {
    pub fn new(rate: u32, burst: u32) -> Self {
        let (rate, burst) = (f64::from(rate), f64::from(burst));
        Self { rate, burst, left: burst, seen: Instant::now() }
    }

    /// Counts a call; tells whether it is one too many.
    pub fn is_empty(&mut self) -> bool {
        let now = Instant::now();
        self.left = (self.left + now.duration_since(self.seen).as_secs_f64() * self.rate).min(self.burst);
        self.seen = now;
        let is_empty = self.left < 1.0;
        if !is_empty {
            self.left -= 1.0;
        }
        is_empty
    }
}

/// What AWS lets an account do in a region: calls in a second, and at once. Where AWS does not say how many at once, it
/// is as many as in a second.
const QUOTAS: [(&str, u32, u32); 4] = [
    ("GetAuthorizationToken", 20, 200),
    ("InitiateLayerUpload", 100, 100),
    ("UploadLayerPart", 500, 500),
    ("CompleteLayerUpload", 100, 100),
];

/// What is kept of a repository beside its images.
#[derive(Clone, Default)]
pub struct Kept {
    pub made_with: Value,
    pub lifecycle: Option<String>,
    pub policy: Option<String>,
    pub tags: BTreeMap<String, String>,
}

#[derive(Default)]
pub struct State {
    /// By region and name.
    pub repositories: BTreeMap<(String, String), Kept>,
    pub replication: BTreeMap<String, Value>,
    /// By region and name.
    pub parameters: BTreeMap<(String, String), String>,
    /// By id: the repository, what came so far, and in parts of which sizes.
    pub uploads: BTreeMap<String, (String, Vec<u8>, Vec<usize>)>,
    /// Accounts by access key; all others are ours.
    accounts: BTreeMap<String, String>,
    external_id: Option<String>,
    troubles: Vec<(String, usize, Trouble)>,
    /// By action and region.
    limits: BTreeMap<(String, String), Bucket>,
    /// How long an action takes.
    slow: BTreeMap<String, Duration>,
    /// How many uploads were begun.
    begun: usize,
    /// Calls that are worked on.
    coming: usize,
    asked: Vec<Asked>,
    heard: Vec<Heard>,
    given: usize,
}

/// The cloud. It stops when this is dropped.
pub struct Ecr {
    address: SocketAddr,
    api: Arc<Api>,
}

/// What the threads share.
pub struct Api {
    state: Mutex<State>,
    registries: BTreeMap<String, Registry>,
    stop: AtomicBool,
}

impl Api {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no panic in the cloud")
    }
}

impl Ecr {
    /// Starts on free ports of 127.0.0.1, without a repository.
    pub fn start(regions: &[&str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        let registries = regions.iter().map(|&region| {
            let registry = Registry::start();
            registry.ecr(|ecr| ACCOUNT.clone_into(&mut ecr.account));
            registry.rules(|rules| rules.mounts = false);
            (region.to_owned(), registry)
        });
        let (state, stop): (Mutex<State>, AtomicBool) = Default::default();
        for (action, rate, burst) in QUOTAS {
            for region in regions {
                let key = (action.to_owned(), (*region).to_owned());
                state.lock().expect("nobody else").limits.insert(key, Bucket::new(rate, burst));
            }
        }
        let api = Arc::new(Api { state, registries: registries.collect(), stop });
        let server = Arc::clone(&api);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if server.stop.load(Ordering::Relaxed) {
                    return;
                }
                let server = Arc::clone(&server);
                // A client that hangs up in the middle is its own affair.
                std::thread::spawn(move || drop(serve::connection(&server, stream)));
            }
        });
        Self { address, api }
    }

    /// The address of the API.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The registry of a region.
    pub fn registry(&self, region: &str) -> &Registry {
        &self.api.registries[region]
    }

    /// The usual name of a region's registry.
    pub fn name(region: &str) -> String {
        format!("{ACCOUNT}.dkr.ecr.{region}.amazonaws.com")
    }

    /// A reference to something in a region: `elk/kibana:8.19.3`.
    pub fn reference(region: &str, rest: &str) -> Reference {
        format!("{}/{rest}", Self::name(region)).parse().expect("a reference")
    }

    /// What a client has to be told that pushes to all regions.
    pub fn config(&self) -> WireConfig {
        let site = |(region, registry): (&String, &Registry)| EcrSite {
            registry: Self::name(region).parse().unwrap(),
            account: ACCOUNT.to_owned(),
            region: region.clone(),
            endpoint: Some(registry.host().parse().unwrap()),
            role: None,
            external_id: None,
        };
        WireConfig {
            ecr: self.api.registries.iter().map(site).collect(),
            aws: Aws { endpoint: Some(self.url()), keys: Some(("AKIDKITCHEN".to_owned(), "very-secret".to_owned())) },
            ..crate::wire::bench::config()
        }
    }

    /// Makes a repository, whose tags can be moved or not.
    pub fn repository(&self, region: &str, name: &str, immutable: bool) {
        self.registry(region).ecr(|ecr| ecr.repositories.insert(name.to_owned(), (immutable, [].into())));
        self.api.state().repositories.insert((region.to_owned(), name.to_owned()), Kept::default());
    }

    /// What is kept of a repository.
    pub fn kept(&self, region: &str, name: &str) -> Option<Kept> {
        self.api.state().repositories.get(&(region.to_owned(), name.to_owned())).cloned()
    }

    /// Looks at all of it, or changes it.
    pub fn state<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.api.state())
    }

    /// Plans that the next calls of an action go wrong.
    pub fn fault(&self, action: &str, times: usize, trouble: Trouble) {
        self.api.state().troubles.push((action.to_owned(), times, trouble));
    }

    /// Lets an action be called so often in a second in each region, and a quarter of that at once.
    pub fn limit(&self, action: &str, rate: u32) {
        for region in self.api.registries.keys() {
            let bucket = Bucket::new(rate, (rate / 4).max(1));
            self.api.state().limits.insert((action.to_owned(), region.clone()), bucket);
        }
    }

    /// Lets an action take so long.
    pub fn slow(&self, action: &str, time: Duration) {
        self.api.state().slow.insert(action.to_owned(), time);
    }

    /// How many bytes the largest upload has that is open, once no call is worked on any more.
    pub fn uploaded(&self) -> u64 {
        let mut quiet = 0;
        while quiet < 3 {
            std::thread::sleep(Duration::from_millis(10));
            quiet = if self.api.state().coming == 0 { quiet + 1 } else { 0 };
        }
        self.api.state().uploads.values().map(|upload| upload.1.len() as u64).max().unwrap_or(0)
    }

    /// Whose keys those of a client are.
    pub fn keys_of(&self, key: &str, account: &str) {
        self.api.state().accounts.insert(key.to_owned(), account.to_owned());
    }

    /// What roles ask for from now on.
    pub fn ask_for(&self, external_id: &str) {
        self.api.state().external_id = Some(external_id.to_owned());
    }

    /// Makes all tokens of a region worthless.
    pub fn expire_tokens(&self, region: &str) {
        self.registry(region).ecr(|ecr| ecr.passwords.clear());
    }

    /// All calls so far.
    pub fn calls(&self) -> Vec<Asked> {
        self.api.state().asked.clone()
    }

    /// All calls so far that came to their end, with what came with them.
    pub fn heard(&self) -> Vec<Heard> {
        self.api.state().heard.clone()
    }

    /// How often an action was called.
    pub fn asked(&self, action: &str) -> usize {
        self.api.state().asked.iter().filter(|asked| asked.action == action).count()
    }

    /// Forgets the calls so far.
    pub fn forget(&self) {
        self.api.state().asked.clear();
    }
}

impl Drop for Ecr {
    fn drop(&mut self) {
        self.api.stop.store(true, Ordering::Relaxed);
        // The thread waits for a connection; this is one.
        let _ = TcpStream::connect(self.address);
    }
}

/// An answer that is no success: its code and what it says.
pub struct No {
    pub code: &'static str,
    pub said: String,
    pub more: Value,
}

pub fn no(code: &'static str, said: impl Into<String>) -> No {
    No { code, said: said.into(), more: Value::Null }
}
