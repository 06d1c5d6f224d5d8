//! `elkbake diff`.

mod print;

use std::path::Path;

use clap::Args;
use serde_json::json;

use super::failure::{Exit, Failure};
use super::global::Global;
use super::plan::other_lock;
use super::planner::Planner;
use super::subject::{Open, Opener};
use super::surroundings::Surroundings;
use super::ui::Ui;
use super::workspace::Workspace;
use super::world::World;
use crate::bake::diff::{Difference, diff as compare, has_other_layers};
use crate::bake::event::Event;
use crate::bake::found::FoundImage;
use crate::bake::port::PortError;
use crate::lock::moved;
use crate::name::Platform;

use print::Only;

/// Show what differs from one image or lock to another
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  elkbake diff es-8 es-9                  # two recipes, as they are built
  elkbake diff sha256:0123… es            # what was built before, and what is now
  elkbake diff docker-archive:es.tar oci:out:8.19.3-0123456789ab
  elkbake diff ubuntu:24.04 ubuntu:26.04 --platform linux/amd64
  git show HEAD~1:recipes/es.lock > old.lock
  elkbake diff old.lock recipes/es.lock   # which pins moved
  elkbake diff a b --exit-code > /dev/null || echo differ  # for scripts

Images are named as `elkbake inspect` takes them. Layers that are not known here are fetched and read. The exit code is 0 whether they differ or not, unless --exit-code is given. docs/json.md says what --json prints.")]
pub(super) struct DiffArgs {
    /// The first image or lock
    a: String,
    /// The second
    b: String,
    /// Only this platform; all that both have where none is named
    #[arg(long)]
    platform: Option<Platform>,
    /// Exit 1 when they differ
    #[arg(long)]
    exit_code: bool,
    /// Open no socket; what is not at hand is an error
    #[arg(long)]
    offline: bool,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

pub(super) fn diff(args: &DiffArgs, global: &Global, ui: &Ui, surroundings: &Surroundings) -> Result<Exit, Failure> {
    let same = match (is_lock(&args.a), is_lock(&args.b)) {
        (true, true) => locks(args, ui, surroundings)?,
        (false, false) => images(args, global, ui, surroundings)?,
        _ => {
            return Err(Failure::usage("a lock can be compared with a lock only").hint("name two locks, or two images"));
        }
    };
    Ok(if args.exit_code && !same { Exit::CheckFailed } else { Exit::Done })
}

fn is_lock(text: &str) -> bool {
    !text.contains(':') && Path::new(text).extension().is_some_and(|extension| extension == "lock")
}

/// Compares two locks; tells whether they pin the same.
fn locks(args: &DiffArgs, ui: &Ui, surroundings: &Surroundings) -> Result<bool, Failure> {
    let read = |path: &str| other_lock(&surroundings.folder, Path::new(path));
    let moved = moved(&read(&args.a)?.value, &read(&args.b)?.value);
    if args.json {
        ui.json(&json!({ "a": args.a, "b": args.b, "same": moved.is_empty(), "moved": moved }))?;
    } else {
        ui.result(&print::locks(&args.a, &args.b, &moved))?;
    }
    Ok(moved.is_empty())
}

/// Compares two images; tells whether they are the same.
fn images(args: &DiffArgs, global: &Global, ui: &Ui, surroundings: &Surroundings) -> Result<bool, Failure> {
    let workspace = Workspace::find(global, surroundings)?;
    let world = World::new(&workspace, surroundings, global, args.offline);
    let planner = Planner::of_built(&workspace, &world, surroundings.stamps(global, &workspace.project)?, ui);
    let tell = |event: Event<'_>| ui.event(event);
    let opener = Opener { planner: &planner, folder: &surroundings.folder, tell: &tell };
    let stopped = |failure| if world.interrupt.requested() { PortError::Interrupted.into() } else { failure };
    let (differences, only) = compared(args, opener).map_err(stopped)?;
    let same = differences.iter().all(|difference| difference.same) && only.is_empty();
    if args.json {
        let names = |at: usize| only.iter().filter(|(side, _)| *side == at).map(|(_, name)| name).collect::<Vec<_>>();
        let (only_a, only_b) = (names(0), names(1));
        ui.json(&json!({
            "a": args.a, "b": args.b, "same": same,
            "platforms": differences, "only_a": only_a, "only_b": only_b,
        }))?;
    } else {
        ui.result(&print::images(&args.a, &args.b, &differences, &only, ui))?;
    }
    Ok(same)
}

fn compared(args: &DiffArgs, opener: Opener<'_>) -> Result<(Vec<Difference>, Vec<Only>), Failure> {
    let open = [opener.open(&args.a)?, opener.open(&args.b)?];
    let only = args.platform.as_ref();
    let [a, b] = [open[0].find(only)?, open[1].find(only)?];
    let pairs = pairs(&a.images, &b.images);
    if pairs.is_empty() {
        let list = |images: &[FoundImage]| {
            images.iter().map(|image| image.platform.to_string()).collect::<Vec<_>>().join(", ")
        };
        let (a, b) = (list(&a.images), list(&b.images));
        return Err(Failure::input(format!("they have no platform in common: the one is for {a}, the other for {b}")));
    }
    let differences = pairs.iter().map(|(a, b)| one(&open, a, b)).collect::<Result<_, _>>()?;
    let rest = |at: usize, images: &[FoundImage]| {
        let is_paired =
            |image: &&FoundImage| !pairs.iter().any(|(a, b)| std::ptr::eq(if at == 0 { *a } else { *b }, *image));
        images.iter().filter(is_paired).map(|image| (at, image.platform.to_string())).collect::<Vec<_>>()
    };
    Ok((differences, [rest(0, &a.images), rest(1, &b.images)].concat()))
}

/// What differs between two images in a few lines, without fetching a layer: files are compared where all layers are
/// known here.
pub(super) fn in_short(opener: Opener<'_>, a: &str, b: &str) -> Result<Vec<String>, Failure> {
    let open = [opener.open(a)?, opener.open(b)?];
    let [a, b] = [open[0].find(None)?, open[1].find(None)?];
    let mut lines = Vec::new();
    for (a, b) in pairs(&a.images, &b.images) {
        let known =
            |open: &Open<'_>, image| Ok::<_, Failure>(open.known(image)?.into_iter().collect::<Option<Vec<_>>>());
        let difference = match (known(&open[0], a)?, known(&open[1], b)?) {
            (Some(a_holds), Some(b_holds)) => compare(a, b, (&a_holds, &b_holds)),
            _ => compare(a, b, (&[], &[])),
        };
        lines.extend(print::in_short(&difference.map_err(Failure::input)?, a, b));
    }
    Ok(lines)
}

/// The images of one platform in both; two images of which each is the only one are compared whatever they are for.
fn pairs<'i>(a: &'i [FoundImage], b: &'i [FoundImage]) -> Vec<(&'i FoundImage, &'i FoundImage)> {
    if let ([a], [b]) = (a, b) {
        return vec![(a, b)];
    }
    let pair = |one: &'i FoundImage| Some((one, b.iter().find(|other| other.platform == one.platform)?));
    a.iter().filter_map(pair).collect()
}

fn one(open: &[Open<'_>; 2], a: &FoundImage, b: &FoundImage) -> Result<Difference, Failure> {
    let listings =
        if has_other_layers(a, b) { (open[0].listings(a)?, open[1].listings(b)?) } else { (Vec::new(), Vec::new()) };
    compare(a, b, (&listings.0, &listings.1)).map_err(Failure::input)
}
