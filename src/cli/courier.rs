//! An image to the repositories of a target: looked at, sent and proven, side by side.

use super::failure::Failure;
use super::planner::Planner;
use super::route::Stop;
use crate::bake::event::Event;
use crate::bake::output;
use crate::bake::port::{Publish as _, Registry as _};
use crate::bake::push::{self, Cargo, Look, PushError, Shipped};
use crate::digest::Digest;
use crate::name::{Platform, Reference, Tag};
use crate::parallel;

/// So many repositories of one target are written at one time: regions, as a rule.
const SIDE_BY_SIDE: usize = 8;

/// Who brings images to repositories.
pub(super) struct Courier<'c> {
    pub(super) planner: &'c Planner<'c>,
    pub(super) host: Platform,
    /// Whether it is only said what would be done.
    pub(super) dry_run: bool,
}

/// What was done, or would be, at a stop.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Visit {
    Done(Shipped),
    /// So many blobs, with so many bytes.
    Would(usize, u64),
}

impl Visit {
    /// There was nothing to do.
    pub(super) fn nothing() -> Self {
        Self::Done(Shipped { was_there: true, ..Shipped::default() })
    }
}

impl Courier<'_> {
    /// Brings an image to all stops. `bring` puts into the store what a stop has to be given and the store does not have.
    pub(super) fn visit_all(
        &self,
        stops: &[Stop],
        cargo: &Cargo,
        bring: &(dyn Fn(&Stop) -> Result<(), Failure> + Sync),
        explain: &(dyn Fn(PushError) -> Failure + Sync),
    ) -> Vec<Result<Visit, Failure>> {
        parallel::bounded(stops, SIDE_BY_SIDE, |stop| self.visit(stop, cargo, bring, explain))
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
            Look::Lacks(blobs) if self.dry_run => return Ok(Visit::Would(blobs.len(), look.bytes())),
            Look::Lacks(_) => bring(stop)?,
        }
        let shipped = match stop {
            Stop::Folder { path, .. } => {
                let desk = output::Desk { store, interrupt, tell: &tell, host: &self.host };
                push::into_folder(&look, cargo, path, desk)
            }
            Stop::Repository { into, .. } => push::ship(&look, cargo, into, desk),
        };
        shipped.map(Visit::Done).map_err(explain)
    }

    /// Puts into the store what a cargo has elsewhere.
    pub(super) fn fetch(&self, cargo: &Cargo) -> Result<(), Failure> {
        let opened = self.planner.world.open()?;
        let tell = |event: Event<'_>| self.planner.ui.event(event);
        let (wire, store) = (opened.wire(), opened.store());
        cargo.elsewhere(store).try_for_each(|(at, origin)| Ok(wire.blob(origin, at.digest, at.size, store, &tell)?))
    }

    /// Whether every stop has a digest under a tag. Who cannot be reached has not.
    pub(super) fn all_hold(&self, stops: &[Stop], tag: &Tag, digest: Digest) -> bool {
        let held = parallel::bounded(stops, SIDE_BY_SIDE, |stop| self.held(stop, tag));
        held.into_iter().all(|held| held.is_ok_and(|held| held == Some(digest)))
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
