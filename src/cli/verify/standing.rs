//! `elkbake verify --target`: what is recorded, held against what is there.

use std::collections::BTreeSet;

use serde_json::json;

use super::asked::VerifyArgs;
use super::hosts::{self, HostCase};
use crate::bake::event::Event;
use crate::bake::port::PortError;
use crate::bake::provision::{self, Order, Wanted};
use crate::bake::standing::{self, Flaw};
use crate::cli::failure::{Exit, Failure, problems};
use crate::cli::global::Global;
use crate::cli::plain::plain;
use crate::cli::route::{Route, routes};
use crate::cli::surroundings::Surroundings;
use crate::cli::ui::{Paint, Ui};
use crate::cli::workspace::Workspace;
use crate::cli::world::World;
use crate::digest::Digest;
use crate::name::{RecipeName, Reference, Tag};
use crate::parallel;
use crate::project::Place as Target;
use crate::recipe::{ProjectPath, Region};
use crate::record::{Entry, Manifest, Record, RecordKind};

/// So many places are looked at at one time.
const SIDE_BY_SIDE: usize = 8;

/// One place of one record.
struct Case<'m> {
    route: &'m Route<'m>,
    recipe: &'m RecipeName,
    tag: &'m Tag,
    digest: Digest,
    /// Where it differs when it is built again, if that was noted.
    nondeterminism: Option<&'m str>,
    place: Place<'m>,
}

enum Place<'m> {
    Repository(Option<&'m Region>, &'m Reference),
    Folder(&'m ProjectPath),
}

impl Place<'_> {
    fn name(&self) -> String {
        match self {
            Self::Repository(_, reference) => format!("{}/{}", reference.registry, reference.repository),
            Self::Folder(layout) => format!("oci:{layout}"),
        }
    }
}

pub(super) fn standing(
    args: &VerifyArgs,
    global: &Global,
    ui: &Ui,
    surroundings: &Surroundings,
) -> Result<Exit, Failure> {
    let workspace = Workspace::find(global, surroundings)?;
    let routes = routes(&workspace, &args.targets)?;
    let records = routes.iter().map(|route| route.records(&workspace)).collect::<Result<Vec<_>, _>>()?;
    let (mut cases, mut hosts) = (Vec::new(), Vec::new());
    for (route, manifest) in routes.iter().zip(&records) {
        for (recipe, record) in recorded(route, manifest, args)? {
            match record.kind {
                RecordKind::Image => cases.extend(cases_in(route, recipe, record)),
                RecordKind::Ami => hosts.extend(HostCase::of(route, recipe, record)),
            }
        }
    }
    let world = World::new(&workspace, surroundings, global, args.offline);
    let found = parallel::bounded(&cases, SIDE_BY_SIDE, |case| look(case, &world, &workspace, ui));
    let hosts = hosts::look(&hosts, &world, ui);
    if world.interrupt.requested() {
        return Err(PortError::Interrupted.into());
    }
    let (mut rows, mut failures) = (Vec::new(), Vec::new());
    for (case, flaws) in cases.iter().zip(found) {
        match flaws {
            Ok(flaws) => rows.push((case, flaws)),
            Err(failure) => failures.push(failure),
        }
    }
    failures.extend(hosts.failures);
    let unfinished = routes.iter().zip(&records).any(|(route, manifest)| warn_of_unfinished(route, manifest, args, ui));
    warn_of_nondeterminism(&cases, ui);
    if args.json {
        let standing: Vec<_> = rows.iter().map(json_of).collect();
        ui.json(&json!({ "standing": standing, "hosts": hosts.json, "problems": problems(&failures) }))?;
    } else {
        ui.result(&(rows.iter().map(|row| text(row, ui)).collect::<String>() + &hosts.text))?;
    }
    let is_well = !unfinished && !hosts.flawed && rows.iter().all(|(_, flaws)| flaws.is_empty());
    Ok(ui.failures(&failures, if is_well { Exit::Done } else { Exit::CheckFailed }))
}

/// The records that were asked for.
fn recorded<'m>(
    route: &Route<'_>,
    manifest: &'m Manifest,
    args: &VerifyArgs,
) -> Result<Vec<(&'m RecipeName, &'m Record)>, Failure> {
    for named in &args.recipes {
        if !manifest.recipes.keys().any(|known| known.as_str() == named) {
            return Err(Failure::input(format!("the target {} has no record of {named}", route.name)));
        }
    }
    let asked = |name: &RecipeName| args.recipes.is_empty() || args.recipes.iter().any(|named| named == name.as_str());
    let entries = manifest.recipes.iter().filter(|(name, _)| asked(name));
    Ok(entries.flat_map(|(name, entry)| of_entry(entry, args.history).map(move |record| (name, record))).collect())
}

fn of_entry(entry: &Entry, history: bool) -> impl Iterator<Item = &Record> {
    let before = if history { &entry.history[..] } else { &[] };
    std::iter::once(&entry.current).chain(before)
}

fn cases_in<'m>(route: &'m Route<'m>, recipe: &'m RecipeName, record: &'m Record) -> Vec<Case<'m>> {
    let Some(digest) = record.digest else { return Vec::new() };
    let nondeterminism = record.nondeterminism.as_deref();
    let case = |place| Case { route, recipe, tag: &record.tag, digest, nondeterminism, place };
    if !record.regions.is_empty() {
        return record.regions.iter().map(|(region, at)| case(Place::Repository(Some(region), at))).collect();
    }
    let repository = record.reference.as_ref().map(|at| Place::Repository(None, at));
    repository.or_else(|| record.layout.as_ref().map(Place::Folder)).map(case).into_iter().collect()
}

fn look(case: &Case<'_>, world: &World<'_>, workspace: &Workspace, ui: &Ui) -> Result<Vec<Flaw>, Failure> {
    let tell = |event: Event<'_>| ui.event(event);
    match &case.place {
        Place::Repository(region, reference) => {
            let at = Reference { tag: None, digest: None, ..(*reference).clone() };
            let wire = world.open()?.wire();
            let mut flaws = standing::in_registry(&at, case.tag, case.digest, (wire, wire), &tell)?;
            if let (Some(region), Some(Target::Ecr(ecr))) = (region, case.route.target.place())
                && ecr.regions.contains(region)
            {
                let wanted = Wanted {
                    name: at.repository.clone(),
                    ecr,
                    region,
                    current: BTreeSet::from([case.tag.clone()]),
                    moving: BTreeSet::new(),
                };
                let order = Order { ecr, region, repositories: vec![wanted] };
                let is_movable = !provision::movable(wire, &order, &tell)?.is_empty();
                flaws.extend(is_movable.then_some(Flaw::Mutable));
            }
            Ok(flaws)
        }
        Place::Folder(layout) => Ok(standing::in_folder(&layout.below(&workspace.root), case.tag, case.digest)),
    }
}

/// Says which pushes did not reach all regions; tells whether there are any.
fn warn_of_unfinished(route: &Route<'_>, manifest: &Manifest, args: &VerifyArgs, ui: &Ui) -> bool {
    let asked = |name: &RecipeName| args.recipes.is_empty() || args.recipes.iter().any(|named| named == name.as_str());
    let mut any = false;
    for (name, unfinished) in manifest.unfinished.iter().filter(|(name, _)| asked(name)) {
        any = true;
        let missing: Vec<_> = unfinished.missing.keys().map(Region::as_str).collect();
        let (tag, missing) = (&unfinished.tag, missing.join(", "));
        ui.warn(&format!("{name} {tag} did not reach {missing} of the target {}; push it again", route.name));
    }
    any
}

/// Says of which images it is known that nobody can build them again, once each.
fn warn_of_nondeterminism(cases: &[Case<'_>], ui: &Ui) {
    let known = cases.iter().filter_map(|case| Some((case.recipe, case.tag, case.nondeterminism?)));
    for (recipe, tag, place) in known.collect::<BTreeSet<_>>() {
        ui.warn(&format!("{recipe} {tag} does not come out the same when it is built again: {}", plain(place)));
    }
}

fn text((case, flaws): &(&Case<'_>, Vec<Flaw>), ui: &Ui) -> String {
    let (recipe, place) = (ui.paint(Paint::Bold, case.recipe.as_str()), case.place.name());
    if flaws.is_empty() {
        let well = ui.paint(Paint::Green, "as recorded");
        return format!("{recipe} {} {place}: {well}\n", case.tag);
    }
    let said: Vec<_> = flaws.iter().map(|flaw| plain(&flaw.to_string()).into_owned()).collect();
    format!("{recipe} {} {place}: {}\n", case.tag, ui.paint(Paint::Red, &said.join("; ")))
}

fn json_of((case, flaws): &(&Case<'_>, Vec<Flaw>)) -> serde_json::Value {
    let region = match &case.place {
        Place::Repository(region, _) => *region,
        Place::Folder(_) => None,
    };
    json!({
        "target": case.route.name,
        "recipe": case.recipe,
        "tag": case.tag,
        "digest": case.digest,
        "repository": case.place.name(),
        "region": region,
        "nondeterminism": case.nondeterminism,
        "flaws": flaws.iter().map(ToString::to_string).collect::<Vec<_>>(),
    })
}
