//! What a target in ECR needs before images can go there: the right account, and repositories as they are declared.

use std::collections::{BTreeMap, BTreeSet};

use super::courier::{Blocked, Courier};
use super::failure::{Exit, Failure};
use super::route::Route;
use crate::bake::event::Event;
use crate::bake::port::PortError;
use crate::bake::provision::{self, Order, Provision, Wanted};
use crate::bake::push::current;
use crate::name::{RecipeName, Repository, Tag};
use crate::project::{Ecr, Place};
use crate::recipe::Region;
use crate::record::Manifest;

/// An image that is to go to a target.
pub(super) struct Coming<'c> {
    pub(super) recipe: &'c RecipeName,
    pub(super) repository: &'c Repository,
    pub(super) tag: &'c Tag,
}

/// Prepares all regions of a target, or, with `provision` unset, refuses those in which something is missing.
pub(super) fn prepare(
    courier: &Courier<'_>,
    route: &Route<'_>,
    manifest: Option<&Manifest>,
    coming: &[Coming<'_>],
    provision: bool,
) -> Result<Blocked, Failure> {
    let Some(Place::Ecr(ecr)) = route.target.place() else { return Ok(Blocked::new()) };
    let orders: Vec<_> = (ecr.regions.iter())
        .map(|region| order(ecr, region, route, manifest, coming))
        .collect::<Result<_, Failure>>()?;
    let ui = courier.planner.ui;
    let tell = |event: Event<'_>| ui.event(event);
    let port = courier.planner.world.open()?.wire();
    let mut blocked = Blocked::new();
    let look = if provision { provision::survey } else { provision::glance };
    for (order, found) in orders.iter().zip(look(port, &orders, &tell)) {
        let done = found.and_then(|found| {
            found.warnings(order.region).iter().for_each(|warning| ui.warn(warning));
            if !provision {
                found.drift(order.region).iter().for_each(|line| ui.note(line));
                return provision::refuse_missing(order, &found);
            }
            found.lines(order.region).iter().for_each(|line| ui.note(line));
            if courier.dry_run { Ok(()) } else { apply(courier, &found) }
        });
        if let Err(error) = done {
            blocked.insert(order.region.clone(), error.into());
        }
    }
    if blocked.values().any(|failure| failure.exit == Exit::Interrupted) {
        return Err(PortError::Interrupted.into());
    }
    Ok(blocked)
}

fn apply(courier: &Courier<'_>, found: &Provision) -> Result<(), PortError> {
    let tell = |event: Event<'_>| courier.planner.ui.event(event);
    // The world was opened when it was looked at.
    let port = courier.planner.world.open().map(super::world::Opened::wire);
    port.map_or(Ok(()), |port| provision::apply(port, found, &tell))
}

/// What is to be in a region.
fn order<'o>(
    ecr: &'o Ecr,
    region: &'o Region,
    route: &Route<'_>,
    manifest: Option<&Manifest>,
    coming: &[Coming<'_>],
) -> Result<Order<'o>, Failure> {
    let shelf = ecr.shelf(region).map_err(Failure::input)?;
    let mut wanted: BTreeMap<Repository, (BTreeSet<Tag>, BTreeSet<Tag>)> = BTreeMap::new();
    for one in coming {
        let name = shelf.repository(one.repository).map_err(Failure::input)?.repository;
        let (kept, _) = wanted.entry(name).or_default();
        kept.insert(one.tag.clone());
        let entry = manifest.and_then(|manifest| manifest.recipes.get(one.recipe));
        kept.extend(entry.map(|entry| entry.current.tag.clone()));
    }
    if let Some(repository) = &route.target.manifest_repository {
        let name = shelf.repository(repository).map_err(Failure::input)?.repository;
        let tag = current().map_err(Failure::input)?;
        let (kept, moving) = wanted.entry(name).or_default();
        kept.insert(tag.clone());
        moving.insert(tag);
    }
    let wanted = wanted.into_iter().map(|(name, (current, moving))| Wanted { name, ecr, region, current, moving });
    Ok(Order { ecr, region, repositories: wanted.collect() })
}
