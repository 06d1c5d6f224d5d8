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
use crate::plan::{LayerKind, PlatformPlan};
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
        Ok(installed)
    }

    /// Checks what only shows when all plugins of an image are known. Most plugins have nothing to do with each other,
    /// and then nothing is unpacked for it.
    pub(super) fn together(&self, on: &PlatformPlan, extends: bool, base: &dyn Below) -> Result<(), BuildFault> {
        if !extends {
            return Ok(());
        }
        let names = on.layers.iter().filter_map(|layer| match &layer.what {
            LayerKind::Plugin(name) => Some(name),
            _ => None,
        });
        let installed = names.map(|name| self.installed(name, &on.platform, base)).collect::<Result<Vec<_>, _>>()?;
        Ok(product::together(self.order.image.product, &installed, base)?)
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
