//! Old images of a recipe, taken away: what is kept and why is known before anything goes.

use std::collections::{BTreeMap, BTreeSet};

use super::clear::{calmly, delete_snapshot};
use super::desk::Desk;
use super::fault::HostError;
use super::find::is_finished;
use super::needed::{Users, in_use, needed};
use super::words;
use crate::bake::port::{Ask, Ec2Site, Machine, Tags};
use crate::name::RecipeName;
use crate::parallel;

/// What is kept of a recipe's images.
#[derive(Clone, Copy, Debug)]
pub struct Retention<'r> {
    /// The recipe; what is not tagged as its own is not even looked at.
    pub recipe: &'r RecipeName,
    /// How many of the newest, for each processor in each region.
    pub keep: usize,
    /// Who needs others, too.
    pub users: Users<'r>,
}

/// An image that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Where it is.
    pub site: Ec2Site,
    /// The image.
    pub machine: Machine,
    /// What becomes of it.
    pub fate: Fate,
}

/// What becomes of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It stays, because of this.
    Kept(String),
    /// It goes, with its snapshots.
    Removed,
}

/// What came of taking an image away.
#[derive(Debug)]
pub struct Pruned {
    /// Where it is, or was.
    pub site: Ec2Site,
    /// Its id.
    pub id: String,
    /// The snapshots that went with it, or why it did not go.
    pub result: Result<Vec<String>, HostError>,
}

/// What is to be kept and removed of a recipe's finished images. Nothing is changed.
///
/// # Errors
/// When a region does not answer, or does not let us.
pub fn pruning(sites: &[Ec2Site], retention: &Retention<'_>, desk: Desk<'_>) -> Result<Vec<Candidate>, HostError> {
    let found = parallel::bounded(sites, sites.len(), |site| in_region(site, retention, desk));
    Ok(found.into_iter().collect::<Result<Vec<_>, _>>()?.concat())
}

fn in_region(site: &Ec2Site, retention: &Retention<'_>, desk: Desk<'_>) -> Result<Vec<Candidate>, HostError> {
    let tags = Tags::from([(words::RECIPE.to_owned(), retention.recipe.to_string())]);
    let ask = Ask { tags, tagged: Some(words::KEY.to_owned()), ..Ask::default() };
    let mut machines = desk.ec2.images(site, &ask, desk.tell)?;
    // What is not finished is a run's, or left over: that is for the sweep.
    machines.retain(is_finished);
    machines.sort_by(|a, b| (&b.created, &b.id).cmp(&(&a.created, &a.id)));
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let newest = machines.iter().map(|machine| {
        let count = seen.entry(machine.architecture.clone()).or_default();
        *count += 1;
        *count <= retention.keep
    });
    let newest: Vec<_> = newest.collect();
    let old = machines.iter().zip(&newest).filter(|(_, new)| !**new).map(|(machine, _)| &machine.id);
    let needed = needed(site, old, retention.users, desk)?;
    let fate = |(machine, new): (Machine, bool)| {
        let why = if new { Some("one of the newest".to_owned()) } else { needed.get(&machine.id).cloned() };
        Candidate { site: site.clone(), machine, fate: why.map_or(Fate::Removed, Fate::Kept) }
    };
    Ok(machines.into_iter().zip(newest).map(fate).collect())
}

/// Takes away what is to be removed, and its snapshots. Whether it is in use is asked once more before.
#[must_use]
pub fn prune(candidates: &[Candidate], desk: Desk<'_>) -> Vec<Pruned> {
    let mut sites: BTreeMap<_, Vec<&Candidate>> = BTreeMap::new();
    for candidate in candidates.iter().filter(|candidate| candidate.fate == Fate::Removed) {
        sites.entry(candidate.site.region.clone()).or_default().push(candidate);
    }
    let sites: Vec<_> = sites.into_values().collect();
    parallel::bounded(&sites, sites.len(), |candidates| remove_all(candidates, desk)).into_iter().flatten().collect()
}

fn remove_all(candidates: &[&Candidate], desk: Desk<'_>) -> Vec<Pruned> {
    let Some(first) = candidates.first() else { return Vec::new() };
    // People think before they say yes, and what was true before may be so no more.
    let used = match in_use(&first.site, desk) {
        Ok(used) => used,
        Err(error) => {
            let ids: Vec<_> = candidates.iter().map(|candidate| candidate.machine.id.as_str()).collect();
            return vec![Pruned { site: first.site.clone(), id: ids.join(", "), result: Err(error) }];
        }
    };
    let of_one = |candidate: &&Candidate| {
        let id = candidate.machine.id.clone();
        let result = match used.get(&id) {
            Some(by) => Err(HostError::Misfit { subject: id.clone(), message: format!("it is {by} by now") }),
            None => remove(candidate, desk),
        };
        Pruned { site: candidate.site.clone(), id, result }
    };
    candidates.iter().map(of_one).collect()
}

/// Takes an image away, and those of its snapshots that are tagged as the recipe's, too. Once the image is gone nobody
/// finds them by it any more, so that they go even where the person wants to stop meanwhile.
fn remove(candidate: &Candidate, desk: Desk<'_>) -> Result<Vec<String>, HostError> {
    let Candidate { site, machine, .. } = candidate;
    desk.check()?;
    let tags = machine.tags.iter().filter(|(name, _)| *name == words::RECIPE);
    let tags: Tags = tags.map(|(name, value)| (name.clone(), value.clone())).collect();
    let ids: BTreeSet<_> = machine.snapshots.values().cloned().collect();
    let ask = Ask { ids, tags, ..Ask::default() };
    let snapshots = if ask.ids.is_empty() { Vec::new() } else { desk.ec2.snapshots(site, &ask, desk.tell)? };
    desk.ec2.deregister(site, &machine.id, desk.tell)?;
    let (mut gone, mut left, mut first) = (Vec::new(), Vec::new(), None);
    calmly(desk, |desk| {
        for snapshot in snapshots {
            match delete_snapshot(site, &snapshot.id, desk) {
                Ok(()) => gone.push(snapshot.id),
                Err(error) => {
                    left.push(snapshot.id);
                    first = first.take().or(Some(error));
                }
            }
        }
    });
    let image = machine.id.clone();
    first.map_or(Ok(gone), |source| Err(HostError::Leftover { image, snapshots: left, source }))
}
