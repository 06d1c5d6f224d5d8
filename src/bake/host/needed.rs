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

/// Images in a region that somebody needs, with who does.
pub(super) fn needed(site: &Ec2Site, users: Users<'_>, desk: Desk<'_>) -> Result<BTreeMap<String, String>, HostError> {
    let mut needed = in_use(site, desk)?;
    for name in users.parameters {
        if let Some(id) = desk.ec2.parameter(site, name, desk.tell)? {
            needed.insert(id, format!("parameter {name}"));
        }
    }
    needed.extend(users.protected.iter().map(|(id, who)| (id.clone(), who.clone())));
    Ok(needed)
}

/// Images that something in a region starts from, with who does.
pub(super) fn in_use(site: &Ec2Site, desk: Desk<'_>) -> Result<BTreeMap<String, String>, HostError> {
    let used = desk.ec2.in_use(site, desk.tell)?;
    let named = |by: BTreeSet<String>| by.into_iter().collect::<Vec<_>>().join(", ");
    Ok(used.into_iter().map(|(id, by)| (id, format!("used by {}", named(by)))).collect())
}
