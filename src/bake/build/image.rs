//! An image on all its platforms.

use std::cell::OnceCell;

use super::annotate::annotations;
use super::base;
use super::fault::{BuildError, BuildFault};
use super::order::{Bench, Order};
use super::overlay::Overlay;
use super::run::Ground;
use crate::bake::base::Base;
use crate::bake::built::{Built, BuiltImage, BuiltLayer};
use crate::bake::port::PortError;
use crate::bake::resolve::World;
use crate::image::assemble::{self, Part, Parts, Written};
use crate::image::oci::{self, Descriptor};
use crate::moment::Moment;
use crate::parallel;
use crate::plan::{LayerKind, PlatformPlan, Work};
use crate::product::PluginFacts;

/// Builds an image, unless it was built before.
///
/// # Errors
/// Of the first platform that fails; what was made until then is kept in the store.
pub fn build(order: &Order<'_>, world: &World<'_>) -> Result<Built, BuildError> {
    let bench = Bench { order, world };
    let fail = |at: String| {
        move |fault: BuildFault| {
            // Whatever a step says that was told to stop: that is why.
            let fault = if world.interrupt.requested() { PortError::Interrupted.into() } else { fault };
            BuildError { recipe: order.plan.name().clone(), at, fault }
        }
    };
    if let Some(built) = world.store.result::<Built>(&order.plan.key()).map_err(|e| fail(String::new())(e.into()))? {
        return Ok(built);
    }
    let Work::Image(work) = order.plan.work() else {
        return Err(fail(String::new())(BuildFault::Misfit("it makes no container image".to_owned())));
    };
    bench.find_engines(work).map_err(|(at, fault)| fail(at)(fault))?;
    let platforms = parallel::map(&work.platforms, |on| {
        bench.platform(on).map_err(|(at, fault)| fail(format!("{}{at}", on.platform))(fault))
    });
    let platforms: Vec<_> = platforms.into_iter().collect::<Result<_, _>>()?;
    bench.join(platforms).map_err(fail(String::new()))
}

/// Puts the layers that an image has from its base into the store, where they are not: for those who want all of it.
///
/// # Errors
/// When they cannot be had.
pub fn fetch_base(order: &Order<'_>, world: &World<'_>, built: &Built) -> Result<(), BuildError> {
    let held = |layer: &BuiltLayer| world.store.size(&layer.descriptor.digest) == Some(layer.descriptor.size);
    for image in built.platforms.iter().filter(|image| !image.layers.iter().all(held)) {
        let fail = |fault: BuildFault| {
            let fault = if world.interrupt.requested() { PortError::Interrupted.into() } else { fault };
            BuildError { recipe: order.plan.name().clone(), at: image.platform.to_string(), fault }
        };
        let base = base::of(order, &image.platform, world).map_err(fail)?;
        base.fetch_layers().map_err(|fault| fail(fault.into()))?;
    }
    Ok(())
}

/// An image on one platform, and when it counts as made.
type Dated = (BuiltImage, Moment);

impl Bench<'_> {
    /// Builds the image on a platform. A fault comes with the layer it happened at.
    fn platform(&self, on: &PlatformPlan) -> Result<Dated, (String, BuildFault)> {
        let nowhere = |fault: BuildFault| (String::new(), fault);
        let base = base::of(self.order, &on.platform, self.world).map_err(nowhere)?;
        let mut overlay = Overlay::new(&base, self.world.store);
        let mut layers = base.layers();
        let mut plugins: Vec<PluginFacts> = Vec::new();
        let mut together = false;
        let visit = OnceCell::new();
        for planned in on.layers.iter().filter(|layer| layer.what != LayerKind::Base) {
            if matches!(planned.what, LayerKind::Plugin(_)) && !together {
                // What lies below the first is complete now, and nothing of them is in the store yet.
                self.together(on, &overlay)?;
                together = true;
            }
            let at = |fault| (format!(" {}", planned.what), fault);
            let made = match &planned.what {
                LayerKind::Run(name) => {
                    let ground = Ground { platform: &on.platform, base: &base, layers: &layers, visit: &visit };
                    self.run(planned, name, ground, &overlay)
                }
                _ => self.layer(planned, &on.platform, &overlay),
            };
            let made = made.map_err(at)?;
            plugins.extend(made.plugin);
            if let Some(layer) = made.layer {
                overlay.push(&layer);
                let (digest, size, media_type) = (layer.digest, layer.size, layer.media_type.clone());
                let descriptor = Descriptor { digest, size, media_type };
                let (what, diff_id, listing) = (planned.what.clone(), layer.diff_id, Some(layer.listing));
                layers.push(BuiltLayer { what, descriptor, diff_id, listing });
            }
        }
        self.assemble(on, &base, layers, plugins).map_err(nowhere)
    }

    fn assemble(
        &self,
        on: &PlatformPlan,
        base: &Base<'_>,
        layers: Vec<BuiltLayer>,
        plugins: Vec<PluginFacts>,
    ) -> Result<Dated, BuildFault> {
        let stated = base.config().map(oci::config).transpose()?.and_then(|config| config.created);
        let stated = stated.and_then(|created| Moment::parse(&created)).unwrap_or(Moment::NONE);
        let created = self.order.stamps.epoch.map_or(stated, Moment::from_epoch);
        let annotations = annotations(self.order, created);
        let of_base = layers.iter().take_while(|layer| layer.what == LayerKind::Base).count();
        let part = |(i, layer): (usize, &BuiltLayer)| Part {
            descriptor: layer.descriptor.clone(),
            diff_id: layer.diff_id,
            made_by: (i >= of_base).then(|| layer.what.to_string()),
        };
        let parts: Vec<_> = layers.iter().enumerate().map(part).collect();
        let documents = assemble::image(Parts {
            platform: &on.platform,
            base: base.config(),
            config: self.order.image.config.as_ref(),
            layers: &parts,
            created,
            annotations: &annotations,
        })?;
        // A disk takes as long for one as for both.
        let kept = parallel::bounded(&[&documents.config, &documents.manifest], 2, |document| self.keep(document));
        kept.into_iter().collect::<Result<Vec<_>, _>>()?;
        let (config, manifest) = (documents.config.descriptor, documents.manifest.descriptor);
        Ok((BuiltImage { platform: on.platform.clone(), manifest, config, layers, plugins }, created))
    }

    /// Puts the platforms under one name, and remembers the whole under the plan's key.
    fn join(&self, platforms: Vec<Dated>) -> Result<Built, BuildFault> {
        let newest = platforms.iter().map(|(_, created)| *created).max().unwrap_or(Moment::NONE);
        let platforms: Vec<_> = platforms.into_iter().map(|(image, _)| image).collect();
        let index = if platforms.len() > 1 {
            let images = platforms.iter().map(|image| (&image.platform, &image.manifest));
            let index = assemble::index(images, &annotations(self.order, newest));
            self.keep(&index)?;
            Some(index.descriptor)
        } else {
            None
        };
        let built = Built { key: self.order.plan.key(), index, platforms };
        self.world.store.keep(&built.key, &built, &refers(&built))?;
        Ok(built)
    }

    fn keep(&self, written: &Written) -> Result<(), BuildFault> {
        self.world.store.put(&mut &written.bytes[..], Some(written.descriptor.digest))?;
        Ok(())
    }
}

/// The blobs that have to be in the store as long as the result is: all that was made, not what came from a base.
fn refers(built: &Built) -> Vec<crate::digest::Digest> {
    let mut refers: Vec<_> = built.index.iter().map(|index| index.digest).collect();
    for image in &built.platforms {
        refers.extend([image.manifest.digest, image.config.digest]);
        let own = image.layers.iter().filter(|layer| layer.what != LayerKind::Base);
        refers.extend(own.flat_map(|layer| std::iter::once(layer.descriptor.digest).chain(layer.listing)));
    }
    refers
}
