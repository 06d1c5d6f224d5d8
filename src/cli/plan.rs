//! `elkbake plan`.

mod jobs;
mod outcome;
mod pipeline;
mod print;
mod shared;

use std::path::{Path, PathBuf};

use clap::Args;

use super::failure::{Exit, Failure};
use super::global::Global;
use super::planner::Planner;
use super::route::route;
use super::surroundings::Surroundings;
use super::ui::Ui;
use super::workspace::Workspace;
use super::world::World;
use crate::bake::port::PortError;
use crate::lock::{Lock, moved};
use crate::name::RecipeName;
use crate::parallel;
use crate::plan::Plan;
use crate::record::Manifest;
use crate::text::Document;

use outcome::{Planned, Why};
use pipeline::Format;
use shared::Share;

/// Show what a bake would make: layers, sizes, key and tag
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  elkbake plan                                # all recipes
  elkbake plan elasticsearch --why            # and what changed since the last record
  git show HEAD~1:recipes/es.lock > old.lock
  elkbake plan es --why --against old.lock    # and what changed since another lock
  elkbake plan --json | jq -r '.plans[].tag'  # for programs
  elkbake plan --offline --target prod --format github
  elkbake plan --offline --target prod --format gitlab > stale.yml
  elkbake plan --offline --target prod --format codebuild > stale.yml

With --format, the runners of a CI share what is stale: recipes whose tag is not the one that the target's records say. What builds on a stale recipe is in one job with it. There are files to copy in docs/pipelines.

Nothing is fetched where there is a lock. A recipe without one is locked first; with --offline that is an error.")]
pub(super) struct PlanArgs {
    /// Recipes by name; all where none is named
    recipes: Vec<String>,
    /// Say what changed since the last record, input by input
    #[arg(long)]
    why: bool,
    /// With --why: compare with this lock instead of the last record
    #[arg(long, value_name = "LOCK", requires = "why")]
    against: Option<PathBuf>,
    /// Compare with the records of this target instead of the project's default
    #[arg(long, value_name = "NAME")]
    target: Option<String>,
    /// Print a build matrix with only what is stale, for the runners of a CI
    #[arg(long, value_enum, conflicts_with_all = ["why", "json"])]
    format: Option<Format>,
    /// With --format: make at most so many jobs, instead of as many as the CI takes
    #[arg(long, value_name = "N", requires = "format", value_parser = clap::value_parser!(u16).range(1..))]
    jobs: Option<u16>,
    /// Open no socket; a lock that is missing is an error
    #[arg(long)]
    offline: bool,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// What plans are shown with.
struct Desk<'d> {
    args: &'d PlanArgs,
    planner: Planner<'d>,
    manifest: Option<Manifest>,
    against: Option<Document<Lock>>,
}

pub(super) fn plan(args: &PlanArgs, global: &Global, ui: &Ui, surroundings: &Surroundings) -> Result<Exit, Failure> {
    let workspace = Workspace::find(global, surroundings)?;
    let recipes = workspace.select(&args.recipes)?;
    let against = args.against.as_deref().map(|path| other_lock(&surroundings.folder, path)).transpose()?;
    let route = route(&workspace, args.target.as_deref())?;
    let manifest = if args.why && against.is_none() { workspace.manifest(Some(&route.name))? } else { None };
    let world = World::new(&workspace, surroundings, global, args.offline);
    let planner = Planner::new(&workspace, &world, surroundings.stamps(global, &workspace.project)?, ui);
    if let Some(format) = args.format {
        let share = Share { format, jobs: args.jobs, all: args.recipes.is_empty(), route };
        return share.print(&planner, &recipes);
    }
    let desk = Desk { args, planner, manifest, against };
    let mut printed = Vec::new();
    let mut failures = Vec::new();
    // What is printed is kept, not what it is printed from: ten thousand plans are large, their texts are not.
    for outcome in parallel::map(&recipes, |name| {
        let planned = desk.planned(name).map_err(|failure| failure.with(name))?;
        Ok::<_, Failure>(print::one(&planned, args.json, ui))
    }) {
        match outcome {
            Ok(text) => printed.push(text),
            Err(failure) => failures.push(failure),
        }
    }
    if world.interrupt.requested() {
        return Err(PortError::Interrupted.into());
    }
    ui.result(&if args.json { print::document(&printed, &failures) } else { printed.join("\n") })?;
    Ok(ui.failures(&failures, Exit::Done))
}

impl Desk<'_> {
    fn planned(&self, name: &RecipeName) -> Result<Planned, Failure> {
        let line = self.planner.line(name)?;
        let last = line.into_iter().next_back().ok_or_else(|| Failure::input(format!("{name} makes nothing")))?;
        let why = self.args.why.then(|| self.why(&last.plan, &last.lock.value));
        let at_hand = self.planner.world.at_hand(&last.plan, &last.lock.value)?;
        Ok(Planned { at_hand, plan: last.plan, why })
    }

    fn why(&self, plan: &Plan, lock: &Lock) -> Why {
        if let (Some(path), Some(other)) = (&self.args.against, &self.against) {
            return Why::SinceLock { lock: path.clone(), moved: moved(&other.value, lock) };
        }
        match self.manifest.as_ref().and_then(|manifest| manifest.recipes.get(plan.name())) {
            None => Why::NoRecord,
            Some(entry) => {
                Why::SinceRecord { key: entry.current.key.to_string(), changes: plan.compare(&entry.current.inputs) }
            }
        }
    }
}

/// A lock that is somewhere on the disk.
pub(super) fn other_lock(folder: &Path, path: &Path) -> Result<Document<Lock>, Failure> {
    let bytes = std::fs::read(folder.join(path)).map_err(|error| Failure::file("cannot read", path, &error))?;
    Ok(crate::text::decode(path, bytes).and_then(|text| crate::lock::parse(path, &text))?)
}
