//! `elkbake lock`.

use clap::Args;
use serde_json::json;

use super::check::refuse_secrets;
use super::failure::{Exit, Failure, problems};
use super::global::Global;
use super::surroundings::Surroundings;
use super::ui::{Paint, Ui};
use super::workspace::{Loaded, Workspace, lock_file};
use super::world::World;
use crate::bake::event::{self, Event};
use crate::bake::port::PortError;
use crate::bake::resolve::{self, Update, World as Ports};
use crate::bake::survey::Survey;
use crate::lock::{self, Lock, Moved, Stale};
use crate::name::RecipeName;
use crate::plan::parent_of;
use crate::recipe::Recipe;
use crate::text::Document;

/// Pin every input of a recipe by digest, in recipes/NAME.lock
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  elkbake lock                         # what is new or changed; nothing else moves
  elkbake lock elasticsearch --update  # move every pin of one recipe to today's
  elkbake lock --update=base           # move one input in every recipe that has it
  elkbake lock --check                 # in a pipeline: exit 1 when it is not up to date

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
    let workspace = Workspace::find(global, surroundings)?;
    let recipes = workspace.select(&args.recipes)?;
    let world = World::new(&workspace, surroundings, global, args.offline);
    known_inputs(args, &workspace, &recipes)?;
    let mut outcomes = Vec::new();
    let mut failures = Vec::new();
    let mut by_age = recipes.clone();
    // Those that others build on come first: their locks are asked for by the locks of these.
    by_age.sort_by_cached_key(|name| ancestors(&workspace, name).len());
    for name in &by_age {
        // One after the other: the inputs of each are fetched side by side already.
        let outcome = workspace.load(name).map_err(Failure::from).and_then(|loaded| {
            if args.check {
                compare(&workspace, &world, &loaded)
            } else {
                update(args, &workspace, &world, &loaded, ui)
            }
        });
        match outcome {
            Ok(outcome) => outcomes.push(outcome),
            Err(failure) if failure.exit == Exit::Interrupted => return Err(failure),
            Err(failure) => failures.push(failure.with(name)),
        }
    }
    outcomes.sort_by_key(|outcome| recipes.iter().position(|name| *name == outcome.recipe));
    if args.json {
        print_json(&outcomes, &failures, ui)?;
    } else {
        print_text(&outcomes, ui)?;
    }
    let differs = outcomes.iter().any(|outcome| matches!(outcome.did, Did::Missing | Did::IsStale));
    Ok(ui.failures(&failures, if differs { Exit::CheckFailed } else { Exit::Done }))
}

/// The recipes that one builds on, the nearest first, as far as they can be read: what is wrong with one is told when it
/// is its turn.
fn ancestors(workspace: &Workspace, name: &RecipeName) -> Vec<(RecipeName, Document<Recipe>)> {
    let mut all: Vec<(RecipeName, Document<Recipe>)> = Vec::new();
    let mut next = workspace.recipe(name).ok().and_then(|recipe| parent_of(&recipe.value).cloned());
    while let Some(parent) = next.take().filter(|parent| all.iter().all(|(known, _)| known != parent)) {
        if let Ok(recipe) = workspace.recipe(&parent) {
            next = parent_of(&recipe.value).cloned();
            all.push((parent, recipe));
        }
    }
    all
}

/// The first of the recipes that one builds on, with what its lock says now.
fn root(workspace: &Workspace, name: &RecipeName) -> Option<(Document<Recipe>, Document<Lock>)> {
    let (root, recipe) = ancestors(workspace, name).pop().filter(|(_, recipe)| parent_of(&recipe.value).is_none())?;
    let text = workspace.lock_text(&root).ok()??;
    Some((recipe, lock::parse(&lock_file(&root), &text).ok()?))
}

/// Refuses to move an input that no recipe has: that is a slip of the pen, and would look like success.
fn known_inputs(args: &LockArgs, workspace: &Workspace, recipes: &[RecipeName]) -> Result<(), Failure> {
    for name in args.update.iter().filter(|name| !name.is_empty()) {
        // A recipe that cannot be read is told about when its turn comes.
        let has = |recipe| workspace.glance(recipe).is_none_or(|recipe| has_input(&recipe, name));
        if !recipes.iter().any(has) {
            return Err(Failure::usage(format!("--update={name}: no recipe has an input of that name"))
                .hint("inputs are called base, ami, or by the name of the plugin or archive"));
        }
    }
    Ok(())
}

/// Holds a lock against its recipe, and its pins of the project's files against the files.
fn compare(workspace: &Workspace, world: &World<'_>, loaded: &Loaded) -> Result<Outcome, Failure> {
    let outcome = |did, stale, moved| Outcome { recipe: loaded.name.clone(), did, moved, stale };
    let Some(lock) = &loaded.lock else {
        return Ok(outcome(Did::Missing, Vec::new(), Vec::new()));
    };
    let stale = lock::stale(&loaded.recipe.value, &lock.value);
    if !stale.is_empty() {
        return Ok(outcome(Did::IsStale, stale, Vec::new()));
    }
    let opened = world.open()?;
    // Nothing but the project's files is looked at: all other pins stand.
    let ports = Ports { registry: None, fetch: None, ami: None, ..opened.ports(workspace, event::SILENT) };
    let now = resolve::resolve(&loaded.name, &loaded.recipe.value, Some(&lock.value), &Update::Nothing, &ports)?;
    let moved = lock::moved(&lock.value, &now);
    Ok(outcome(if moved.is_empty() { Did::Nothing } else { Did::IsStale }, Vec::new(), moved))
}

fn update(
    args: &LockArgs,
    workspace: &Workspace,
    world: &World<'_>,
    loaded: &Loaded,
    ui: &Ui,
) -> Result<Outcome, Failure> {
    refuse_secrets(workspace, loaded)?;
    let update = match args.update.as_slice() {
        [] => Update::Nothing,
        named if named.iter().any(String::is_empty) => Update::All,
        // A recipe that has none of these inputs has nothing to move; `known_inputs` has seen that one has them.
        named => Update::Inputs(named.iter().filter(|name| has_input(&loaded.recipe.value, name)).cloned().collect()),
    };
    let (did, moved, _) = make(workspace, world, loaded, &update, ui)?;
    Ok(Outcome { recipe: loaded.name.clone(), did, moved, stale: Vec::new() })
}

fn has_input(recipe: &Recipe, name: &str) -> bool {
    lock::wants(recipe).iter().any(|want| want.input.is_called(name))
}

/// Makes the lock of a recipe that has none, for a command that needs one.
pub(super) fn make_missing(
    workspace: &Workspace,
    world: &World<'_>,
    loaded: &Loaded,
    ui: &Ui,
) -> Result<Document<Lock>, Failure> {
    refuse_secrets(workspace, loaded)?;
    let (_, _, text) = make(workspace, world, loaded, &Update::Nothing, ui)?;
    let file = lock_file(&loaded.name);
    ui.note(&format!("{} was missing and has been made", file.display()));
    Ok(lock::parse(&file, &text)?)
}

/// Somebody else who writes this lock at the same time may do so this often before we give up.
const TRIES: usize = 5;

fn make(
    workspace: &Workspace,
    world: &World<'_>,
    loaded: &Loaded,
    update: &Update,
    ui: &Ui,
) -> Result<(Did, Vec<Moved>, String), Failure> {
    let tell = |event: Event<'_>| ui.event(event);
    let opened = world.open()?;
    let (mut earlier, mut earlier_text) = (loaded.lock.clone(), loaded.lock_text.clone());
    let root = root(workspace, &loaded.name);
    let root = root.as_ref().and_then(|(recipe, lock)| match &recipe.value {
        Recipe::Image(image) => Some((&**image, &lock.value)),
        Recipe::Ami(_) => None,
    });
    for _ in 0..TRIES {
        let old = earlier.as_ref().map(|lock| &lock.value);
        let ports = opened.ports(workspace, &tell);
        let mut new = resolve::resolve(&loaded.name, &loaded.recipe.value, old, update, &ports)?;
        if let Recipe::Image(image) = &loaded.recipe.value {
            let survey = Survey { name: &loaded.name, image, local: &loaded.local, earlier: old, root };
            new = survey.add(new, &ports)?;
        }
        // Whoever asked to stop wants nothing written any more.
        if world.interrupt.requested() {
            return Err(PortError::Interrupted.into());
        }
        let text = new.write().map_err(Failure::input)?;
        let _alone = workspace.writing()?;
        let now_text = workspace.lock_text(&loaded.name)?;
        if now_text != earlier_text {
            // Another run has written it meanwhile: what it pinned counts, and ours comes on top.
            let parse = |text: &String| lock::parse(&lock_file(&loaded.name), text);
            earlier = now_text.as_ref().map(parse).transpose()?;
            earlier_text = now_text;
            continue;
        }
        let written = resolve::save(&workspace.root.join(lock_file(&loaded.name)), &text).map_err(Failure::input)?;
        let did = match (written, old) {
            (false, _) => Did::Nothing,
            (true, None) => Did::Made,
            (true, Some(_)) => Did::Changed,
        };
        let moved = old.map(|old| lock::moved(old, &new)).unwrap_or_default();
        return Ok((did, moved, text));
    }
    Err(Failure::input(format!("{} is written by others all the time", lock_file(&loaded.name).display())))
}

fn print_text(outcomes: &[Outcome], ui: &Ui) -> Result<(), Failure> {
    let mut text = String::new();
    for outcome in outcomes {
        let paint = match outcome.did {
            Did::Nothing => Paint::Dim,
            Did::Made | Did::Changed => Paint::Green,
            Did::Missing | Did::IsStale => Paint::Red,
        };
        let did = ui.paint(paint, outcome.did.as_str());
        text += &format!("{} {did}\n", lock_file(&outcome.recipe).display());
        for moved in &outcome.moved {
            text += &format!("  {moved}\n");
        }
        for stale in &outcome.stale {
            text += &format!("  {stale}\n");
        }
    }
    ui.result(&text)
}

fn print_json(outcomes: &[Outcome], failures: &[Failure], ui: &Ui) -> Result<(), Failure> {
    let one = |outcome: &Outcome| {
        json!({
            "recipe": outcome.recipe,
            "lock": lock_file(&outcome.recipe),
            "state": outcome.did.as_str(),
            "moved": outcome.moved,
            "stale": outcome.stale.iter().map(ToString::to_string).collect::<Vec<_>>(),
        })
    };
    ui.json(&json!({ "locks": outcomes.iter().map(one).collect::<Vec<_>>(), "problems": problems(failures) }))
}
