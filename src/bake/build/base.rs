//! What a recipe's image is put on.

use super::fault::BuildFault;
use super::order::Order;
use crate::bake::base::Base;
use crate::bake::resolve::World;
use crate::name::Platform;
use crate::product;
use crate::recipe::From;

/// The base of a recipe on a platform; that of a recipe that builds on others is what those make.
pub(super) fn of<'w>(order: &Order<'_>, platform: &Platform, world: &World<'w>) -> Result<Base<'w>, BuildFault> {
    let interest = product::interest(order.image.product);
    if let Some(parent) = &order.parent {
        let built = parent.built.platforms.iter().find(|built| built.platform == *platform);
        let built =
            built.ok_or_else(|| BuildFault::Misfit(format!("the recipe below was not built for {platform}")))?;
        let under = of(&parent.order, platform, world)?;
        return Ok(Base::built(built, Some(&under), world, interest)?);
    }
    if order.image.from == From::Scratch {
        return Ok(Base::scratch(world));
    }
    let base = order.lock.base.as_ref();
    let locked = base.and_then(|base| base.platform.iter().find(|locked| locked.name == *platform));
    let locked = locked.ok_or_else(|| BuildFault::Misfit(format!("the lock has no base for {platform}")))?;
    Ok(Base::locked(&order.image.from, order.image.compression, locked, world, interest)?)
}
