//! What a recipe's image is put on.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::fault::BuildFault;
use super::order::Order;
use crate::bake::base::Base;
use crate::bake::resolve::World;
use crate::lock::{Found, LockedPlatform};
use crate::name::{ImagePath, Platform};
use crate::product;
use crate::recipe::From;

/// The base of a recipe on a platform; that of a recipe that builds on others is what those make.
pub(super) fn of<'w>(order: &Order<'_>, platform: &Platform, world: &World<'w>) -> Result<Base<'w>, BuildFault> {
    on(order, platform, world, &[])
}

/// The same for a recipe that others are built on, whose locks know more of its base.
fn on<'w>(
    order: &Order<'_>,
    platform: &Platform,
    world: &World<'w>,
    above: &[&Order<'_>],
) -> Result<Base<'w>, BuildFault> {
    let interest = product::interest(order.image.product);
    if let Some(parent) = &order.parent {
        let built = parent.built.platforms.iter().find(|built| built.platform == *platform);
        let built =
            built.ok_or_else(|| BuildFault::Misfit(format!("the recipe below was not built for {platform}")))?;
        let under = on(&parent.order, platform, world, &[above, &[order]].concat())?;
        return Ok(Base::built(built, Some(Arc::new(under)), world, interest)?);
    }
    if order.image.from == From::Scratch {
        return Ok(Base::scratch(world));
    }
    let base = order.lock.base.as_ref();
    let locked = base.and_then(|base| base.platform.iter().find(|locked| locked.name == *platform));
    let locked = locked.ok_or_else(|| BuildFault::Misfit(format!("the lock has no base for {platform}")))?;
    let mut base = Base::locked(&order.image.from, order.image.compression, locked, world, interest)?;
    above.iter().flat_map(|order| known(order, locked)).for_each(|there| base.learn(there));
    Ok(base)
}

/// What the lock of a recipe says of the base of one that it builds on.
fn known<'o>(order: &'o Order<'_>, base: &LockedPlatform) -> impl Iterator<Item = &'o BTreeMap<ImagePath, Found>> {
    let (name, manifest) = (base.name.clone(), base.manifest);
    let below = order.lock.base.iter().flat_map(|base| &base.below);
    below.filter(move |below| below.name == name && below.manifest == manifest).map(|below| &below.there)
}
