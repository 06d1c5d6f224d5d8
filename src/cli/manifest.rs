//! `elkbake manifest`.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::json;

use super::failure::{Exit, Failure};
use super::surroundings::Surroundings;
use super::ui::{Paint, Ui};
use super::world::interrupt;
use crate::bake::ledger::Ledger;
use crate::name::{RecipeName, Tag};
use crate::record::{Manifest, MergeError, merge};

/// Join the records of several runs
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  elkbake manifest merge records/*/prod.json --into prod.json

A manifest is for programs: `jq` and `elkbake export` read it. docs/manifest.md tells what is in it,
`elkbake plan --why` what changed since.")]
pub(super) struct ManifestArgs {
    #[command(subcommand)]
    act: Act,
}

#[derive(Debug, Subcommand)]
enum Act {
    Merge(MergeArgs),
}

/// Join manifests of one target, as a fleet of runners wrote them
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  elkbake manifest merge records/*/prod.json --into prod.json   # in the job after all others
  elkbake manifest merge a.json b.json > prod.json              # nothing is changed in place
  git show HEAD:prod.json > theirs.json && elkbake manifest merge theirs.json --into prod.json

Of each recipe the record that was pushed last is current, all others are its history. In which
order manifests are named does not matter, nor how often. Manifests of two targets are not mixed.")]
struct MergeArgs {
    /// Manifests to read
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Join them with what is in this file, which is made when missing, instead of printing what comes out
    #[arg(long, value_name = "FILE")]
    into: Option<PathBuf>,
    /// With --into: print one JSON document that says what changed
    #[arg(long, requires = "into")]
    json: bool,
}

/// What a merge did to a recipe's current record.
struct Moved {
    name: RecipeName,
    before: Option<Tag>,
    after: Tag,
}

pub(super) fn manifest(args: &ManifestArgs, ui: &Ui, surroundings: &Surroundings) -> Result<Exit, Failure> {
    let Act::Merge(args) = &args.act;
    let joined = joined(&args.files, &surroundings.folder)?;
    let Some(into) = &args.into else {
        ui.result(&joined.to_text(Path::new("what comes out")).map_err(Failure::input)?)?;
        return Ok(Exit::Done);
    };
    let (mut before, mut after, mut refused) = (None, None, None);
    let target = joined.target.clone();
    let interrupt = interrupt();
    let changed = Ledger::new(&interrupt).update(&surroundings.folder.join(into), &target, |manifest| {
        match merge(manifest.clone(), joined.clone()) {
            Ok(merged) => before = Some(std::mem::replace(manifest, merged)),
            Err(error) => refused = Some(error),
        }
        after = Some(manifest.clone());
    })?;
    if let Some(error) = refused {
        return Err(Failure::input(error));
    }
    let (Some(before), Some(after)) = (before, after) else { return Ok(Exit::Done) };
    for (name, unfinished) in &after.unfinished {
        let missing: Vec<_> = unfinished.missing.keys().map(ToString::to_string).collect();
        ui.warn(&format!("{name} {} is not in {}: push it once more", unfinished.tag, missing.join(", ")));
    }
    let moved = moved(&before, &after);
    if args.json {
        ui.json(&json_of(&after, &moved, changed))?;
    } else {
        ui.result(&text(&after, &moved, changed, ui))?;
    }
    Ok(Exit::Done)
}

/// All that some files say.
fn joined(files: &[PathBuf], folder: &Path) -> Result<Manifest, Failure> {
    let mut joined: Option<(&Path, Manifest)> = None;
    for file in files {
        let manifest = Ledger::whole(&folder.join(file), file)?.ok_or_else(|| {
            Failure::input(format!("cannot read {}: there is no such file", file.display()))
                .hint("a run that pushed nothing has no records to join: leave it out")
        })?;
        joined = Some(match joined {
            None => (file, manifest),
            Some((first, before)) => {
                let mixed = |MergeError { one, other }| {
                    let (first, file) = (first.display(), file.display());
                    let message = format!("{first} has the records of target `{one}`, {file} those of `{other}`");
                    Failure::input(message).hint("merge the manifests of each target by themselves")
                };
                (first, merge(before, manifest).map_err(mixed)?)
            }
        });
    }
    joined.map(|(_, manifest)| manifest).ok_or_else(|| Failure::usage("there is nothing to merge"))
}

fn moved(before: &Manifest, after: &Manifest) -> Vec<Moved> {
    let each = after.recipes.iter().filter_map(|(name, entry)| {
        let was = before.recipes.get(name).map(|entry| &entry.current);
        let is_same = was.is_some_and(|was| was.is_same_result(&entry.current));
        let before = was.map(|was| was.tag.clone());
        (!is_same).then(|| Moved { name: name.clone(), before, after: entry.current.tag.clone() })
    });
    each.collect()
}

fn text(after: &Manifest, moved: &[Moved], changed: bool, ui: &Ui) -> String {
    let mut text = String::new();
    for Moved { name, before, after } in moved {
        let was = before.as_ref().map_or_else(|| "new".to_owned(), |before| format!("was {before}"));
        let (name, tag) = (ui.paint(Paint::Bold, name.as_str()), ui.paint(Paint::Green, after.as_str()));
        text += &format!("{name} {tag} ({was})\n");
    }
    let (all, target) = (after.recipes.len(), &after.target);
    let recipes = if all == 1 { "1 recipe".to_owned() } else { format!("{all} recipes") };
    let did = match (moved.len(), changed) {
        (_, false) => "nothing changed".to_owned(),
        (0, true) => "only the history changed".to_owned(),
        (moved, true) => format!("{moved} changed"),
    };
    text + &format!("{target}: {recipes}, {did}\n")
}

fn json_of(after: &Manifest, moved: &[Moved], changed: bool) -> serde_json::Value {
    let moved = moved.iter().map(|one| json!({ "recipe": one.name, "before": one.before, "after": one.after }));
    json!({
        "target": after.target,
        "recipes": after.recipes.len(),
        "changed": changed,
        "moved": moved.collect::<Vec<_>>(),
        "unfinished": after.unfinished.keys().collect::<Vec<_>>(),
    })
}
