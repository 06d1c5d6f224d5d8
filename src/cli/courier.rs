//! An image to the repositories of a target: looked at, sent and proven, side by side.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use super::failure::Failure;
use super::global::Global;
use super::planner::Planner;
use super::revision;
use super::route::{Route, Stop};
use super::surroundings::Surroundings;
use crate::bake::event::Event;
use crate::bake::ledger::Ledger;
use crate::bake::output;
use crate::bake::port::{PortError, Publish as _, Registry as _};
use crate::bake::push::{self, Cargo, Look, PushError, Shipped};
use crate::bake::replicated::{self, Awaited, Patience};
use crate::digest::Digest;
use crate::image::oci::Descriptor;
use crate::moment::Moment;
use crate::name::{Platform, RecipeName, Reference, Tag};
use crate::parallel;
use crate::recipe::Region;
use crate::record::{Record, SourceRevision, Unfinished};

/// So many repositories of one target are written at one time: regions, as a rule.
const SIDE_BY_SIDE: usize = 8;

/// Why nothing can go to some regions.
pub(super) type Blocked = BTreeMap<Region, Failure>;

/// Who brings images to repositories.
pub(super) struct Courier<'c> {
    pub(super) planner: &'c Planner<'c>,
    /// Whether it is only said what would be done.
    pub(super) dry_run: bool,
    /// When this run began, for records.
    pub(super) now: Moment,
    host: Platform,
    global: &'c Global,
    source: OnceLock<Option<SourceRevision>>,
}

/// What was done, or would be, at a stop.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Visit {
    Done(Shipped),
    /// What would be sent, and what the registry might take from another repository of its own instead.
    Would {
        send: Load,
        mount: Load,
    },
    /// ECR has brought it there, or would.
    Brought,
}

/// Blobs, without manifests of a few KB.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Load {
    pub(super) blobs: usize,
    pub(super) bytes: u64,
}

impl Load {
    fn of(blobs: &[&Descriptor]) -> Self {
        Self { blobs: blobs.len(), bytes: blobs.iter().map(|at| at.size).sum() }
    }
}

/// A record as it is in the manifest now.
#[derive(Clone, Debug)]
pub(super) struct Written {
    pub(super) record: Record,
    /// Whether the manifest said something else before.
    pub(super) is_new: bool,
}

impl Written {
    /// What was recorded before.
    pub(super) fn before(record: &Record) -> Self {
        Self { record: record.clone(), is_new: false }
    }
}

impl Visit {
    /// There was nothing to do.
    pub(super) fn nothing() -> Self {
        Self::Done(Shipped { was_there: true, ..Shipped::default() })
    }
}

impl<'c> Courier<'c> {
    pub(super) fn new(
        planner: &'c Planner<'c>,
        surroundings: &Surroundings,
        global: &'c Global,
        dry_run: bool,
    ) -> Self {
        let (now, host) = (Moment::of(surroundings.now), surroundings.platform());
        Self { planner, dry_run, now, host, global, source: OnceLock::new() }
    }

    /// The state of the project's sources, asked for once, and only where something is to be recorded.
    pub(super) fn source(&self) -> Option<SourceRevision> {
        let ask = || revision::source(self.global, self.planner.workspace, self.planner.ui);
        self.source.get_or_init(ask).clone()
    }

    /// Brings an image to all stops, as far as they are not blocked. `bring` puts into the store what a stop has to be
    /// given and the store does not have.
    pub(super) fn visit_all(
        &self,
        stops: &[Stop],
        cargo: &Cargo,
        blocked: &Blocked,
        bring: &(dyn Fn(&Stop) -> Result<(), Failure> + Sync),
        explain: &(dyn Fn(PushError) -> Failure + Sync),
    ) -> Vec<Result<Visit, Failure>> {
        let barred = |stop: &Stop| stop.region().and_then(|region| blocked.get(region)).cloned();
        let visits = parallel::bounded(stops, SIDE_BY_SIDE, |stop| match barred(stop) {
            Some(failure) => Err(failure),
            None if stop.is_awaited() => Ok(Visit::Brought),
            None => self.visit(stop, cargo, bring, explain),
        });
        let (Some((first, source)), false) = (stops.first().zip(visits.first().cloned()), self.dry_run) else {
            return visits;
        };
        let both: Vec<_> = stops.iter().zip(visits).collect();
        parallel::bounded(&both, SIDE_BY_SIDE, |(stop, visit)| match (visit, &source) {
            (Ok(Visit::Brought), Err(why)) => Err(unreplicated(stop, first, why)),
            (Ok(Visit::Brought), Ok(source)) => {
                let is_brought = self.wait(stop, cargo, *source == Visit::nothing())?;
                if is_brought { Ok(Visit::Brought) } else { self.visit(stop, cargo, bring, explain) }
            }
            _ => visit.clone(),
        })
    }

    /// Waits until ECR has brought an image to a stop; tells whether it has. ECR brings what is pushed after its rule
    /// was made, so what was in the first region before may never come, and is not waited for as long.
    fn wait(&self, stop: &Stop, cargo: &Cargo, was_there: bool) -> Result<bool, Failure> {
        let (Stop::Repository { into, .. }, Some(digest)) = (stop, cargo.digest()) else { return Ok(true) };
        let world = self.planner.world;
        let tell = |event: Event<'_>| self.planner.ui.event(event);
        let at = Reference { tag: Some(cargo.tag().clone()), ..into.clone() };
        let awaited = Awaited { digest, may_move: cargo.may_move() };
        let patience = if was_there { Patience::brief() } else { Patience::default() };
        let waited = replicated::wait(world.open()?.wire(), &[at], awaited, patience, &world.interrupt, &tell);
        match waited.into_iter().collect::<Result<(), _>>() {
            Err(PortError::Unreachable { .. }) if was_there => {
                let place = stop.name();
                self.planner.ui.note(&format!(
                    "{place}: it was in the first region already, and the registry does not replicate what was \
                     pushed before: it is pushed here too"
                ));
                Ok(false)
            }
            waited => Ok(waited.map(|()| true)?),
        }
    }

    fn visit(
        &self,
        stop: &Stop,
        cargo: &Cargo,
        bring: &(dyn Fn(&Stop) -> Result<(), Failure> + Sync),
        explain: &(dyn Fn(PushError) -> Failure + Sync),
    ) -> Result<Visit, Failure> {
        let world = self.planner.world;
        let opened = world.open()?;
        let tell = |event: Event<'_>| self.planner.ui.event(event);
        let (store, interrupt) = (opened.store(), &world.interrupt);
        let desk = push::Desk { publish: opened.wire(), store, interrupt, tell: &tell };
        let look = match stop {
            Stop::Folder { path, .. } => push::look_in_folder(cargo, path),
            Stop::Repository { into, .. } => push::look(cargo, into, desk),
        };
        let look = look.map_err(explain)?;
        match &look {
            Look::There => return Ok(Visit::nothing()),
            Look::Lacks(blobs) if self.dry_run => return Ok(would(blobs, cargo, stop)),
            Look::Lacks(_) => bring(stop)?,
        }
        let shipped = match stop {
            Stop::Folder { path, .. } => {
                let desk = output::Desk {
                    store,
                    interrupt,
                    tell: &tell,
                    host: &self.host,
                    folder: &self.planner.workspace.root,
                };
                push::into_folder(&look, cargo, path, desk)
            }
            Stop::Repository { into, .. } => push::ship(&look, cargo, into, desk),
        };
        shipped.map(Visit::Done).map_err(explain)
    }

    /// Writes down what came of a visit to all stops of a target: a record where each of them has the image now, and
    /// otherwise, where some do, which do not.
    pub(super) fn write_down(
        &self,
        route: &Route<'_>,
        recipe: &RecipeName,
        (tag, digest): (&Tag, Digest),
        visits: &[(&Stop, &Result<Visit, Failure>)],
        record: impl FnOnce() -> Result<Record, Failure>,
    ) -> Result<Option<Written>, Failure> {
        if self.dry_run {
            return Ok(None);
        }
        let world = self.planner.world;
        let path = self.planner.workspace.root.join(route.target.manifest());
        let ledger = Ledger::new(&world.interrupt);
        if visits.iter().all(|(_, visit)| visit.is_ok()) {
            let record = record()?;
            let is_new = ledger.update(&path, &route.name, |manifest| manifest.publish(recipe, &record))?;
            return Ok(Some(Written { record, is_new }));
        }
        if visits.iter().any(|(_, visit)| visit.is_ok()) {
            let region = |stop: &Stop| stop.region().cloned();
            let unfinished = Unfinished {
                tag: tag.clone(),
                digest: Some(digest),
                amis: Vec::new(),
                regions: visits
                    .iter()
                    .filter(|(_, visit)| visit.is_ok())
                    .filter_map(|(stop, _)| region(stop))
                    .collect(),
                missing: visits
                    .iter()
                    .filter_map(|(stop, visit)| Some((region(stop)?, visit.as_ref().err()?.to_string())))
                    .collect(),
                at: self.now.to_string(),
            };
            ledger.update(&path, &route.name, |manifest| manifest.put_unfinished(recipe, &unfinished))?;
        }
        Ok(None)
    }

    /// Puts into the store what a cargo has elsewhere.
    pub(super) fn fetch(&self, cargo: &Cargo) -> Result<(), Failure> {
        let opened = self.planner.world.open()?;
        let tell = |event: Event<'_>| self.planner.ui.event(event);
        let (wire, store) = (opened.wire(), opened.store());
        cargo.elsewhere(store).try_for_each(|(at, origin)| Ok(wire.blob(origin, at.digest, at.size, store, &tell)?))
    }

    /// What has a tag at a stop. Of who cannot be reached nothing is known.
    pub(super) fn holds(&self, stop: &Stop, tag: &Tag) -> Option<Digest> {
        self.held(stop, tag).ok().flatten()
    }

    /// Whether every stop has a digest under a tag. Who cannot be reached has not.
    pub(super) fn all_hold(&self, stops: &[Stop], tag: &Tag, digest: Digest) -> bool {
        let held = parallel::bounded(stops, SIDE_BY_SIDE, |stop| self.holds(stop, tag));
        held.into_iter().all(|held| held == Some(digest))
    }

    fn held(&self, stop: &Stop, tag: &Tag) -> Result<Option<Digest>, Failure> {
        match stop {
            Stop::Folder { path, .. } => Ok(output::tagged(path, tag)?),
            Stop::Repository { into, .. } => {
                let tell = |event: Event<'_>| self.planner.ui.event(event);
                let at = Reference { tag: Some(tag.clone()), ..into.clone() };
                Ok(self.planner.world.open()?.wire().held(&at, &tell)?)
            }
        }
    }
}

fn would(blobs: &[Descriptor], cargo: &Cargo, stop: &Stop) -> Visit {
    let is_near = |at: &&Descriptor| match stop {
        Stop::Folder { .. } => false,
        Stop::Repository { into, .. } => cargo.may_mount(at, into),
    };
    let (mount, send): (Vec<_>, Vec<_>) = blobs.iter().partition(is_near);
    Visit::Would { send: Load::of(&send), mount: Load::of(&mount) }
}

/// What did not get into the first region is brought to no other.
fn unreplicated(stop: &Stop, first: &Stop, why: &Failure) -> Failure {
    let place = first.region().map_or_else(|| first.name(), ToString::to_string);
    Failure::new(why.exit, format!("{}: not pushed to {place}, so not replicated", stop.name()))
}
