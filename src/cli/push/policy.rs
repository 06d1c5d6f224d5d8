//! `elkbake push --print-policy`.

use crate::cli::choice::Sorted;
use crate::cli::failure::{Exit, Failure};
use crate::cli::route::Route;
use crate::cli::ui::Ui;
use crate::cli::workspace::Workspace;
use crate::export::{Policy, PolicyError, Rights};
use crate::name::{RecipeName, Reference};
use crate::project::ecr_owner;
use crate::recipe::{From, Recipe};
use crate::remote::mirror::Mirrors;

/// Prints the policy for one target: each account has its own.
pub(super) fn print(
    workspace: &Workspace,
    sorted: &Sorted,
    routes: &[Route<'_>],
    provision: bool,
    ui: &Ui,
) -> Result<Exit, Failure> {
    let [route] = routes else {
        return Err(Failure::usage("a policy is for one target").hint("name one with --target"));
    };
    let mut recipes = Vec::new();
    for name in sorted.images.iter().chain(&sorted.hosts).chain(&sorted.tested) {
        recipes.push((name.clone(), workspace.recipe(name)?.value));
    }
    let bases = bases(workspace, &recipes, ui)?;
    let rights = Rights { name: &route.name, target: &route.target, recipes: &recipes, bases: &bases, provision };
    let policy = Policy::of(&rights).map_err(|error| refused(error, &route.name))?;
    policy.remarks(&rights).iter().for_each(|remark| ui.warn(remark));
    ui.json(&policy)?;
    Ok(Exit::Done)
}

/// Where the bases of images are read.
fn bases(workspace: &Workspace, recipes: &[(RecipeName, Recipe)], ui: &Ui) -> Result<Vec<Reference>, Failure> {
    let wrong = |error: &dyn std::fmt::Display| Failure::input(format!("elkbake.toml: {error}"));
    let mirrors = Mirrors::new(workspace.project.mirror.clone()).map_err(|error| wrong(&error))?;
    let mut bases = Vec::new();
    for (_, recipe) in recipes {
        let Recipe::Image(image) = recipe else { continue };
        let From::Registry(base) = &image.from else { continue };
        let mirrored = mirrors.reference(base).map_err(|error| wrong(&error))?.map(|mirrored| mirrored.there);
        if let Some(there) = mirrored.as_ref().filter(|there| ecr_owner(&there.registry).is_some()) {
            ui.warn(&format!(
                "{base} is read from {}/{}: where that is a pull-through cache, whoever is the first to read something \
                 needs ecr:BatchImportUpstreamImage and ecr:CreateRepository there, too",
                there.registry, there.repository
            ));
        }
        bases.push(mirrored.unwrap_or_else(|| base.clone()));
    }
    Ok(bases)
}

fn refused(error: PolicyError, target: &str) -> Failure {
    let failure = Failure::input(format!("{target}: {error}"));
    match error {
        PolicyError::NotAws => failure.hint("name a target with `[target.NAME.ecr]` or `[target.NAME.ec2]`"),
        PolicyError::TooLong(_) => failure.hint("name fewer recipes, and attach several policies"),
    }
}
