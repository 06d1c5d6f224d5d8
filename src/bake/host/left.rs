//! What runs have left: everything that carries our tags and has come to nothing.
//!
//! No list is kept of what was begun, since who is killed writes none. What belongs to a run that still goes on cannot
//! be told from what was left by one, but for its age.

use std::collections::BTreeSet;

use super::clear::is_alive;
use super::desk::Desk;
use super::fault::HostError;
use super::find::is_kept;
use super::needed::{Users, needed};
use super::words;
use crate::bake::port::{Ask, Ec2Site, Machine, SpotRequest, Tags};
use crate::moment::Moment;
use crate::parallel;

/// What a bake may take beyond the time that its instance has: an image, and its copies.
pub const MARGIN_MINUTES: u32 = 180;

/// What is left of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leftover {
    /// Where it is.
    pub site: Ec2Site,
    /// What it is.
    pub what: Remains,
    /// Its id.
    pub id: String,
    /// What people see of it.
    pub name: Option<String>,
    /// The recipe that it was made for.
    pub recipe: Option<String>,
    /// When it was begun, as EC2 says it.
    pub since: String,
    /// Who uses it all the same, so that it stays.
    pub stays: Option<String>,
}

/// What can be left, in the order in which it can be taken away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Remains {
    /// A request for a spot instance, which would start another one in the place of one that goes.
    SpotRequest,
    /// An instance that is not terminated.
    Instance,
    /// An image that is not finished.
    Image,
    /// A snapshot that no image uses, but those that go.
    Snapshot,
    /// A volume that nothing uses.
    Volume,
}

/// What runs have left that was begun before a moment; all of it where none is given. Nothing is changed. An image that
/// somebody uses is among it, and stays.
///
/// # Errors
/// When a region does not answer, or does not let us.
pub fn left(
    sites: &[Ec2Site],
    before: Option<Moment>,
    users: Users<'_>,
    desk: Desk<'_>,
) -> Result<Vec<Leftover>, HostError> {
    let found = parallel::bounded(sites, sites.len(), |site| in_region(site, before, users, desk));
    Ok(found.into_iter().collect::<Result<Vec<_>, _>>()?.concat())
}

fn in_region(
    site: &Ec2Site,
    before: Option<Moment>,
    users: Users<'_>,
    desk: Desk<'_>,
) -> Result<Vec<Leftover>, HostError> {
    let ask = Ask { tagged: Some(words::RUN.to_owned()), ..Ask::default() };
    // What has no time that can be read may have begun just now.
    let is_old = |since: &str| before.is_none_or(|before| Moment::parse(since).is_some_and(|since| since < before));
    let mut left = Vec::new();
    let mut add = |what, id: String, since: String, tags: &Tags, stays: Option<String>| {
        let said = |name: &str| tags.get(name).cloned();
        let (name, recipe) = (said(words::NAME), said(words::RECIPE));
        left.push(Leftover { site: site.clone(), what, id, name, recipe, since, stays });
    };
    for request in desk.ec2.spot_requests(site, &ask, desk.tell)?.into_iter().filter(SpotRequest::is_alive) {
        if is_old(&request.created) {
            add(Remains::SpotRequest, request.id, request.created, &request.tags, None);
        }
    }
    for instance in desk.ec2.instances(site, &ask, desk.tell)?.into_iter().filter(is_alive) {
        if is_old(&instance.started) {
            add(Remains::Instance, instance.id, instance.started, &instance.tags, None);
        }
    }
    let is_left = |machine: &Machine| {
        // One that was finished, and is disabled or half gone by now, was somebody's wish.
        let is_ours = machine.tags.contains_key(words::RUN) && !machine.tags.contains_key(words::FINISHED);
        let is_ours = is_ours && !is_kept(machine);
        is_ours && is_old(&machine.created)
    };
    // Snapshots of ours may be used by images of others.
    let (images, others): (Vec<_>, Vec<_>) =
        desk.ec2.images(site, &Ask::default(), desk.tell)?.into_iter().partition(is_left);
    let mut used: BTreeSet<_> = others.into_iter().flat_map(|machine| machine.snapshots.into_values()).collect();
    let mut needed = needed(site, images.iter().map(|machine| &machine.id), users, desk)?;
    for machine in images {
        let stays = needed.remove(&machine.id);
        add(Remains::Image, machine.id, machine.created, &machine.tags, stays.clone());
        if stays.is_some() {
            used.extend(machine.snapshots.into_values());
        }
    }
    for snapshot in desk.ec2.snapshots(site, &ask, desk.tell)? {
        if is_old(&snapshot.created) && !used.contains(&snapshot.id) {
            add(Remains::Snapshot, snapshot.id, snapshot.created, &snapshot.tags, None);
        }
    }
    for volume in desk.ec2.volumes(site, &ask, desk.tell)? {
        if is_old(&volume.created) && volume.state == "available" {
            add(Remains::Volume, volume.id, volume.created, &volume.tags, None);
        }
    }
    Ok(left)
}
