//! An image on its way to its targets: planned first, and built only where somebody needs its bytes.

use std::collections::BTreeMap;
use std::sync::{Mutex, OnceLock, PoisonError};

use crate::bake::build::{self, Order};
use crate::bake::built::Built;
use crate::bake::event::Event;
use crate::bake::found::{Holder as _, Remote};
use crate::bake::push::Cargo;
use crate::bake::recorded::{self, Occasion, Published, recorded};
use crate::cli::build::image_of;
use crate::cli::choice::no_image;
use crate::cli::courier::Courier;
use crate::cli::failure::Failure;
use crate::cli::order::order;
use crate::cli::planner::{Planned, Planner};
use crate::digest::Digest;
use crate::name::{RecipeName, Reference, Repository, Tag};
use crate::plan::Work;
use crate::recipe::{From, Recipe};
use crate::record::{Record, RecordedFile};

/// A recipe that was planned, with all that it builds on.
pub(in crate::cli) struct Parcel {
    pub(in crate::cli) name: RecipeName,
    pub(in crate::cli) repository: Repository,
    line: Vec<Planned>,
    packed: OnceLock<Result<Packed, Failure>>,
}

/// A parcel's image, and how it goes.
pub(in crate::cli) struct Packed {
    pub(in crate::cli) built: Built,
    pub(in crate::cli) cargo: Cargo,
}

impl Parcel {
    /// Plans a recipe for an image.
    pub(in crate::cli) fn plan(planner: &Planner<'_>, name: &RecipeName) -> Result<Self, Failure> {
        let line = planner.line(name)?;
        let Some(Work::Image(work)) = line.last().map(|last| last.plan.work()) else { return Err(no_image(name)) };
        let repository = work.repository.clone();
        Ok(Self { name: name.clone(), repository, line, packed: OnceLock::new() })
    }

    /// What was planned of the recipe itself.
    pub(in crate::cli) fn planned(&self) -> &Planned {
        // `plan` lets no empty line pass, and no line gets shorter.
        &self.line[self.line.len() - 1]
    }

    /// The recipes that it builds on, the nearest first.
    pub(in crate::cli) fn ancestors(&self) -> impl Iterator<Item = &RecipeName> {
        self.line.iter().rev().skip(1).map(|planned| planned.plan.name())
    }

    pub(in crate::cli) fn key(&self) -> Digest {
        self.planned().plan.key()
    }

    pub(in crate::cli) fn tag(&self) -> &Tag {
        self.planned().plan.tag()
    }

    /// Its image; the first who asks builds it, unless it was built before.
    pub(in crate::cli) fn packed(&self, planner: &Planner<'_>) -> Result<&Packed, Failure> {
        self.packed.get_or_init(|| self.pack(planner)).as_ref().map_err(Clone::clone)
    }

    fn pack(&self, planner: &Planner<'_>) -> Result<Packed, Failure> {
        // One after the other, as `elkbake build` does: each uses all processors already.
        static BUILDING: Mutex<()> = Mutex::new(());
        let _alone = BUILDING.lock().unwrap_or_else(PoisonError::into_inner);
        let built = self.with_order(planner, |order| Ok(image_of(planner, &self.line, order)?.0))?;
        let opened = planner.world.open()?;
        let cargo = Cargo::of_built(&built, self.tag(), self.origins(), opened.store())?;
        Ok(Packed { built, cargo })
    }

    /// The record of where it was published.
    pub(in crate::cli) fn record(
        &self,
        courier: &Courier<'_>,
        packed: &Packed,
        published: Published<'_>,
    ) -> Result<Record, Failure> {
        let occasion = occasion(courier);
        self.with_order(courier.planner, |order| {
            let store = courier.planner.world.open()?.store();
            let nothing = || Failure::input(format!("{} makes nothing", self.name));
            recorded(order, &packed.built, published, &occasion, store)?.ok_or_else(nothing)
        })
    }

    /// The record of an image of its key that a repository has, made from what that says of itself: nothing is built
    /// for it. `None` where that is another image, or where the record has to say what only a build knows.
    pub(in crate::cli) fn found(
        &self,
        courier: &Courier<'_>,
        at: &Reference,
        known: &[RecordedFile],
        published: Published<'_>,
    ) -> Option<Record> {
        let planner = courier.planner;
        let opened = planner.world.open().ok()?;
        let tell = |event: Event<'_>| planner.ui.event(event);
        let found =
            Remote { reference: at, registry: opened.wire(), store: opened.store(), tell: &tell }.find(None).ok()?;
        let unbuilt = |_: &Order<'_>| Err(no_image(&self.name));
        let order = order(std::slice::from_ref(self.planned()), &planner.stamps, &unbuilt).ok()?;
        recorded::found(&order, &found, known, published, &occasion(courier))
    }

    /// Puts the layers of the base into the store, for a target that has to be given all of them.
    pub(in crate::cli) fn fetch_base(&self, planner: &Planner<'_>, built: &Built) -> Result<(), Failure> {
        self.with_order(planner, |order| {
            let tell = |event: Event<'_>| planner.ui.event(event);
            let opened = planner.world.open()?;
            Ok(build::fetch_base(order, &opened.ports(planner.workspace, &tell), built)?)
        })
    }

    fn with_order<T>(
        &self,
        planner: &Planner<'_>,
        act: impl FnOnce(&Order<'_>) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let order = order(&self.line, &planner.stamps, &|order| Ok(image_of(planner, &self.line, order)?.0))?;
        act(&order)
    }

    /// Whether the store, and not a registry, has what the first of the line is built on.
    pub(in crate::cli) fn is_on_files(&self) -> bool {
        !matches!(self.root(), Some((From::Registry(_) | From::Scratch, _)))
    }

    /// What the first of the line is built on.
    fn root(&self) -> Option<(&From, &Planned)> {
        let first = self.line.first()?;
        match &first.loaded.recipe.value {
            Recipe::Image(image) => Some((&image.from, first)),
            Recipe::Ami(_) => None,
        }
    }

    /// Where layers of the base can be had.
    fn origins(&self) -> BTreeMap<Digest, Reference> {
        let Some((From::Registry(reference), first)) = self.root() else { return BTreeMap::new() };
        let reference = Reference { tag: None, digest: None, ..reference.clone() };
        let platforms = first.lock.value.base.iter().flat_map(|base| &base.platform);
        platforms.flat_map(|platform| &platform.layer).map(|layer| (layer.digest, reference.clone())).collect()
    }
}

fn occasion(courier: &Courier<'_>) -> Occasion<'static> {
    Occasion { source: courier.source(), elkbake: env!("CARGO_PKG_VERSION"), pushed_at: courier.now }
}
