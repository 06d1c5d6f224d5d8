//! Archives and plugins: from a package to files at their places.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use super::fault::BuildFault;
use super::order::Bench;
use super::source::is_for;
use crate::contents::Contents;
use crate::image::below::Below;
use crate::lock::{Input, LockedFile};
use crate::name::{ImagePath, Platform};
use crate::plan::{LayerKind, PlannedLayer, PlatformPlan};
use crate::product::{self, Installed, Job};
use crate::recipe::{Archive, Plugin, Product};
use crate::tree::{Entry, Mode, Node, Owner, Tree};
use crate::unpack::{self, Limits, Unpacked};

impl Bench<'_> {
    /// The files of an archive.
    pub(super) fn unpacked(&self, archive: &Archive, platform: &Platform) -> Result<(Tree, Contents), BuildFault> {
        let locked = self.locked(&Input::Archive(archive.name.clone()), platform)?;
        let file = self.open(locked, archive.path.as_ref())?;
        let (tree, contents) = if archive.unpack {
            let spool = self.world.store.scratch()?;
            let unpacked = unpack::unpack(&archive.name, file, spool, &Limits::of(archive), &|_| self.go_on())?;
            (unpack::place(archive, unpacked.tree)?, unpacked.contents)
        } else {
            let mut contents = Contents::default();
            contents.add_part(locked.sha256, Arc::new(file), 0, locked.size);
            (unpack::place_file(archive, locked.sha256, locked.size), contents)
        };
        product::brought(&tree, self.order.image.product)?;
        Ok((tree, contents))
    }

    /// A plugin, as its product's installer would leave it on what lies below.
    pub(super) fn installed(
        &self,
        name: &str,
        platform: &Platform,
        below: &dyn Below,
    ) -> Result<Installed, BuildFault> {
        let image = self.order.image;
        let is_it = |plugin: &&Plugin| plugin.name == name && is_for(&plugin.platforms, platform);
        let lost = || BuildFault::Misfit(format!("the recipe has no plugin {name} for {platform}"));
        let plugin = image.plugin.iter().find(is_it).ok_or_else(lost)?;
        let locked = self.locked(&Input::Plugin(plugin.name.clone()), platform)?;
        let file = self.open(locked, plugin.path.as_ref())?;
        let scratch = || self.world.store.scratch().map_err(std::io::Error::other);
        let package = if image.product == Product::Logstash && !is_zip(&file)? {
            one_file(name, locked, file)?
        } else {
            let spool = self.world.store.scratch()?;
            unpack::unpack(name, file, spool, &Limits::default(), &|_| self.go_on())?
        };
        let (product, version) = (image.product, &image.version);
        let job = Job { product, version, platform, name, package: &package, below, scratch: &scratch };
        let installed = product::install(&job)?;
        check_version(plugin, product, &installed)?;
        if image.plugin.iter().filter(|plugin| is_for(&plugin.platforms, platform)).count() == 1 {
            product::together(product, std::slice::from_ref(&installed), below)?;
        }
        Ok(installed)
    }

    /// Checks what only shows when all plugins of an image are known, before the first of their layers is written. A fault
    /// comes with the layer it happened at.
    ///
    /// Nothing is unpacked for it where all plugins are known already and extend nothing, and a plugin that is alone is
    /// checked when it is installed.
    pub(super) fn together(&self, on: &PlatformPlan, below: &dyn Below) -> Result<(), (String, BuildFault)> {
        let nowhere = |fault: BuildFault| (String::new(), fault);
        let product = self.order.image.product;
        let planned = on.layers.iter().filter_map(|planned| match &planned.what {
            LayerKind::Plugin(name) => Some((planned, name)),
            _ => None,
        });
        let plugins: Vec<_> = planned.collect();
        if plugins.is_empty() || !product::judges_together(product) {
            return Ok(());
        }
        let known = plugins.iter().map(|(planned, _)| self.known_plugin(planned)).collect::<Result<Vec<_>, _>>();
        let known = known.map_err(nowhere)?;
        let extends = known.iter().flatten().any(|facts| !facts.extends.is_empty());
        if !extends && (plugins.len() == 1 || known.iter().all(Option::is_some)) {
            return Ok(());
        }
        let install = |(planned, name): &(&PlannedLayer, &String)| {
            self.installed(name, &on.platform, below).map_err(|fault| (format!(" {}", planned.what), fault))
        };
        let installed = plugins.iter().map(install).collect::<Result<Vec<_>, _>>()?;
        product::together(product, &installed, below).map_err(|error| nowhere(error.into()))
    }
}

/// Plugins of Logstash count for themselves, so that nothing else tells when a package holds another version than the recipe
/// says.
fn check_version(plugin: &Plugin, product: Product, installed: &Installed) -> Result<(), product::InstallError> {
    let Some(wanted) = plugin.version.as_ref().filter(|_| product == Product::Logstash) else { return Ok(()) };
    let found = &installed.facts.version;
    if product::logstash::is_met(&format!("= {wanted}"), found) == Some(true) {
        return Ok(());
    }
    let message = format!("it holds `{}` {found}, and the recipe says {wanted}", plugin.name);
    Err(product::InstallError::rule(
        &"the package",
        message,
        "correct `version` in the recipe, or name another package",
    ))
}

/// A pack of Logstash plugins is a zip; what is none is a single gem, which is unpacked where it is installed.
fn is_zip(file: &File) -> Result<bool, BuildFault> {
    let mut head = [0; 2];
    let n = file.read_at(&mut head, 0).map_err(product::InstallError::from)?;
    Ok(head[..n] == *b"PK")
}

/// A package that is not unpacked here.
fn one_file(name: &str, locked: &LockedFile, file: File) -> Result<Unpacked, BuildFault> {
    let path = ImagePath::root().join(&format!("{name}.gem")).map_err(|error| BuildFault::Misfit(error.to_string()))?;
    let mut package = Unpacked::default();
    let node = Node::File { digest: locked.sha256, size: locked.size };
    package.tree.insert(path, Entry { mode: Mode::new(0o644), owner: Owner::default(), node });
    package.contents.add_part(locked.sha256, Arc::new(file), 0, locked.size);
    Ok(package)
}
