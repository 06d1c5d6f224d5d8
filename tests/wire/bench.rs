//! A client with its store and its memory of what it was told.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::time::{Duration, SystemTime};

use elkbake::bake::event::Event;
use elkbake::bake::port::{Arrival, Download, Fetch, Freight, PortError, Publish, RawManifest, Registry as _};
use elkbake::digest::Digest;
use elkbake::name::Reference;
use elkbake::remote::Wire;
use elkbake::remote::config::{Pieces, Timing, WireConfig};
use elkbake::store::Store;

/// The client, quick to try again.
pub struct Bench {
    pub wire: Wire,
    pub store: Store,
    pub notes: Mutex<Vec<String>>,
    /// How many bytes were said to be done, over all tasks.
    pub advanced: Mutex<u64>,
    pub folder: tempfile::TempDir,
    kept: Vec<tempfile::TempDir>,
}

/// A configuration with short waits.
pub fn config() -> WireConfig {
    let timing =
        Timing { first_wait: Duration::from_micros(10), longest_wait: Duration::from_micros(50), ..Timing::default() };
    WireConfig { timing, ..WireConfig::default() }
}

/// The same for one that sends in chunks of 1,000 bytes what is larger than that.
pub fn chunked() -> WireConfig {
    WireConfig { pieces: Pieces { whole: 1000, chunk: 1000 }, ..config() }
}

impl Bench {
    pub fn new() -> Self {
        Self::with(config())
    }

    pub fn with(config: WireConfig) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("store"), SystemTime::UNIX_EPOCH).unwrap();
        let (notes, advanced) = Default::default();
        Self { wire: Wire::new(config).unwrap(), store, notes, advanced, folder, kept: Vec::new() }
    }

    /// Keeps a folder for as long as the client needs it.
    pub fn keeping(mut self, folder: tempfile::TempDir) -> Self {
        self.kept.push(folder);
        self
    }

    fn hear(&self, event: Event<'_>) {
        match event {
            Event::Note(note) => self.notes.lock().unwrap().push(note.to_owned()),
            Event::Advance { bytes, .. } => *self.advanced.lock().unwrap() += bytes,
            _ => {}
        }
    }

    pub fn fetch(&self, url: &str, expected: Option<Digest>) -> Result<(Digest, u64), PortError> {
        self.fetch_up_to(url, expected, 100_000_000)
    }

    pub fn fetch_up_to(&self, url: &str, expected: Option<Digest>, limit: u64) -> Result<(Digest, u64), PortError> {
        let what = Download { name: "the thing".to_owned(), url: url.parse().unwrap(), expected, limit };
        self.wire.fetch(&what, &self.store, &|event| self.hear(event))
    }

    pub fn manifest(&self, reference: &Reference) -> Result<RawManifest, PortError> {
        self.wire.manifest(reference, &|event| self.hear(event))
    }

    pub fn blob(&self, from: &Reference, digest: Digest, size: u64) -> Result<(), PortError> {
        self.wire.blob(from, digest, size, &self.store, &|event| self.hear(event))
    }

    /// Puts bytes into the store.
    pub fn stored(&self, bytes: &[u8]) -> Digest {
        self.store.put(&mut &bytes[..], None).unwrap().0
    }

    /// Sends what the store has.
    pub fn send(&self, into: &Reference, bytes: &[u8]) -> Result<Arrival, PortError> {
        let digest = self.stored(bytes);
        self.send_from(into, digest, bytes.len() as u64, None)
    }

    pub fn send_from(
        &self,
        into: &Reference,
        digest: Digest,
        size: u64,
        origin: Option<&Reference>,
    ) -> Result<Arrival, PortError> {
        self.wire.send(into, Freight { digest, size, origin }, &self.store, &|event| self.hear(event))
    }

    pub fn held(&self, reference: &Reference) -> Result<Option<Digest>, PortError> {
        self.wire.held(reference, &|event| self.hear(event))
    }

    pub fn missing(&self, into: &Reference, blobs: &[Digest]) -> Result<BTreeSet<Digest>, PortError> {
        self.wire.missing(into, blobs, &|event| self.hear(event))
    }

    pub fn publish(&self, at: &Reference, kind: &str, bytes: &[u8]) -> Result<(), PortError> {
        let manifest = RawManifest { digest: Digest::of(bytes), media_type: kind.to_owned(), bytes: bytes.to_vec() };
        self.wire.publish(at, &manifest, &|event| self.hear(event))
    }

    /// Another run on the same store: with its own connections, tokens and memory.
    pub fn again(&self, config: WireConfig) -> Self {
        let mut other = Self::with(config);
        other.store = Store::open(&self.folder.path().join("store"), SystemTime::UNIX_EPOCH).unwrap();
        other
    }

    /// All that was noted, in lines.
    pub fn notes(&self) -> String {
        self.notes.lock().unwrap().join("\n")
    }

    /// The bytes of a blob in the store.
    pub fn bytes(&self, digest: &Digest) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut self.store.read(digest).unwrap()?, &mut bytes).unwrap();
        Some(bytes)
    }

    /// How many whole blobs are in the store.
    pub fn blobs(&self) -> usize {
        fn count(folder: &std::path::Path) -> usize {
            let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
            entries.map(|path| if path.is_dir() { count(&path) } else { 1 }).sum()
        }
        let blobs = std::fs::read_dir(self.folder.path().join("store")).unwrap();
        let blobs = blobs.map(|entry| entry.unwrap().path().join("blobs")).find(|path| path.is_dir());
        blobs.map_or(0, |path| count(&path))
    }
}

/// Bytes that no two places of look alike.
pub fn bytes(count: usize) -> Vec<u8> {
    (0..count).map(|n| u8::try_from((n * 31 + n / 251) % 256).unwrap()).collect()
}

/// The message of an error of the right kind.
macro_rules! error {
    ($result:expr, $kind:ident) => {{
        let error = $result.unwrap_err();
        assert!(matches!(error, elkbake::bake::port::PortError::$kind { .. }), "{error:?}");
        error.to_string()
    }};
}
pub(crate) use error;
