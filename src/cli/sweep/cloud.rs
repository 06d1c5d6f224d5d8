//! `elkbake sweep --target`: what killed runs have left in EC2.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};

use crate::bake::event::Event;
use crate::bake::host::{self, Desk, Leftover, MARGIN_MINUTES, Pace, Remains, Swept, Users};
use crate::bake::port::PortError;
use crate::cli::failure::{Exit, Failure, problems};
use crate::cli::global::Global;
use crate::cli::host::Scope;
use crate::cli::route::route;
use crate::cli::surroundings::Surroundings;
use crate::cli::ui::Ui;
use crate::cli::workspace::Workspace;
use crate::cli::world::World;
use crate::moment::Moment;
use crate::recipe::{AmiRecipe, BAKE_MINUTES, Region};

/// What was asked for.
pub(super) struct Asked<'a> {
    pub(super) target: &'a str,
    pub(super) regions: &'a [Region],
    pub(super) older_than: Option<Duration>,
    pub(super) all: bool,
    pub(super) dry_run: bool,
    pub(super) json: bool,
}

pub(super) fn sweep(
    args: &Asked<'_>,
    workspace: &Workspace,
    (global, ui, surroundings): (&Global, &Ui, &Surroundings),
) -> Result<Exit, Failure> {
    let target = args.target;
    let route = route(workspace, Some(target))?;
    let scope = Scope::of(workspace, &route)?;
    let world = World::new(workspace, surroundings, global, false);
    let tell = |event: Event<'_>| ui.event(event);
    let ec2 = world.open()?.wire();
    let desk = Desk { ec2, pace: Pace::default(), interrupt: &world.interrupt, tell: &tell };
    let regions = if args.regions.is_empty() { scope.regions() } else { args.regions.iter().collect() };
    let sites = scope.sites(regions.iter().copied(), ec2, &tell)?;
    let minutes = (!args.all).then(|| age(args, &scope));
    let before = minutes.map(|minutes| Moment::of(surroundings.now).minutes_ago(minutes));
    let users = Users { protected: &scope.all_recorded(), parameters: &scope.parameters() };
    let left = host::left(&sites, before, users, desk)?;
    if !args.json {
        ui.result(&found(args, &left, &regions, minutes))?;
    }
    let swept = if args.dry_run { Vec::new() } else { host::sweep(&left, desk) };
    let (removed, failures) = outcome(swept);
    if args.json {
        let all = |some: &[Leftover]| some.iter().map(json_of).collect::<Vec<_>>();
        ui.json(&json!({
            "target": target, "regions": regions, "dry_run": args.dry_run, "found": all(&left),
            "removed": all(&removed), "problems": problems(&failures),
        }))?;
    } else {
        ui.result(&removed.iter().map(|one| format!("{} removed\n", line(one))).collect::<String>())?;
    }
    let exit = ui.failures(&failures, Exit::Done);
    if world.interrupt.requested() { Err(PortError::Interrupted.into()) } else { Ok(exit) }
}

/// What is there, where it was looked for.
fn found(args: &Asked<'_>, left: &[Leftover], regions: &BTreeSet<&Region>, minutes: Option<u32>) -> String {
    let target = args.target;
    let names: Vec<_> = regions.iter().map(|region| region.as_str()).collect();
    let place = if names.is_empty() { "no region".to_owned() } else { names.join(", ") };
    if left.is_empty() {
        let of = minutes.map_or_else(String::new, |minutes| format!(" that was begun more than {minutes} min ago"));
        return format!("{target}: nothing is left{of} in {place}\n");
    }
    let word = if args.dry_run { "would go" } else { "goes" };
    let said = |one: &Leftover| match &one.stays {
        Some(why) => format!("{} stays: {why}\n", line(one)),
        None => format!("{} {word}\n", line(one)),
    };
    let lines: String = left.iter().map(said).collect();
    format!("{target}: left in {place}\n{lines}")
}

/// How many minutes ago something was begun that no push is at work on any more.
fn age(args: &Asked<'_>, scope: &Scope) -> u32 {
    if let Some(age) = args.older_than {
        return u32::try_from(age.as_secs() / 60).unwrap_or(u32::MAX);
    }
    scope.recipes().map(longest).max().unwrap_or(BAKE_MINUTES).saturating_add(MARGIN_MINUTES)
}

/// How long an instance of a recipe may live: one that is made into an image, or one that is tested.
fn longest(recipe: &AmiRecipe) -> u32 {
    recipe.bake_timeout().max(recipe.test.as_ref().map_or(0, |test| test.timeout.div_ceil(60)))
}

fn outcome(swept: Vec<Swept>) -> (Vec<Leftover>, Vec<Failure>) {
    let (mut removed, mut failures) = (Vec::new(), Vec::new());
    for Swept { leftover, error } in swept {
        match error {
            None => removed.push(leftover),
            // That is said once, for all that was left.
            Some(error) if error.is_interrupt() => {}
            Some(error) => failures.push(Failure::from(error).about(&line(&leftover))),
        }
    }
    (removed, failures)
}

fn kind(what: Remains) -> &'static str {
    match what {
        Remains::SpotRequest => "spot request",
        Remains::Instance => "instance",
        Remains::Image => "image",
        Remains::Snapshot => "snapshot",
        Remains::Volume => "volume",
    }
}

fn line(one: &Leftover) -> String {
    let name = one.name.as_ref().map_or_else(String::new, |name| format!(" ({name})"));
    format!("{} {} {}{name} of {}", one.site.region, kind(one.what), one.id, one.since)
}

fn json_of(one: &Leftover) -> Value {
    json!({
        "region": one.site.region, "kind": kind(one.what), "id": one.id, "name": one.name, "recipe": one.recipe,
        "since": one.since, "stays": one.stays,
    })
}
