//! `elkbake sweep --target`: what killed runs have left in EC2.

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
use crate::recipe::BAKE_MINUTES;

/// What was asked for.
pub(super) struct Asked<'a> {
    pub(super) target: &'a str,
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
    let sites = scope.sites(scope.regions(), ec2, &tell)?;
    let minutes = (!args.all).then(|| age(args, &scope));
    let before = minutes.map(|minutes| Moment::of(surroundings.now).minutes_ago(minutes));
    let users = Users { protected: &scope.all_recorded(), parameters: &scope.parameters() };
    let left = host::left(&sites, before, users, desk)?;
    if !args.json && !left.is_empty() {
        let word = if args.dry_run { "would be removed" } else { "is removed" };
        let said = |one: &Leftover| match &one.stays {
            Some(why) => format!("{} stays: {why}\n", line(one)),
            None => format!("{} {word}\n", line(one)),
        };
        ui.result(&left.iter().map(said).collect::<String>())?;
    }
    let swept = if args.dry_run { Vec::new() } else { host::sweep(&left, desk) };
    if world.interrupt.requested() {
        return Err(PortError::Interrupted.into());
    }
    let (removed, failures) = outcome(swept);
    if args.json {
        let all = |some: &[Leftover]| some.iter().map(json_of).collect::<Vec<_>>();
        ui.json(&json!({
            "target": target, "dry_run": args.dry_run, "found": all(&left), "removed": all(&removed),
            "problems": problems(&failures),
        }))?;
    } else if left.is_empty() {
        let of = minutes.map_or_else(String::new, |minutes| format!(" that was begun more than {minutes} min ago"));
        ui.result(&format!("{target}: nothing is left{of}\n"))?;
    }
    Ok(ui.failures(&failures, Exit::Done))
}

/// How many minutes ago something was begun that no push is at work on any more.
fn age(args: &Asked<'_>, scope: &Scope) -> u32 {
    if let Some(age) = args.older_than {
        return u32::try_from(age.as_secs() / 60).unwrap_or(u32::MAX);
    }
    let recipes = scope.hosts.values().filter_map(|(recipe, _)| recipe.as_ref());
    let longest = recipes.map(|recipe| recipe.bake_timeout()).max();
    longest.unwrap_or(BAKE_MINUTES).saturating_add(MARGIN_MINUTES)
}

fn outcome(swept: Vec<Swept>) -> (Vec<Leftover>, Vec<Failure>) {
    let (mut removed, mut failures) = (Vec::new(), Vec::new());
    for Swept { leftover, error } in swept {
        match error {
            None => removed.push(leftover),
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
