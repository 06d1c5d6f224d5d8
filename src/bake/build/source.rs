//! The bytes that a plugin or an archive is made from: out of the store, the project or the world.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::Path;

use super::fault::BuildFault;
use super::order::Bench;
use crate::bake::base::Watched;
use crate::bake::resolve::LARGEST_ARTEFACT;
use crate::bake::resolve::project::Inside;
use crate::digest::Verifying;
use crate::lock::{Input, LockedFile, wants};
use crate::name::Platform;
use crate::recipe::ProjectPath;
use crate::store::StoreError;

/// What is wrong with a file of the project that has other bytes than when it was locked.
const CHANGED: &str = "it is not what was locked";

impl Bench<'_> {
    /// What the lock pins for a plugin or an archive on a platform.
    pub(super) fn locked(&self, input: &Input, platform: &Platform) -> Result<&LockedFile, BuildFault> {
        let locked = self.order.lock.answer(&wants(&self.order.recipe.value), input, platform);
        locked.ok_or_else(|| BuildFault::Misfit(format!("the lock has nothing for {input} on {platform}")))
    }

    /// Opens that, verified. `path` is where it is in the project, where it is not downloaded: a copy without a name is
    /// made of it then, because others may write to the file while it is read, and the store gets none of it.
    pub(super) fn open(&self, locked: &LockedFile, path: Option<&ProjectPath>) -> Result<File, BuildFault> {
        let store = self.world.store;
        if let Some(file) = store.file(&locked.sha256)? {
            return Ok(file);
        }
        match (path, &locked.url) {
            (Some(path), _) => return self.copied(path, locked),
            (None, Some(url)) => {
                let url = url.parse().map_err(|error| BuildFault::Misfit(format!("{url} in the lock: {error}")))?;
                self.world.download(locked.name.clone(), &url, Some(locked.sha256), LARGEST_ARTEFACT)?;
            }
            (None, None) => return Err(BuildFault::Misfit(format!("the lock does not say where {} is", locked.name))),
        }
        store.file(&locked.sha256)?.ok_or_else(|| {
            BuildFault::Misfit(format!("{} was put into the store and is not there: is its disk failing?", locked.name))
        })
    }

    fn copied(&self, path: &ProjectPath, locked: &LockedFile) -> Result<File, BuildFault> {
        let inside = Inside::of(self.world.project, Path::new(path.as_str()))?;
        let (file, size) = inside.open()?;
        if size != locked.size {
            return Err(inside.wrong(CHANGED).into());
        }
        let verifying = Verifying::new(file, locked.sha256, Some(locked.size));
        match self.world.store.scratch_copy(&mut Watched { inner: verifying, world: *self.world }) {
            Err(StoreError::Mismatch(_)) => Err(inside.wrong(CHANGED).into()),
            copied => Ok(copied?),
        }
    }
}

pub(super) fn is_for(only: &BTreeSet<Platform>, platform: &Platform) -> bool {
    only.is_empty() || only.contains(platform)
}
