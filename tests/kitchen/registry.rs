//! A registry and file server on loopback, with faults on demand down to the byte.
//!
//! ```ignore
//! let registry = Registry::start();
//! let image = registry.image("elastic/es", "8.19.3", &["linux/amd64", "linux/arm64"]);
//! registry.fault(&image.blob_path(0), 1, Fault::Cut(100));        // the first answer ends after 100 bytes
//! let reference = registry.reference("elastic/es:8.19.3");
//! // … work …
//! assert_eq!(registry.requests_to(&image.blob_path(0)).len(), 2);
//! ```

mod answer;
#[cfg(feature = "aws")]
pub mod ecr;
mod guard;
mod image;
mod receive;
mod rules;
mod serve;
mod uploads;
mod write;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use elkbake::digest::Digest;
use elkbake::name::Reference;

pub use guard::Guard;
pub use image::Image;
pub use rules::{Immutable, Rules};

/// What goes wrong with an answer.
#[derive(Clone, Debug)]
pub enum Fault {
    /// After so many bytes of the body, the connection is dropped.
    Cut(usize),
    /// The header promises so many bytes, whatever comes.
    SayLength(u64),
    /// An error status, with `Retry-After` if given.
    Status(u16, Option<String>),
    /// A web page with this title, status 200.
    Page(String),
    /// One byte of the body is another.
    Corrupt,
    /// The client is sent elsewhere: an address or a path.
    Redirect(String),
    /// A body without end, of spaces.
    Endless,
    /// The connection ends without an answer.
    HangUp,
    /// It is done, and the answer never comes.
    Silent,
    /// It is done only when the test says `release`.
    Hold,
    /// Meanwhile somebody else puts an image of theirs under this tag of the same repository.
    Taken(String),
    /// Headers come, a body never does.
    Stall,
    /// A `Range` is not heeded: all of it comes with 200.
    NoRanges,
    /// Another part comes than was asked for.
    OtherRange,
    /// Neither length nor chunks: the end of the connection is the end.
    NoLength,
    /// In chunks, without a length; they end in the middle after so many bytes, if given.
    Chunked(Option<usize>),
    /// Headers that replace those of the answer; an empty value takes one away.
    Headers(Vec<(String, String)>),
    /// After so many bytes of the request's body, the connection is dropped. An upload keeps what has come.
    CutBody(usize),
    /// After so many bytes of the request's body comes this answer, and the connection ends.
    Early(usize, u16),
    /// After so many bytes of the request's body, no more of it is read, and nothing is said.
    StallBody(usize),
    /// The upload is not known any more.
    Vanish,
    /// No token that was given so far holds any more.
    Expire,
    /// A part of an upload is thrown away, and answered with how far it was before.
    NotTaken,
    /// The answer has this status, and is right otherwise.
    As(u16),
}

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Request {
    /// `GET`.
    pub method: String,
    /// Path and query; the whole address when we were asked as a proxy.
    pub target: String,
    /// By lower-case name.
    pub headers: BTreeMap<String, String>,
    /// What came with it.
    pub body: Vec<u8>,
    /// How many bytes of a body were sent in answer.
    pub sent: u64,
}

impl Request {
    /// The path without the query.
    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// A header by lower-case name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }
}

/// A planned fault: for answers to this path, so many times.
struct Planned {
    path: String,
    times: usize,
    fault: Fault,
}

impl Planned {
    fn is_for(&self, request: &Request) -> bool {
        let (method, path) = self.path.split_once(' ').unwrap_or((&request.method, &self.path));
        let fits = match path.strip_suffix('*') {
            Some(beginning) => request.path().starts_with(beginning),
            None => request.path() == path,
        };
        fits && method == request.method
    }
}

#[derive(Default)]
struct State {
    blobs: BTreeMap<Digest, Vec<u8>>,
    /// Blobs that are in all repositories.
    everywhere: BTreeSet<Digest>,
    /// Blobs that were put into one.
    placed: BTreeSet<(String, Digest)>,
    uploads: uploads::Uploads,
    rules: Rules,
    /// By repository and tag or digest: kind and bytes.
    manifests: BTreeMap<(String, String), (String, Vec<u8>)>,
    files: BTreeMap<String, Vec<u8>>,
    faults: Vec<Planned>,
    requests: Vec<Request>,
    /// How often they were forgotten.
    forgotten: usize,
    connections: usize,
    /// Requests of uploads that are worked on, and how many there ever were at one time.
    coming: usize,
    most_coming: usize,
    /// What is held goes on.
    is_released: bool,
    guard: Guard,
    tokens: guard::Tokens,
    #[cfg(feature = "aws")]
    ecr: Option<ecr::Ecr>,
}

/// The registry. It stops when this is dropped.
pub struct Registry {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    stop: Arc<AtomicBool>,
}

impl Registry {
    /// Starts on a free port of 127.0.0.1, empty and open to all.
    pub fn start() -> Self {
        Self::start_with(|stream, serve| serve(Box::new(stream)))
    }

    /// Starts with something between the sockets and the server: TLS.
    pub fn start_with(wrap: impl Fn(TcpStream, &dyn Fn(Box<dyn serve::Duplex>)) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        let state = Arc::new(Mutex::new(State::default()));
        let stop = Arc::new(AtomicBool::new(false));
        let server = serve::Server { state: Arc::clone(&state), stop: Arc::clone(&stop), address };
        let wrap = Arc::new(wrap);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if server.stop.load(Ordering::Relaxed) {
                    return;
                }
                let (Ok(stream), server, wrap) = (stream, server.clone(), Arc::clone(&wrap)) else { continue };
                std::thread::spawn(move || wrap(stream, &|stream| server.connection(stream)));
            }
        });
        Self { address, state, stop }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no panic in the server")
    }

    /// Host and port.
    pub fn host(&self) -> String {
        self.address.to_string()
    }

    /// The address of a path here.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// A reference to something here: `elastic/es:8.19.3`.
    pub fn reference(&self, rest: &str) -> Reference {
        format!("{}/{rest}", self.address).parse().expect("a reference")
    }

    /// Holds a blob, in all repositories.
    pub fn blob(&self, bytes: &[u8]) -> Digest {
        let digest = Digest::of(bytes);
        let mut state = self.state();
        state.blobs.insert(digest, bytes.to_vec());
        state.everywhere.insert(digest);
        digest
    }

    /// Holds a blob in one repository.
    pub fn blob_in(&self, repository: &str, bytes: &[u8]) -> Digest {
        let digest = Digest::of(bytes);
        self.state().place(repository, digest, bytes.to_vec());
        digest
    }

    /// Takes a blob away from a repository.
    pub fn forget_blob(&self, repository: &str, digest: &Digest) {
        self.state().placed.remove(&(repository.to_owned(), *digest));
    }

    /// The bytes of a blob that a repository has.
    pub fn held(&self, repository: &str, digest: &Digest) -> Option<Vec<u8>> {
        let state = self.state();
        state.has(repository, digest).then(|| state.blobs[digest].clone())
    }

    /// What a tag or digest names: kind and bytes.
    pub fn named(&self, repository: &str, name: &str) -> Option<(String, Vec<u8>)> {
        self.state().manifests.get(&(repository.to_owned(), name.to_owned())).cloned()
    }

    /// Takes a tag away.
    pub fn take_tag(&self, repository: &str, tag: &str) {
        self.state().manifests.remove(&(repository.to_owned(), tag.to_owned()));
    }

    /// Takes a blob out of all repositories.
    pub fn take_blob(&self, digest: &Digest) {
        let mut state = self.state();
        state.blobs.remove(digest);
        state.everywhere.remove(digest);
        state.placed.retain(|(_, placed)| placed != digest);
    }

    /// Changes how it behaves.
    pub fn rules(&self, change: impl FnOnce(&mut Rules)) {
        change(&mut self.state().rules);
    }

    /// Makes it ECR, or changes how that is set.
    #[cfg(feature = "aws")]
    pub fn ecr<T>(&self, change: impl FnOnce(&mut ecr::Ecr) -> T) -> T {
        change(self.state().ecr.get_or_insert_default())
    }

    /// Does what replication does: all of a repository gets to another registry.
    #[cfg(feature = "aws")]
    pub fn replicate_to(&self, other: &Self, repository: &str) {
        let state = self.state();
        let mut to = other.state();
        for (place, digest) in state.placed.iter().filter(|(place, _)| place == repository) {
            to.place(place, *digest, state.blobs[digest].clone());
        }
        let manifests = state.manifests.iter().filter(|((place, _), _)| place == repository);
        to.manifests.extend(manifests.map(|(key, manifest)| (key.clone(), manifest.clone())));
    }

    /// Uploads that are open.
    pub fn uploads(&self) -> usize {
        self.state().uploads.len()
    }

    /// How many bytes the largest upload has that is open, once all clients are gone: one that was killed may have left
    /// some in its sockets, and a connection that nobody has seen yet.
    pub fn uploaded(&self) -> u64 {
        let mut quiet = 0;
        while quiet < 3 {
            std::thread::sleep(std::time::Duration::from_millis(10));
            quiet = if self.state().connections == 0 { quiet + 1 } else { 0 };
        }
        self.state().uploads.furthest() as u64
    }

    /// Whether bytes of an upload are coming just now.
    pub fn is_taking(&self) -> bool {
        self.state().coming > 0
    }

    /// How many uploads ever came at one time.
    pub fn most_at_once(&self) -> usize {
        self.state().most_coming
    }

    /// Lets go of all that is held.
    pub fn release(&self) {
        self.state().is_released = true;
    }

    /// Forgets all uploads.
    pub fn drop_uploads(&self) {
        self.state().uploads.clear();
    }

    /// How many bytes came with requests to upload into a repository.
    pub fn received(&self, repository: &str) -> u64 {
        let path = format!("/v2/{repository}/blobs/uploads/");
        let state = self.state();
        let requests = state.requests.iter().filter(|request| request.path().starts_with(&path));
        requests.map(|request| request.body.len() as u64).sum()
    }

    /// The requests so far, as `METHOD /path`, in the order of their coming.
    pub fn lines(&self) -> Vec<String> {
        let state = self.state();
        state.requests.iter().map(|request| format!("{} {}", request.method, request.path())).collect()
    }

    /// Holds a manifest, by digest and, where one is given, by tag.
    pub fn manifest(&self, repository: &str, tag: Option<&str>, kind: &str, bytes: &[u8]) -> Digest {
        let digest = Digest::of(bytes);
        for name in [Some(digest.to_string()), tag.map(str::to_owned)].into_iter().flatten() {
            self.state().manifests.insert((repository.to_owned(), name), (kind.to_owned(), bytes.to_vec()));
        }
        digest
    }

    /// Holds a file under `/files/NAME`, and tells its path.
    pub fn file(&self, name: &str, bytes: &[u8]) -> String {
        let path = format!("/files/{name}");
        self.state().files.insert(path.clone(), bytes.to_vec());
        path
    }

    /// Plans a fault for the next answers to a path; planned faults of one path come one after the other. `PATCH /a` is
    /// for requests of one method only, and `/a*` for all that begin so.
    pub fn fault(&self, path: &str, times: usize, fault: Fault) {
        self.state().faults.push(Planned { path: path.to_owned(), times, fault });
    }

    /// Drops all faults that are planned.
    #[cfg(feature = "aws")]
    pub fn heal(&self) {
        self.state().faults.clear();
    }

    /// Asks who comes from now on.
    pub fn guard(&self, guard: Guard) {
        self.state().guard = guard;
    }

    /// Makes all tokens given out so far worthless.
    pub fn expire_tokens(&self) {
        self.state().tokens.expire();
    }

    /// All requests so far, in the order of their coming.
    pub fn requests(&self) -> Vec<Request> {
        self.state().requests.clone()
    }

    /// The requests to one path.
    pub fn requests_to(&self, path: &str) -> Vec<Request> {
        self.state().requests.iter().filter(|request| request.path() == path).cloned().collect()
    }

    /// How many bytes of bodies were sent for one path.
    pub fn sent(&self, path: &str) -> u64 {
        self.requests_to(path).iter().map(|request| request.sent).sum()
    }

    /// Forgets the requests so far.
    pub fn forget(&self) {
        let mut state = self.state();
        state.requests.clear();
        state.forgotten += 1;
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // The thread waits for a connection; this is one.
        let _ = TcpStream::connect(self.address);
    }
}
