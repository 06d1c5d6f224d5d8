//! What was seen of a project's big files, kept in the store from run to run, so that a run in which nothing changed
//! does not read them again.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::SystemTime;

use super::global::Global;
use super::store;
use super::surroundings::Surroundings;
use crate::digest::Digest;
use crate::local::{self, Local, LocalError, Seen};
use crate::recipe::{FileRule, Glob};
use crate::store::Store;

/// Reads recipes' own files, and remembers what it saw.
pub(super) struct Sights {
    project: PathBuf,
    /// Where the store is, if anywhere; it is not made for this.
    store: Option<PathBuf>,
    now: SystemTime,
    before: OnceLock<Seen>,
    /// What has to be kept, once it is another than before.
    after: Mutex<Option<Seen>>,
}

impl Sights {
    /// Looks at nothing yet.
    pub(super) fn new(project: &Path, global: &Global, surroundings: &Surroundings) -> Self {
        Self {
            project: project.to_owned(),
            store: store::root(global, surroundings).ok(),
            now: surroundings.now,
            before: OnceLock::new(),
            after: Mutex::new(None),
        }
    }

    /// Reads the files of one recipe.
    pub(super) fn read(&self, folder: &str, rules: &BTreeMap<Glob, FileRule>) -> Result<Local, LocalError> {
        let before = self.before.get_or_init(|| self.stored().unwrap_or_default());
        let (local, seen) = local::read_again(&self.project, folder, rules, before, self.now)?;
        if !before.knows_all(folder, &seen) {
            let mut after = self.after.lock().unwrap_or_else(PoisonError::into_inner);
            after.get_or_insert_with(|| before.clone()).renew(folder, seen);
        }
        Ok(local)
    }

    fn stored(&self) -> Option<Seen> {
        self.open()?.result(&self.key()).ok()?
    }

    fn open(&self) -> Option<Store> {
        let root = self.store.as_ref().filter(|root| root.is_dir())?;
        Store::open(root, self.now).ok()
    }

    /// Each project has its own: the paths in it are the project's.
    fn key(&self) -> Digest {
        let project = self.project.canonicalize().unwrap_or_else(|_| self.project.clone());
        Digest::of(format!("what was seen in {}", project.display()).as_bytes())
    }
}

impl Drop for Sights {
    /// Where it cannot be kept, the files are read again the next time.
    fn drop(&mut self) {
        let Some(after) = self.after.get_mut().unwrap_or_else(PoisonError::into_inner).take() else { return };
        if let Some(store) = self.open() {
            let _ = store.keep_lightly(&self.key(), &after, &[]);
        }
    }
}
