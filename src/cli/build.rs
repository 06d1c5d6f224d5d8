//! `elkbake build`.

mod host;
mod output;

use std::path::PathBuf;
use std::time::Instant;

use clap::Args;
use serde_json::json;

use super::check;
use super::choice::no_image;
use super::export::cluster;
use super::failure::{Exit, Failure, problems};
use super::global::Global;
use super::order::order;
use super::planner::{Planned, Planner};
use super::size::{bytes, counted};
use super::surroundings::Surroundings;
use super::ui::{Paint, Ui};
use super::workspace::Workspace;
use super::world::World;
use crate::bake::build::{self, Order};
use crate::bake::built::{Built, BuiltImage, BuiltLayer};
use crate::bake::event::Event;
use crate::bake::output as places;
use crate::bake::output::{Desk, Image, Place};
use crate::name::{Platform, RecipeName, Repository, Tag};
use crate::plan::{ImagePlan, LayerKind, Work};
use crate::recipe::Recipe;
use host::{Host, Wanted};
use output::Output;

/// Build images, and the user data of hosts, into the store, from recipes, locks and files
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  elkbake build elasticsearch                      # no Docker, root or credentials
  elkbake build elasticsearch-ca --engine ssh://me@arm-host  # with [[run]] steps
  elkbake build                                    # all images of the project
  elkbake build --json | jq -r '.builds[].digest'  # for programs
  # An OCI layout, which skopeo, umoci and podman read:
  elkbake build elasticsearch --output oci:out
  # For Docker:
  elkbake build kibana --output docker-archive:kibana.tar
  docker load -i kibana.tar
  # For hosts that start from the stock AMI:
  elkbake build ecs-host --output user-data:ecs-host.mime --cluster elk
  SOURCE_DATE_EPOCH=$(git log -1 --format=%ct) elkbake build

The same recipe, lock and files make the same digest on every machine. What was built before is not built again. A recipe without a lock is locked first; with --offline that is an error. What `elkbake check` calls an error is not built: exit 3, and 7 for a secret. docs/images.md tells about outputs, docs/json.md about --json. Of a host the user data is built that `elkbake push` or an instance needs; hosts that were never locked are built where they are named.")]
pub(super) struct BuildArgs {
    /// Recipes by name; all where none is named
    recipes: Vec<String>,
    /// Also write an image to `oci:FOLDER`, `docker-archive:FILE` or `rootfs:FILE`, a host's user data to `user-data:FILE`,
    /// or with `user-data` alone to a file of the recipe's name
    #[arg(long, value_name = "PLACE")]
    output: Vec<Output>,
    /// Of an image for several platforms, write this one: `linux/arm64`
    #[arg(long, value_name = "PLATFORM", requires = "output")]
    platform: Option<Platform>,
    /// The ECS cluster that hosts with the user data of `--output` join
    #[arg(long, value_name = "NAME", value_parser = cluster, requires = "output")]
    cluster: Option<String>,
    /// Open no connection to another machine; what is not at hand is an error
    #[arg(long)]
    offline: bool,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// An image that is in the store now.
struct DoneImage {
    name: RecipeName,
    tag: Tag,
    repository: Repository,
    built: Built,
    was_there: bool,
    seconds: f64,
    /// Where it was written beside the store, as `elkbake inspect` takes it.
    outputs: Vec<String>,
}

pub(super) fn build(args: &BuildArgs, global: &Global, ui: &Ui, surroundings: &Surroundings) -> Result<Exit, Failure> {
    let workspace = Workspace::find(global, surroundings)?;
    let recipes = chosen(&workspace, args)?;
    args.images().try_for_each(|place| places::check(place, &surroundings.folder))?;
    let world = World::new(&workspace, surroundings, global, args.offline);
    let planner = Planner::new(&workspace, &world, surroundings.stamps(global, &workspace.project)?, ui);
    let mut done = Vec::new();
    let mut failures = Vec::new();
    for name in &recipes {
        // One after the other: each uses all processors already.
        match one(&planner, name, args, surroundings) {
            Ok(one) => {
                if !args.json {
                    ui.result(&one.text(ui))?;
                }
                done.push(one);
            }
            Err(failure) if failure.exit == Exit::Interrupted => return Err(failure),
            Err(failure) => failures.push(failure.with(name)),
        }
    }
    if args.json {
        let builds: Vec<_> = done.iter().map(Done::json).collect();
        ui.json(&json!({ "builds": builds, "problems": problems(&failures) }))?;
    }
    Ok(ui.failures(&failures, Exit::Done))
}

impl BuildArgs {
    fn images(&self) -> impl Iterator<Item = &Place> {
        self.output.iter().filter_map(|output| if let Output::Image(place) = output { Some(place) } else { None })
    }

    fn hosts(&self) -> impl Iterator<Item = &Output> {
        self.output.iter().filter(|output| matches!(output, Output::UserData(_)))
    }

    /// The files that a host's user data is wanted in.
    fn user_data(&self, host: &RecipeName) -> Vec<PathBuf> {
        let file = |output: &Output| match output {
            Output::UserData(file) => Some(file.clone().unwrap_or_else(|| format!("{host}.user-data").into())),
            Output::Image(_) => None,
        };
        self.output.iter().filter_map(file).collect()
    }
}

/// What is in the store now.
enum Done {
    Image(DoneImage),
    Host(Host),
}

impl Done {
    fn text(&self, ui: &Ui) -> String {
        match self {
            Self::Image(image) => text(image, ui),
            Self::Host(host) => host.text(ui),
        }
    }

    fn json(&self) -> serde_json::Value {
        match self {
            Self::Image(image) => json_of(image),
            Self::Host(host) => host.json(),
        }
    }
}

/// The recipes that are to be built. Where none is named, those are left out that take none of the outputs, and hosts
/// whose base nobody has looked up yet: that needs credentials.
fn chosen(workspace: &Workspace, args: &BuildArgs) -> Result<Vec<RecipeName>, Failure> {
    let mut recipes = workspace.select(&args.recipes)?;
    let is_host = |name: &RecipeName| matches!(workspace.glance(name), Some(Recipe::Ami(_)));
    let (images, hosts) = (args.images().next(), args.hosts().next());
    if args.recipes.is_empty() {
        let locked = |name: &RecipeName| matches!(workspace.lock_text(name), Ok(Some(_)));
        recipes.retain(|name| {
            if is_host(name) {
                (images.is_none() || hosts.is_some()) && locked(name)
            } else {
                hosts.is_none() || images.is_some()
            }
        });
    }
    let (hosts, images) = recipes.iter().partition::<Vec<_>, _>(|name| is_host(name));
    fit(args, &images, &hosts)?;
    Ok(recipes)
}

/// Refuses outputs that do not take what is to be built.
fn fit(args: &BuildArgs, images: &[&RecipeName], hosts: &[&RecipeName]) -> Result<(), Failure> {
    let (image, host) = (args.images().next(), args.hosts().next());
    if let (Some(place), Some(name)) = (image, hosts.first().filter(|_| !args.recipes.is_empty())) {
        let message = format!("--output {place} takes an image, and {name} is the recipe of a host");
        return Err(Failure::usage(message).hint("write a host's user data to `user-data` or `user-data:FILE`"));
    }
    if let (Some(output), Some(name)) = (host, images.first().filter(|_| !args.recipes.is_empty())) {
        let message =
            format!("--output {output} takes a host's user data, and {name} is the recipe of a container image");
        return Err(Failure::usage(message).hint("write an image to `oci:FOLDER` or `docker-archive:FILE`"));
    }
    if args.cluster.is_some() && host.is_none() {
        let message = "--cluster is for hosts, and nothing is written for one";
        return Err(Failure::usage(message).hint("say `--output user-data` as well"));
    }
    if let Some(output) = host.filter(|_| hosts.is_empty()) {
        return Err(Failure::usage(format!("--output {output} takes a host, and none is to be built")));
    }
    let single = |place: &&Place| !matches!(place, Place::Oci(_));
    if let Some(place) = args.images().find(single).filter(|_| images.len() > 1) {
        let message = format!("--output {place} takes one image, and {} recipes are to be built", images.len());
        return Err(Failure::usage(message).hint("name one recipe, or write to `oci:FOLDER`, which takes any number"));
    }
    let is_file = |output: &&Output| matches!(output, Output::UserData(Some(_)));
    if let Some(output) = args.hosts().find(is_file).filter(|_| hosts.len() > 1) {
        let message = format!("--output {output} takes one host, and {} are to be built", hosts.len());
        return Err(Failure::usage(message).hint("name one recipe, or say `user-data` alone, which takes any number"));
    }
    Ok(())
}

/// Builds a recipe of either kind.
fn one(
    planner: &Planner<'_>,
    name: &RecipeName,
    args: &BuildArgs,
    surroundings: &Surroundings,
) -> Result<Done, Failure> {
    if matches!(planner.workspace.glance(name), Some(Recipe::Ami(_))) {
        let cluster = args.cluster.as_deref();
        let wanted = Wanted { files: args.user_data(name), folder: &surroundings.folder, cluster };
        return host::build(planner, name, &wanted).map(Done::Host);
    }
    image(planner, name, args, surroundings).map(Done::Image)
}

/// Builds a recipe and, before it, all those that it builds on.
fn image(
    planner: &Planner<'_>,
    name: &RecipeName,
    args: &BuildArgs,
    surroundings: &Surroundings,
) -> Result<DoneImage, Failure> {
    let start = Instant::now();
    let line = planner.line(name)?;
    let last = line.last().map(|planned| (&planned.plan, planned.plan.work()));
    let Some((plan, Work::Image(work))) = last else { return Err(no_image(name)) };
    if let Some(wanted) = &args.platform {
        is_made_for(name, work, wanted)?;
    }
    let order = order(&line, &planner.stamps, &|order| Ok(image_of(planner, &line, order)?.0))?;
    let (built, was_there) = image_of(planner, &line, &order)?;
    let mut done = DoneImage {
        name: name.clone(),
        tag: plan.tag().clone(),
        repository: work.repository.clone(),
        built,
        was_there,
        seconds: start.elapsed().as_secs_f64(),
        outputs: Vec::new(),
    };
    deliver(planner, &done, &order, args, surroundings)?;
    done.outputs = args.images().map(|place| written(place, &done.tag)).collect();
    Ok(done)
}

/// Told before anything is built.
fn is_made_for(name: &RecipeName, work: &ImagePlan, wanted: &Platform) -> Result<(), Failure> {
    let platforms = || work.platforms.iter().map(|on| &on.platform);
    if platforms().any(|on| on.accepts(&wanted.architecture, wanted.variant.as_deref())) {
        return Ok(());
    }
    let there = platforms().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let message = format!("recipe {name} makes no image for {wanted}: its `platforms` are {there}");
    Err(Failure::input(message).hint("name one of these, or add the platform to the recipe"))
}

fn written(place: &Place, tag: &Tag) -> String {
    match place {
        Place::Oci(_) => format!("{place}:{tag}"),
        _ => place.to_string(),
    }
}

/// Writes an image to the places that were named.
fn deliver(
    planner: &Planner<'_>,
    done: &DoneImage,
    order: &Order<'_>,
    args: &BuildArgs,
    surroundings: &Surroundings,
) -> Result<(), Failure> {
    if args.images().next().is_none() {
        return Ok(());
    }
    let opened = planner.world.open()?;
    let tell = |event: Event<'_>| planner.ui.event(event);
    let ports = opened.ports(planner.workspace, &tell);
    build::fetch_base(order, &ports, &done.built)?;
    let host = surroundings.platform();
    let desk = Desk {
        store: ports.store,
        interrupt: ports.interrupt,
        tell: ports.tell,
        host: &host,
        folder: &surroundings.folder,
    };
    let image = Image::new(&done.built, &done.repository, &done.tag);
    let image = match &args.platform {
        Some(platform) => image.on(platform)?,
        None => image,
    };
    for place in args.images() {
        places::write(&image, place, desk)?;
    }
    Ok(())
}

/// Builds one recipe of a line; tells whether it was there already. Who finds it there opens nothing of the world.
pub(super) fn image_of(planner: &Planner<'_>, line: &[Planned], order: &Order<'_>) -> Result<(Built, bool), Failure> {
    if let Some(there) = planner.world.stored().map(|store| store.result(&order.plan.key())).transpose()?.flatten() {
        return Ok((there, true));
    }
    for planned in line.iter().filter(|planned| planned.plan.name() == order.plan.name()) {
        check::refuse_errors(planner.workspace, &planned.loaded)?;
    }
    let opened = planner.world.open()?;
    let tell = |event: Event<'_>| planner.ui.event(event);
    Ok((build::build(order, &opened.ports(planner.workspace, &tell))?, false))
}

fn text(done: &DoneImage, ui: &Ui) -> String {
    let DoneImage { name, tag, built, seconds, .. } = done;
    let digest = built.top().map(|top| top.digest.to_string()).unwrap_or_default();
    let did = if done.was_there { "was there".to_owned() } else { format!("built in {seconds:.1} s") };
    let (name, tag) = (ui.paint(Paint::Bold, name.as_str()), ui.paint(Paint::Green, tag.as_str()));
    let mut text = format!("{name} {tag} {digest} ({did})\n");
    for image in &built.platforms {
        let own: u64 = own_layers(image).map(|layer| layer.descriptor.size).sum();
        let count = own_layers(image).count();
        let base = counted(image.layers.len() - count, "layer");
        text += &format!("  {}  {base} of the base, {count} of its own: {}\n", image.platform, bytes(own));
    }
    for output in &done.outputs {
        text += &format!("  written to {output}\n");
    }
    text
}

fn own_layers(image: &BuiltImage) -> impl Iterator<Item = &BuiltLayer> {
    image.layers.iter().filter(|layer| layer.what != LayerKind::Base)
}

fn json_of(done: &DoneImage) -> serde_json::Value {
    let top = done.built.top();
    json!({
        "recipe": done.name,
        "repository": done.repository,
        "tag": done.tag,
        "key": done.built.key,
        "digest": top.map(|top| top.digest),
        "media_type": top.map(|top| &top.media_type),
        "was_there": done.was_there,
        "outputs": done.outputs,
        "platforms": done.built.platforms.iter().map(json_of_platform).collect::<Vec<_>>(),
    })
}

/// In the words of `elkbake inspect`.
fn json_of_platform(image: &BuiltImage) -> serde_json::Value {
    let layer = |layer: &BuiltLayer| {
        let mut document = json!(layer.what);
        document["digest"] = json!(layer.descriptor.digest);
        document["size"] = json!(layer.descriptor.size);
        document["media_type"] = json!(layer.descriptor.media_type);
        document["diff_id"] = json!(layer.diff_id);
        document
    };
    json!({
        "platform": image.platform,
        "manifest": image.manifest.digest,
        "config": image.config.digest,
        "layers": image.layers.iter().map(layer).collect::<Vec<_>>(),
        "plugins": image.plugins,
    })
}
