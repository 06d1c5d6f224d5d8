//! `elkbake load`.

use std::time::Instant;

use clap::Args;
use serde_json::json;

use super::build::image_of;
use super::choice::no_image;
use super::failure::{Exit, Failure};
use super::global::Global;
use super::order::order;
use super::planner::Planner;
use super::size::{bytes, counted};
use super::surroundings::Surroundings;
use super::ui::{Paint, Ui};
use super::workspace::Workspace;
use super::world::World;
use crate::bake::build;
use crate::bake::event::Event;
use crate::bake::handover::{Handover, Sent};
use crate::bake::output::Image;
use crate::bake::visit::Visit;
use crate::image::oci::LONGEST_CONFIG;
use crate::name::Platform;
use crate::plan::Work;

/// Put an image into a container engine under its tag, without a registry
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  elkbake load kibana
  docker run --rm $(elkbake load kibana --json | jq -r .image)
  elkbake load kibana --engine ssh://me@arm-host --platform linux/arm64

What is not built is built first. Docker gets the layers that it lacks and no others; Podman wants all of them. The engine is the one of --engine, [engine] in elkbake.toml, DOCKER_HOST, or the socket of Docker or Podman on this machine.")]
pub(super) struct LoadArgs {
    /// The recipe
    recipe: String,
    /// Of an image for several platforms, load this one; otherwise that of the machine
    #[arg(long, value_name = "PLATFORM")]
    platform: Option<Platform>,
    /// Open no connection to another machine; what is not at hand is an error
    #[arg(long)]
    offline: bool,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

pub(super) fn load(args: &LoadArgs, global: &Global, ui: &Ui, surroundings: &Surroundings) -> Result<Exit, Failure> {
    let start = Instant::now();
    let workspace = Workspace::find(global, surroundings)?;
    let names = workspace.images(std::slice::from_ref(&args.recipe))?;
    let Some(name) = names.first() else { return Err(Failure::usage("no recipe is named")) };
    let world = World::new(&workspace, surroundings, global, args.offline);
    let planner = Planner::new(&workspace, &world, surroundings.stamps(global, &workspace.project)?, ui);
    let line = planner.line(name)?;
    let last = line.last().map(|planned| (&planned.plan, planned.plan.work()));
    let Some((plan, Work::Image(work))) = last else { return Err(no_image(name)) };
    let opened = planner.world.open()?;
    let tell = |event: Event<'_>| ui.event(event);
    let ports = opened.ports(&workspace, &tell);
    let order = order(&line, &planner.stamps, &|order| Ok(image_of(&planner, &line, order)?.0))?;
    let (built, _) = image_of(&planner, &line, &order)?;
    let image = Image::new(&built, &work.repository, plan.tag());
    let image = match &args.platform {
        Some(platform) => image.on(platform)?,
        None => image,
    };
    let one = image.one(&surroundings.platform())?;
    let visit = Visit::begin(opened.engines(), &one.platform, &tell)?;
    let full_name = format!("{}:{}", work.repository, plan.tag());
    let was_there = visit.engine().image(&full_name)?.is_some_and(|id| id.ends_with(&one.config.digest.hex()));
    let sent = if was_there {
        Sent::default()
    } else {
        build::fetch_base(&order, &ports, &built)?;
        let config = ports.store.bytes(&one.config.digest, LONGEST_CONFIG)?;
        let config = config.ok_or_else(|| Failure::input(format!("{} is not in the store", one.config.digest)))?;
        let (layers, store) = (&one.layers[..], ports.store);
        Handover { config: &config, name: &full_name, layers, store, tell: &tell }.to(visit.engine())?
    };
    let engine = &visit.engine().facts().address;
    if args.json {
        ui.json(&json!({
            "recipe": name, "image": full_name, "platform": one.platform, "config": one.config.digest,
            "engine": engine, "was_there": was_there, "layers": sent.layers, "bytes": sent.bytes,
        }))?;
    } else {
        let did = if was_there {
            "was there".to_owned()
        } else {
            let seconds = start.elapsed().as_secs_f64();
            format!(
                "{} of {} sent, {}, in {seconds:.1} s",
                sent.layers,
                counted(one.layers.len(), "layer"),
                bytes(sent.bytes)
            )
        };
        ui.result(&format!("{} {} in {engine} ({did})\n", ui.paint(Paint::Bold, name.as_str()), full_name))?;
    }
    Ok(Exit::Done)
}
