//! The regions of a target in which hosts may be: where its recipes say so, and where its records do.

use std::collections::{BTreeMap, BTreeSet};

use super::account::identify;
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
    /// Recipes of which no AMI is made; instances are started for their tests.
    tested: Vec<AmiRecipe>,
    /// What is recorded of the account: the target that was named comes first, and the others of the project after it.
    records: Vec<Manifest>,
}

impl Scope {
    /// The hosts of a target. A recipe that was removed is known by its records.
    pub(in crate::cli) fn of(workspace: &Workspace, route: &Route<'_>) -> Result<Self, Failure> {
        let Some(account) = route.target.ec2.clone() else {
            let name = &route.name;
            let failure = Failure::input(format!("the target {name} has no place for AMIs"));
            return Err(failure.hint(format!("say `[target.{name}.ec2]` in elkbake.toml, or name another --target")));
        };
        let records = records(workspace, route, &account)?;
        let mut hosts: BTreeMap<RecipeName, (Option<Box<AmiRecipe>>, BTreeSet<Region>)> = BTreeMap::new();
        let mut tested = Vec::new();
        for name in workspace.recipes()? {
            match workspace.recipe(&name)?.value {
                Recipe::Ami(ami) if ami.engine == Engine::Instance => {
                    let regions = ami.regions().into_iter().cloned().collect();
                    hosts.insert(name, (Some(ami), regions));
                }
                Recipe::Ami(ami) => tested.push(*ami),
                Recipe::Image(_) => {}
            }
        }
        for (name, entry) in records.iter().flat_map(|manifest| &manifest.recipes) {
            let regions: Vec<_> = amis(entry).map(|ami| ami.region.clone()).collect();
            if !regions.is_empty() {
                hosts.entry(name.clone()).or_default().1.extend(regions);
            }
        }
        Ok(Self { account, hosts, tested, records })
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
        Ok(regions.into_iter().map(|region| Ec2Site::of(&self.account, region)).collect())
    }

    /// All regions in which anything may have been begun: those of all hosts, of tests, and of pushes that came to no end.
    pub(in crate::cli) fn regions(&self) -> BTreeSet<&Region> {
        let made = self.hosts.values().flat_map(|(_, regions)| regions);
        let begun = self.records.iter().flat_map(|manifest| manifest.unfinished.values());
        // One with a digest is of an image.
        let begun =
            begun.filter(|one| one.digest.is_none()).flat_map(|one| one.regions.iter().chain(one.missing.keys()));
        made.chain(self.tested.iter().map(|ami| &ami.region)).chain(begun).collect()
    }

    /// AMIs of all recipes that records name, with what they say.
    pub(in crate::cli) fn all_recorded(&self) -> BTreeMap<String, String> {
        let names = |manifest: &'_ Manifest| {
            manifest.recipes.keys().chain(manifest.unfinished.keys()).cloned().collect::<Vec<_>>()
        };
        let names: BTreeSet<_> = self.records.iter().flat_map(names).collect();
        names.iter().flat_map(|name| self.recorded(name)).collect()
    }

    /// The SSM parameters that name AMIs of the hosts.
    pub(in crate::cli) fn parameters(&self) -> BTreeSet<String> {
        let recipes = self.hosts.values().filter_map(|(recipe, _)| recipe.as_ref());
        recipes.flat_map(|recipe| recipe.parameters()).collect()
    }

    /// All recipes for which instances are started.
    pub(in crate::cli) fn recipes(&self) -> impl Iterator<Item = &AmiRecipe> {
        self.hosts.values().filter_map(|(recipe, _)| recipe.as_deref()).chain(&self.tested)
    }

    /// AMIs of a recipe that records name, with whose records these are. Another target may name what this one does not:
    /// both are in one account, where an AMI is found by its key whoever has made it.
    pub(in crate::cli) fn recorded(&self, recipe: &RecipeName) -> BTreeMap<String, String> {
        let named = |manifest: &Manifest| {
            let who = format!("recorded of {}", manifest.target);
            let entry = manifest.recipes.get(recipe).into_iter().flat_map(amis);
            let begun = manifest.unfinished.get(recipe).into_iter().flat_map(|one| &one.amis);
            entry.chain(begun).map(|ami| (ami.id.clone(), who.clone())).collect::<Vec<_>>()
        };
        // Where several name one, the target that was asked for says so.
        self.records.iter().rev().flat_map(named).collect()
    }
}

/// What is recorded of all targets in one account. What cannot be read may name anything, so that nothing is known.
fn records(workspace: &Workspace, route: &Route<'_>, account: &project::Ec2) -> Result<Vec<Manifest>, Failure> {
    let is_other = |(name, target): &(&RecipeName, &project::Target)| {
        name.as_str() != route.name && target.ec2.as_ref().is_some_and(|ec2| ec2.account == account.account)
    };
    let others = workspace.project.target.iter().filter(is_other).map(|(name, _)| name.as_str());
    let read = |name| workspace.manifest(Some(name)).transpose();
    std::iter::once(route.name.as_str()).chain(others).filter_map(read).collect()
}

fn amis(entry: &Entry) -> impl Iterator<Item = &RecordedAmi> {
    let records = std::iter::once(&entry.current).chain(&entry.history);
    records.flat_map(|record: &Record| &record.amis)
}
