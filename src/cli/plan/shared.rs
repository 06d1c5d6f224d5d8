//! `elkbake plan --format`: what is stale, shared out among the runners of a CI.

use std::borrow::Cow;

use super::jobs;
use super::pipeline::{self, Format};
use crate::bake::interrupt::Interrupt;
use crate::bake::ledger::Ledger;
use crate::bake::port::PortError;
use crate::cli::failure::{Exit, Failure};
use crate::cli::order::no_image;
use crate::cli::planner::Planner;
use crate::cli::workspace::Workspace;
use crate::name::RecipeName;
use crate::parallel;
use crate::plan::Work;
use crate::project::{Place, Target};
use crate::record::Manifest;
use crate::text;

/// A target whose records are compared with.
pub(super) struct Compared<'w> {
    name: &'w str,
    target: Cow<'w, Target>,
}

/// A target by its name.
pub(super) fn target<'w>(workspace: &'w Workspace, name: &'w str) -> Result<Compared<'w>, Failure> {
    let project = &workspace.project;
    if let Some(target) = project.target(name) {
        return Ok(Compared { name, target });
    }
    let known: Vec<_> = project.target.keys().map(RecipeName::as_str).collect();
    let hint = match text::nearest(name, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None if known.is_empty() => format!("add `[target.{name}]` to elkbake.toml; without any there is `local`"),
        None => format!("elkbake.toml has: {}", known.join(", ")),
    };
    Err(Failure::usage(format!("there is no target `{name}`")).hint(hint))
}

impl Compared<'_> {
    /// What was recorded of it, if anything was.
    pub(super) fn records(&self, workspace: &Workspace) -> Result<Option<Manifest>, Failure> {
        // Who only reads waits for nobody.
        let interrupt = Interrupt::default();
        Ok(Ledger::new(&interrupt).read(&workspace.root.join(self.target.manifest()), self.name)?)
    }
}

/// How what is stale is shared.
pub(super) struct Share<'w> {
    pub(super) format: Format,
    /// At most so many jobs; as many as the engine takes where nothing is said.
    pub(super) jobs: Option<u16>,
    /// Whether nobody named recipes: hosts are left out then.
    pub(super) all: bool,
    pub(super) target: Compared<'w>,
}

impl Share<'_> {
    /// Prints the jobs. Half a matrix would be taken for a whole one: where one recipe cannot be planned, nothing is
    /// printed.
    pub(super) fn print(&self, planner: &Planner<'_>, recipes: &[RecipeName]) -> Result<Exit, Failure> {
        let manifest = self.target.records(planner.workspace)?;
        let (mut stale, mut failures) = (Vec::new(), Vec::new());
        for outcome in parallel::map(recipes, |name| self.stale(planner, name, manifest.as_ref())) {
            match outcome {
                Ok(line) => stale.extend(line),
                Err(failure) => failures.push(failure),
            }
        }
        if planner.world.interrupt.requested() {
            return Err(PortError::Interrupted.into());
        }
        if failures.is_empty() {
            let most = self.jobs.map_or(self.format.most(), usize::from);
            planner.ui.result(&pipeline::text(self.format, self.target.name, &jobs::jobs(&stale, most)))?;
        }
        Ok(planner.ui.failures(&failures, Exit::Done))
    }

    /// A stale recipe, after all that it builds on.
    fn stale(
        &self,
        planner: &Planner<'_>,
        name: &RecipeName,
        manifest: Option<&Manifest>,
    ) -> Result<Option<Vec<RecipeName>>, Failure> {
        let line = planner.line(name)?;
        let Some(last) = line.last() else { return Ok(None) };
        if let Work::Ami(_) = last.plan.work() {
            return if self.all { Ok(None) } else { Err(no_image(&last.plan)) };
        }
        let regions = match self.target.target.place() {
            Some(Place::Ecr(ecr)) => &ecr.regions[..],
            _ => &[],
        };
        let is_stale = jobs::is_stale(&last.plan, manifest, regions);
        Ok(is_stale.then(|| line.iter().map(|planned| planned.plan.name().clone()).collect()))
    }
}
