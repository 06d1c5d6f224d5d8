//! One layer: what goes into it, fitted onto what lies below, written once.

use std::collections::{BTreeMap, BTreeSet};

use super::fault::BuildFault;
use super::order::Bench;
use super::source::is_for;
use crate::bake::event::Task;
use crate::contents::{Contents, Spool};
use crate::image::below::Below;
use crate::image::jar;
use crate::image::layer::{self, Layer, Spec};
use crate::image::settle::{Wish, settle};
use crate::name::{ImagePath, Platform};
use crate::plan::{LayerKind, PlannedLayer};
use crate::product::PluginFacts;
use crate::recipe::Archive;
use crate::tree::{Said, Tree};

/// What is kept under a layer's input.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub(super) struct Made {
    /// The layer; none where the image had all of it already.
    pub(super) layer: Option<Layer>,
    /// The plugin in it.
    pub(super) plugin: Option<PluginFacts>,
}

/// What is to be put into a layer.
#[derive(Default)]
struct Batch {
    tree: Tree,
    contents: Contents,
    said: BTreeMap<ImagePath, Said>,
    removed: BTreeSet<ImagePath>,
    plugin: Option<PluginFacts>,
}

impl Bench<'_> {
    /// Makes a layer, unless it was made before.
    pub(super) fn layer(
        &self,
        planned: &PlannedLayer,
        platform: &Platform,
        below: &dyn Below,
    ) -> Result<Made, BuildFault> {
        let store = self.world.store;
        if let Some(made) = store.result::<Made>(&planned.input)? {
            return Ok(made);
        }
        let batch = self.batch(&planned.what, platform, below)?;
        let settled = settle(Wish { tree: &batch.tree, said: &batch.said, removed: &batch.removed }, below)?;
        let layer = if settled.tree.is_empty() && settled.removed.is_empty() {
            None
        } else {
            let name = format!("{} {platform} {}", self.order.plan.name(), planned.what);
            let task = Task::begin(&name, Some(settled.tree.size()), self.world.tell);
            let advance = |bytes| {
                task.advance(bytes);
                self.go_on()
            };
            let (tree, removed, contents) = (&settled.tree, &settled.removed, &batch.contents);
            let spec = Spec { tree, removed, contents, compression: self.order.image.compression };
            Some(layer::write(&spec, store, &advance)?)
        };
        let refers: Vec<_> = layer.iter().flat_map(|layer| [layer.digest, layer.listing]).collect();
        let made = Made { layer, plugin: batch.plugin };
        store.keep(&planned.input, &made, &refers)?;
        Ok(made)
    }

    fn batch(&self, what: &LayerKind, platform: &Platform, below: &dyn Below) -> Result<Batch, BuildFault> {
        let image = self.order.image;
        let lost = || BuildFault::Misfit(format!("the recipe has no {what}"));
        match what {
            LayerKind::Base => Err(lost()),
            LayerKind::Run(name) => Err(BuildFault::Run(name.clone())),
            LayerKind::Jar(name) => {
                let jar = image.jar.iter().find(|jar| jar.name == *name).ok_or_else(lost)?;
                let (tree, contents) = jar::step(jar, below, Spool::new(self.world.store.scratch()?))?;
                Ok(Batch { tree, contents, ..Batch::default() })
            }
            LayerKind::Remove => Ok(Batch { removed: image.remove.clone(), ..Batch::default() }),
            LayerKind::Files => Ok(self.files()),
            LayerKind::Archive(name) => {
                let is_it = |a: &&Archive| a.name == *name && is_for(&a.platforms, platform);
                let (tree, contents) = self.unpacked(image.archive.iter().find(is_it).ok_or_else(lost)?, platform)?;
                Ok(Batch { tree, contents, ..Batch::default() })
            }
            LayerKind::Plugin(name) => {
                let installed = self.installed(name, platform, below)?;
                let (tree, contents, plugin) = (installed.tree, installed.contents, Some(installed.facts));
                Ok(Batch { tree, contents, plugin, ..Batch::default() })
            }
        }
    }

    fn files(&self) -> Batch {
        let local = self.order.local;
        let mut contents = Contents::default();
        for (path, source) in &local.sources {
            if let Some(crate::tree::Node::File { digest, .. }) = local.tree.get(path).map(|entry| &entry.node) {
                contents.add_file(*digest, self.world.project.join(source));
            }
        }
        Batch { tree: local.tree.clone(), contents, said: local.said.clone(), ..Batch::default() }
    }
}
