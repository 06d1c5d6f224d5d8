//! `elkbake sweep`.

mod cloud;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use clap::Args;
use serde_json::json;

use super::engine::Run;
use super::failure::{Exit, Failure, problems};
use super::global::Global;
use super::size::counted;
use super::store::duration;
use super::surroundings::Surroundings;
use super::ui::Ui;
use super::workspace::Workspace;
use super::world::World;
use crate::bake::port::{Engine, Engines, Kept, Thing};
use crate::name::Platform;
use crate::recipe::Region;
use crate::remote::docker::Docker;

/// Remove what killed runs have left, in container engines or in EC2
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  elkbake sweep
  elkbake sweep --engine ssh://me@arm-host
  elkbake sweep --all      # also of runs on other machines, and of those that go on
  elkbake sweep --target prod --dry-run       # in the account of [target.prod.ec2]
  elkbake sweep --target prod --older-than 1h
  elkbake sweep --target prod --region eu-west-3      # where no recipe goes any more

A run removes what it makes, also when it fails or is interrupted; only one that is killed cannot. All that elkbake makes bears the label `elkbake.run`, and nothing else is touched. Without --all only what runs on this machine have left is removed, and only of those that are over. Every engine is looked at that the project names.

With --target it is EC2 that is looked at, and no engine: in all regions that recipes of hosts name, that records of the account name, or that a push did not finish; --region names others. All that a push of hosts makes there bears the tag `elkbake:run`: instances, AMIs until they are finished, snapshots and volumes. What was begun so lately that a push may still be at work on it is left, unless --older-than or --all says otherwise. Nobody is asked: what goes was not finished by anybody; --dry-run shows it. The next push of the same recipe, lock and files goes on with what is there, so that nothing need be swept before it.")]
pub(super) struct SweepArgs {
    /// Remove all that any run has made
    #[arg(long)]
    all: bool,
    /// Look into the account of this target instead
    #[arg(long, value_name = "NAME")]
    target: Option<String>,
    /// With --target: look into this region only, once for each
    #[arg(long = "region", value_name = "REGION", requires = "target")]
    regions: Vec<Region>,
    /// With --target: what was begun so long ago, instead of as long as a push may take: 90m, 12h, 30d
    #[arg(long, value_name = "AGE", value_parser = duration, requires = "target", conflicts_with = "all")]
    older_than: Option<Duration>,
    /// With --target: say what would be removed, and remove nothing
    #[arg(long, requires = "target")]
    dry_run: bool,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// What was found in an engine.
struct Found {
    address: String,
    removed: Vec<Kept>,
    left: Vec<Kept>,
}

pub(super) fn sweep(args: &SweepArgs, global: &Global, ui: &Ui, surroundings: &Surroundings) -> Result<Exit, Failure> {
    let workspace = Workspace::find(global, surroundings)?;
    if let Some(target) = &args.target {
        let SweepArgs { older_than, all, dry_run, json, .. } = *args;
        let asked = cloud::Asked { target, regions: &args.regions, older_than, all, dry_run, json };
        return cloud::sweep(&asked, &workspace, (global, ui, surroundings));
    }
    let world = World::new(&workspace, surroundings, global, false);
    let config = world.engine_config()?;
    let mut platforms: BTreeSet<Platform> = config.named.iter().filter_map(|named| named.platform.clone()).collect();
    platforms.insert(surroundings.platform());
    let us = Run::of_process(surroundings);
    let engines = Docker::new(config);
    let mut found: BTreeMap<String, Found> = BTreeMap::new();
    let mut failures = Vec::new();
    for platform in &platforms {
        match engines.engine(platform) {
            Ok(engine) if found.contains_key(&engine.facts().address) => {}
            Ok(engine) => match swept(&*engine, &us, args.all, &mut failures) {
                Ok(one) => drop(found.insert(one.address.clone(), one)),
                Err(failure) => failures.push(failure),
            },
            Err(error) => failures.push(error.into()),
        }
    }
    if args.json {
        let engines: Vec<_> = found.values().map(json_of).collect();
        ui.json(&json!({ "engines": engines, "problems": problems(&failures) }))?;
    } else {
        ui.result(&found.values().map(text).collect::<String>())?;
    }
    Ok(ui.failures(&failures, Exit::Done))
}

fn swept(engine: &dyn Engine, us: &Run, all: bool, failures: &mut Vec<Failure>) -> Result<Found, Failure> {
    let is_over = |kept: &Kept| all || Run::parse(&kept.run).is_some_and(|run| run.is_over(us));
    let (over, left): (Vec<_>, Vec<_>) = engine.kept()?.into_iter().partition(is_over);
    let mut removed = Vec::new();
    for kept in over {
        match engine.remove(kept.thing, &kept.id) {
            Ok(()) => removed.push(kept),
            Err(error) => failures.push(error.into()),
        }
    }
    Ok(Found { address: engine.facts().address.clone(), removed, left })
}

fn listed(kept: &[Kept]) -> String {
    let count = |thing| kept.iter().filter(|kept| kept.thing == thing).count();
    let all = [(Thing::Container, "container"), (Thing::Image, "image"), (Thing::Volume, "volume")];
    let said: Vec<_> =
        all.iter().filter(|(thing, _)| count(*thing) > 0).map(|(thing, word)| counted(count(*thing), word)).collect();
    if said.is_empty() { "nothing".to_owned() } else { said.join(", ") }
}

fn text(found: &Found) -> String {
    let mut text = format!("{}: {} removed\n", found.address, listed(&found.removed));
    if !found.left.is_empty() {
        let left = listed(&found.left);
        text += &format!("  left: {left} of runs that go on, or ran on other machines; `--all` removes them too\n");
    }
    text
}

fn json_of(found: &Found) -> serde_json::Value {
    let one = |kept: &Kept| {
        let kind = match kept.thing {
            Thing::Container => "container",
            Thing::Image => "image",
            Thing::Volume => "volume",
        };
        json!({ "kind": kind, "id": kept.id, "run": kept.run })
    };
    let all = |kept: &[Kept]| kept.iter().map(one).collect::<Vec<_>>();
    json!({ "engine": found.address, "removed": all(&found.removed), "left": all(&found.left) })
}
