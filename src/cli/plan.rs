//! `elkbake plan`.

mod outcome;
mod print;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use clap::Args;

use super::failure::{Exit, Failure};
use super::global::Global;
use super::lock;
use super::surroundings::Surroundings;
use super::ui::Ui;
use super::workspace::{Loaded, Workspace};
use super::world::World;
use crate::bake::port::PortError;
use crate::lock::{Lock, moved};
use crate::name::RecipeName;
use crate::parallel;
use crate::plan::{Plan, PlanError, lineage, parent_of};
use crate::record::Manifest;
use crate::text::{Document, TextError};

use outcome::{Planned, Why};

/// Show what a bake would make: layers, sizes, key and tag
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  elkbake plan                                     # all recipes
  elkbake plan elasticsearch --why                 # and what changed since the last record
  git show HEAD~1:recipes/es.lock > old.lock
  elkbake plan es --why --against old.lock         # and what changed since another lock
  elkbake plan --json | jq -r '.plans[].tag'       # for programs

A recipe without a lock is locked first; with --offline that is an error.")]
pub(super) struct PlanArgs {
    /// Recipes by name; all where none is named
    recipes: Vec<String>,
    /// Say what changed since the last record, input by input
    #[arg(long)]
    why: bool,
    /// With --why: compare with this lock instead of the last record
    #[arg(long, value_name = "LOCK", requires = "why")]
    against: Option<PathBuf>,
    /// Open no socket; a lock that is missing is an error
    #[arg(long)]
    offline: bool,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// What every recipe is planned with.
struct Desk<'d> {
    args: &'d PlanArgs,
    workspace: &'d Workspace,
    world: World<'d>,
    manifest: Option<Manifest>,
    against: Option<Document<Lock>>,
    locking: Mutex<()>,
    ui: &'d Ui,
}

pub(super) fn plan(args: &PlanArgs, global: &Global, ui: &Ui, surroundings: &Surroundings) -> Result<Exit, Failure> {
    let workspace = Workspace::find(global, surroundings, ui)?;
    let recipes = workspace.select(&args.recipes)?;
    let against = args.against.as_deref().map(|path| other_lock(&surroundings.folder, path, ui)).transpose()?;
    let manifest = if args.why && against.is_none() { workspace.manifest(ui)? } else { None };
    let world = World::new(&workspace, surroundings, global, args.offline);
    let desk = Desk { args, workspace: &workspace, world, manifest, against, locking: Mutex::default(), ui };
    let mut printed = Vec::new();
    let mut failures = Vec::new();
    // What is printed is kept, not what it is printed from: ten thousand plans are large, their texts are not.
    for outcome in parallel::map(&recipes, |name| desk.planned(name).map(|planned| print::one(&planned, args.json, ui)))
    {
        match outcome {
            Ok(text) => printed.push(text),
            Err(failure) => failures.push(failure),
        }
    }
    if desk.world.interrupt.requested() {
        return Err(PortError::Interrupted.into());
    }
    ui.result(&print::all(&printed, args.json))?;
    Ok(ui.failures(&failures, Exit::Done))
}

impl Desk<'_> {
    fn planned(&self, name: &RecipeName) -> Result<Planned, Failure> {
        let family = self.family(name)?;
        let line = lineage(name, &family[name].recipe, |other| family.get(other).map(|loaded| &loaded.recipe))
            .map_err(|error| self.misfit(&error, &family))?;
        let (mut parent, mut own_lock): (Option<Plan>, _) = (None, None);
        for name in line.iter().chain([name]) {
            let loaded = &family[name];
            let lock = match &loaded.lock {
                Some(lock) => Cow::Borrowed(lock),
                None => Cow::Owned(self.lock_of(loaded)?),
            };
            self.workspace.pinned_files(loaded, &lock.value)?;
            let plan = Plan::new(name, &loaded.recipe, &lock, &loaded.local.tree, parent.as_ref());
            parent = Some(plan.map_err(|error| self.misfit(&error, &family))?);
            own_lock = Some(lock);
        }
        let nothing = || Failure::input(format!("{name} makes nothing"));
        let (plan, lock) = parent.zip(own_lock).ok_or_else(nothing)?;
        let why = self.args.why.then(|| self.why(&plan, &lock.value));
        Ok(Planned { at_hand: self.world.at_hand(&plan, &lock.value)?, plan, why })
    }

    /// Makes the lock of a recipe that had none when it was read. Several recipes may build on it: one makes the lock,
    /// the others find it.
    fn lock_of(&self, loaded: &Loaded) -> Result<Document<Lock>, Failure> {
        let _one_at_a_time = self.locking.lock().unwrap_or_else(PoisonError::into_inner);
        let again = self.workspace.load(&loaded.name).map_err(|error| error.into_failure(self.ui))?;
        match again.lock {
            Some(lock) => Ok(lock),
            None => lock::make_missing(self.workspace, &self.world, loaded, self.ui),
        }
    }

    /// A recipe with all those that it builds on, as far as they are there.
    fn family(&self, name: &RecipeName) -> Result<BTreeMap<RecipeName, Loaded>, Failure> {
        let mut family = BTreeMap::new();
        let mut next = Some(name.clone());
        while let Some(name) = next.filter(|name| !family.contains_key(name)) {
            if !family.is_empty() && !self.workspace.has(&name) {
                break;
            }
            let loaded = self.workspace.load(&name).map_err(|error| error.into_failure(self.ui))?;
            next = parent_of(&loaded.recipe.value).cloned();
            family.insert(name, loaded);
        }
        Ok(family)
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

    /// A misfit, shown where the recipe says it.
    fn misfit(&self, error: &PlanError, family: &BTreeMap<RecipeName, Loaded>) -> Failure {
        match family.get(&error.recipe) {
            Some(loaded) => self.ui.text_failure(&TextError {
                path: loaded.file.clone(),
                text: loaded.text.clone(),
                problems: vec![error.problem()],
            }),
            None => Failure::input(error),
        }
    }
}

fn other_lock(folder: &Path, path: &Path, ui: &Ui) -> Result<Document<Lock>, Failure> {
    let bytes = std::fs::read(folder.join(path)).map_err(|error| Failure::file("cannot read", path, &error))?;
    crate::text::decode(path, bytes)
        .and_then(|text| crate::lock::parse(path, &text))
        .map_err(|error| ui.text_failure(&error))
}
