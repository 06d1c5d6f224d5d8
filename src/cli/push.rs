//! `elkbake push`.

mod delivery;
mod hosts;
mod parcel;
mod policy;

use std::collections::BTreeMap;
use std::sync::Arc;

use clap::Args;
use serde_json::json;

use super::announce::announce;
use super::choice::{Sorted, no_place};
use super::courier::Courier;
use super::failure::{Exit, Failure, problems};
use super::global::Global;
use super::ground::prepare;
use super::host::HostRow;
use super::planner::Planner;
use super::report::Report;
use super::route::{Route, routes};
use super::surroundings::Surroundings;
use super::ui::Ui;
use super::workspace::Workspace;
use super::world::World;
use crate::bake::port::PortError;
use crate::name::RecipeName;
use crate::parallel;

use delivery::{Delivery, There};
use parcel::Parcel;

/// Publish images and hosts' AMIs, and record where they are
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  elkbake push                    # all recipes, to the default target
  elkbake push elasticsearch --target staging
  elkbake push --target staging --target prod
  elkbake push --dry-run          # what would be sent, in bytes
  elkbake push --require-test     # only what passed `elkbake test` here
  elkbake push ecs-host --target prod
  elkbake push --target prod --print-policy    # the rights that it needs in AWS
  elkbake push --json | jq -r '.pushes[].reference'

What is not built yet is built. What a target has already is not sent again: where the tag is there with the same digest, nothing is done; where it is another image's, the push is refused, and the exit code is 7. A push that was cut off goes on where it stopped.

Of a host's recipe an instance makes itself into an AMI, in the account of `[target.NAME.ec2]`; the AMI is copied to the recipe's regions, encrypted, shared and named there as [ami] of the recipe says. That takes minutes, and nothing where it is there. Ctrl-C takes down what was begun; what a killed push has left the next one goes on with, or `elkbake sweep --target NAME` removes.

Targets are named in elkbake.toml (docs/project.md). Where each image is, is recorded in the target's bake-manifest.json, once it is proven to be there (docs/manifest.md).")]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag that a person may type")]
pub(super) struct PushArgs {
    /// Recipes by name; all that the target has a place for where none is named
    recipes: Vec<String>,
    /// A target of elkbake.toml, once for each; the project's default where none is named
    #[arg(short, long = "target", value_name = "NAME")]
    targets: Vec<String>,
    /// Say what would be sent, and send nothing
    #[arg(long)]
    dry_run: bool,
    /// Refuse images that `elkbake test` has not tested, or that failed: on each of their platforms, in exactly these
    /// bytes. AMIs are booted before anything points to them, and recorded when they are well
    #[arg(long)]
    require_test: bool,
    /// Make and change no repository of ECR: somebody else looks after them
    #[arg(long)]
    no_provision: bool,
    /// Print the least IAM policy of who pushes this, and push nothing
    #[arg(long, conflicts_with_all = ["dry_run", "json", "require_test"])]
    print_policy: bool,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// So many images travel at one time; each has several blobs on the way.
const SIDE_BY_SIDE: usize = 4;

pub(super) fn push(args: &PushArgs, global: &Global, ui: &Ui, surroundings: &Surroundings) -> Result<Exit, Failure> {
    let workspace = Workspace::find(global, surroundings)?;
    let sorted = workspace.sorted(&args.recipes)?;
    let routes = routes(&workspace, &args.targets)?;
    if args.print_policy {
        return policy::print(&workspace, &sorted, &routes, !args.no_provision, ui);
    }
    let world = World::new(&workspace, surroundings, global, false);
    let planner = Planner::new(&workspace, &world, surroundings.stamps(global, &workspace.project)?, ui);
    let courier = Courier::new(&planner, surroundings, global, args.dry_run);
    let is_named = !args.recipes.is_empty();
    let mut failures = misplaced(&sorted, &routes, is_named, ui);
    let report = images(args, &sorted.images, &routes, &courier, &mut failures)?;
    let rows = hosts::push(&sorted.hosts, &routes, &courier, args.require_test, &mut failures)?;
    for route in &routes {
        let mut written = report.written_of(&route.name);
        written.extend(hosts::written_of(&rows, &route.name));
        failures.extend(announce(&courier, route, &written));
    }
    if world.interrupt.requested() {
        return Err(PortError::Interrupted.into());
    }
    if args.json {
        let hosts: Vec<_> = rows.iter().map(HostRow::json).collect();
        ui.json(&json!({
            "dry_run": args.dry_run, "pushes": report.json(), "hosts": hosts, "problems": problems(&failures),
        }))?;
    } else {
        ui.result(&(report.text(ui) + &rows.iter().map(|row| row.text(ui)).collect::<String>()))?;
    }
    Ok(ui.failures(&failures, Exit::Done))
}

/// What was named has to have a place everywhere. Otherwise what has none is left out, and hosts are missed in a note:
/// who pushes images alone may not know that there is more.
fn misplaced(sorted: &Sorted, routes: &[Route<'_>], is_named: bool, ui: &Ui) -> Vec<Failure> {
    if !is_named {
        if routes.iter().all(|route| route.target.ec2.is_none()) && !sorted.hosts.is_empty() {
            let names = sorted.hosts.iter().map(RecipeName::as_str).collect::<Vec<_>>().join(", ");
            ui.note(&format!("hosts are left out, since no `[target.NAME.ec2]` says where their AMIs go: {names}"));
        }
        return Vec::new();
    }
    let mut failures = Vec::new();
    for route in routes {
        let (target, name) = (&route.target, &route.name);
        let homeless = |names: &[RecipeName], has_place: bool, is_host: bool| {
            let homeless = names.iter().filter(|_| !has_place);
            homeless.map(|recipe| no_place(recipe, is_host, name).with(recipe)).collect::<Vec<_>>()
        };
        failures.extend(homeless(&sorted.images, target.place().is_some(), false));
        failures.extend(homeless(&sorted.hosts, target.ec2.is_some(), true));
    }
    failures
}

/// Delivers images to all targets that have a place for them.
fn images(
    args: &PushArgs,
    recipes: &[RecipeName],
    all: &[Route<'_>],
    courier: &Courier<'_>,
    failures: &mut Vec<Failure>,
) -> Result<Report, Failure> {
    let (planner, workspace) = (courier.planner, courier.planner.workspace);
    let routes: Vec<_> = all.iter().filter(|route| route.target.place().is_some()).collect();
    let manifests = routes.iter().map(|route| workspace.manifest(Some(&route.name))).collect::<Result<Vec<_>, _>>()?;
    let mut deliveries: Vec<Delivery<'_>> = Vec::new();
    for name in recipes.iter().filter(|_| !routes.is_empty()) {
        let parcel = match Parcel::plan(planner, name) {
            Ok(parcel) => Arc::new(parcel),
            Err(failure) => {
                failures.push(failure.with(name));
                continue;
            }
        };
        for (route, manifest) in routes.iter().zip(&manifests) {
            match Delivery::new(&parcel, route, manifest.as_ref(), workspace, args.require_test) {
                Ok(delivery) => deliveries.push(delivery),
                Err(failure) => failures.push(failure),
            }
        }
        if planner.world.interrupt.requested() {
            return Err(PortError::Interrupted.into());
        }
    }
    let settled = parallel::bounded(&deliveries, SIDE_BY_SIDE, |delivery| delivery.settled(courier));
    let mut report = Report::default();
    for route in &routes {
        let (mut open, mut there) = (Vec::new(), There::new());
        for (delivery, settled) in deliveries.iter().zip(&settled).filter(|(delivery, _)| delivery.is_to(&route.name)) {
            match settled {
                None => open.push(delivery),
                Some(Ok(_)) => {
                    there.insert(delivery.recipe(), delivery);
                }
                Some(Err(_)) => {}
            }
        }
        failures.extend(deliver(courier, route, &open, there, !args.no_provision, &mut report));
    }
    for row in settled.into_iter().flatten() {
        failures.extend(row.map_or_else(|failure| vec![failure], |row| report.add(row)));
    }
    Ok(report)
}

/// Delivers what is still to go to a target; tells what failed.
fn deliver<'d>(
    courier: &Courier<'_>,
    route: &Route<'_>,
    open: &[&'d Delivery<'d>],
    mut there: There<'d>,
    provision: bool,
    report: &mut Report,
) -> Vec<Failure> {
    if open.is_empty() {
        return Vec::new();
    }
    let coming: Vec<_> = open.iter().map(|delivery| delivery.coming()).collect();
    let blocked = match prepare(courier, route, &coming, provision) {
        Ok(blocked) => blocked,
        Err(failure) => return vec![failure],
    };
    let mut failures = Vec::new();
    for wave in waves(open) {
        let outcomes = parallel::bounded(&wave, SIDE_BY_SIDE, |delivery| delivery.deliver(courier, &blocked, &there));
        for (delivery, outcome) in wave.into_iter().zip(outcomes) {
            match outcome {
                Ok(row) => {
                    if row.is_whole() {
                        there.insert(delivery.recipe(), delivery);
                    }
                    failures.extend(report.add(row));
                }
                Err(failure) => failures.push(failure),
            }
        }
    }
    failures
}

/// What builds on another comes after it, so that it finds there what they share.
fn waves<'d>(open: &[&'d Delivery<'d>]) -> Vec<Vec<&'d Delivery<'d>>> {
    let mut waves: BTreeMap<usize, Vec<&Delivery<'_>>> = BTreeMap::new();
    for delivery in open {
        let before = open.iter().filter(|other| delivery.builds_on(other)).count();
        waves.entry(before).or_default().push(delivery);
    }
    waves.into_values().collect()
}
