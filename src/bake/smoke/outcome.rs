//! What a test found.

use std::collections::BTreeMap;

use super::log::last_lines;
use crate::digest::Digest;
use crate::name::{Platform, RecipeName};
use crate::record::{RecordedCheck, RecordedTest};
use crate::store::{Store, StoreError};

/// What a test of an image on one platform found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The platform.
    pub platform: Platform,
    /// The image's OCI manifest.
    pub digest: Digest,
    /// The engine, with its version.
    pub engine: String,
    /// The OCI manifests of the images that ran beside it.
    pub with: BTreeMap<RecipeName, Digest>,
    /// What was looked at, in order. The first that failed is the last.
    pub checks: Vec<Check>,
    /// How long it took until it was ready, in milliseconds.
    pub ready_ms: u64,
    /// How long it took to stop.
    pub stop_ms: u64,
    /// How long all of it took.
    pub total_ms: u64,
    /// What the containers asked the made-up services of ECS.
    pub asked: Vec<String>,
    /// What each container printed, by its recipe; the tested one first.
    pub logs: Vec<(RecipeName, String)>,
}

/// Something that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// What it is.
    pub name: String,
    /// How long it took, in milliseconds.
    pub ms: u64,
    /// What is not as it has to be.
    pub failure: Option<String>,
}

impl Outcome {
    /// What failed.
    #[must_use]
    pub fn failure(&self) -> Option<(&str, &str)> {
        self.checks.iter().find_map(|check| Some((check.name.as_str(), check.failure.as_deref()?)))
    }

    /// The last lines of every log.
    #[must_use]
    pub fn last_lines(&self) -> Vec<(&RecipeName, Vec<String>)> {
        self.logs.iter().map(|(name, text)| (name, last_lines(text))).collect()
    }

    /// Keeps it in the store, where a push finds it; where it failed, nothing is known of the image any more. Gives
    /// the digest of the log.
    ///
    /// # Errors
    /// When the store does not take it.
    pub fn keep(&self, at: &str, store: &Store) -> Result<Digest, StoreError> {
        let text: String = self.logs.iter().map(|(name, text)| format!("== {name}\n{text}\n")).collect();
        let (log, _) = store.put(&mut text.as_bytes(), None)?;
        let key = key(&self.digest);
        if self.failure().is_some() {
            store.forget(&key)?;
            return Ok(log);
        }
        let checks = self.checks.iter().map(|check| RecordedCheck { name: check.name.clone(), ms: check.ms });
        let tested = RecordedTest {
            platform: self.platform.clone(),
            digest: self.digest,
            at: at.to_owned(),
            engine: self.engine.clone(),
            with: self.with.clone(),
            checks: checks.collect(),
            ready_ms: self.ready_ms,
            stop_ms: self.stop_ms,
            log,
        };
        store.keep(&key, &tested, &[log])?;
        Ok(log)
    }
}

/// The test that an image passed last, by the digest of its OCI manifest. One that failed since counts for none.
///
/// # Errors
/// When the store cannot be read.
pub fn passed(manifest: &Digest, store: &Store) -> Result<Option<RecordedTest>, StoreError> {
    store.result(&key(manifest))
}

fn key(manifest: &Digest) -> Digest {
    Digest::of(format!("smoke test of {manifest}").as_bytes())
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;

    #[test]
    fn what_passed_is_found_until_it_fails() {
        let root = tempfile::tempdir().unwrap();
        let store = Store::open(root.path(), SystemTime::UNIX_EPOCH).unwrap();
        let check =
            |failure: Option<&str>| Check { name: "ready".to_owned(), ms: 5, failure: failure.map(str::to_owned) };
        let mut outcome = Outcome {
            platform: "linux/amd64".parse().unwrap(),
            digest: Digest::of(b"manifest"),
            engine: "Docker 9".to_owned(),
            with: BTreeMap::new(),
            checks: vec![check(None)],
            ready_ms: 5,
            stop_ms: 6,
            total_ms: 20,
            asked: Vec::new(),
            logs: vec![("es".parse().unwrap(), "started\n".to_owned())],
        };
        let log = outcome.keep("2026-01-01T00:00:00Z", &store).unwrap();
        let tested = passed(&outcome.digest, &store).unwrap().unwrap();
        assert_eq!((tested.log, tested.checks.len(), tested.ready_ms, tested.stop_ms), (log, 1, 5, 6));
        assert_eq!(store.bytes(&log, 100).unwrap().unwrap(), b"== es\nstarted\n\n");
        assert_eq!(passed(&Digest::of(b"other"), &store).unwrap(), None);
        outcome.checks.push(check(Some("no")));
        assert_eq!(outcome.failure(), Some(("ready", "no")));
        outcome.keep("2026-01-01T00:00:01Z", &store).unwrap();
        assert_eq!(passed(&outcome.digest, &store).unwrap(), None);
    }
}
