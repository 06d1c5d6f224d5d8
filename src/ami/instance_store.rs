//! The disks that instance types bring along, for the families that Elastic stacks are run on.

/// What an instance type has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Store {
    /// So many disks of so many GB (of 1000³ bytes) each.
    Disks {
        /// How many.
        count: u32,
        /// How large each of them is.
        gb: u32,
    },
    /// None: data would be on EBS.
    None,
    /// This table does not know.
    Unknown,
}

/// A size with the count and the GB of its disks.
type Size = (&'static str, u32, u32);

/// By family, the sizes.
const DISKS: &[(&[&str], &[Size])] = &[
    (
        &["i3"],
        &[
            ("large", 1, 475),
            ("xlarge", 1, 950),
            ("2xlarge", 1, 1900),
            ("4xlarge", 2, 1900),
            ("8xlarge", 4, 1900),
            ("16xlarge", 8, 1900),
            ("metal", 8, 1900),
        ],
    ),
    (
        &["i3en"],
        &[
            ("large", 1, 1250),
            ("xlarge", 1, 2500),
            ("2xlarge", 2, 2500),
            ("3xlarge", 1, 7500),
            ("6xlarge", 2, 7500),
            ("12xlarge", 4, 7500),
            ("24xlarge", 8, 7500),
            ("metal", 8, 7500),
        ],
    ),
    (
        &["i4i"],
        &[
            ("large", 1, 468),
            ("xlarge", 1, 937),
            ("2xlarge", 1, 1875),
            ("4xlarge", 1, 3750),
            ("8xlarge", 2, 3750),
            ("16xlarge", 4, 3750),
            ("32xlarge", 8, 3750),
            ("metal", 8, 3750),
        ],
    ),
    (
        &["i4g"],
        &[
            ("large", 1, 468),
            ("xlarge", 1, 937),
            ("2xlarge", 1, 1875),
            ("4xlarge", 1, 3750),
            ("8xlarge", 2, 3750),
            ("16xlarge", 4, 3750),
        ],
    ),
    (
        &["im4gn"],
        &[
            ("large", 1, 937),
            ("xlarge", 1, 1875),
            ("2xlarge", 1, 3750),
            ("4xlarge", 1, 7500),
            ("8xlarge", 2, 7500),
            ("16xlarge", 4, 7500),
        ],
    ),
    (
        &["is4gen"],
        &[
            ("medium", 1, 937),
            ("large", 1, 1875),
            ("xlarge", 1, 3750),
            ("2xlarge", 1, 7500),
            ("4xlarge", 2, 7500),
            ("8xlarge", 4, 7500),
        ],
    ),
    (
        &["m5d", "r5d"],
        &[
            ("large", 1, 75),
            ("xlarge", 1, 150),
            ("2xlarge", 1, 300),
            ("4xlarge", 2, 300),
            ("8xlarge", 2, 600),
            ("12xlarge", 2, 900),
            ("16xlarge", 4, 600),
            ("24xlarge", 4, 900),
            ("metal", 4, 900),
        ],
    ),
    (
        &["c5d"],
        &[
            ("large", 1, 50),
            ("xlarge", 1, 100),
            ("2xlarge", 1, 200),
            ("4xlarge", 1, 400),
            ("9xlarge", 1, 900),
            ("12xlarge", 2, 900),
            ("18xlarge", 2, 900),
            ("24xlarge", 4, 900),
            ("metal", 4, 900),
        ],
    ),
    (
        &["m6gd", "c6gd", "r6gd"],
        &[
            ("medium", 1, 59),
            ("large", 1, 118),
            ("xlarge", 1, 237),
            ("2xlarge", 1, 474),
            ("4xlarge", 1, 950),
            ("8xlarge", 1, 1900),
            ("12xlarge", 2, 1425),
            ("16xlarge", 2, 1900),
            ("metal", 2, 1900),
        ],
    ),
    (
        &["m6id", "c6id", "r6id"],
        &[
            ("large", 1, 118),
            ("xlarge", 1, 237),
            ("2xlarge", 1, 474),
            ("4xlarge", 1, 950),
            ("8xlarge", 1, 1900),
            ("12xlarge", 2, 1425),
            ("16xlarge", 2, 1900),
            ("24xlarge", 4, 1425),
            ("32xlarge", 4, 1900),
            ("metal", 4, 1900),
        ],
    ),
];

/// Families that are known to have no disks of their own.
const WITHOUT: &[&str] = &[
    "t2", "t3", "t3a", "t4g", "m4", "m5", "m5a", "m5n", "m6a", "m6g", "m6i", "m6in", "m7a", "m7g", "m7i", "m8g", "c4",
    "c5", "c5a", "c5n", "c6a", "c6g", "c6gn", "c6i", "c6in", "c7a", "c7g", "c7i", "c8g", "r4", "r5", "r5a", "r5b",
    "r5n", "r6a", "r6g", "r6i", "r6in", "r7a", "r7g", "r7i", "r8g",
];

/// What an instance type has, by its name.
pub(super) fn of(instance_type: &str) -> Store {
    let Some((family, size)) = instance_type.split_once('.') else { return Store::Unknown };
    if WITHOUT.contains(&family) {
        return Store::None;
    }
    let sizes = DISKS.iter().find(|(families, _)| families.contains(&family)).map_or(&[][..], |(_, sizes)| *sizes);
    let disks = sizes.iter().find(|(name, ..)| *name == size);
    disks.map_or(Store::Unknown, |(_, count, gb)| Store::Disks { count: *count, gb: *gb })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn disks_are_found_by_type() {
        assert_eq!(of("i3.4xlarge"), Store::Disks { count: 2, gb: 1900 });
        assert_eq!(of("r6gd.large"), Store::Disks { count: 1, gb: 118 });
        assert_eq!(of("m5.large"), Store::None);
        for unknown in ["", "i3", "i3.", "i3.huge", "x99.large", "."] {
            assert_eq!(of(unknown), Store::Unknown, "{unknown}");
        }
    }
}
