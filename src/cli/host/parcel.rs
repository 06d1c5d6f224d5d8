//! A host's recipe that was planned, and the user data by which its AMIs are made and tested.

use std::sync::OnceLock;

use crate::ami::Tuning;
use crate::ami::delivery::Delivery;
use crate::bake::host::{self, Order};
use crate::cli::choice::no_host;
use crate::cli::failure::Failure;
use crate::cli::planner::{Planned, Planner};
use crate::moment::Moment;
use crate::name::RecipeName;
use crate::project;
use crate::recipe::{AmiRecipe, Architecture, Engine, Recipe};

/// A host's recipe that was planned.
pub(in crate::cli) struct HostParcel {
    pub(in crate::cli) name: RecipeName,
    planned: Planned,
    recipe: Box<AmiRecipe>,
    tuning: OnceLock<Result<Tuning, Failure>>,
}

/// What instances are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli) enum Way {
    /// They are made into images.
    Bake,
    /// They show whether an image boots.
    Test,
    /// They show whether the base, as it is, becomes what the recipe says.
    Stock,
}

impl HostParcel {
    /// Plans a recipe for a host.
    pub(in crate::cli) fn plan(planner: &Planner<'_>, name: &RecipeName) -> Result<Self, Failure> {
        let planned = planner.line(name)?.pop().ok_or_else(|| no_host(name))?;
        let Recipe::Ami(recipe) = &planned.loaded.recipe.value else { return Err(no_host(name)) };
        let recipe = recipe.clone();
        Ok(Self { name: name.clone(), planned, recipe, tuning: OnceLock::new() })
    }

    /// What was planned.
    pub(in crate::cli) fn planned(&self) -> &Planned {
        &self.planned
    }

    /// What the recipe says.
    pub(in crate::cli) fn recipe(&self) -> &AmiRecipe {
        &self.recipe
    }

    /// Refuses a recipe of which no AMI is made.
    pub(in crate::cli) fn refuse_user_data(&self) -> Result<(), Failure> {
        if self.recipe.engine != Engine::UserData {
            return Ok(());
        }
        let name = &self.name;
        let failure = Failure::input(format!("{name} says `engine = \"user-data\"`, and no AMI is made of that"));
        Err(failure.hint(format!("`elkbake build {name} --output user-data` writes its user data")))
    }

    /// What is to be made of it in an account.
    pub(in crate::cli) fn order<'o>(
        &'o self,
        recipe: &'o AmiRecipe,
        account: &'o project::Ec2,
        (revision, now): (Option<&'o str>, Moment),
    ) -> Order<'o> {
        let Planned { lock, plan, .. } = &self.planned;
        Order { name: &self.name, recipe, plan, lock: &lock.value, account, revision, now }
    }

    /// The user data for instances, for each processor.
    pub(in crate::cli) fn user_data(&self, planner: &Planner<'_>, way: Way) -> Result<host::UserData, Failure> {
        let delivery = Delivery { ami: &self.recipe, tuning: self.tuning(planner)?, key: self.planned.plan.key() };
        let made = match way {
            Way::Bake => delivery.bake(),
            Way::Test => delivery.test(),
            Way::Stock => delivery.host(),
        };
        let made = made.map_err(|error| Failure::input(format!("{}: {error}", self.name)))?;
        let one = |architecture: &Architecture| (*architecture, made.bytes().to_vec());
        Ok(self.recipe.architectures.iter().map(one).collect())
    }

    fn tuning(&self, planner: &Planner<'_>) -> Result<&Tuning, Failure> {
        let made = self.tuning.get_or_init(|| {
            let made = self.planned.documents(&self.recipe, &planner.workspace.root).tuning();
            made.map_err(|error| Failure::input(format!("{}: {error}", self.name)))
        });
        made.as_ref().map_err(Clone::clone)
    }
}
