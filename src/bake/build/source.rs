//! The bytes that a plugin or an archive is made from: out of the store, the project or the world.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek};
use std::path::Path;

use super::fault::BuildFault;
use super::order::Bench;
use crate::bake::resolve::LARGEST_ARTEFACT;
use crate::bake::resolve::project::Inside;
use crate::digest::{Mismatch, Verifying};
use crate::lock::{Input, LockedFile, wants};
use crate::name::Platform;
use crate::recipe::ProjectPath;
use crate::store::StoreError;

impl Bench<'_> {
    /// What the lock pins for a plugin or an archive on a platform.
    pub(super) fn locked(&self, input: &Input, platform: &Platform) -> Result<&LockedFile, BuildFault> {
        let locked = self.order.lock.answer(&wants(&self.order.recipe.value), input, platform);
        locked.ok_or_else(|| BuildFault::Misfit(format!("the lock has nothing for {input} on {platform}")))
    }

    /// Opens that, verified. `path` is where it is in the project, where it is not downloaded.
    pub(super) fn open(&self, locked: &LockedFile, path: Option<&ProjectPath>) -> Result<File, BuildFault> {
        let store = self.world.store;
        if let Some(file) = store.file(&locked.sha256)? {
            return Ok(file);
        }
        match (path, &locked.url) {
            // A copy, since nobody keeps the project's own file from being changed while it is read; for this build alone.
            (Some(path), _) => {
                let (from, _) = Inside::of(self.world.project, Path::new(path.as_str()))?.open()?;
                return copy(Verifying::new(from, locked.sha256, Some(locked.size)), store.scratch()?);
            }
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
}

fn copy(from: impl Read, mut to: File) -> Result<File, BuildFault> {
    let done = io::copy(&mut BufReader::with_capacity(1 << 17, from), &mut to).and_then(|_| to.rewind());
    match done.map_err(io::Error::downcast::<Mismatch>) {
        Ok(()) => Ok(to),
        Err(Ok(mismatch)) => Err(StoreError::Mismatch(mismatch).into()),
        Err(Err(error)) => Err(StoreError::Source(error).into()),
    }
}

pub(super) fn is_for(only: &BTreeSet<Platform>, platform: &Platform) -> bool {
    only.is_empty() || only.contains(platform)
}
