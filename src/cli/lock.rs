//! `elkbake lock`.

use std::collections::BTreeSet;

use clap::Args;
use serde_json::json;

use super::args::Global;
use super::failure::{Exit, Failure};
use super::surroundings::Surroundings;
use super::ui::{Paint, Ui};
use super::workspace::{Loaded, Workspace, lock_file};
use super::world::{self, World};
use crate::bake::resolve::{self, Update};
use crate::lock::{self, Moved, Stale};
use crate::name::RecipeName;

/// Pin every input of a recipe by digest, in recipes/NAME.lock
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  elkbake lock                                   # pin what is new or changed; nothing else moves
  elkbake lock elasticsearch --update            # move every pin of one recipe to what is there today
  elkbake lock --update=base                     # move one input, in every recipe that has it
  elkbake lock --check                           # in a pipeline: exit 1 when recipe and lock disagree

Commit the lock beside its recipe: it is what makes two machines bake the same bytes.")]
pub(super) struct LockArgs {
    /// Recipes by name; all where none is named
    recipes: Vec<String>,
    /// Move pins to what is there today: of one input (base, a plugin, an archive, ami), or of all
    #[arg(long, value_name = "INPUT", num_args = 0..=1, require_equals = true, default_missing_value = "")]
    update: Vec<String>,
    /// Write nothing; exit 1 when a lock is missing or stale
    #[arg(long, conflicts_with = "update")]
    check: bool,
    /// Open no socket; what is not at hand is an error
    #[arg(long)]
    offline: bool,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// What became of one lock.
struct Outcome {
    recipe: RecipeName,
    did: Did,
    moved: Vec<Moved>,
    stale: Vec<Stale>,
}

/// What was done to a lock.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Did {
    /// It says already what is to be said.
    Nothing,
    /// It was written for the first time.
    Made,
    /// It was written anew.
    Changed,
    /// It is missing, and `--check` writes nothing.
    Missing,
    /// It does not answer the recipe, and `--check` writes nothing.
    IsStale,
}

impl Did {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Nothing => "unchanged",
            Self::Made => "made",
            Self::Changed => "changed",
            Self::Missing => "missing",
            Self::IsStale => "stale",
        }
    }
}

pub(super) fn lock(args: &LockArgs, global: &Global, ui: &Ui, surroundings: &Surroundings) -> Result<Exit, Failure> {
    let workspace = Workspace::find(global, surroundings, ui)?;
    let recipes = workspace.select(&args.recipes)?;
    let world = World::new(&workspace, surroundings, global, args.offline);
    let mut outcomes = Vec::new();
    let mut failures = Vec::new();
    for name in &recipes {
        // One after the other: the inputs of each are fetched side by side already.
        let outcome = workspace.load(name).map_err(|error| error.into_failure(ui)).and_then(|loaded| {
            if args.check { Ok(compare(&loaded)) } else { update(args, &workspace, &world, &loaded, ui) }
        });
        match outcome {
            Ok(outcome) => outcomes.push(outcome),
            Err(failure) if failure.exit == Exit::Interrupted => return Err(failure),
            Err(failure) => failures.push(failure),
        }
    }
    if args.json { print_json(&outcomes, ui)? } else { print_text(&outcomes, ui)? }
    let differs = outcomes.iter().any(|outcome| matches!(outcome.did, Did::Missing | Did::IsStale));
    Failure::first_of(failures, ui).map_or(Ok(if differs { Exit::CheckFailed } else { Exit::Done }), Ok)
}

/// Holds a lock against its recipe.
fn compare(loaded: &Loaded) -> Outcome {
    let stale = loaded.lock.as_ref().map(|lock| lock::stale(&loaded.recipe.value, &lock.value));
    let did = match &stale {
        None => Did::Missing,
        Some(stale) if stale.is_empty() => Did::Nothing,
        Some(_) => Did::IsStale,
    };
    Outcome { recipe: loaded.name.clone(), did, moved: Vec::new(), stale: stale.unwrap_or_default() }
}

fn update(args: &LockArgs, workspace: &Workspace, world: &World<'_>, loaded: &Loaded, ui: &Ui) -> Result<Outcome, Failure> {
    workspace.refuse_secrets(loaded)?;
    let update = if args.update.iter().any(String::is_empty) {
        Update::All
    } else if args.update.is_empty() {
        Update::Nothing
    } else {
        Update::Inputs(args.update.iter().cloned().collect::<BTreeSet<_>>())
    };
    let (did, moved) = make(workspace, world, loaded, &update, ui)?;
    Ok(Outcome { recipe: loaded.name.clone(), did, moved, stale: Vec::new() })
}
