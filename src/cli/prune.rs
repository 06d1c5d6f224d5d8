//! `elkbake prune`.

use std::collections::{BTreeMap, BTreeSet};

use clap::Args;
use serde_json::{Value, json};

use super::failure::{Exit, Failure, problems};
use super::global::Global;
use super::host::Scope;
use super::route::route;
use super::size::counted;
use super::surroundings::Surroundings;
use super::ui::{Paint, Ui};
use super::workspace::{Workspace, recipe_name};
use super::world::World;
use crate::bake::event::Event;
use crate::bake::host::{Candidate, Desk, Fate, Pace, Pruned, Retention, Users, prune as remove, pruning};
use crate::bake::interrupt::Interrupt;
use crate::bake::port::{Ec2Site, PortError};
use crate::name::RecipeName;
use crate::recipe::AmiRecipe;

/// Remove old AMIs of hosts, and their snapshots
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  elkbake prune --target prod --dry-run      # what would go, and why the others stay
  elkbake prune ecs-host --target prod       # asks before it removes anything
  elkbake prune --target prod --keep 2 --yes

For each processor in each region the newest AMI of a recipe stays, and beside it as many older ones as [ami] of the recipe says (`keep`). So does what a record names, also an earlier one, of this target or another one in the same account; what the recipe's SSM parameter names; and what instances, launch templates or Auto Scaling groups start from. Of other AMIs than a recipe's own, by their tags, none is touched.

Where nothing says how many older ones are kept, nothing is removed.")]
pub(super) struct PruneArgs {
    /// Recipes by name; all hosts that the project or the target's records know where none is named
    recipes: Vec<String>,
    /// The target, as elkbake.toml names it; the project's default where none is named
    #[arg(long, value_name = "NAME")]
    target: Option<String>,
    /// Keep so many older ones beside the newest, instead of what recipes say
    #[arg(long, value_name = "N")]
    keep: Option<u32>,
    /// Say what would be removed, and remove nothing
    #[arg(long)]
    dry_run: bool,
    /// Remove it without asking
    #[arg(long, conflicts_with = "dry_run")]
    yes: bool,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// What becomes of a recipe's AMIs.
struct Row {
    name: RecipeName,
    candidates: Vec<Candidate>,
}

pub(super) fn prune(args: &PruneArgs, global: &Global, ui: &Ui, surroundings: &Surroundings) -> Result<Exit, Failure> {
    let workspace = Workspace::find(global, surroundings)?;
    let route = route(&workspace, args.target.as_deref())?;
    let scope = Scope::of(&workspace, &route)?;
    let names = chosen(args, &scope, &route.name)?;
    let world = World::new(&workspace, surroundings, global, false);
    let tell = |event: Event<'_>| ui.event(event);
    let ec2 = world.open()?.wire();
    let desk = Desk { ec2, pace: Pace::default(), interrupt: &world.interrupt, tell: &tell };
    let sites = scope.sites(names.iter().flat_map(|name| &scope.hosts[name].1), ec2, &tell)?;
    let mut rows = Vec::new();
    for name in names {
        if let Some(candidates) = planned(args, &scope, &name, &sites, desk, ui)? {
            rows.push(Row { name, candidates });
        }
    }
    if !args.json {
        ui.result(&plan_text(&rows, ui))?;
    }
    let removed: usize = rows.iter().map(|row| row.candidates.iter().filter(|one| is_removed(one)).count()).sum();
    let goes = removed > 0 && !args.dry_run && is_agreed(args, removed, (ui, &world.interrupt), surroundings)?;
    let mut pruned = Vec::new();
    if goes {
        for row in &rows {
            pruned.extend(remove(&row.candidates, desk));
        }
    }
    // Also of what was stopped in the middle: what is gone is gone.
    let exit = finish(args, &rows, pruned, ui)?;
    if world.interrupt.requested() { Err(PortError::Interrupted.into()) } else { Ok(exit) }
}

/// The hosts that were named, or all.
fn chosen(args: &PruneArgs, scope: &Scope, target: &str) -> Result<Vec<RecipeName>, Failure> {
    if args.recipes.is_empty() {
        return Ok(scope.hosts.keys().cloned().collect());
    }
    let mut names = BTreeSet::new();
    for named in &args.recipes {
        let name = recipe_name(named)?;
        if !scope.hosts.contains_key(&name) {
            let known = scope.hosts.keys().map(RecipeName::as_str).collect::<Vec<_>>().join(", ");
            let failure = Failure::input(format!("neither the project nor {target}'s records know a host {name}"));
            return Err(failure.hint(format!("they know: {known}")));
        }
        names.insert(name);
    }
    Ok(names.into_iter().collect())
}

fn planned(
    args: &PruneArgs,
    scope: &Scope,
    name: &RecipeName,
    sites: &[Ec2Site],
    desk: Desk<'_>,
    ui: &Ui,
) -> Result<Option<Vec<Candidate>>, Failure> {
    let (recipe, regions) = &scope.hosts[name];
    let output = recipe.as_ref().and_then(|recipe| recipe.ami.as_ref());
    let Some(keep) = args.keep.or(output.and_then(|output| output.keep)) else {
        ui.note(&format!("{name}: nothing says how many older ones are kept: `keep` of [ami], or --keep"));
        return Ok(None);
    };
    let sites: Vec<_> = sites.iter().filter(|site| regions.contains(&site.region)).cloned().collect();
    let retention = Retention {
        recipe: name,
        // The newest is none of the older ones.
        keep: usize::try_from(keep).unwrap_or(usize::MAX).saturating_add(1),
        users: Users {
            protected: &scope.recorded(name),
            parameters: &recipe.as_deref().map(AmiRecipe::parameters).unwrap_or_default(),
        },
    };
    Ok(Some(pruning(&sites, &retention, desk)?))
}

fn is_removed(candidate: &Candidate) -> bool {
    candidate.fate == Fate::Removed
}

/// Whether the person lets it go, who has seen what it is.
fn is_agreed(
    args: &PruneArgs,
    removed: usize,
    (ui, interrupt): (&Ui, &Interrupt),
    surroundings: &Surroundings,
) -> Result<bool, Failure> {
    if args.yes {
        return Ok(true);
    }
    let question = format!("remove {} and what lies under them?", counted(removed, "AMI"));
    if args.json || !surroundings.can_be_asked() {
        let failure = Failure::usage(format!("nobody can be asked whether to {question}"));
        return Err(failure.hint("--dry-run shows them, and --yes removes them"));
    }
    if ui.ask(&question, interrupt)? {
        return Ok(true);
    }
    ui.note("nothing was removed");
    Ok(false)
}

fn finish(args: &PruneArgs, rows: &[Row], pruned: Vec<Pruned>, ui: &Ui) -> Result<Exit, Failure> {
    let (mut gone, mut failures) = (BTreeMap::new(), Vec::new());
    for Pruned { site, id, result } in pruned {
        match result {
            Ok(snapshots) => drop(gone.insert((site.region.to_string(), id), snapshots)),
            // That is said once, for all that was left.
            Err(error) if error.is_interrupt() => {}
            Err(error) => failures.push(Failure::from(error).about(&format!("{id} in {}", site.region))),
        }
    }
    if args.json {
        let hosts: Vec<_> = rows.iter().map(|row| json_of(row, &gone)).collect();
        ui.json(&json!({ "dry_run": args.dry_run, "hosts": hosts, "problems": problems(&failures) }))?;
    } else {
        let line = |((region, id), snapshots): (&(String, String), &Vec<String>)| {
            format!("{id} in {region} removed, with {}\n", counted(snapshots.len(), "snapshot"))
        };
        ui.result(&gone.iter().map(line).collect::<String>())?;
    }
    Ok(ui.failures(&failures, Exit::Done))
}

fn plan_text(rows: &[Row], ui: &Ui) -> String {
    let mut text = String::new();
    for row in rows {
        text += &format!("{}\n", ui.paint(Paint::Bold, row.name.as_str()));
        for Candidate { site, machine, fate } in &row.candidates {
            let what = match fate {
                Fate::Kept(why) => format!("stays: {why}"),
                Fate::Removed => ui.paint(Paint::Yellow, "goes"),
            };
            text += &format!("  {} {} {} ({}): {what}\n", site.region, machine.id, machine.name, machine.created);
        }
    }
    text
}

fn json_of(row: &Row, gone: &BTreeMap<(String, String), Vec<String>>) -> Value {
    let ami = |Candidate { site, machine, fate }: &Candidate| {
        let why = match fate {
            Fate::Kept(why) => Some(why),
            Fate::Removed => None,
        };
        let snapshots = gone.get(&(site.region.to_string(), machine.id.clone()));
        json!({
            "region": site.region, "id": machine.id, "name": machine.name, "created": machine.created,
            "kept": why, "removed": snapshots.is_some(), "snapshots": snapshots,
        })
    };
    json!({ "recipe": row.name, "amis": row.candidates.iter().map(ami).collect::<Vec<_>>() })
}
