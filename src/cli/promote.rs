//! `elkbake promote`.

use clap::Args;
use serde_json::json;

use super::announce::announce;
use super::courier::{Blocked, Courier, Visit};
use super::failure::{Exit, Failure, problems};
use super::global::Global;
use super::ground::{Coming, prepare};
use super::planner::Planner;
use super::report::{Report, Row};
use super::route::{Route, Stop, placed, route};
use super::surroundings::Surroundings;
use super::taken;
use super::ui::Ui;
use super::workspace::Workspace;
use super::world::World;
use crate::bake::event::Event;
use crate::bake::port::PortError;
use crate::bake::push::Cargo;
use crate::name::{RecipeName, Reference, Repository};
use crate::parallel;
use crate::record::{Manifest, Record, RecordKind};

/// Copy published images from one target to another, by digest
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  elkbake promote --from staging --to prod   # all that staging records
  elkbake promote --from staging --to prod elasticsearch
  elkbake promote --from staging --to prod --dry-run

Nothing is built: the bytes that were tested are the bytes that are published, from registry to registry and from account to account. Only what the source's records name is copied. The record goes along, with its new place.

Hosts are left out: `elkbake push` brings them to a target, and makes nothing again that its account has already.")]
pub(super) struct PromoteArgs {
    /// Recipes by name; all that the source has records of where none is named
    recipes: Vec<String>,
    /// The target to copy from
    #[arg(long, value_name = "NAME")]
    from: String,
    /// The target to copy to
    #[arg(long, value_name = "NAME")]
    to: String,
    /// Say what would be sent, and send nothing
    #[arg(long)]
    dry_run: bool,
    /// Make and change no repository of ECR: somebody else looks after them
    #[arg(long)]
    no_provision: bool,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// So many images travel at one time.
const SIDE_BY_SIDE: usize = 4;

pub(super) fn promote(
    args: &PromoteArgs,
    global: &Global,
    ui: &Ui,
    surroundings: &Surroundings,
) -> Result<Exit, Failure> {
    if args.from == args.to {
        return Err(Failure::usage(format!("{} cannot be promoted to itself", args.from)));
    }
    let workspace = Workspace::find(global, surroundings)?;
    let (from, to) = (route(&workspace, Some(&args.from))?, route(&workspace, Some(&args.to))?);
    let manifest = from.records(&workspace)?;
    let chosen = chosen(&manifest, &args.recipes, (&from, &to), ui)?;
    let world = World::new(&workspace, surroundings, global, false);
    let planner = Planner::new(&workspace, &world, surroundings.stamps(global, &workspace.project)?, ui);
    let courier = Courier::new(&planner, surroundings, global, args.dry_run);
    let copy = Copy { courier: &courier, from: &from, to: &to };
    let blocked = copy.prepare(&chosen, !args.no_provision)?;
    let done = parallel::bounded(&chosen, SIDE_BY_SIDE, |(name, record)| copy.copy(name, record, &blocked));
    if world.interrupt.requested() {
        return Err(PortError::Interrupted.into());
    }
    let (mut report, mut failures) = (Report::default(), Vec::new());
    for outcome in done {
        match outcome {
            Ok(row) => failures.extend(report.add(row)),
            Err(failure) => failures.push(failure),
        }
    }
    failures.extend(announce(&courier, &to, &report.written_of(&to.name)));
    if args.json {
        ui.json(&json!({ "dry_run": args.dry_run, "from": from.name, "promoted": report.json(), "problems": problems(&failures) }))?;
    } else {
        ui.result(&report.text(ui))?;
    }
    Ok(ui.failures(&failures, Exit::Done))
}

/// The current records of the recipes that were named, or of all images: what was named has to be one, and otherwise hosts
/// are missed in a note.
fn chosen<'m>(
    manifest: &'m Manifest,
    named: &[String],
    (from, to): (&Route<'_>, &Route<'_>),
    ui: &Ui,
) -> Result<Vec<(&'m RecipeName, &'m Record)>, Failure> {
    let records = manifest.recipes.iter().map(|(name, entry)| (name, &entry.current));
    if named.is_empty() {
        let (images, hosts): (Vec<_>, Vec<_>) = records.partition(|(_, record)| record.kind == RecordKind::Image);
        let hosts = hosts.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", ");
        if images.is_empty() && !hosts.is_empty() {
            return Err(uncopied(&hosts, to));
        }
        if !hosts.is_empty() {
            ui.note(&format!("hosts are left out, since no AMI is copied from target to target: {hosts}"));
        }
        return Ok(images);
    }
    let find = |named: &String| {
        let found = records.clone().find(|(name, _)| name.as_str() == named);
        match found {
            Some((_, record)) if record.kind == RecordKind::Ami => Err(uncopied(named, to)),
            Some(found) => Ok(found),
            None => Err(Failure::input(format!("the target {} has no record of {named}", from.name)).hint(format!(
                "run `elkbake push {named} --target {}` first: only what is recorded is copied",
                from.name
            ))),
        }
    };
    named.iter().map(find).collect()
}

/// That hosts go another way, and which.
fn uncopied(hosts: &str, to: &Route<'_>) -> Failure {
    let failure =
        Failure::input(format!("no AMI is copied from target to target, as those of {hosts} would have to be"));
    failure.hint(format!(
        "`elkbake push {} --target {}` takes what that account has of the same key, and makes what is missing; `share` of \
         [ami] lets another account use the same AMI",
        hosts.replace(',', ""),
        to.name
    ))
}

/// One image on its way from target to target.
struct Copy<'c> {
    courier: &'c Courier<'c>,
    from: &'c Route<'c>,
    to: &'c Route<'c>,
}

impl Copy<'_> {
    /// Prepares the target for all that is to come.
    fn prepare(&self, chosen: &[(&RecipeName, &Record)], provision: bool) -> Result<Blocked, Failure> {
        let repositories: Vec<_> =
            chosen.iter().map(|(name, record)| self.repository(name, record)).collect::<Result<_, _>>()?;
        let coming: Vec<_> = (chosen.iter().zip(&repositories))
            .map(|((_, record), repository)| Coming { repository, tag: &record.tag })
            .collect();
        prepare(self.courier, self.to, &coming, provision)
    }

    fn copy(&self, name: &RecipeName, record: &Record, blocked: &Blocked) -> Result<Row, Failure> {
        let (courier, root) = (self.courier, &self.courier.planner.workspace.root);
        let stops = self.to.stops(root, &self.repository(name, record)?)?;
        let cargo = self.cargo(name, record)?;
        let digest = record.digest.ok_or_else(|| unplaced(name))?;
        let bring = |stop: &Stop| match stop {
            Stop::Folder { .. } => courier.fetch(&cargo),
            Stop::Repository { .. } => Ok(()),
        };
        let ours = record.image().unwrap_or_default();
        let remedy = "of two images under one tag, only one can be published there";
        let explain = |error| taken::explained(error, courier.planner, name, &ours, remedy);
        let visits = courier.visit_all(&stops, &cargo, blocked, &bring, &explain);
        let pairs: Vec<(&Stop, &Result<Visit, Failure>)> = stops.iter().zip(&visits).collect();
        let moved = || Ok(Record { pushed_at: courier.now.to_string(), ..placed(record, &stops) });
        let written = courier.write_down(self.to, name, (cargo.tag(), digest), &pairs, moved)?;
        Ok(Row::new(name, self.to, (&record.tag, digest, record.key), written, &stops, visits))
    }

    fn cargo(&self, name: &RecipeName, record: &Record) -> Result<Cargo, Failure> {
        let planner = self.courier.planner;
        let (opened, digest) = (planner.world.open()?, record.digest.ok_or_else(|| unplaced(name))?);
        let tell = |event: Event<'_>| planner.ui.event(event);
        match (&record.reference, &record.layout) {
            (Some(reference), _) => {
                let repository = Reference { tag: None, digest: None, ..reference.clone() };
                Ok(Cargo::of_registry(&repository, digest, &record.tag, opened.wire(), &tell)?)
            }
            (None, Some(layout)) => {
                let layout = layout.below(&planner.workspace.root);
                Ok(Cargo::of_layout(&layout, digest, &record.tag, opened.store())?)
            }
            (None, None) => Err(unplaced(name)),
        }
    }

    /// What the image's repository is called, without what the source begins all paths with.
    fn repository(&self, name: &RecipeName, record: &Record) -> Result<Repository, Failure> {
        let found = match (&record.reference, &record.layout) {
            (Some(reference), _) => self.from.repository_of(reference),
            (None, Some(layout)) => self.from.repository_in_folder(layout),
            (None, None) => None,
        };
        found.ok_or_else(|| {
            Failure::input(format!("the record of {name} names a place that is not in the target {}", self.from.name))
                .hint(format!("elkbake.toml says another place than when it was pushed; push {name} again"))
        })
    }
}

fn unplaced(name: &RecipeName) -> Failure {
    Failure::input(format!("the record of {name} does not say where it is"))
}
