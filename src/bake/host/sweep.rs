//! Taking away what runs have left.

use std::collections::BTreeMap;

use super::clear::delete_snapshot;
use super::desk::Desk;
use super::fault::HostError;
use super::find::is_kept;
use super::left::{Leftover, Remains};
use crate::bake::port::Ask;
use crate::parallel;

/// What came of taking something away.
#[derive(Debug)]
pub struct Swept {
    /// What it is, or was.
    pub leftover: Leftover,
    /// Why it is still there.
    pub error: Option<HostError>,
}

/// Takes away what was left and nobody uses, in an order in which it can be: regions side by side.
#[must_use]
pub fn sweep(left: &[Leftover], desk: Desk<'_>) -> Vec<Swept> {
    let mut regions: BTreeMap<_, Vec<&Leftover>> = BTreeMap::new();
    for leftover in left.iter().filter(|leftover| leftover.stays.is_none()) {
        regions.entry(leftover.site.region.clone()).or_default().push(leftover);
    }
    for of_region in regions.values_mut() {
        of_region.sort_by_key(|leftover| (leftover.what, leftover.id.clone()));
    }
    let regions: Vec<_> = regions.into_values().collect();
    let swept = parallel::bounded(&regions, regions.len(), |of_region| {
        let remove =
            |leftover: &&Leftover| Swept { leftover: (*leftover).clone(), error: remove(leftover, desk).err() };
        of_region.iter().map(remove).collect::<Vec<_>>()
    });
    swept.into_iter().flatten().collect()
}

fn remove(leftover: &Leftover, desk: Desk<'_>) -> Result<(), HostError> {
    let Leftover { site, id, .. } = leftover;
    desk.check()?;
    match leftover.what {
        Remains::SpotRequest => desk.ec2.cancel(site, id, desk.tell)?,
        Remains::Instance => desk.ec2.terminate(site, id, desk.tell)?,
        Remains::Image => {
            let ask = Ask { ids: [id.clone()].into(), ..Ask::default() };
            if desk.ec2.images(site, &ask, desk.tell)?.iter().any(is_kept) {
                let message = "a run has finished it meanwhile, or somebody has disabled it, so it stays".to_owned();
                return Err(HostError::Misfit { subject: id.clone(), message });
            }
            desk.ec2.deregister(site, id, desk.tell)?;
        }
        Remains::Snapshot => delete_snapshot(site, id, desk)?,
        Remains::Volume => desk.ec2.delete_volume(site, id, desk.tell)?,
    }
    Ok(())
}
