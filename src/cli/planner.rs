//! From the name of a recipe to its plan, and to the plans of all that it builds on.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use super::failure::Failure;
use super::lock;
use super::ui::Ui;
use super::workspace::{Loaded, Workspace};
use super::world::World;
use crate::bake::documents;
use crate::lock::Lock;
use crate::name::RecipeName;
use crate::plan::{Plan, PlanError, Stamps, lineage, parent_of};
use crate::recipe::AmiRecipe;
use crate::text::{Document, TextError};

/// What every recipe is planned with.
pub(super) struct Planner<'p> {
    pub(super) workspace: &'p Workspace,
    pub(super) world: &'p World<'p>,
    pub(super) stamps: Stamps,
    pub(super) ui: &'p Ui,
    /// What is to be done about a recipe without a lock: nothing for who only looks.
    makes_locks: bool,
    locking: Mutex<()>,
}

/// A recipe that was planned, with all that its plan was made of.
pub(super) struct Planned {
    pub(super) loaded: Loaded,
    pub(super) lock: Document<Lock>,
    pub(super) plan: Plan,
}

impl Planned {
    /// The user data that a host's recipe comes to; `ami` is what the recipe says.
    pub(super) fn documents<'o>(&'o self, ami: &'o AmiRecipe, project: &'o Path) -> documents::Order<'o> {
        let Loaded { recipe, local, .. } = &self.loaded;
        documents::Order { plan: &self.plan, recipe, ami, local, project }
    }
}

impl<'p> Planner<'p> {
    pub(super) fn new(workspace: &'p Workspace, world: &'p World<'p>, stamps: Stamps, ui: &'p Ui) -> Self {
        Self { workspace, world, stamps, ui, makes_locks: true, locking: Mutex::default() }
    }

    /// The same for commands that look at what was built: without a lock nothing was.
    pub(super) fn of_built(workspace: &'p Workspace, world: &'p World<'p>, stamps: Stamps, ui: &'p Ui) -> Self {
        Self { makes_locks: false, ..Self::new(workspace, world, stamps, ui) }
    }

    /// Plans a recipe and, before it, all those that it builds on.
    pub(super) fn line(&self, name: &RecipeName) -> Result<Vec<Planned>, Failure> {
        let mut family = self.family(name)?;
        let line = lineage(name, &family[name].recipe, |other| family.get(other).map(|loaded| &loaded.recipe))
            .map_err(|error| misfit(&error, &family))?;
        let mut planned: Vec<Planned> = Vec::new();
        for name in line.iter().chain([name]) {
            let loaded = &family[name];
            let lock = match &loaded.lock {
                Some(lock) => Cow::Borrowed(lock),
                None => Cow::Owned(self.lock_of(loaded)?),
            };
            self.workspace.pinned_files(loaded, &lock.value)?;
            let parent = planned.last().map(|before| &before.plan);
            let plan = Plan::new(name, &loaded.recipe, &lock, &loaded.local.tree, parent)
                .map_err(|error| misfit(&error, &family))?
                .stamped(&self.stamps);
            let lock = lock.into_owned();
            if let Some(loaded) = family.remove(name) {
                planned.push(Planned { loaded, lock, plan });
            }
        }
        Ok(planned)
    }

    /// Makes the lock of a recipe that had none when it was read. Several recipes may build on it: one makes the lock,
    /// the others find it.
    fn lock_of(&self, loaded: &Loaded) -> Result<Document<Lock>, Failure> {
        if !self.makes_locks {
            return Err(not_built(&loaded.name, ": it has no lock yet"));
        }
        let _one_at_a_time = self.locking.lock().unwrap_or_else(PoisonError::into_inner);
        let again = self.workspace.load(&loaded.name)?;
        match again.lock {
            Some(lock) => Ok(lock),
            None => lock::make_missing(self.workspace, self.world, loaded, self.ui),
        }
    }

    /// A recipe with all those that it builds on, as far as they are there.
    fn family(&self, name: &RecipeName) -> Result<BTreeMap<RecipeName, Loaded>, Failure> {
        let mut family = BTreeMap::new();
        let mut next = Some(name.clone());
        while let Some(name) = next.filter(|name| !family.contains_key(name)) {
            if !family.is_empty() && !self.workspace.has(&name) {
                break;
            }
            let loaded = self.workspace.load(&name)?;
            next = parent_of(&loaded.recipe.value).cloned();
            family.insert(name, loaded);
        }
        Ok(family)
    }
}

/// Nothing is built of a recipe as it is now.
pub(super) fn not_built(name: &RecipeName, why: &str) -> Failure {
    Failure::input(format!("{name} is not built{why}")).hint(format!("run `elkbake build {name}`"))
}

/// A misfit, shown where the recipe says it.
fn misfit(error: &PlanError, family: &BTreeMap<RecipeName, Loaded>) -> Failure {
    match family.get(&error.recipe) {
        Some(loaded) => {
            TextError { path: loaded.file.clone(), text: loaded.text.clone(), problems: error.problems() }.into()
        }
        None => Failure::input(error),
    }
}
