//! `elkbake push --print-policy`.

use crate::cli::choice::Sorted;
use crate::cli::failure::{Exit, Failure};
use crate::cli::route::Route;
use crate::cli::ui::Ui;
use crate::cli::workspace::Workspace;
use crate::export::{Policy, PolicyError, Rights};

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
    let rights = Rights { name: &route.name, target: &route.target, recipes: &recipes, provision };
    let policy = Policy::of(&rights).map_err(|error| refused(error, &route.name))?;
    policy.remarks(&rights).iter().for_each(|remark| ui.warn(remark));
    ui.json(&policy)?;
    Ok(Exit::Done)
}

fn refused(error: PolicyError, target: &str) -> Failure {
    let failure = Failure::input(format!("{target}: {error}"));
    match error {
        PolicyError::NotAws => failure.hint("name a target with `[target.NAME.ecr]` or `[target.NAME.ec2]`"),
        PolicyError::TooLong(_) => failure.hint("name fewer recipes, and attach several policies"),
    }
}
