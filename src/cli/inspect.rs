//! `elkbake inspect`.

mod print;

use clap::Args;
use serde_json::json;

use super::failure::{Exit, Failure, problems};
use super::global::Global;
use super::planner::Planner;
use super::subject::Opener;
use super::surroundings::Surroundings;
use super::ui::Ui;
use super::workspace::Workspace;
use super::world::World;
use crate::bake::event::Event;
use crate::bake::inspect::{Inspection, inspect as look};
use crate::bake::port::PortError;
use crate::name::Platform;

/// Show what is in an image: configuration, layers, plugins, biggest files
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  elkbake inspect elasticsearch                   # what is built of a recipe now
  elkbake inspect oci:out:8.19.3-0123456789ab     # of an OCI layout, by tag
  elkbake inspect docker-archive:es.tar --files   # and what its layers hold
  elkbake inspect docker.elastic.co/beats/filebeat:8.19.3 --platform linux/arm64
  elkbake inspect es --json | jq '.images[].images[].layers[].size'

A word without `/`, `:` and `@` is a recipe; an image of Docker Hub is written with its tag, as in `ubuntu:24.04`. docs/images.md tells how images are named, docs/json.md what --json prints.")]
pub(super) struct InspectArgs {
    /// Images: recipes by name, `oci:FOLDER[:TAG]`, `docker-archive:FILE`, references, or digests of what was built here;
    /// all recipes where none is named
    images: Vec<String>,
    /// Only this platform
    #[arg(long)]
    platform: Option<Platform>,
    /// Read all layers, which fetches those that are not here
    #[arg(long)]
    files: bool,
    /// How many of the biggest files to name
    #[arg(long, value_name = "N", default_value_t = 10)]
    biggest: usize,
    /// Open no socket
    #[arg(long)]
    offline: bool,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

pub(super) fn inspect(
    args: &InspectArgs,
    global: &Global,
    ui: &Ui,
    surroundings: &Surroundings,
) -> Result<Exit, Failure> {
    let workspace = Workspace::find(global, surroundings)?;
    let world = World::new(&workspace, surroundings, global, args.offline);
    let planner = Planner::of_built(&workspace, &world, surroundings.stamps(global, &workspace.project)?, ui);
    let tell = |event: Event<'_>| ui.event(event);
    let opener = Opener { planner: &planner, folder: &surroundings.folder, tell: &tell };
    let images = if args.images.is_empty() {
        workspace.images(&[])?.iter().map(ToString::to_string).collect()
    } else {
        args.images.clone()
    };
    let (mut inspections, mut failures) = (Vec::new(), Vec::new());
    for name in &images {
        match one(args, name, opener) {
            Ok(inspection) => inspections.push(inspection),
            Err(failure) if world.interrupt.requested() => drop(failure),
            Err(failure) => failures.push(failure),
        }
        if world.interrupt.requested() {
            return Err(PortError::Interrupted.into());
        }
    }
    if args.json {
        ui.json(&json!({ "images": inspections, "problems": problems(&failures) }))?;
    } else {
        ui.result(&print::all(&inspections, ui))?;
    }
    Ok(ui.failures(&failures, Exit::Done))
}

fn one(args: &InspectArgs, name: &str, opener: Opener<'_>) -> Result<Inspection, Failure> {
    let open = opener.open(name)?;
    let found = open.find(args.platform.as_ref())?;
    let listings = found.images.iter().map(|image| {
        if args.files {
            return Ok(open.listings(image)?.into_iter().map(Some).collect());
        }
        open.known(image)
    });
    let listings = listings.collect::<Result<Vec<_>, Failure>>()?;
    Ok(look(&open.name, open.reference.clone(), &found, &listings, args.biggest))
}
