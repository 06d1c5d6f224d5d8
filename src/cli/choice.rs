//! Recipes as people name them on the command line: by name, or by the path of the file.

use std::fs;
use std::path::Path;

use super::failure::Failure;
use super::workspace::{RECIPES, Workspace, recipe_file};
use crate::name::RecipeName;
use crate::recipe::{Engine, Recipe};
use crate::text;

impl Workspace {
    /// The recipes that were named, or all of them, in the order of their names.
    pub(super) fn select(&self, named: &[String]) -> Result<Vec<RecipeName>, Failure> {
        let all = self.recipes()?;
        if all.is_empty() {
            let message = format!("there are no recipes in {}", self.root.join(RECIPES).display());
            return Err(Failure::input(message).hint("write recipes/NAME.toml, or name the project with --project DIR"));
        }
        if named.is_empty() {
            return Ok(all);
        }
        let mut chosen = Vec::new();
        for named in named {
            let name = self.named(named, &all)?;
            if !all.contains(&name) {
                let message = format!("there is no recipe {name}: {} does not exist", recipe_file(&name).display());
                let there = || all.iter().map(RecipeName::as_str).collect::<Vec<_>>().join(", ");
                let hint = meant(name.as_str(), &all).unwrap_or_else(|| format!("this project has: {}", there()));
                return Err(Failure::input(message).hint(hint));
            }
            if !chosen.contains(&name) {
                chosen.push(name);
            }
        }
        Ok(chosen)
    }

    /// Those of them that make container images: where none is named, hosts are left out. What cannot be read is told
    /// about when its turn comes.
    pub(super) fn images(&self, named: &[String]) -> Result<Vec<RecipeName>, Failure> {
        let mut recipes = self.select(named)?;
        let is_host = |name: &RecipeName| matches!(self.glance(name), Some(Recipe::Ami(_)));
        if named.is_empty() {
            recipes.retain(|name| !is_host(name));
            if recipes.is_empty() {
                let message = format!("all recipes in {} are of hosts", self.root.join(RECIPES).display());
                return Err(Failure::input(message).hint("this command is about container images"));
            }
        } else if let Some(host) = recipes.iter().find(|name| is_host(name)) {
            return Err(no_image(host));
        }
        Ok(recipes)
    }

    fn named(&self, text: &str, all: &[RecipeName]) -> Result<RecipeName, Failure> {
        let stem = if text.contains('/') { self.stem(text)? } else { text.strip_suffix(".toml").unwrap_or(text) };
        stem.parse().map_err(|error| {
            let failure = Failure::usage(error);
            match meant(stem, all) {
                Some(hint) => failure.hint(hint),
                None => failure,
            }
        })
    }

    /// The name of the file that a path leads to, from the working folder or from the project's.
    fn stem<'t>(&self, text: &'t str) -> Result<&'t str, Failure> {
        let path = Path::new(text);
        let recipes = fs::canonicalize(self.root.join(RECIPES)).ok();
        let folder = |from: &Path| fs::canonicalize(from.join(path.parent()?)).ok();
        let is_here = recipes.is_some() && [&self.folder, &self.root].iter().any(|from| folder(from) == recipes);
        let name = path.file_name().and_then(|name| name.to_str()).filter(|_| is_here);
        name.map(|name| name.strip_suffix(".toml").unwrap_or(name)).ok_or_else(|| {
            let message =
                format!("{text} is no recipe of this project: these are in {}", self.root.join(RECIPES).display());
            Failure::usage(message).hint("name the recipe alone, or another project with --project DIR")
        })
    }
}

fn meant(wrong: &str, all: &[RecipeName]) -> Option<String> {
    let near = text::nearest(wrong, all.iter().map(RecipeName::as_str))?;
    Some(format!("did you mean `{near}`?"))
}

/// Hosts are no images.
pub(super) fn no_image(name: &RecipeName) -> Failure {
    Failure::input(format!("{name} is the recipe of a host, not of a container image"))
}

/// Recipes by what they make.
pub(super) struct Sorted {
    /// Of container images, and what cannot be read: that is told about when its turn comes.
    pub(super) images: Vec<RecipeName>,
    /// Of hosts of which AMIs are made.
    pub(super) hosts: Vec<RecipeName>,
    /// Of hosts whose tuning is user data, where nobody named them: nothing of these is anywhere but in the user's hands,
    /// unless they are tested.
    pub(super) tested: Vec<RecipeName>,
}

impl Workspace {
    /// The recipes that were named, or all of them, by what they make.
    pub(super) fn sorted(&self, named: &[String]) -> Result<Sorted, Failure> {
        let mut sorted = Sorted { images: Vec::new(), hosts: Vec::new(), tested: Vec::new() };
        for name in self.select(named)? {
            match self.glance(&name) {
                Some(Recipe::Ami(ami)) if ami.engine == Engine::UserData && named.is_empty() => {
                    sorted.tested.push(name);
                }
                Some(Recipe::Ami(_)) => sorted.hosts.push(name),
                _ => sorted.images.push(name),
            }
        }
        Ok(sorted)
    }
}

/// A target has no place for every kind of recipe.
pub(super) fn no_place(name: &RecipeName, is_host: bool, target: &str) -> Failure {
    let (what, missing) = if is_host {
        ("a host", format!("say `[target.{target}.ec2]` in elkbake.toml"))
    } else {
        ("a container image", format!("say `oci`, `registry` or `[target.{target}.ecr]` in elkbake.toml"))
    };
    let message = format!("{name} is the recipe of {what}, and the target {target} has no place for it");
    Failure::input(message).hint(format!("{missing}, or name another --target"))
}

/// Images are no hosts.
pub(super) fn no_host(name: &RecipeName) -> Failure {
    Failure::input(format!("{name} is the recipe of a container image, not of a host"))
}
