//! What a target in ECR needs before images can go there: the right account, and repositories as they are declared.

use std::collections::{BTreeMap, BTreeSet};

use super::courier::{Blocked, Courier};
use super::failure::{Exit, Failure};
use super::route::Route;
use super::workspace::Workspace;
use crate::bake::event::Event;
use crate::bake::ledger::Ledger;
use crate::bake::port::PortError;
use crate::bake::provision::{self, Order, Provision, Wanted};
use crate::bake::push::current;
use crate::name::{RecipeName, Reference, Repository, Tag};
use crate::project::{Ecr, Place};
use crate::recipe::{Recipe, Region};
use crate::record::{Manifest, Record};

/// An image that is to go to a target.
pub(super) struct Coming<'c> {
    pub(super) repository: &'c Repository,
    pub(super) tag: &'c Tag,
}

/// Prepares all regions of a target, or, with `provision` unset, refuses those in which something is missing.
pub(super) fn prepare(
    courier: &Courier<'_>,
    route: &Route<'_>,
    coming: &[Coming<'_>],
    provision: bool,
) -> Result<Blocked, Failure> {
    let Some(Place::Ecr(ecr)) = route.target.place() else { return Ok(Blocked::new()) };
    let named = named(courier.planner.workspace)?;
    let orders: Vec<_> =
        (ecr.regions.iter()).map(|region| order(ecr, region, route, &named, coming)).collect::<Result<_, Failure>>()?;
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

/// An image in ECR that a manifest of the project names: no repository may let go of it.
struct Named {
    at: Reference,
    tag: Tag,
}

/// What the manifests of all targets in ECR name as current, or as on its way. Recipes may have a repository in common,
/// and targets an account: whoever says what a repository lets go of has to know of all of them.
fn named(workspace: &Workspace) -> Result<Vec<Named>, Failure> {
    let mut named = Vec::new();
    for target in workspace.project.target.values() {
        let Some(Place::Ecr(ecr)) = target.place() else { continue };
        let path = workspace.root.join(target.manifest());
        let Some(manifest) = Ledger::whole(&path, &path)? else { continue };
        for entry in manifest.recipes.values() {
            let tag = &entry.current.tag;
            named.extend(places(&entry.current).map(|at| Named { at: at.clone(), tag: tag.clone() }));
        }
        for (recipe, unfinished) in &manifest.unfinished {
            let at = on_its_way(recipe, ecr, &manifest, workspace)?;
            named.extend(at.into_iter().map(|at| Named { at, tag: unfinished.tag.clone() }));
        }
    }
    Ok(named)
}

fn places(record: &Record) -> impl Iterator<Item = &Reference> {
    record.reference.iter().chain(record.regions.values())
}

/// Where the images of a recipe go, and where its last one went: an unfinished push does not say which of them it was
/// for.
fn on_its_way(
    recipe: &RecipeName,
    ecr: &Ecr,
    manifest: &Manifest,
    workspace: &Workspace,
) -> Result<Vec<Reference>, Failure> {
    let before = manifest.recipes.get(recipe).map(|entry| &entry.current);
    let mut all: Vec<Reference> = before.into_iter().flat_map(places).cloned().collect();
    if let Some(Recipe::Image(image)) = workspace.glance(recipe) {
        let repository = match image.repository {
            Some(repository) => repository,
            None => recipe.as_str().parse().map_err(Failure::input)?,
        };
        for region in &ecr.regions {
            all.push(ecr.shelf(region).and_then(|shelf| shelf.repository(&repository)).map_err(Failure::input)?);
        }
    }
    Ok(all)
}

/// What is to be in a region.
fn order<'o>(
    ecr: &'o Ecr,
    region: &'o Region,
    route: &Route<'_>,
    named: &[Named],
    coming: &[Coming<'_>],
) -> Result<Order<'o>, Failure> {
    let shelf = ecr.shelf(region).map_err(Failure::input)?;
    let mut wanted: BTreeMap<Repository, (BTreeSet<Tag>, BTreeSet<Tag>)> = BTreeMap::new();
    for one in coming {
        let name = shelf.repository(one.repository).map_err(Failure::input)?.repository;
        let (kept, _) = wanted.entry(name).or_default();
        kept.insert(one.tag.clone());
    }
    if let Some(repository) = &route.target.manifest_repository {
        let name = shelf.repository(repository).map_err(Failure::input)?.repository;
        let tag = current().map_err(Failure::input)?;
        let (kept, moving) = wanted.entry(name).or_default();
        kept.insert(tag.clone());
        moving.insert(tag);
    }
    for one in named.iter().filter(|one| one.at.registry == *shelf.registry()) {
        if let Some((kept, _)) = wanted.get_mut(&one.at.repository) {
            kept.insert(one.tag.clone());
        }
    }
    let wanted = wanted.into_iter().map(|(name, (current, moving))| Wanted { name, ecr, region, current, moving });
    Ok(Order { ecr, region, repositories: wanted.collect() })
}
