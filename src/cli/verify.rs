//! `elkbake verify`.

use std::fs;
use std::path::Path;

use clap::Args;
use serde_json::json;

use super::choice::no_image;
use super::failure::{Exit, Failure, problems};
use super::global::Global;
use super::order::order;
use super::planner::{Planned, Planner};
use super::store;
use super::surroundings::Surroundings;
use super::ui::{Paint, Ui};
use super::workspace::Workspace;
use super::world::World;
use crate::bake::build;
use crate::bake::built::Built;
use crate::bake::event::Event;
use crate::bake::port::PortError;
use crate::bake::rebuild::{Difference, Inputs, difference};
use crate::bake::resolve::World as Ports;
use crate::digest::Digest;
use crate::name::{RecipeName, Tag};
use crate::plan::Plan;
use crate::store::Store;

/// Prove that images can be built again, byte for byte
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  elkbake verify --rebuild                # all images of the project
  elkbake verify --rebuild elasticsearch  # one of them
  elkbake verify --rebuild --json | jq '.verified[] | select(.same | not)'

Each image is built once more in an empty store, from its recipe, lock and files alone. Inputs come from the store or from where the lock says, verified by their digests; nothing that an earlier build made is used. The digest has to be that of what was built before, or of what the manifest records under the same key. Where it is not, the first layer, entry and field that differ are told, and the exit code is 1.")]
pub(super) struct VerifyArgs {
    /// Recipes by name; all that make images where none is named
    recipes: Vec<String>,
    /// Build them again and compare
    #[arg(long, required = true)]
    rebuild: bool,
    /// Open no socket; what is not at hand is an error
    #[arg(long)]
    offline: bool,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// What the names of stores for one run begin with.
const ASIDE: &str = ".verify-";

/// What came of one recipe.
struct Verdict {
    name: RecipeName,
    tag: Tag,
    key: Digest,
    digest: Digest,
    rebuilt: Digest,
    difference: Option<Difference>,
}

impl Verdict {
    fn is_same(&self) -> bool {
        self.digest == self.rebuilt
    }
}

/// What an image is compared with.
enum Before {
    /// What was built before.
    Built(Built),
    /// What the manifest says was published.
    Recorded(Digest),
}

pub(super) fn verify(
    args: &VerifyArgs,
    global: &Global,
    ui: &Ui,
    surroundings: &Surroundings,
) -> Result<Exit, Failure> {
    let workspace = Workspace::find(global, surroundings)?;
    let recipes = workspace.images(&args.recipes)?;
    let world = World::new(&workspace, surroundings, global, args.offline);
    let planner = Planner::of_built(&workspace, &world, surroundings.stamps(global, &workspace.project)?, ui);
    let desk = Desk { planner: &planner, global, surroundings };
    let (mut verdicts, mut failures) = (Vec::new(), Vec::new());
    for name in &recipes {
        match desk.verdict(name) {
            _ if world.interrupt.requested() => return Err(PortError::Interrupted.into()),
            Ok(verdict) => {
                if !args.json {
                    ui.result(&text(&verdict, ui))?;
                }
                verdicts.push(verdict);
            }
            Err(failure) => failures.push(failure.with(name)),
        }
    }
    if args.json {
        let verified: Vec<_> = verdicts.iter().map(json_of).collect();
        ui.json(&json!({ "verified": verified, "problems": problems(&failures) }))?;
    }
    let otherwise = if verdicts.iter().all(Verdict::is_same) { Exit::Done } else { Exit::CheckFailed };
    Ok(ui.failures(&failures, otherwise))
}

/// What every recipe is verified with.
struct Desk<'d> {
    planner: &'d Planner<'d>,
    global: &'d Global,
    surroundings: &'d Surroundings,
}

impl Desk<'_> {
    /// Builds a recipe again and compares.
    fn verdict(&self, name: &RecipeName) -> Result<Verdict, Failure> {
        let planner = self.planner;
        let line = planner.line(name)?;
        let Some(last) = line.last() else { return Err(no_image(name)) };
        let before = self.before(&last.plan)?;
        let present = planner.world.open()?.store();
        // Beside the store, where there is room for what is built; it goes when this returns.
        let root = store::root(self.global, self.surroundings)?;
        drop_leftovers(&root);
        let aside = tempfile::Builder::new()
            .prefix(ASIDE)
            .tempdir_in(&root)
            .map_err(|error| Failure::file("cannot make a folder in", &root, &error))?;
        let empty = Store::open(aside.path(), self.surroundings.now)?;
        let rebuilt = self.rebuild(&line, &empty)?;
        let top = |built: &Built| built.top().map(|top| top.digest);
        let nothing = || Failure::input(format!("{name} makes nothing"));
        let (digest, difference) = match &before {
            Before::Built(built) => {
                (top(built).ok_or_else(nothing)?, difference((built, present), (&rebuilt, &empty))?)
            }
            Before::Recorded(digest) => (*digest, None),
        };
        let (tag, key) = (last.plan.tag().clone(), last.plan.key());
        let rebuilt = top(&rebuilt).ok_or_else(nothing)?;
        Ok(Verdict { name: name.clone(), tag, key, digest, rebuilt, difference })
    }

    /// What was built before under this key, or published.
    fn before(&self, plan: &Plan) -> Result<Before, Failure> {
        let planner = self.planner;
        if let Some(store) = planner.world.stored()
            && let Some(built) = store.result(&plan.key())?
        {
            return Ok(Before::Built(built));
        }
        let manifest = planner.workspace.manifest()?;
        let entry = manifest.as_ref().and_then(|manifest| manifest.recipes.get(plan.name()));
        let records = entry.into_iter().flat_map(|entry| std::iter::once(&entry.current).chain(&entry.history));
        let recorded = records.into_iter().find(|record| record.key == plan.key()).and_then(|record| record.digest);
        let name = plan.name();
        recorded.map(Before::Recorded).ok_or_else(|| {
            Failure::input(format!(
                "there is nothing to compare {name} with: as it is now, it was neither built here nor recorded"
            ))
            .hint(format!("run `elkbake build {name}`"))
        })
    }

    /// Builds the last of a line, and all that it builds on, in an empty store.
    fn rebuild(&self, line: &[Planned], empty: &Store) -> Result<Built, Failure> {
        let planner = self.planner;
        let opened = planner.world.open()?;
        let tell = |event: Event<'_>| planner.ui.event(event);
        let ports = opened.ports(planner.workspace, &tell);
        let inputs = Inputs { present: ports.store, registry: ports.registry, fetch: ports.fetch };
        line.iter().try_for_each(|planned| inputs.take_configs(&planned.lock.value, empty))?;
        let ports = Ports { registry: Some(&inputs), fetch: Some(&inputs), store: empty, ..ports };
        let build = |order: &_| Ok(build::build(order, &ports)?);
        build(&order(line, &planner.stamps, &build)?)
    }
}

/// Drops the stores of runs that were killed: nobody holds their locks. What cannot be dropped takes room, no more.
fn drop_leftovers(root: &Path) {
    for entry in fs::read_dir(root).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with(ASIDE) {
            let lock = fs::File::open(entry.path().join("v1/lock"));
            if lock.is_ok_and(|lock| lock.try_lock().is_ok()) {
                drop(fs::remove_dir_all(entry.path()));
            }
        }
    }
}

fn text(verdict: &Verdict, ui: &Ui) -> String {
    let Verdict { name, tag, digest, rebuilt, difference, .. } = verdict;
    let name = ui.paint(Paint::Bold, name.as_str());
    if verdict.is_same() {
        let same = ui.paint(Paint::Green, "the same");
        return format!("{name} {tag} {digest}: {same} when it is built again\n");
    }
    let other = ui.paint(Paint::Red, "not the same");
    let mut text = format!("{name} {tag} {digest}: {other} when it is built again, but {rebuilt}\n");
    if let Some(difference) = difference {
        text += &format!("  first difference: {}\n", super::plain::plain(&difference.to_string()));
    }
    text
}

fn json_of(verdict: &Verdict) -> serde_json::Value {
    json!({
        "recipe": verdict.name,
        "tag": verdict.tag,
        "key": verdict.key,
        "digest": verdict.digest,
        "rebuilt": verdict.rebuilt,
        "same": verdict.is_same(),
        "difference": verdict.difference,
    })
}
