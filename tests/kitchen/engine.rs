//! A container engine at a socket, which speaks as much of Docker's API as elkbake uses and is strict about it.
//!
//! It runs no programs. The command of a container is a list of what it is to do: `print:TEXT`, `put:PATH=TEXT`,
//! `random:PATH`, `link:PATH=FIRST`, `remove:PATH`, `pipe:PATH`, `exit:CODE`, `memory`, `hang`; and for smoke tests
//! `serve:PORT=STATUS BODY`, `ask:METHOD PATH`, `deaf`, `end`. What an image's own command is, is done too.

mod container;
mod files;
mod serve;
mod smoke;

use std::collections::BTreeMap;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use serde_json::Value;

use container::Container;
use files::Files;

/// What goes wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Its API is that of Docker 19.
    Old,
    /// It says that it is Podman, and wants all layers of an image.
    Podman,
    /// A call whose target holds this text is answered with an error.
    Says(&'static str, u16, &'static str),
    /// At such a call the engine is gone.
    Dies(&'static str),
    /// The answer to such a call ends after so many bytes.
    Cut(&'static str, usize),
}

/// An image, by its layers.
pub struct Image {
    pub names: Vec<String>,
    pub labels: BTreeMap<String, Value>,
    pub layers: Vec<String>,
    pub files: Files,
    /// What is started where a container says nothing.
    pub cmd: Value,
}

/// All that it has.
#[derive(Default)]
pub struct State {
    pub images: BTreeMap<String, Image>,
    pub containers: BTreeMap<String, Container>,
    pub volumes: BTreeMap<String, Value>,
    /// What it was asked for: methods and targets.
    pub asked: Vec<String>,
    /// What was asked wrongly.
    pub wrong: Vec<String>,
    /// How many layers each image that was loaded came with.
    pub sent: Vec<usize>,
    /// The containers that were made, in the words of those who wanted them.
    pub created: Vec<Value>,
    /// What was unpacked into containers, and where.
    pub filled: Vec<(String, Files)>,
    /// The files in layers that were seen before, which need not be sent again.
    pub known: BTreeMap<String, Files>,
    pub faults: Vec<Fault>,
    /// Commands in containers: in which, what, and how it ended.
    pub execs: BTreeMap<String, (String, Vec<String>, i64)>,
    /// So many questions about containers find one between its end and Podman's own clean-up after it.
    pub between: usize,
    /// A container starts so long after it was told to.
    pub slow_start: std::time::Duration,
    /// What the kernel says of memory is not known at so many questions about containers.
    pub late: usize,
    /// What containers ask the services of ECS, by way of the probe.
    pub questions: std::collections::VecDeque<(String, String)>,
    made: usize,
}

impl State {
    /// Whether the engine is there at all.
    fn lives(&self) -> bool {
        !self.faults.contains(&Fault::Dies(""))
    }

    /// What a container that has ended is called.
    fn ended(&mut self) -> &'static str {
        let is_between = self.between > 0;
        self.between = self.between.saturating_sub(1);
        if is_between { "stopped" } else { "exited" }
    }

    /// A new id.
    fn id(&mut self) -> String {
        self.made += 1;
        format!("{:064x}", self.made)
    }
}

/// An engine; it ends when this is dropped.
pub struct Engine {
    folder: tempfile::TempDir,
    state: Arc<Mutex<State>>,
    stop: Arc<AtomicBool>,
}

impl Engine {
    pub fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(folder.path().join("docker.sock")).unwrap();
        let (state, stop) = (Arc::new(Mutex::new(State::default())), Arc::new(AtomicBool::new(false)));
        let (server, ended) = (Arc::clone(&state), Arc::clone(&stop));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if ended.load(Ordering::Relaxed) {
                    return;
                }
                let (Ok(stream), server, ended) = (stream, Arc::clone(&server), Arc::clone(&ended)) else { continue };
                std::thread::spawn(move || serve::connection(stream, &server, &ended));
            }
        });
        Self { folder, state, stop }
    }

    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("docker.sock")
    }

    /// Its address, as people write it.
    pub fn address(&self) -> String {
        format!("unix://{}", self.socket().display())
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Lets something go wrong from now on.
    pub fn fault(&self, fault: Fault) {
        self.state().faults.push(fault);
    }

    /// Lets nothing go wrong any more.
    pub fn heal(&self) {
        self.state().faults.clear();
    }

    /// What is left in it: containers, images, volumes.
    pub fn left(&self) -> (usize, usize, usize) {
        let state = self.state();
        (state.containers.len(), state.images.len(), state.volumes.len())
    }

    /// How often it was asked for something whose method and target hold a text.
    pub fn asked(&self, text: &str) -> usize {
        self.state().asked.iter().filter(|asked| asked.contains(text)).count()
    }

    /// Waits until it was asked for that so often.
    pub fn until_asked(&self, text: &str, times: usize) {
        let begun = Instant::now();
        while self.asked(text) < times {
            assert!(begun.elapsed() < Duration::from_secs(60), "{text} is not asked for");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Fails when something was asked wrongly, or is left behind.
    #[track_caller]
    pub fn clean(&self) {
        let wrong = self.state().wrong.clone();
        assert!(wrong.is_empty(), "{wrong:#?}");
        assert_eq!(self.left(), (0, 0, 0), "left behind");
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // The one that waits for a caller sees it.
        let _ = std::os::unix::net::UnixStream::connect(self.socket());
    }
}

/// A path in an engine's URL, without what stands before the resource.
fn is_label_of(labels: &Value) -> bool {
    labels.get("elkbake.run").and_then(Value::as_str).is_some_and(|run| run.split('-').count() == 4)
}

/// The name of a file, for sockets that are in the way.
pub fn nothing_at(folder: &Path) -> String {
    format!("unix://{}", folder.join("none.sock").display())
}
