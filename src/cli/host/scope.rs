//! The regions of a target in which hosts may be: where its recipes say so, and where its records do.

use std::collections::{BTreeMap, BTreeSet};

use super::account::{identify, site};
use crate::bake::event::Listener;
use crate::bake::port::{Ec2, Ec2Site, PortError};
use crate::cli::failure::Failure;
use crate::cli::route::Route;
use crate::cli::workspace::Workspace;
use crate::name::RecipeName;
use crate::project;
use crate::recipe::{AmiRecipe, Engine, Recipe, Region};
use crate::record::{Entry, Manifest, Record, RecordedAmi};

/// The hosts of a target, and where they may be.
pub(in crate::cli) struct Scope {
    account: project::Ec2,
    /// By name: the recipe, and the regions of its AMIs.
    pub(in crate::cli) hosts: BTreeMap<RecipeName, (Option<Box<AmiRecipe>>, BTreeSet<Region>)>,
    /// What is recorded of the target.
    pub(in crate::cli) manifest: Option<Manifest>,
}

impl Scope {
    /// The hosts of a target. A recipe that was removed is known by its records.
    pub(in crate::cli) fn of(workspace: &Workspace, route: &Route<'_>) -> Result<Self, Failure> {
        let Some(account) = route.target.ec2.clone() else {
            let name = &route.name;
            let failure = Failure::input(format!("the target {name} has no place for AMIs"));
            return Err(failure.hint(format!("say `[target.{name}.ec2]` in elkbake.toml, or name another --target")));
        };
        let manifest = workspace.manifest(Some(&route.name))?;
        let mut hosts: BTreeMap<RecipeName, (Option<Box<AmiRecipe>>, BTreeSet<Region>)> = BTreeMap::new();
        for name in workspace.recipes()? {
            if let Recipe::Ami(ami) = workspace.recipe(&name)?.value
                && ami.engine == Engine::Instance
            {
                let regions = ami.regions().into_iter().cloned().collect();
                hosts.insert(name, (Some(ami), regions));
            }
        }
        for (name, entry) in manifest.iter().flat_map(|manifest| &manifest.recipes) {
            let regions: Vec<_> = amis(entry).map(|ami| ami.region.clone()).collect();
            if !regions.is_empty() {
                hosts.entry(name.clone()).or_default().1.extend(regions);
            }
        }
        Ok(Self { account, hosts, manifest })
    }

    /// The account in some regions, once it is certain that the credentials are its own.
    pub(in crate::cli) fn sites<'r>(
        &self,
        regions: impl IntoIterator<Item = &'r Region>,
        ec2: &dyn Ec2,
        tell: Listener<'_>,
    ) -> Result<Vec<Ec2Site>, PortError> {
        let regions: BTreeSet<&Region> = regions.into_iter().collect();
        if let Some(first) = regions.first() {
            identify(ec2, &self.account, first, tell)?;
        }
        Ok(regions.into_iter().map(|region| site(&self.account, region)).collect())
    }

    /// All regions of all hosts.
    pub(in crate::cli) fn regions(&self) -> BTreeSet<&Region> {
        self.hosts.values().flat_map(|(_, regions)| regions).collect()
    }

    /// AMIs of all recipes that records name, with what they say.
    pub(in crate::cli) fn all_recorded(&self) -> BTreeMap<String, String> {
        let Some(manifest) = &self.manifest else { return BTreeMap::new() };
        let names: BTreeSet<_> = manifest.recipes.keys().chain(manifest.unfinished.keys()).collect();
        names.into_iter().flat_map(|name| self.recorded(name)).collect()
    }

    /// The SSM parameters that name AMIs of the hosts.
    pub(in crate::cli) fn parameters(&self) -> BTreeSet<String> {
        let recipes = self.hosts.values().filter_map(|(recipe, _)| recipe.as_ref());
        recipes.flat_map(|recipe| recipe.parameters()).collect()
    }

    /// AMIs of a recipe that records name, with what they say.
    pub(in crate::cli) fn recorded(&self, recipe: &RecipeName) -> BTreeMap<String, String> {
        let Some(manifest) = &self.manifest else { return BTreeMap::new() };
        let entry = manifest.recipes.get(recipe);
        let unfinished = manifest.unfinished.get(recipe).into_iter().flat_map(|one| &one.amis);
        let said = |ami: &RecordedAmi| (ami.id.clone(), "recorded".to_owned());
        entry.into_iter().flat_map(amis).chain(unfinished).map(said).collect()
    }
}

fn amis(entry: &Entry) -> impl Iterator<Item = &RecordedAmi> {
    let records = std::iter::once(&entry.current).chain(&entry.history);
    records.flat_map(|record: &Record| &record.amis)
}
