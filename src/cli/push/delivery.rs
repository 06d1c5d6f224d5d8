//! One image to one target, and the record of it.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::parcel::{Packed, Parcel};
use crate::bake::push::{Cargo, PushError};
use crate::bake::recorded::Published;
use crate::bake::smoke;
use crate::cli::courier::{Blocked, Courier, Visit, Written};
use crate::cli::failure::{Exit, Failure};
use crate::cli::ground::Coming;
use crate::cli::report::Row;
use crate::cli::route::{Route, Stop, placed};
use crate::cli::taken;
use crate::cli::workspace::Workspace;
use crate::digest::Digest;
use crate::name::{RecipeName, Reference};
use crate::recipe::Region;
use crate::record::{Manifest, Record, RecordedFile, RecordedPlatform, RecordedTest};

/// What is at a target already, or has come there by now.
pub(super) type There<'d> = BTreeMap<&'d RecipeName, &'d Delivery<'d>>;

/// An image for one target.
pub(super) struct Delivery<'d> {
    parcel: Arc<Parcel>,
    route: &'d Route<'d>,
    stops: Vec<Stop>,
    /// What is recorded of the same recipe, lock and files.
    recorded: Option<Record>,
    /// What earlier records of the recipe say of plugins.
    known: Vec<RecordedFile>,
    /// Whether an earlier push of the recipe did not reach all regions.
    is_unfinished: bool,
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
        let is_unfinished = manifest.is_some_and(|manifest| manifest.unfinished.contains_key(&parcel.name));
        let entry = manifest.and_then(|manifest| manifest.recipes.get(&parcel.name));
        let recorded = entry.map(|entry| &entry.current).filter(|record| record.key == parcel.key()).cloned();
        let records = entry.into_iter().flat_map(|entry| std::iter::once(&entry.current).chain(&entry.history));
        let known = records.flat_map(|record| record.plugins.clone()).collect();
        let stops = route.stops(&workspace.root, &parcel.repository)?;
        Ok(Self { parcel: Arc::clone(parcel), route, stops, recorded, known, is_unfinished, require_test })
    }

    /// What there is to say where nothing is to be done. What is recorded and there needs nobody who has its bytes: a
    /// fresh machine builds nothing.
    pub(super) fn settled(&self, courier: &Courier<'_>) -> Option<Result<Row, Failure>> {
        let Some(record) = &self.recorded else { return self.found(courier) };
        let digest = record.digest?;
        if !self.has_nothing_to_say_of_tests(record, courier) {
            return None;
        }
        courier.all_hold(&self.stops, self.parcel.tag(), digest).then(|| self.settle(courier, record, digest))
    }

    /// Sees to it that what is recorded says where the image is: places may be new in `elkbake.toml` and have it all the
    /// same, and what was left unfinished may not be wanted any more.
    fn settle(&self, courier: &Courier<'_>, record: &Record, digest: Digest) -> Result<Row, Failure> {
        let visits = self.no_visits();
        let placed = placed(record, &self.stops);
        let written = if placed != *record || self.is_unfinished {
            self.write_down(courier, digest, &visits, || Ok(placed))?
        } else {
            None
        };
        Ok(self.row(digest, written.or_else(|| Some(Written::before(record))), visits))
    }

    /// The same where nothing is recorded: the registry is what fresh machines share. What has the tag there has to say
    /// of itself that it is of this key.
    fn found(&self, courier: &Courier<'_>) -> Option<Result<Row, Failure>> {
        let [first @ Stop::Repository { into, .. }, others @ ..] = &self.stops[..] else { return None };
        let tag = self.parcel.tag();
        let digest = courier.holds(first, tag)?;
        if !courier.all_hold(others, tag, digest) {
            return None;
        }
        let mut record = self.parcel.found(courier, &into.at(digest), &self.known, self.published(&self.places()))?;
        record.tests = tests(&record, courier);
        if self.require_test && record.tests.len() < record.platforms.len() {
            return None;
        }
        let visits = self.no_visits();
        let written = self.write_down(courier, digest, &visits, || Ok(record));
        Some(written.map(|written| self.row(digest, written, visits)))
    }

    fn no_visits(&self) -> Vec<Result<Visit, Failure>> {
        self.stops.iter().map(|_| Ok(Visit::nothing())).collect()
    }

    /// Whether all that is known of tests is recorded, and is enough.
    fn has_nothing_to_say_of_tests(&self, record: &Record, courier: &Courier<'_>) -> bool {
        let is_tested = |on: &RecordedPlatform| record.tests.iter().any(|test| test.digest == on.digest);
        let is_enough = !self.require_test || record.platforms.iter().all(is_tested);
        is_enough && tests(record, courier).iter().all(|known| record.tests.contains(known))
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
        Coming { repository: &parcel.repository, tag: parcel.tag() }
    }

    pub(super) fn recipe(&self) -> &RecipeName {
        &self.parcel.name
    }

    /// Whether its recipe builds on another's, at whatever remove.
    pub(super) fn builds_on(&self, other: &Delivery<'_>) -> bool {
        self.parcel.ancestors().any(|name| *name == other.parcel.name)
    }

    /// Whether it goes to a target.
    pub(super) fn is_to(&self, target: &str) -> bool {
        self.route.name == target
    }

    pub(super) fn deliver(&self, courier: &Courier<'_>, blocked: &Blocked, there: &There<'_>) -> Result<Row, Failure> {
        let parcel = &self.parcel;
        let packed = parcel.packed(courier.planner)?;
        self.check_tests(packed, courier)?;
        let cargo = self.cargo(packed, courier, there)?;
        let nothing = || Failure::input(format!("{} makes nothing", parcel.name));
        let digest = packed.cargo.digest().ok_or_else(nothing)?;
        let bring = |stop: &Stop| match stop {
            Stop::Repository { .. } if !parcel.is_on_files() => Ok(()),
            _ => parcel.fetch_base(courier.planner, &packed.built),
        };
        let visits = courier.visit_all(&self.stops, &cargo, blocked, &bring, &|error| self.explained(error, courier));
        let record = || parcel.record(courier, packed, self.published(&self.places()));
        let written = self.write_down(courier, digest, &visits, record)?;
        Ok(self.row(digest, written, visits))
    }

    /// The cargo, which takes what it shares with an image of the same target from there.
    fn cargo<'p>(
        &self,
        packed: &'p Packed,
        courier: &Courier<'_>,
        there: &There<'_>,
    ) -> Result<Cow<'p, Cargo>, Failure> {
        let near = self.parcel.ancestors().find_map(|name| there.get(name));
        let Some((near, Stop::Repository { into, .. })) = near.and_then(|near| Some((near, near.stops.first()?)))
        else {
            return Ok(Cow::Borrowed(&packed.cargo));
        };
        // It was built before what builds on it.
        let theirs = near.parcel.packed(courier.planner)?;
        Ok(Cow::Owned(packed.cargo.clone().beside(&theirs.cargo, &into.repository)))
    }

    fn row(&self, digest: Digest, written: Option<Written>, visits: Vec<Result<Visit, Failure>>) -> Row {
        let parcel = &self.parcel;
        Row::new(&parcel.name, self.route, (parcel.tag(), digest, parcel.key()), written, &self.stops, visits)
    }

    /// An error, with what differs where a tag is another image's.
    fn explained(&self, error: PushError, courier: &Courier<'_>) -> Failure {
        let (planner, name) = (courier.planner, &self.parcel.name);
        let remedy = "what is to be pushed needs another `version`, or other inputs";
        taken::explained(error, planner, name, name.as_str(), remedy)
    }

    /// Records what is proven to be there.
    fn write_down(
        &self,
        courier: &Courier<'_>,
        digest: Digest,
        visits: &[Result<Visit, Failure>],
        record: impl FnOnce() -> Result<Record, Failure>,
    ) -> Result<Option<Written>, Failure> {
        let visits: Vec<_> = self.stops.iter().zip(visits).collect();
        courier.write_down(self.route, &self.parcel.name, (self.parcel.tag(), digest), &visits, record)
    }

    fn places(&self) -> Vec<(Region, Reference)> {
        self.stops.iter().filter_map(Stop::in_region).collect()
    }

    fn published<'p>(&'p self, places: &'p [(Region, Reference)]) -> Published<'p> {
        match &self.stops[..] {
            [Stop::Folder { said, .. }] => Published::Layout(said),
            [Stop::Repository { region: None, into, .. }] => Published::Repository(into),
            _ => Published::Regions(places),
        }
    }
}

/// The tests that are known here of what is recorded.
fn tests(record: &Record, courier: &Courier<'_>) -> Vec<RecordedTest> {
    let store = courier.planner.world.stored();
    let known = |on: &RecordedPlatform| store.and_then(|store| smoke::passed(&on.digest, store).ok().flatten());
    record.platforms.iter().filter_map(known).collect()
}
