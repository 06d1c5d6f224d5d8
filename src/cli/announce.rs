//! What is recorded of a target, published beside the file as well: as parameters, and as an artifact of its own.

use serde_json::{Value, json};

use super::courier::{Blocked, Courier, Written};
use super::failure::Failure;
use super::route::{Route, Stop};
use crate::bake::event::Event;
use crate::bake::parameters;
use crate::bake::push;
use crate::digest::Digest;
use crate::name::RecipeName;
use crate::project::Place;
use crate::record::RecordKind;

/// Announces what was pushed to a target, or was found there; tells what failed.
///
/// Whoever was killed between record and announcement, or was not let, leaves no trace of that in the manifest. So it is
/// the store that knows what was announced last from here, and all else is announced again.
pub(super) fn announce(courier: &Courier<'_>, route: &Route<'_>, written: &[(&RecipeName, &Written)]) -> Vec<Failure> {
    if courier.dry_run || written.is_empty() {
        return Vec::new();
    }
    let mut failures = Vec::new();
    if matches!(route.target.place(), Some(Place::Ecr(ecr)) if ecr.parameters) {
        let images = written.iter().filter(|(_, written)| written.record.kind == RecordKind::Image);
        failures.extend(images.filter_map(|(recipe, written)| put(courier, route, recipe, written).err()));
    }
    failures.extend(push_artifact(courier, route, written).err());
    failures
}

fn put(courier: &Courier<'_>, route: &Route<'_>, recipe: &RecipeName, written: &Written) -> Result<(), Failure> {
    let regions = &written.record.regions;
    let places: Vec<_> = regions.iter().map(|(region, at)| (region, &at.registry)).collect();
    let subject = json!(["parameter", route.name, recipe, places]);
    once(courier, &subject, &json!(regions), written.is_new, || {
        let tell = |event: Event<'_>| courier.planner.ui.event(event);
        Ok(parameters::put(courier.planner.world.open()?.wire(), &route.name, recipe, regions, &tell)?)
    })
}

fn push_artifact(courier: &Courier<'_>, route: &Route<'_>, written: &[(&RecipeName, &Written)]) -> Result<(), Failure> {
    let Some(repository) = &route.target.manifest_repository else { return Ok(()) };
    let workspace = courier.planner.workspace;
    let path = workspace.root.join(route.target.manifest());
    let text = route.records(workspace)?.to_text(&path).map_err(Failure::input)?;
    let stops: Vec<_> = route.stops(&workspace.root, repository)?.into_iter().map(Stop::not_awaited).collect();
    let places: Vec<_> = stops.iter().map(Stop::name).collect();
    let is_new = written.iter().any(|(_, written)| written.is_new);
    once(courier, &json!(["records", route.name, places]), &json!(text), is_new, || {
        let cargo = push::artifact(&text, courier.planner.world.open()?.store())?;
        let visits = courier.visit_all(&stops, &cargo, &Blocked::new(), &|_| Ok(()), &Failure::from);
        visits.into_iter().collect::<Result<Vec<_>, _>>().map(drop)
    })
}

/// Announces something of a subject, unless it was the last that was announced of it from here.
fn once(
    courier: &Courier<'_>,
    subject: &Value,
    what: &Value,
    is_new: bool,
    act: impl FnOnce() -> Result<(), Failure>,
) -> Result<(), Failure> {
    let store = courier.planner.world.open()?.store();
    let key = Digest::of(format!("elkbake announced {subject}").as_bytes());
    let said = Digest::of(what.to_string().as_bytes());
    if !is_new && store.result::<Digest>(&key)? == Some(said) {
        return Ok(());
    }
    // While something else is announced, nobody may take the last for the current one.
    store.forget(&key)?;
    act()?;
    Ok(store.keep_lightly(&key, &said, &[])?)
}
