//! From recipe, lock and files to the layers of an image.

use std::collections::{BTreeMap, BTreeSet};

use super::check::{Misfit, PlanError};
use super::image::{ImagePlan, LayerKind, PlannedLayer, PlatformPlan};
use super::key::{KEY_FORMAT, digest_of, of_files};
use super::planned::{Plan, Work};
use crate::digest::Digest;
use crate::lock::{Input, Lock, LockedFile, LockedLayer, LockedPlatform, Want, wants};
use crate::name::{Platform, RecipeName};
use crate::recipe::{ImageRecipe, Recipe};
use crate::text::Document;
use crate::tree::Tree;

pub(super) fn plan(
    name: &RecipeName,
    image: &ImageRecipe,
    recipe: &Document<Recipe>,
    lock: &Lock,
    files: (&Tree, &BTreeMap<String, Digest>),
    parent: Option<&Plan>,
) -> Result<ImagePlan, PlanError> {
    let repository = match &image.repository {
        Some(repository) => repository.clone(),
        None => name.as_str().parse().map_err(|e| PlanError::new(name, recipe, "repository", Misfit::Name(e)))?,
    };
    let wants = wants(&recipe.value);
    let stack = Stack { wants, image, recipe, lock, parent, files: files.0, files_input: of_files(files.1) };
    let platforms = image.platforms.iter();
    let platforms = platforms.map(|on| PlatformPlan { platform: on.clone(), layers: stack.layers(on) }).collect();
    Ok(ImagePlan {
        product: image.product,
        version: image.version.clone(),
        repository,
        from: image.from.clone(),
        platforms,
    })
}

/// What the layers of all platforms are made from.
struct Stack<'p> {
    wants: Vec<Want>,
    image: &'p ImageRecipe,
    recipe: &'p Document<Recipe>,
    lock: &'p Lock,
    parent: Option<&'p Plan>,
    files: &'p Tree,
    files_input: Digest,
}

impl Stack<'_> {
    fn layers(&self, platform: &Platform) -> Vec<PlannedLayer> {
        let (base, mut layers) = self.base(platform);
        let layer = |what, input, source_size| PlannedLayer { what, input, digest: None, size: None, source_size };
        if !self.image.remove.is_empty() {
            let paths = self.image.remove.iter().map(ToString::to_string);
            let input = self.input(&base, "remove", &digest_of(paths).to_string(), None);
            layers.push(layer(LayerKind::Remove, input, None));
        }
        for (i, archive) in self.image.archive.iter().enumerate().filter(|(_, a)| wanted(&a.platforms, platform)) {
            let file = self.locked(&Input::Archive(archive.name.clone()), &self.lock.archive, platform);
            let input = self.input(&base, "archive", self.said("archive", i), file);
            layers.push(layer(LayerKind::Archive(archive.name.clone()), input, file.map(|file| file.size)));
        }
        for (i, plugin) in self.image.plugin.iter().enumerate().filter(|(_, p)| wanted(&p.platforms, platform)) {
            let file = self.locked(&Input::Plugin(plugin.name.clone()), &self.lock.plugin, platform);
            let said = format!("{} {} {}", self.image.product, self.image.version, self.said("plugin", i));
            let input = self.input(&base, "plugin", &said, file);
            layers.push(layer(LayerKind::Plugin(plugin.name.clone()), input, file.map(|file| file.size)));
        }
        for (i, run) in self.image.run.iter().enumerate() {
            // A command sees all that lies below it, runs as the base's configuration says, and on one platform.
            let below = layers.iter().map(|layer| layer.input.to_string());
            let config = self.parent.map_or_else(|| base.clone(), |parent| parent.key().to_string());
            let below = digest_of([config, platform.to_string()].into_iter().chain(below)).to_string();
            let input = self.input(&below, "run", self.said("run", i), None);
            layers.push(layer(LayerKind::Run(run.name.clone()), input, None));
        }
        if !self.files.is_empty() {
            let input = self.input(&base, "files", &self.files_input.to_string(), None);
            layers.push(layer(LayerKind::Files, input, Some(self.files.size())));
        }
        layers
    }

    /// A name for what the base is on a platform, and its layers.
    fn base(&self, platform: &Platform) -> (String, Vec<PlannedLayer>) {
        if let Some(Work::Image(work)) = self.parent.map(Plan::work) {
            let on = work.platforms.iter().find(|on| on.platform == *platform);
            let layers = on.into_iter().flat_map(|on| &on.layers);
            let layers: Vec<_> = layers.map(|layer| PlannedLayer { what: LayerKind::Base, ..layer.clone() }).collect();
            // By its layers, not by its key: what the parent says beside its files changes nobody's files.
            return (digest_of(layers.iter().map(|layer| layer.input.to_string())).to_string(), layers);
        }
        let on = self.lock.base.iter().flat_map(|base| &base.platform).find(|on| on.name == *platform);
        on.map_or_else(|| ("scratch".to_owned(), Vec::new()), |on| (on.manifest.to_string(), base_layers(on)))
    }

    /// What the lock has for the entry of a name that asks for a platform: two entries may share the name.
    fn locked<'l>(&self, input: &Input, files: &'l [LockedFile], platform: &Platform) -> Option<&'l LockedFile> {
        let want = self.wants.iter().find(|want| want.input == *input && want.platforms.contains(platform))?;
        files.iter().find(|file| file.name == input.name() && file.want == want.text && file.is_for(platform))
    }

    /// What the recipe says of an item, in its only spelling.
    fn said(&self, array: &str, i: usize) -> &str {
        self.recipe.canonical.get(&format!("{array}.{i}")).map_or("", String::as_str)
    }

    /// The base has its say in every layer: a layer keeps out what the base has already, and takes the modes of
    /// folders from it.
    fn input(&self, base: &str, kind: &str, said: &str, file: Option<&LockedFile>) -> Digest {
        let bytes = file.map_or_else(String::new, |file| file.sha256.to_string());
        digest_of([&KEY_FORMAT.to_string(), self.image.compression.as_str(), base, kind, said, &bytes])
    }
}

fn base_layers(on: &LockedPlatform) -> Vec<PlannedLayer> {
    let layer = |locked: &LockedLayer| PlannedLayer {
        what: LayerKind::Base,
        input: locked.digest,
        digest: Some(locked.digest),
        size: Some(locked.size),
        source_size: Some(locked.size),
    };
    on.layer.iter().map(layer).collect()
}

fn wanted(only: &BTreeSet<Platform>, platform: &Platform) -> bool {
    only.is_empty() || only.contains(platform)
}
