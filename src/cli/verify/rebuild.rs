//! `elkbake verify --rebuild`: each image once more, in an empty store.

use std::fs;
use std::path::Path;

use serde_json::json;

use crate::bake::build;
use crate::bake::built::Built;
use crate::bake::event::Event;
use crate::bake::interrupt::Interrupt;
use crate::bake::port::PortError;
use crate::bake::rebuild::{Difference, Inputs, difference};
use crate::bake::resolve::{Fault, World as Ports};
use crate::bake::survey::{Doubt, Survey};
use crate::cli::choice::no_image;
use crate::cli::failure::{Exit, Failure, problems};
use crate::cli::global::Global;
use crate::cli::order::order;
use crate::cli::plain::plain;
use crate::cli::planner::{Planned, Planner};
use crate::cli::store;
use crate::cli::surroundings::Surroundings;
use crate::cli::ui::{Paint, Ui};
use crate::cli::workspace::Workspace;
use crate::cli::world::World;
use crate::digest::Digest;
use crate::name::{RecipeName, Tag};
use crate::plan::Plan;
use crate::recipe::Recipe;
use crate::store::Store;

use super::asked::VerifyArgs;
use super::noted;

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
    doubt: Option<Doubt>,
    /// The targets whose records say now that it does not come out the same.
    noted: Vec<String>,
}

impl Verdict {
    fn is_right(&self) -> bool {
        self.digest == self.rebuilt && self.doubt.is_none()
    }
}

/// What an image is compared with.
enum Before {
    /// What was built before.
    Built(Built),
    /// What the manifest says was published.
    Recorded(Digest),
}

pub(super) fn rebuild(
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
            Ok(mut verdict) => {
                if args.record_nondeterminism {
                    note(&mut verdict, &workspace, &world.interrupt, ui)?;
                }
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
    let otherwise = if verdicts.iter().all(Verdict::is_right) { Exit::Done } else { Exit::CheckFailed };
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
        let Some(plan) = line.last().map(|last| &last.plan) else { return Err(no_image(name)) };
        let (tag, key) = (plan.tag().clone(), plan.key());
        let before = self.before(plan)?;
        let present = planner.world.open()?.store();
        // Beside the store, where there is room for what is built; it goes when this returns.
        let root = store::root(self.global, self.surroundings)?;
        drop_leftovers(&root);
        let aside = tempfile::Builder::new().prefix(ASIDE).tempdir_in(&root).map_err(|error| {
            let failure = Failure::file("cannot make a folder in", &root, &error);
            failure.hint("images are built again in a folder of the store: `--store DIR` names one that can be written")
        })?;
        let empty = Store::open(aside.path(), self.surroundings.now)?;
        let (rebuilt, doubt) = self.rebuild(line, &empty)?;
        let top = |built: &Built| built.top().map(|top| top.digest);
        let nothing = || Failure::input(format!("{name} makes nothing"));
        let (digest, difference) = match &before {
            Before::Built(built) => {
                (top(built).ok_or_else(nothing)?, difference((built, present), (&rebuilt, &empty))?)
            }
            Before::Recorded(digest) => (*digest, None),
        };
        let rebuilt = top(&rebuilt).ok_or_else(nothing)?;
        Ok(Verdict { name: name.clone(), tag, key, digest, rebuilt, difference, doubt, noted: Vec::new() })
    }

    /// What was built before under this key, or published.
    fn before(&self, plan: &Plan) -> Result<Before, Failure> {
        let planner = self.planner;
        if let Some(store) = planner.world.stored()
            && let Some(built) = store.result(&plan.key())?
        {
            return Ok(Before::Built(built));
        }
        let manifest = planner.workspace.manifest(None)?;
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

    /// Builds the last of a line, and all that it builds on, in an empty store. What the locks say of what is in the
    /// bases is not believed but looked at.
    fn rebuild(&self, mut line: Vec<Planned>, empty: &Store) -> Result<(Built, Option<Doubt>), Failure> {
        let planner = self.planner;
        let opened = planner.world.open()?;
        let tell = |event: Event<'_>| planner.ui.event(event);
        let ports = opened.ports(planner.workspace, &tell);
        let inputs = Inputs { present: ports.store, registry: ports.registry, fetch: ports.fetch };
        line.iter().try_for_each(|planned| inputs.take_configs(&planned.lock.value, empty))?;
        let ports = Ports { registry: Some(&inputs), fetch: Some(&inputs), store: empty, ..ports };
        let mut doubt = None;
        for planned in &mut line {
            match doubted(planned, &ports) {
                Ok(found) => {
                    doubt = doubt.or(found);
                    if let Some(base) = &mut planned.lock.value.base {
                        base.below.clear();
                        base.platform.iter_mut().for_each(|on| on.there.clear());
                    }
                }
                Err(Fault::Port(PortError::Offline { subject })) => planner.ui.warn(&format!(
                    "{subject} is not at hand: what the lock of {} says of its base is believed",
                    planned.plan.name()
                )),
                Err(fault) => return Err(fault.into()),
            }
        }
        let build = |order: &_| Ok(build::build(order, &ports)?);
        Ok((build(&order(&line, &planner.stamps, &build)?)?, doubt))
    }
}

fn doubted(planned: &Planned, ports: &Ports<'_>) -> Result<Option<Doubt>, Fault> {
    let Recipe::Image(image) = &planned.loaded.recipe.value else { return Ok(None) };
    let survey = Survey { name: &planned.loaded.name, image, local: &planned.loaded.local, earlier: None, root: None };
    survey.doubt(&planned.lock.value, ports)
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

/// Notes in the records that an image does not come out the same. Where its lock is wrong that is why, and no trait of
/// the image.
fn note(verdict: &mut Verdict, workspace: &Workspace, interrupt: &Interrupt, ui: &Ui) -> Result<(), Failure> {
    if verdict.digest == verdict.rebuilt || verdict.doubt.is_some() {
        return Ok(());
    }
    let place = verdict.difference.as_ref().map_or_else(|| "digest".to_owned(), Difference::place);
    let Verdict { name, tag, key, digest, .. } = &*verdict;
    let noted = noted::note((name, *key, *digest), &plain(&place), workspace, interrupt)?;
    if noted.is_empty() {
        ui.warn(&format!("{name} {tag} is recorded of no target, so nothing is noted: push it first"));
    }
    verdict.noted = noted;
    Ok(())
}

fn text(verdict: &Verdict, ui: &Ui) -> String {
    let Verdict { name, tag, digest, rebuilt, difference, doubt, noted, .. } = verdict;
    let mut text = format!("{} {tag} {digest}: ", ui.paint(Paint::Bold, name.as_str()));
    if digest == rebuilt {
        text += &format!("{} when it is built again\n", ui.paint(Paint::Green, "the same"));
    } else {
        let other = ui.paint(Paint::Red, "not the same");
        text += &format!("{other} when it is built again, but {rebuilt}\n");
    }
    if let Some(difference) = difference {
        text += &format!("  first difference: {}\n", plain(&difference.to_string()));
    }
    if let Some(doubt) = doubt {
        let wrong = ui.paint(Paint::Red, "its lock is wrong");
        text += &format!("  {wrong}: {}; remove it and run `elkbake lock`\n", plain(&doubt.to_string()));
    }
    if !noted.is_empty() {
        text += &format!("  noted in the records of {}\n", noted.join(", "));
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
        "same": verdict.digest == verdict.rebuilt,
        "difference": verdict.difference,
        "lock": verdict.doubt,
        "noted": verdict.noted,
    })
}
