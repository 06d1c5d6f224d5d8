//! `elkbake plan --format`: what is stale, shared out among the runners of a CI.

use super::jobs;
use super::pipeline::{self, Format};
use crate::bake::port::PortError;
use crate::cli::choice::no_place;
use crate::cli::failure::{Exit, Failure};
use crate::cli::planner::Planner;
use crate::cli::route::Route;
use crate::name::RecipeName;
use crate::parallel;
use crate::plan::Work;
use crate::project::Place;
use crate::record::Manifest;

/// How what is stale is shared.
pub(super) struct Share<'w> {
    pub(super) format: Format,
    /// At most so many jobs; as many as the engine takes where nothing is said.
    pub(super) jobs: Option<u16>,
    /// Whether nobody named recipes: what has no place in the target is left out then.
    pub(super) all: bool,
    pub(super) route: Route<'w>,
}

impl Share<'_> {
    /// Prints the jobs. Half a matrix would be taken for a whole one: where one recipe cannot be planned, nothing is
    /// printed.
    pub(super) fn print(&self, planner: &Planner<'_>, recipes: &[RecipeName]) -> Result<Exit, Failure> {
        let manifest = planner.workspace.manifest(Some(&self.route.name))?;
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
            planner.ui.result(&pipeline::text(self.format, &self.route.name, &jobs::jobs(&stale, most)))?;
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
        let target = &self.route.target;
        let has_place = match last.plan.work() {
            Work::Image(_) => target.place().is_some(),
            Work::Ami(_) => target.ec2.is_some(),
        };
        if !has_place {
            return if self.all {
                Ok(None)
            } else {
                {
                    let is_host = matches!(last.plan.work(), Work::Ami(_));
                    Err(no_place(last.plan.name(), is_host, &self.route.name))
                }
            };
        }
        let regions = match self.route.target.place() {
            Some(Place::Ecr(ecr)) => &ecr.regions[..],
            _ => &[],
        };
        let is_stale = jobs::is_stale(&last.plan, manifest, regions);
        Ok(is_stale.then(|| line.iter().map(|planned| planned.plan.name().clone()).collect()))
    }
}
