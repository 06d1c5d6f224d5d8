//! Archives that a command sees, in volumes of the engine.

use std::collections::BTreeMap;
use std::io::Seek;

use super::fault::BuildFault;
use super::order::Bench;
use super::source::is_for;
use crate::bake::port::{Container, Mount};
use crate::bake::visit::Visit;
use crate::contents::Contents;
use crate::image::layer::write_plain;
use crate::name::{ImagePath, Platform};
use crate::recipe::Run;
use crate::store::StoreError;
use crate::tree::Tree;

impl Bench<'_> {
    /// Puts the archives that a command sees into volumes, and tells their names by where they are seen.
    pub(super) fn volumes(
        &self,
        run: &Run,
        platform: &Platform,
        visit: &Visit<'_>,
        image: &str,
    ) -> Result<BTreeMap<ImagePath, String>, BuildFault> {
        let mut volumes = BTreeMap::new();
        for (at, (tree, contents)) in self.seen(run, platform)? {
            let volume = visit.engine().volume()?;
            // Engines fill volumes by way of a container, which need not run.
            let mounts = [Mount { volume: &volume, at: &at, writable: true }];
            let command = ["true".to_owned()];
            let container = Container {
                image,
                command: &command,
                env: &[],
                user: None,
                workdir: None,
                network: "none",
                memory: None,
                mounts: &mounts,
                confines: None,
            };
            let container = visit.engine().container(&container)?;
            let mut file = self.world.store.scratch()?;
            write_plain(&tree, &contents, &mut file)?;
            file.rewind().map_err(StoreError::Source)?;
            visit.engine().fill(&container, &at, &mut file)?;
            visit.drop_container(&container);
            volumes.insert(at, volume);
        }
        Ok(volumes)
    }

    /// The files that a command sees, from the folders that they are seen in.
    fn seen(&self, run: &Run, platform: &Platform) -> Result<BTreeMap<ImagePath, (Tree, Contents)>, BuildFault> {
        let mut seen: BTreeMap<ImagePath, (Tree, Contents)> = BTreeMap::new();
        let archives = self.order.image.archive.iter();
        for archive in archives.filter(|a| run.mount.contains(&a.name) && is_for(&a.platforms, platform)) {
            let (tree, contents) = self.unpacked(archive, platform)?;
            let folder = if archive.unpack { Some(archive.into.clone()) } else { archive.into.parent() };
            let folder = folder.filter(|folder| !folder.is_root()).ok_or_else(|| {
                let message = format!("the archive {} is to be mounted in the root: give it a folder", archive.name);
                BuildFault::Misfit(message)
            })?;
            let (all, of_all) = seen.entry(folder.clone()).or_default();
            for (path, entry) in tree.into_iter().filter(|(path, _)| *path != folder) {
                let inner = path.as_str().strip_prefix(folder.as_str()).unwrap_or(path.as_str());
                let inner = inner.parse().map_err(|_| BuildFault::Misfit(format!("{path} is not in {folder}")))?;
                all.insert(inner, entry);
            }
            of_all.extend(contents);
        }
        Ok(seen)
    }
}
