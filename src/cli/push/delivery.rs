//! One image to one target, and the record of it.

use std::sync::Arc;

use super::parcel::{Packed, Parcel};
use crate::bake::event::Event;
use crate::bake::push::PushError;
use crate::bake::recorded::Published;
use crate::bake::smoke;
use crate::cli::courier::{Blocked, Courier, Visit};
use crate::cli::diff;
use crate::cli::failure::{Exit, Failure};
use crate::cli::ground::Coming;
use crate::cli::report::Row;
use crate::cli::route::{Route, Stop};
use crate::cli::subject::Opener;
use crate::cli::workspace::Workspace;
use crate::digest::Digest;
use crate::record::{Manifest, Record, RecordedTest};

/// An image for one target.
pub(super) struct Delivery<'d> {
    parcel: Arc<Parcel>,
    route: &'d Route<'d>,
    stops: Vec<Stop>,
    /// What is recorded of the same recipe, lock and files.
    recorded: Option<Record>,
    /// Whether only images go that passed a test.
    require_test: bool,
}

impl<'d> Delivery<'d> {
    /// An image for a target, of which the manifest is known.
    pub(super) fn new(
        parcel: &Arc<Parcel>,
        route: &'d Route<'d>,
        manifest: Option<&Manifest>,
        workspace: &Workspace,
        require_test: bool,
    ) -> Result<Self, Failure> {
        let current = manifest.and_then(|manifest| manifest.recipes.get(&parcel.name)).map(|entry| &entry.current);
        let recorded = current.filter(|record| record.key == parcel.key()).cloned();
        let stops = route.stops(&workspace.root, &parcel.repository)?;
        Ok(Self { parcel: Arc::clone(parcel), route, stops, recorded, require_test })
    }

    /// What there is to say where nothing is to be done. What is recorded and there needs nobody who has its bytes: a
    /// fresh machine builds nothing.
    pub(super) fn settled(&self, courier: &Courier<'_>) -> Option<Row> {
        let record = self.recorded.as_ref()?;
        let digest = record.digest?;
        if !self.has_nothing_to_say_of_tests(record, courier) {
            return None;
        }
        let visits = || self.stops.iter().map(|_| Ok(Visit::nothing())).collect();
        courier.all_hold(&self.stops, self.parcel.tag(), digest).then(|| self.row(digest, Some(record), visits()))
    }

    /// Whether all that is known of tests is recorded, and is enough.
    fn has_nothing_to_say_of_tests(&self, record: &Record, courier: &Courier<'_>) -> bool {
        let store = courier.planner.world.stored();
        record.platforms.iter().all(|on| {
            let known = store.and_then(|store| smoke::passed(&on.digest, store).ok().flatten());
            let is_recorded = |known: &RecordedTest| record.tests.contains(known);
            let is_tested = !self.require_test || record.tests.iter().any(|test| test.digest == on.digest);
            known.map_or(is_tested, |known| is_recorded(&known))
        })
    }

    /// Refuses what no test has passed, where that is asked for.
    fn check_tests(&self, packed: &Packed, courier: &Courier<'_>) -> Result<(), Failure> {
        if !self.require_test {
            return Ok(());
        }
        let store = courier.planner.world.open()?.store();
        let recorded = self.recorded.iter().flat_map(|record| &record.tests);
        let recorded: Vec<_> = recorded.map(|test| test.digest).collect();
        let mut untested = Vec::new();
        for image in &packed.built.platforms {
            let digest = &image.manifest.digest;
            if !recorded.contains(digest) && smoke::passed(digest, store)?.is_none() {
                untested.push(image.platform.to_string());
            }
        }
        if untested.is_empty() {
            return Ok(());
        }
        let (name, tag, on) = (&self.parcel.name, self.parcel.tag(), untested.join(" and "));
        let options: String = untested.iter().map(|platform| format!(" --platform {platform}")).collect();
        let message =
            format!("{name} {tag} has passed no test on {on}, and `--require-test` lets nothing else through");
        Err(Failure::new(Exit::Refused, message).hint(format!("`elkbake test {name}{options}` tests it")).with(name))
    }

    /// What is to come to the target.
    pub(super) fn coming(&self) -> Coming<'_> {
        let parcel = &self.parcel;
        Coming { recipe: &parcel.name, repository: &parcel.repository, tag: parcel.tag() }
    }

    /// Whether it goes to a target.
    pub(super) fn is_to(&self, target: &str) -> bool {
        self.route.name == target
    }

    pub(super) fn deliver(&self, courier: &Courier<'_>, blocked: &Blocked) -> Result<Row, Failure> {
        let parcel = &self.parcel;
        let packed = parcel.packed(courier.planner)?;
        self.check_tests(packed, courier)?;
        let nothing = || Failure::input(format!("{} makes nothing", parcel.name));
        let digest = packed.cargo.digest().ok_or_else(nothing)?;
        let bring = |stop: &Stop| match stop {
            Stop::Repository { .. } if !parcel.is_on_files() => Ok(()),
            _ => parcel.fetch_base(courier.planner, &packed.built),
        };
        let visits =
            courier.visit_all(&self.stops, &packed.cargo, blocked, &bring, &|error| self.explained(error, courier));
        let record = self.record(courier, packed, digest, &visits)?;
        Ok(self.row(digest, record.as_ref(), visits))
    }

    fn row(&self, digest: Digest, record: Option<&Record>, visits: Vec<Result<Visit, Failure>>) -> Row {
        let parcel = &self.parcel;
        Row::new(&parcel.name, self.route, (parcel.tag(), digest, parcel.key()), record, &self.stops, visits)
    }

    /// An error, with what differs where a tag is another image's.
    fn explained(&self, error: PushError, courier: &Courier<'_>) -> Failure {
        let PushError::Taken { at, .. } = &error else { return error.into() };
        let (planner, name) = (courier.planner, &self.parcel.name);
        let tell = |event: Event<'_>| planner.ui.event(event);
        let opener = Opener { planner, folder: &planner.workspace.root, tell: &tell };
        // Where the other image cannot be read, its digest has to do.
        let lines = diff::in_short(opener, at, name.as_str()).unwrap_or_default();
        let hint = format!(
            "`elkbake diff {at} {name}` shows all of it; what is to be pushed needs another `version`, or other inputs"
        );
        Failure::from(error).hint(hint).and_lines(&lines).with(name)
    }

    /// Records what is proven to be there.
    fn record(
        &self,
        courier: &Courier<'_>,
        packed: &Packed,
        digest: Digest,
        visits: &[Result<Visit, Failure>],
    ) -> Result<Option<Record>, Failure> {
        let parcel = &self.parcel;
        let visits: Vec<_> = self.stops.iter().zip(visits).collect();
        courier.write_down(self.route, &parcel.name, (parcel.tag(), digest), &visits, || {
            let places: Vec<_> = self.stops.iter().filter_map(Stop::in_region).collect();
            let published = match &self.stops[..] {
                [Stop::Folder { said, .. }] => Published::Layout(said),
                [Stop::Repository { region: None, into, .. }] => Published::Repository(into),
                _ => Published::Regions(&places),
            };
            parcel.record(courier, packed, published)
        })
    }
}
