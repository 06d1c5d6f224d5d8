//! From AMIs that were made to their record in the manifest.

use std::collections::{BTreeMap, BTreeSet};

use super::Occasion;
use crate::bake::host::{Baked, Made, Order};
use crate::recipe::Region;
use crate::record::{Needs, Record, RecordKind, RecordedAmi, RecordedBase, RecordedBoot, RecordedHost, Unfinished};

/// The record of a host of which every region has what it has to have. `boots` is what was found when its AMIs were
/// started.
#[must_use]
pub fn recorded_host(order: &Order<'_>, made: &[Made], boots: Vec<RecordedBoot>, occasion: &Occasion<'_>) -> Record {
    let at = occasion.pushed_at.to_string();
    Record {
        kind: RecordKind::Ami,
        product: None,
        reference: None,
        layout: None,
        digest: None,
        tag: order.plan.tag().clone(),
        key: order.plan.key(),
        version: order.recipe.version.clone(),
        platforms: Vec::new(),
        amis: amis(order, made),
        host: Some(RecordedHost::of(order.recipe, order.lock)),
        base: order.lock.ami.first().map(|base| RecordedBase { name: base.name.clone(), digest: None }),
        plugins: Vec::new(),
        archives: Vec::new(),
        inputs: order.plan.inputs(),
        needs: Needs::default(),
        tests: Vec::new(),
        boots,
        nondeterminism: None,
        regions: BTreeMap::new(),
        source: occasion.source.clone(),
        elkbake: occasion.elkbake.to_owned(),
        created: at.clone(),
        pushed_at: at,
    }
}

/// What is noted where some AMIs are not there; `None` where none is.
#[must_use]
pub fn unfinished_host(order: &Order<'_>, baked: &Baked, occasion: &Occasion<'_>) -> Option<Unfinished> {
    if baked.made.is_empty() || baked.failed.is_empty() {
        return None;
    }
    let missing = missing(baked.failed.iter().map(|failed| (&failed.region, failed.error.to_string())));
    let whole = baked.made.iter().map(|made| made.region.clone()).filter(|region| !missing.contains_key(region));
    Some(Unfinished {
        tag: order.plan.tag().clone(),
        digest: None,
        regions: whole.collect::<BTreeSet<_>>(),
        missing,
        amis: amis(order, &baked.made),
        at: occasion.pushed_at.to_string(),
    })
}

/// Why regions have not all that they are to have: of several processors each may have its own reason.
fn missing<'r>(failed: impl Iterator<Item = (&'r Region, String)>) -> BTreeMap<Region, String> {
    let mut missing: BTreeMap<Region, Vec<String>> = BTreeMap::new();
    for (region, why) in failed {
        let said = missing.entry(region.clone()).or_default();
        let why = first_line(&why);
        if !said.contains(&why) {
            said.push(why);
        }
    }
    missing.into_iter().map(|(region, said)| (region, said.join("; "))).collect()
}

/// Consoles are long, and the manifest is read by programs.
fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}

/// In the order of the regions, the home region's first.
fn amis(order: &Order<'_>, made: &[Made]) -> Vec<RecordedAmi> {
    let regions = order.regions();
    let place = |made: &Made| regions.iter().position(|region| **region == made.region);
    let mut made: Vec<_> = made.iter().collect();
    made.sort_by_key(|made| (place(made), made.architecture));
    made.into_iter().map(|made| ami(order, made)).collect()
}

fn ami(order: &Order<'_>, made: &Made) -> RecordedAmi {
    let others = made.snapshots.iter().filter(|(device, _)| **device != made.root_device);
    RecordedAmi {
        region: made.region.clone(),
        architecture: made.architecture,
        id: made.id.clone(),
        snapshot: made.root_snapshot().unwrap_or_default().to_owned(),
        name: Some(made.name.clone()),
        account: Some(order.account.account.clone()),
        kms_key: made.kms_key.clone(),
        snapshots: others.map(|(device, snapshot)| (device.clone(), snapshot.clone())).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_in_a_region_is_said_of_each_processor() {
        let [home, away]: [Region; 2] = ["eu-west-1", "eu-central-1"].map(|region| region.parse().unwrap());
        let failed = [(&home, "no arm64\na console"), (&away, "denied"), (&home, "no x86_64"), (&away, "denied")];
        let missing = missing(failed.into_iter().map(|(region, why)| (region, why.to_owned())));
        assert_eq!((missing[&home].as_str(), missing[&away].as_str()), ("no arm64; no x86_64", "denied"));
    }
}
