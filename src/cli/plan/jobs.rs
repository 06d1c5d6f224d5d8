//! Which recipes are stale, and in how many jobs they are baked.

use std::collections::BTreeMap;

use crate::name::RecipeName;
use crate::plan::{Plan, PlannedAmi, Work};
use crate::recipe::Region;
use crate::record::{Manifest, Record};

/// What one runner bakes, one recipe after the other: what builds on another comes after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Job {
    pub(super) recipes: Vec<RecipeName>,
}

impl Job {
    /// What people call it: no two jobs begin with the same recipe.
    pub(super) fn name(&self) -> String {
        match &self.recipes[..] {
            [] => String::new(),
            [one] => one.to_string(),
            [first, rest @ ..] => format!("{first} and {} more", rest.len()),
        }
    }

    /// Its recipes as arguments of a command: no name needs quotes.
    pub(super) fn arguments(&self) -> String {
        self.recipes.iter().map(RecipeName::as_str).collect::<Vec<_>>().join(" ")
    }
}

/// Whether a target lacks what is planned: it records another key, or none, or not all regions have it. `regions` are
/// those of images; a host's recipe says its own. A host whose tuning is user data is nothing that a target lacks.
pub(super) fn is_stale(plan: &Plan, manifest: Option<&Manifest>, regions: &[Region]) -> bool {
    if matches!(plan.work(), Work::Ami(host) if host.images.is_empty()) {
        return false;
    }
    let Some(manifest) = manifest else { return true };
    let Some(entry) = manifest.recipes.get(plan.name()) else { return true };
    let current = &entry.current;
    manifest.unfinished.contains_key(plan.name())
        || current.tag != *plan.tag()
        || current.key != plan.key()
        || !match plan.work() {
            Work::Image(_) => regions.iter().all(|region| current.regions.contains_key(region)),
            Work::Ami(host) => host.images.iter().all(|image| is_recorded(image, current)),
        }
}

fn is_recorded(image: &PlannedAmi, record: &Record) -> bool {
    record.amis.iter().any(|ami| (&ami.region, ami.architecture) == (&image.region, image.architecture))
}

/// Spreads what is stale over jobs, at most so many. Each stale recipe is given as the last of its line, after what it
/// builds on.
///
/// What builds on something stale is in one job with it: each runner would have to make the layers of both anyway, and
/// so they are made once.
pub(super) fn jobs(stale: &[Vec<RecipeName>], most: usize) -> Vec<Job> {
    let is_stale = |name: &RecipeName| stale.iter().any(|line| line.last() == Some(name));
    // By the first stale recipe of the line.
    let mut families: BTreeMap<&RecipeName, Vec<&Vec<RecipeName>>> = BTreeMap::new();
    for line in stale {
        if let Some(first) = line.iter().find(|name| is_stale(name)) {
            families.entry(first).or_default().push(line);
        }
    }
    let mut jobs: Vec<Job> = Vec::new();
    for (i, mut family) in families.into_values().enumerate() {
        // A line is longer than the one of what it builds on.
        family.sort_by_key(|line| (line.len(), line.last()));
        let recipes = family.into_iter().filter_map(|line| line.last().cloned());
        if jobs.len() < most {
            jobs.push(Job { recipes: recipes.collect() });
        } else {
            jobs[i % most].recipes.extend(recipes);
        }
    }
    jobs
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(lines: &[&str]) -> Vec<Vec<RecipeName>> {
        lines.iter().map(|line| line.split(' ').map(|name| name.parse().unwrap()).collect()).collect()
    }

    fn told(stale: &[&str], most: usize) -> Vec<String> {
        jobs(&lines(stale), most).iter().map(Job::arguments).collect()
    }

    #[test]
    fn what_builds_on_something_stale_comes_after_it_in_one_job() {
        // `z` is the base of `a`, which is the base of `b`; of `c` only the base `fresh` is not stale.
        assert_eq!(
            told(&["z a", "z a b", "fresh c", "d", "z"], 9),
            ["fresh c", "d", "z a b"].map(|line| { line.strip_prefix("fresh ").unwrap_or(line) })
        );
        // Not the one between: then nothing of the family is pushed before it, but it is one family still.
        assert_eq!(told(&["z a b", "z"], 9), ["z b"]);
        assert_eq!(told(&[], 9), Vec::<String>::new());
    }

    #[test]
    fn there_are_never_more_jobs_than_the_engine_takes() {
        let names: Vec<_> = (0..10).map(|i| format!("r{i}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        assert_eq!(told(&names, 3), ["r0 r3 r6 r9", "r1 r4 r7", "r2 r5 r8"]);
        assert_eq!(told(&names, 1).len(), 1);
        assert_eq!(told(&names, 10).len(), 10);
    }

    #[test]
    fn a_job_is_called_by_its_first_recipe() {
        let names: Vec<_> = jobs(&lines(&["a", "a b", "c"]), 9).iter().map(Job::name).collect();
        assert_eq!(names, ["a and 1 more", "c"]);
    }
}
