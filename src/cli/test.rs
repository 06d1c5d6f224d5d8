//! `elkbake test`.

mod host;
mod junit;
mod row;

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::build::image_of;
use super::choice::Sorted;
use super::failure::{Exit, Failure, problems};
use super::global::Global;
use super::order::order;
use super::planner::{Planned, Planner};
use super::surroundings::Surroundings;
use super::ui::Ui;
use super::workspace::Workspace;
use super::world::World;
use crate::bake::build::{self, Order};
use crate::bake::built::Built;
use crate::bake::event::Event;
use crate::bake::output::Image;
use crate::bake::port::PortError;
use crate::bake::smoke::{Smoke, Subject};
use crate::moment::Moment;
use crate::name::{Platform, RecipeName, Repository};
use crate::recipe::{ImageRecipe, Recipe};

use row::Row;

/// Start images as ECS would, and hosts in EC2, and see whether they work
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  elkbake test elasticsearch
  elkbake test                         # all images with a [test]
  elkbake test --junit tests.xml       # for CI
  elkbake test kibana --engine ssh://me@arm-host --platform linux/arm64
  elkbake test ecs-host --target prod  # an instance from its AMI
  elkbake test ecs-host --target prod --stock    # from the base, with the recipe's user data
  elkbake push kibana --require-test   # only what passed

What is not built is built first. The image is started with what its recipe says under [runtime]: limits, a read-only root file system with the writable paths, made-up secrets; in a network of its own, with made-up metadata services of ECS and EC2. Then [test] of the recipe counts (recipes/README.md): it has to become ready, everything that is expected has to hold, and it has to stop within its stop_timeout. Images of other recipes run beside it where `with` names them.

Of a host an instance is started in the recipe's region, in the account of `[target.NAME.ec2]`; it looks at itself, says on its serial console what it found, and is ended in any case.

The exit code is 1 where an image or a host fails, and 6 where the engine does. What passed is noted in the store, and from there in the record of the next push. Nothing is left in the engine; an image that is there already, by `elkbake load`, is used and stays.")]
pub(super) struct TestArgs {
    /// Recipes by name; all images with a `[test]` where none is named, or all hosts with --target
    recipes: Vec<String>,
    /// Of images for several platforms, test this one, once for each; otherwise that of the machine
    #[arg(long = "platform", value_name = "PLATFORM")]
    platforms: Vec<Platform>,
    /// The target whose account hosts are tested in; the project's default where none is named
    #[arg(long, value_name = "NAME")]
    target: Option<String>,
    /// Test hosts by the base as it is, with all of the tuning in their user data
    #[arg(long)]
    stock: bool,
    /// Also write what was found to a file, as JUnit's XML
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Open no connection to another machine; what is not at hand is an error
    #[arg(long)]
    offline: bool,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

pub(super) fn test(args: &TestArgs, global: &Global, ui: &Ui, surroundings: &Surroundings) -> Result<Exit, Failure> {
    let workspace = Workspace::find(global, surroundings)?;
    let Sorted { images, hosts, .. } = chosen(&workspace, args)?;
    let world = World::new(&workspace, surroundings, global, args.offline);
    let planner = Planner::new(&workspace, &world, surroundings.stamps(global, &workspace.project)?, ui);
    let now = Moment::of(surroundings.now);
    let at = now.to_string();
    let mut failures = Vec::new();
    let rows = test_images(&planner, &images, args, (&surroundings.platform(), &at), &mut failures)?;
    let mut machines = Vec::new();
    for name in &hosts {
        match host::test(&planner, name, (args.target.as_deref(), args.stock), now) {
            Ok(tested) => {
                if !args.json {
                    ui.result(&tested.iter().map(|row| row.text(ui)).collect::<String>())?;
                }
                machines.extend(tested);
            }
            Err(failure) if failure.exit == Exit::Interrupted => return Err(failure),
            Err(failure) => failures.push(failure.with(name)),
        }
    }
    if let Some(file) = &args.junit {
        let file = surroundings.folder.join(file);
        std::fs::write(&file, junit::document(&rows, &machines, &failures, &at))
            .map_err(|error| Failure::file("cannot write", &file, &error))?;
    }
    if args.json {
        let tests: Vec<_> = rows.iter().map(Row::json).collect();
        let hosts: Vec<_> = machines.iter().map(host::HostRow::json).collect();
        ui.json(&json!({ "tests": tests, "hosts": hosts, "problems": problems(&failures) }))?;
    }
    let all_passed =
        rows.iter().all(|row| row.outcome.failure().is_none()) && machines.iter().all(|row| row.tried.error.is_none());
    Ok(ui.failures(&failures, if all_passed { Exit::Done } else { Exit::CheckFailed }))
}

/// One after the other: each may want all of the machine.
fn test_images(
    planner: &Planner<'_>,
    recipes: &[RecipeName],
    args: &TestArgs,
    (machine, at): (&Platform, &str),
    failures: &mut Vec<Failure>,
) -> Result<Vec<Row>, Failure> {
    let platforms = if args.platforms.is_empty() { std::slice::from_ref(machine) } else { &args.platforms };
    let mut rows = Vec::new();
    for name in recipes {
        for platform in platforms {
            match one(planner, name, platform, !args.platforms.is_empty(), at) {
                Ok(row) => {
                    if !args.json {
                        planner.ui.result(&row.text(planner.ui))?;
                    }
                    rows.push(row);
                }
                Err(failure) if failure.exit == Exit::Interrupted => return Err(failure),
                Err(failure) => failures.push(failure.with(name)),
            }
        }
    }
    Ok(rows)
}

/// The recipes that are to be tested.
fn chosen(workspace: &Workspace, args: &TestArgs) -> Result<Sorted, Failure> {
    let mut sorted = workspace.sorted(&args.recipes)?;
    if !args.recipes.is_empty() {
        return Ok(sorted);
    }
    if args.target.is_some() {
        sorted.images.clear();
        if sorted.hosts.is_empty() {
            return Err(Failure::input("no recipe is one of a host"));
        }
        return Ok(sorted);
    }
    sorted.hosts.clear();
    sorted.images.retain(|name| match workspace.glance(name) {
        Some(Recipe::Image(image)) => image.test.is_some(),
        // What cannot be read is told about when its turn comes.
        _ => true,
    });
    if sorted.images.is_empty() {
        let failure = Failure::input("no recipe for an image has a `[test]`");
        return Err(failure.hint("recipes/README.md shows what can be said there; or name a recipe"));
    }
    Ok(sorted)
}

/// An image that takes part.
struct Baked<'l> {
    name: &'l RecipeName,
    repository: &'l Repository,
    order: Order<'l>,
    built: Built,
}

/// Tests an image, with those that its recipe wants beside it.
fn one(
    planner: &Planner<'_>,
    name: &RecipeName,
    platform: &Platform,
    is_named: bool,
    at: &str,
) -> Result<Row, Failure> {
    let first = planner.line(name)?;
    let image = image_recipe(&first)?;
    let beside = image.test.iter().flat_map(|test| &test.with).filter(|other| *other != name);
    let mut lines = vec![];
    for other in beside {
        lines.push(planner.line(other).map_err(|failure| failure.hint(format!("{name} is tested with {other}")))?);
    }
    lines.insert(0, first);
    let baked = lines.iter().map(|line| bake(planner, line)).collect::<Result<Vec<_>, _>>()?;
    let opened = planner.world.open()?;
    let tell = |event: Event<'_>| planner.ui.event(event);
    let ports = opened.ports(planner.workspace, &tell);
    let bring: Vec<_> = baked.iter().map(|one| || build::fetch_base(&one.order, &ports, &one.built)).collect();
    let mut subjects = Vec::new();
    for (one, bring) in baked.iter().zip(&bring) {
        let image = Image::new(&one.built, one.repository, one.order.plan.tag());
        let image = if is_named { image.on(platform)? } else { image };
        subjects.push(Subject { name: one.name, recipe: one.order.image, image: image.one(platform)?, bring });
    }
    let smoke = Smoke { subjects: &subjects, store: ports.store, tell: &tell };
    let outcome = smoke.run(opened.engines())?;
    if ports.interrupt.requested() {
        return Err(PortError::Interrupted.into());
    }
    let log = outcome.keep(at, ports.store)?;
    Ok(Row { name: name.clone(), tag: baked[0].order.plan.tag().clone(), outcome, log })
}

fn image_recipe(line: &[Planned]) -> Result<&ImageRecipe, Failure> {
    match line.last().map(|planned| (&planned.loaded.recipe.value, planned.plan.name())) {
        Some((Recipe::Image(image), _)) => Ok(image),
        Some((_, name)) => Err(super::choice::no_image(name)),
        None => Err(Failure::input("there is nothing to test")),
    }
}

/// Builds an image, unless it was built before.
fn bake<'l>(planner: &'l Planner<'_>, line: &'l [Planned]) -> Result<Baked<'l>, Failure> {
    let order = order(line, &planner.stamps, &|order| Ok(image_of(planner, line, order)?.0))?;
    let (built, _) = image_of(planner, line, &order)?;
    let (name, repository) = match (order.plan.work(), order.plan.name()) {
        (crate::plan::Work::Image(work), name) => (name, &work.repository),
        (_, name) => return Err(super::choice::no_image(name)),
    };
    Ok(Baked { name, repository, order, built })
}
