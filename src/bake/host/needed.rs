//! Images that somebody needs, whatever tags they have.

use std::collections::{BTreeMap, BTreeSet};

use super::desk::Desk;
use super::fault::HostError;
use crate::bake::port::Ec2Site;

/// Who may need an image and is not known to EC2 and Auto Scaling.
#[derive(Clone, Copy, Debug)]
pub struct Users<'u> {
    /// Ids that somebody needs, with who does.
    pub protected: &'u BTreeMap<String, String>,
    /// SSM parameters whose images are kept.
    pub parameters: &'u BTreeSet<String>,
}

/// Which of some images in a region somebody needs, with who does. AWS is asked only about those that nothing else keeps:
/// to know what all instances and launch templates start from takes many calls.
pub(super) fn needed<'i>(
    site: &Ec2Site,
    images: impl IntoIterator<Item = &'i String>,
    users: Users<'_>,
    desk: Desk<'_>,
) -> Result<BTreeMap<String, String>, HostError> {
    let (mut needed, mut open) = (BTreeMap::new(), BTreeSet::new());
    for id in images {
        match users.protected.get(id) {
            Some(who) => drop(needed.insert(id.clone(), who.clone())),
            None => drop(open.insert(id)),
        }
    }
    if open.is_empty() {
        return Ok(needed);
    }
    for name in users.parameters {
        let id = desk.ec2.parameter(site, name, desk.tell)?;
        if let Some(id) = id.filter(|id| open.remove(id)) {
            needed.insert(id, format!("parameter {name}"));
        }
    }
    if !open.is_empty() {
        needed.extend(in_use(site, desk)?.into_iter().filter(|(id, _)| open.contains(id)));
    }
    Ok(needed)
}

/// Images that something in a region starts from, with who does.
pub(super) fn in_use(site: &Ec2Site, desk: Desk<'_>) -> Result<BTreeMap<String, String>, HostError> {
    let used = desk.ec2.in_use(site, desk.tell)?;
    let named = |by: BTreeSet<String>| by.into_iter().collect::<Vec<_>>().join(", ");
    Ok(used.into_iter().map(|(id, by)| (id, format!("used by {}", named(by)))).collect())
}
