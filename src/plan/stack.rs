//! From recipe, lock and files to the layers of an image.

use std::collections::BTreeSet;

use super::check::{Misfit, PlanError};
use super::image::{ImagePlan, LayerKind, PlannedLayer, PlatformPlan};
use super::key::KEY_FORMAT;
use super::planned::{Plan, Work};
use crate::digest::Digest;
use crate::lock::{Input, Lock, LockedFile, LockedLayer, LockedPlatform, Want, wants};
use crate::name::{Platform, RecipeName};
use crate::recipe::{Archive, ImageRecipe, Recipe, Run};
use crate::text::Document;
use crate::tree::Tree;

pub(super) fn plan(
    name: &RecipeName,
    image: &ImageRecipe,
    recipe: &Document<Recipe>,
    lock: &Lock,
    (files, files_input): (&Tree, Digest),
    parent: Option<&Plan>,
) -> Result<ImagePlan, PlanError> {
    let repository = match &image.repository {
        Some(repository) => repository.clone(),
        None => name.as_str().parse().map_err(|e| PlanError::new(name, recipe, "repository", Misfit::Name(e)))?,
    };
    let wants = wants(&recipe.value);
    let stack = Stack { wants, image, recipe, lock, parent, files, files_input };
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
        let (base, layers) = self.base(platform);
        let mut pile = Pile { stack: self, base, layers };
        if !self.image.remove.is_empty() {
            let paths = self.image.remove.iter().map(ToString::to_string);
            pile.add(LayerKind::Remove, "remove", &Digest::of_texts(paths).to_string(), None);
        }
        let put = |a: &Archive| wanted(&a.platforms, platform) && !self.image.is_only_mounted(a);
        for (i, archive) in self.image.archive.iter().enumerate().filter(|(_, a)| put(a)) {
            let file = self.lock.answer(&self.wants, &Input::Archive(archive.name.clone()), platform);
            pile.add(LayerKind::Archive(archive.name.clone()), "archive", self.said("archive", i), file);
        }
        for (i, plugin) in self.image.plugin.iter().enumerate().filter(|(_, p)| wanted(&p.platforms, platform)) {
            let file = self.lock.answer(&self.wants, &Input::Plugin(plugin.name.clone()), platform);
            let said = format!("{} {} {}", self.image.product, self.image.version, self.said("plugin", i));
            pile.add(LayerKind::Plugin(plugin.name.clone()), "plugin", &said, file);
        }
        for (i, jar) in self.image.jar.iter().enumerate() {
            pile.add(LayerKind::Jar(jar.name.clone()), "jar", self.said("jar", i), None);
        }
        for (i, run) in self.image.run.iter().enumerate() {
            // A command runs as the base's configuration says, and on one platform.
            let config = self.parent.map_or_else(|| pile.base.clone(), |parent| parent.key().to_string());
            let said = format!("{config} {platform} {}{}", self.said("run", i), self.mounted(run, platform));
            pile.add(LayerKind::Run(run.name.clone()), "run", &said, None);
        }
        if !self.files.is_empty() {
            // The rules show in the files, but for one thing: whether an owner was said of a folder, or is the default.
            let rules = self.recipe.canonical.get("files").map_or("", String::as_str);
            let said = format!("{} {rules}", self.files_input);
            pile.add(LayerKind::Files, "files", said.trim_end(), None);
            if let Some(files) = pile.layers.last_mut() {
                files.source_size = Some(self.files.size());
            }
        }
        pile.layers
    }

    /// What a command sees beside the image.
    fn mounted(&self, run: &Run, platform: &Platform) -> String {
        let is_it = |archive: &Archive| run.mount.contains(&archive.name) && wanted(&archive.platforms, platform);
        let archives = self.image.archive.iter().enumerate().filter(|(_, archive)| is_it(archive));
        let told = archives.map(|(i, archive)| {
            let file = self.lock.answer(&self.wants, &Input::Archive(archive.name.clone()), platform);
            format!(" {} {}", self.said("archive", i), file.map_or_else(String::new, |file| file.sha256.to_string()))
        });
        told.collect()
    }

    /// A name for what the base is on a platform, and its layers.
    fn base(&self, platform: &Platform) -> (String, Vec<PlannedLayer>) {
        if let Some(Work::Image(work)) = self.parent.map(Plan::work) {
            let on = work.platforms.iter().find(|on| on.platform == *platform);
            let layers = on.into_iter().flat_map(|on| &on.layers);
            let layers: Vec<_> = layers.map(|layer| PlannedLayer { what: LayerKind::Base, ..layer.clone() }).collect();
            // By its layers, not by its key: what the parent says beside its files changes nobody's files.
            return (Digest::of_texts(layers.iter().map(|layer| layer.input.to_string())).to_string(), layers);
        }
        let on = self.lock.base.iter().flat_map(|base| &base.platform).find(|on| on.name == *platform);
        on.map_or_else(|| ("scratch".to_owned(), Vec::new()), |on| (on.manifest.to_string(), base_layers(on)))
    }

    /// What the recipe says of an item, in its only spelling.
    fn said(&self, array: &str, i: usize) -> &str {
        self.recipe.canonical.get(&format!("{array}.{i}")).map_or("", String::as_str)
    }
}

/// The layers so far.
struct Pile<'s> {
    stack: &'s Stack<'s>,
    base: String,
    layers: Vec<PlannedLayer>,
}

impl Pile<'_> {
    /// All that lies below has its say in a layer: the layer leaves out what is there already, takes the modes of
    /// folders from it, and a plugin may build on what an archive or another plugin brought.
    fn add(&mut self, what: LayerKind, kind: &str, said: &str, file: Option<&LockedFile>) {
        let bytes = file.map_or_else(String::new, |file| file.sha256.to_string());
        let format = KEY_FORMAT.to_string();
        let own = [&format, self.stack.image.compression.as_str(), &self.base, kind, said, &bytes];
        let below = self.layers.iter().filter(|layer| layer.what != LayerKind::Base);
        let below = below.map(|layer| layer.input.to_string());
        let input = Digest::of_texts(own.into_iter().map(str::to_owned).chain(below));
        let source_size = file.map(|file| file.size);
        self.layers.push(PlannedLayer { what, input, digest: None, size: None, source_size });
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
