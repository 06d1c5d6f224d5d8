//! One layer: what goes into it, fitted onto what lies below, written once.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use super::fault::BuildFault;
use super::order::Bench;
use super::source::is_for;
use crate::bake::event::Task;
use crate::bake::known;
use crate::contents::{Contents, Spool};
use crate::image::below::Below;
use crate::image::jar;
use crate::image::layer::{self, Beside, Layer, Spec};
use crate::image::settle::{Wish, settle};
use crate::name::{ImagePath, Platform};
use crate::plan::{LayerKind, PlannedLayer};
use crate::product::{self, PluginFacts};
use crate::recipe::{Archive, Product};
use crate::tree::{Amended, Said, Tree};

/// What is kept under a layer's input.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub(super) struct Made {
    /// The layer; none where the image had all of it already.
    pub(super) layer: Option<Layer>,
    /// The plugin in it.
    pub(super) plugin: Option<PluginFacts>,
    /// Whose rules it keeps. What goes into an archive's layer does not depend on the product.
    #[serde(default)]
    pub(super) product: Option<Product>,
}

/// What is to be put into a layer.
#[derive(Default)]
struct Batch<'a> {
    tree: Cow<'a, Tree>,
    contents: Contents,
    said: Cow<'a, BTreeMap<ImagePath, Said>>,
    removed: Cow<'a, BTreeSet<ImagePath>>,
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
            return self.again(planned, made);
        }
        let Batch { tree, contents, said, removed, plugin } = self.batch(&planned.what, platform, below)?;
        let settled = settle(Wish { tree: &tree, said: &said, removed: &removed }, below)?;
        let (tree, removed) = (&settled.tree, &settled.removed);
        let layer = self.written(planned, platform, (tree, removed, &contents, Beside::NOTHING))?;
        self.keep_made(planned, Made { layer, plugin, product: None })
    }

    /// Writes a layer; none where there is nothing to put and nothing to remove.
    pub(super) fn written(
        &self,
        planned: &PlannedLayer,
        platform: &Platform,
        (tree, removed, contents, beside): (&Amended<'_>, &BTreeSet<ImagePath>, &Contents, &Beside),
    ) -> Result<Option<Layer>, BuildFault> {
        if tree.is_empty() && removed.is_empty() {
            return Ok(None);
        }
        let name = format!("{} {platform} {}", self.order.plan.name(), planned.what);
        let task = Task::begin(&name, Some(tree.size()), self.world.tell);
        let advance = |bytes| {
            task.advance(bytes);
            self.go_on()
        };
        let spec = Spec { tree, removed, contents, beside, compression: self.order.image.compression };
        Ok(Some(layer::write(&spec, self.world.store, &advance)?))
    }

    /// Keeps what was made, under its input.
    pub(super) fn keep_made(&self, planned: &PlannedLayer, made: Made) -> Result<Made, BuildFault> {
        let made = Made { product: Some(self.order.image.product), ..made };
        let refers: Vec<_> = made.layer.iter().flat_map(|layer| [layer.digest, layer.listing]).collect();
        // The image is kept after all of its layers.
        self.world.store.keep_lightly(&planned.input, &made, &refers)?;
        Ok(made)
    }

    /// A layer that was made before. Where that was for another product, the rules of this one have not seen it.
    fn again(&self, planned: &PlannedLayer, made: Made) -> Result<Made, BuildFault> {
        let product = self.order.image.product;
        let Some(layer) = made.layer.as_ref().filter(|_| made.product != Some(product)) else { return Ok(made) };
        if !matches!(planned.what, LayerKind::Archive(_)) {
            return Ok(made);
        }
        if let Some(listing) = known::listing(&layer.listing, self.world.store)? {
            product::brought(&listing.tree, product)?;
        }
        self.keep_made(planned, made)
    }

    /// What is known of a plugin whose layer was made before.
    pub(super) fn known_plugin(&self, planned: &PlannedLayer) -> Result<Option<PluginFacts>, BuildFault> {
        Ok(self.world.store.result::<Made>(&planned.input)?.and_then(|made| made.plugin))
    }

    fn batch(&self, what: &LayerKind, platform: &Platform, below: &dyn Below) -> Result<Batch<'_>, BuildFault> {
        let image = self.order.image;
        let lost = || BuildFault::Misfit(format!("the recipe has no {what}"));
        match what {
            // A command is run on an engine, which is not asked for anything else.
            LayerKind::Base | LayerKind::Run(_) => Err(lost()),
            LayerKind::Jar(name) => {
                let jar = image.jar.iter().find(|jar| jar.name == *name).ok_or_else(lost)?;
                let (tree, contents) = jar::step(jar, below, Spool::new(self.world.store.scratch()?))?;
                Ok(Batch { tree: Cow::Owned(tree), contents, ..Batch::default() })
            }
            LayerKind::Remove => Ok(Batch { removed: Cow::Borrowed(&image.remove), ..Batch::default() }),
            LayerKind::Files => Ok(self.files()),
            LayerKind::Archive(name) => {
                let is_it = |a: &&Archive| a.name == *name && is_for(&a.platforms, platform);
                let (tree, contents) = self.unpacked(image.archive.iter().find(is_it).ok_or_else(lost)?, platform)?;
                Ok(Batch { tree: Cow::Owned(tree), contents, ..Batch::default() })
            }
            LayerKind::Plugin(name) => {
                let installed = self.installed(name, platform, below)?;
                let (tree, contents, plugin) = (Cow::Owned(installed.tree), installed.contents, Some(installed.facts));
                Ok(Batch { tree, contents, plugin, ..Batch::default() })
            }
        }
    }

    fn files(&self) -> Batch<'_> {
        let local = self.order.local;
        let mut contents = Contents::default();
        contents.add_folder(self.world.project.join(&local.folder), local.files());
        Batch { tree: Cow::Borrowed(&local.tree), contents, said: Cow::Borrowed(&local.said), ..Batch::default() }
    }
}
