//! What disks and snapshots cost in a month, by list prices.
//!
//! Nothing is asked of AWS: a plan opens no socket. So these are prices of one region, as they were published; they are
//! for comparing what a recipe might say, not for a budget.

use crate::recipe::{Volume, VolumeKind};

/// Where and when the prices held.
pub const PRICES: &str = "list prices of us-east-1 in 2025, which other regions and later years do not share";

/// Of a snapshot, for each GiB that it holds.
const SNAPSHOT: u64 = 50_000;

/// An amount of money, in millionths of a US dollar.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Dollars(u64);

impl Dollars {
    /// In cents, rounded to the next.
    #[must_use]
    pub const fn cents(self) -> u64 {
        (self.0 + 5_000) / 10_000
    }
}

impl std::fmt::Display for Dollars {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "${}.{:02}", self.cents() / 100, self.cents() % 100)
    }
}

impl serde::Serialize for Dollars {
    #[expect(clippy::cast_precision_loss, reason = "what has that many cents is no disk")]
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.cents() as f64 / 100.0)
    }
}

impl std::iter::Sum for Dollars {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        Self(all.map(|one| one.0).sum())
    }
}

/// What a full snapshot of so many GiB costs. It holds what was written, so that most cost less.
pub(super) fn snapshot(gib: u32) -> Dollars {
    Dollars(u64::from(gib) * SNAPSHOT)
}

/// What an EBS volume of a size costs.
pub(super) fn volume(volume: &Volume, gib: u32) -> Dollars {
    let space = |price: u64| u64::from(gib) * price;
    let beyond = |paid: Option<u32>, free: u32| u64::from(paid.unwrap_or(0).saturating_sub(free));
    let iops = u64::from(volume.iops.unwrap_or(0));
    Dollars(match volume.kind {
        VolumeKind::Gp3 => space(80_000) + beyond(volume.iops, 3_000) * 5_000 + beyond(volume.throughput, 125) * 40_000,
        VolumeKind::Gp2 => space(100_000),
        VolumeKind::Io1 => space(125_000) + iops * 65_000,
        VolumeKind::Io2 => space(125_000) + tiers(iops),
        VolumeKind::St1 => space(45_000),
        VolumeKind::Sc1 => space(15_000),
        VolumeKind::InstanceStore => 0,
    })
}

/// io2 gets cheaper above 32,000 and above 64,000 operations.
fn tiers(iops: u64) -> u64 {
    let within = |from: u64, to: u64| iops.min(to).saturating_sub(from);
    within(0, 32_000) * 65_000 + within(32_000, 64_000) * 46_000 + within(64_000, u64::MAX) * 32_000
}

#[cfg(test)]
mod tests {
    use super::*;

    fn monthly(kind: &str, gib: u32, iops: Option<u32>, throughput: Option<u32>) -> String {
        let volume_of = Volume {
            name: "data".to_owned(),
            kind: kind.parse().unwrap(),
            size: Some(gib),
            iops,
            throughput,
            device: None,
            encrypted: true,
            delete_on_termination: true,
            filesystem: crate::recipe::FileSystem::Xfs,
            mount: None,
            raid0: false,
        };
        volume(&volume_of, gib).to_string()
    }

    #[test]
    fn what_is_free_costs_nothing_and_the_rest_by_its_tier() {
        for (kind, gib, iops, throughput, expected) in [
            ("gp3", 100, None, None, "$8.00"),
            ("gp3", 100, Some(3_000), Some(125), "$8.00"),
            ("gp3", 300, Some(6_000), Some(250), "$44.00"),
            ("gp2", 100, None, None, "$10.00"),
            ("io1", 100, Some(1_000), None, "$77.50"),
            ("io2", 100, Some(32_000), None, "$2092.50"),
            ("io2", 100, Some(64_000), None, "$3564.50"),
            ("io2", 100, Some(65_000), None, "$3596.50"),
            ("st1", 500, None, None, "$22.50"),
            ("sc1", 125, None, None, "$1.88"),
            ("instance-store", 100, None, None, "$0.00"),
        ] {
            assert_eq!(monthly(kind, gib, iops, throughput), expected, "{kind}");
        }
        assert_eq!(snapshot(30).to_string(), "$1.50");
    }
}
