//! What can be said of a target for AMIs: an account, and what an instance that is made into an image needs there.

use std::collections::{BTreeMap, BTreeSet};

use crate::recipe::{Account, RoleArn, SecurityGroupId, SubnetId};
use crate::text::{Reader, Text, table};

table! {
    /// An account in which AMIs are made.
    #[checked(check)]
    pub struct Ec2 {
        /// The account, by its 12 digits.
        pub account: String as Text<Account>,
        /// A role that is assumed for all calls.
        pub role: Option<String> as Option<Text<RoleArn>>,
        /// What the role's trust policy asks for.
        pub external_id: Option<String>,
        /// The subnet of instances that are made into images, or tested; one of the default VPC's where none is named. It needs a way out for packages.
        pub subnet: Option<String> as Option<Text<SubnetId>>,
        /// Their security groups; the VPC's default one where none is named. None needs an inbound rule.
        pub security_groups: BTreeSet<String> as BTreeSet<Text<SecurityGroupId>>,
        /// Their instance profile, for what they have to read in AWS; none where nothing is said.
        pub instance_profile: Option<String>,
        /// Tags of all that is made.
        pub tags: BTreeMap<String, String>,
    }
}

impl Ec2 {
    fn check(&self, reader: &mut Reader) {
        if self.external_id.is_some() && self.role.is_none() {
            reader.mistake("external_id", "there is no role that asks for it", "say `role` too");
        }
    }
}
