//! A strict AWS as far as hosts need it: EC2, and STS, SSM and Auto Scaling beside it, in several regions and accounts
//! over one state. It speaks the wire protocols; which region and service are meant is in the signature, and the
//! access key tells the account.
//!
//! ```ignore
//! let amazon = Amazon::start(&["eu-west-1", "us-east-1"]);
//! amazon.guest(|boot| Guest::stops().says(&format!("ELKBAKE {} ok", boot.tags["elkbake:key"])));
//! amazon.fault("CreateImage", 1, Trouble::Lost);                  // it is done, and the answer never comes
//! // … work …
//! assert_eq!(amazon.asked("RunInstances"), 1);
//! assert_eq!(amazon.left(), [""; 0]);
//! ```

mod answer;
mod call;
mod clock;
mod devices;
mod encryption;
mod filter;
mod given;
mod groups;
mod guest;
mod images;
mod instances;
mod life;
mod making;
mod network;
mod parameters;
mod params;
mod permissions;
mod run;
#[cfg(feature = "aws")]
mod saying;
mod serve;
mod snapshots;
mod spot;
mod sts;
mod tags;
mod templates;
mod token;
mod trouble;
mod types;
mod volumes;
mod world;
mod xml;

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

pub use call::Asked;
pub use guest::{Boot, Guest};
#[cfg(feature = "aws")]
pub use saying::Cloud;
pub use trouble::Trouble;
pub use world::{Grant, Image, Instance, Pace, Thing, World};

use trouble::Plans;

/// The account that all of it belongs to, unless a key or role says otherwise.
pub const ACCOUNT: &str = "123456789012";

/// The account of Amazon's own images.
pub const AMAZON: &str = "591542846629";

/// The cloud. It stops when this is dropped.
pub struct Amazon {
    address: SocketAddr,
    sky: Arc<Sky>,
}

/// What the threads share.
pub struct Sky {
    world: Mutex<World>,
    plans: Mutex<Plans>,
    stop: AtomicBool,
}

impl Sky {
    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().expect("no panic in the cloud")
    }

    fn plans(&self) -> MutexGuard<'_, Plans> {
        self.plans.lock().expect("no panic in the cloud")
    }
}

impl Amazon {
    /// Starts on a free port of 127.0.0.1. Each region has Amazon's images, the default network and instance types.
    pub fn start(regions: &[&str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        let sky = Sky { world: Mutex::new(World::new(regions)), plans: Mutex::default(), stop: AtomicBool::new(false) };
        let sky = Arc::new(sky);
        let server = Arc::clone(&sky);
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
        Self { address, sky }
    }

    /// The address of all services.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The environment of a program that works here.
    pub fn env(&self) -> [(&'static str, String); 4] {
        [
            ("AWS_ENDPOINT_URL", self.url()),
            ("AWS_ACCESS_KEY_ID", "AKIDKITCHEN".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "very-secret".to_owned()),
            ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
        ]
    }

    /// Looks at all of it as it is now, or changes it.
    pub fn world<T>(&self, change: impl FnOnce(&mut World) -> T) -> T {
        let mut world = self.sky.world();
        world.settle(Instant::now());
        change(&mut world)
    }

    /// What instances do from now on, once they run. Without a plan they run on and print a login prompt.
    pub fn guest(&self, plan: impl Fn(&Boot) -> Guest + Send + 'static) {
        self.sky.world().guest = Box::new(plan);
    }

    /// Sets how long things take.
    pub fn pace(&self, change: impl FnOnce(&mut Pace)) {
        change(&mut self.sky.world().pace);
    }

    /// Lets what is under way take no longer than so long from now: whoever has seen what there was to see in between
    /// need not wait for the rest, and what there is to see is not gone before a busy machine looks.
    pub fn hasten(&self, within: Duration) {
        self.world(|world| world.hasten(Instant::now() + within));
    }

    /// Plans that the next calls of an action go wrong.
    pub fn fault(&self, action: &str, times: usize, trouble: Trouble) {
        self.sky.plans().fault(action, times, trouble);
    }

    /// Is told of every call as it comes in, before anything is done, and may say what goes wrong with it.
    pub fn watch(&self, hook: impl Fn(&Asked) -> Option<Trouble> + Send + Sync + 'static) {
        self.sky.plans().hook = Some(Arc::new(hook));
    }

    /// Gives a gate: while it is locked, no call of an action gets through.
    pub fn gate(&self, action: &'static str) -> Arc<Mutex<()>> {
        let gate = Arc::new(Mutex::new(()));
        let passed = Arc::clone(&gate);
        self.watch(move |asked| {
            let _through = (asked.action == action).then(|| passed.lock());
            None
        });
        gate
    }

    /// Lets an action be called so often in a second in each region, and so often at once.
    pub fn limit(&self, action: &str, rate: u32, burst: u32) {
        self.sky.plans().limit(action, rate, burst);
    }

    /// Lets an action take so long.
    pub fn slow(&self, action: &str, time: Duration) {
        self.sky.plans().slow.insert(action.to_owned(), time);
    }

    /// Makes a permission missing: `ec2:CreateImage`.
    pub fn deny(&self, permission: &str) {
        self.sky.plans().denied.insert(permission.to_owned());
    }

    /// All calls so far, in the order in which they came.
    pub fn calls(&self) -> Vec<Asked> {
        self.sky.plans().asked.clone()
    }

    /// How often an action was called.
    pub fn asked(&self, action: &str) -> usize {
        self.sky.plans().asked.iter().filter(|asked| asked.action == action).count()
    }

    /// How many calls were refused because there were too many.
    pub fn throttled(&self) -> usize {
        self.sky.plans().throttled
    }

    /// Forgets the calls so far; their numbers begin anew.
    pub fn forget(&self) {
        self.sky.plans().asked.clear();
    }

    /// All that exists and is not Amazon's nor what the test put there, by region.
    pub fn inventory(&self) -> BTreeMap<String, Vec<Thing>> {
        self.world(|world| world.inventory())
    }

    /// All of the inventory that is not wanted for itself: instances, volumes, requests, keys and groups; images that
    /// are not finished, and snapshots that belong to no image. A line for each.
    pub fn left(&self) -> Vec<String> {
        self.world(|world| world.left())
    }
}

impl Drop for Amazon {
    fn drop(&mut self) {
        self.sky.stop.store(true, Ordering::Relaxed);
        // The thread waits for a connection; this is one.
        let _ = TcpStream::connect(self.address);
    }
}
