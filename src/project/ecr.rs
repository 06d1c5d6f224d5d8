//! What can be said of a target in Amazon ECR.

use std::collections::{BTreeMap, BTreeSet};

use super::shelf::Shelf;
use crate::name::{NameError, Registry, Repository};
use crate::recipe::{Account, KmsKey, Region, RoleArn, arn, is_account};
use crate::text::{Positive, Reader, Text, grammar, table, word};

/// ECR takes no more filters than this.
pub(super) const MOST_FILTERS: usize = 5;

word! {
    /// How ECR encrypts what it holds.
    pub enum Encryption {
        /// With keys of S3's.
        Aes256 = "AES256",
        /// With a key of KMS's.
        Kms = "KMS",
    }

    /// Who brings images from the first region to the others.
    pub enum Replication {
        /// A rule of the registry's that somebody else looks after.
        Existing = "existing",
        /// A rule of the registry's that elkbake sees to.
        Declared = "declared",
    }
}

grammar! {
    /// Who may pull.
    Puller = "reader", "^([0-9]{12}|arn:aws[a-z-]*:iam::[0-9]{12}:.+)$",
    "it is an account's 12 digits, or the ARN of a role, a user or an account's root", |text| {
        is_account(text) || arn(text, "iam").is_some_and(|(account, what)| is_account(account) && !what.is_empty())
    };

    /// Tags by pattern.
    TagFilter = "filter of tags", "^[0-9a-zA-Z._*-]{1,128}$",
    "it has 1 to 128 letters, digits, `.`, `_`, `-` and `*`, and `*` at most twice", |text| {
        (1..=128).contains(&text.len())
            && text.bytes().all(|c| c.is_ascii_alphanumeric() || b"._*-".contains(&c))
            && text.bytes().filter(|c| *c == b'*').count() <= 2
    };
}

/// Account and region of a registry under one of ECR's own names: `ACCOUNT.dkr.ecr.REGION.amazonaws.com`, with FIPS
/// `ecr-fips`, and for both kinds of addresses `ACCOUNT.dkr-ecr.REGION.on.aws`.
#[must_use]
pub fn owner(registry: &Registry) -> Option<(&str, &str)> {
    let parts: Vec<_> = registry.host().split('.').collect();
    match parts[..] {
        [account, "dkr", "ecr" | "ecr-fips", region, "amazonaws", "com"]
        | [account, "dkr", "ecr" | "ecr-fips", region, "amazonaws", "com", "cn"]
        | [account, "dkr-ecr" | "dkr-ecr-fips", region, "on", "aws"] => Some((account, region)),
        _ => None,
    }
}

table! {
    /// Amazon ECR, in one account and in one or more regions.
    #[checked(check)]
    pub struct Ecr {
        /// The account that owns the repositories, by its 12 digits.
        pub account: String as Text<Account>,
        /// The regions, the first of which is the one that others are replicated from, and the one that records name.
        pub regions: Vec<Region>,
        /// What the paths of all repositories begin with.
        pub prefix: Option<Repository>,
        /// Where the registry of a region is reached, where that is not its usual name: a private link, FIPS, a proxy, an emulator. Records name the usual one.
        pub endpoints: BTreeMap<Region, Registry>,
        /// A role that is assumed for all calls.
        pub role: Option<String> as Option<Text<RoleArn>>,
        /// What the role's trust policy asks for.
        pub external_id: Option<String>,
        /// Whether a tag stays what it is for good.
        pub immutable: bool = true,
        /// Tags that may be moved all the same, by pattern.
        pub mutable_tags: BTreeSet<String> as BTreeSet<Text<TagFilter>>,
        /// Whether ECR looks for known vulnerabilities in what is pushed.
        pub scan_on_push: bool = true,
        /// How many images of a repository are kept, beside those that the records name; all where nothing is said.
        pub keep: Option<u32> as Option<Positive>,
        /// Other accounts, or their roles and users, that may pull.
        pub readers: BTreeSet<String> as BTreeSet<Text<Puller>>,
        /// How what is held is encrypted: AES256 or KMS. Only new repositories can be told.
        pub encryption: Encryption = Encryption::Aes256,
        /// The KMS key; the account's own for ECR where none is named.
        pub kms_key: Option<String> as Option<Text<KmsKey>>,
        /// Tags of the repositories.
        pub tags: BTreeMap<String, String>,
        /// Who brings images to the regions after the first: `existing` or `declared` replication; elkbake itself where nothing is said.
        pub replication: Option<Replication>,
        /// Whether references are put as SSM parameters too, `/elkbake/TARGET/RECIPE/image`, in every region.
        pub parameters: bool = false,
    }
}

impl Ecr {
    /// The registry of a region under its usual name.
    ///
    /// # Errors
    /// Never for what was read from an `elkbake.toml`.
    pub fn registry(&self, region: &Region) -> Result<Registry, NameError> {
        let name = region.as_str();
        let suffix = match name {
            _ if name.starts_with("cn-") => "amazonaws.com.cn",
            _ if name.starts_with("us-iso-") => "c2s.ic.gov",
            _ if name.starts_with("us-isob-") => "sc2s.sgov.gov",
            _ => "amazonaws.com",
        };
        format!("{}.dkr.ecr.{region}.{suffix}", self.account).parse()
    }

    /// Where repositories are in a region, under the registry's usual name.
    ///
    /// # Errors
    /// Never for what was read from an `elkbake.toml`.
    pub fn shelf(&self, region: &Region) -> Result<Shelf, NameError> {
        Ok(Shelf::new(self.registry(region)?, self.prefix.clone()))
    }

    /// An endpoint that is a registry of ECR's own name would take what is meant for another account or region.
    fn check_endpoints(&self, reader: &mut Reader) {
        for (region, endpoint) in &self.endpoints {
            let key = format!("endpoints.{region}");
            if !self.regions.contains(region) {
                let message = format!("this target is not in {region}");
                reader.mistake(&key, message, "add it to `regions`, or remove it here");
            }
            let Some((account, there)) = owner(endpoint) else { continue };
            if account != self.account || there != region.as_str() {
                let message = format!(
                    "{endpoint} is account {account} in {there}, and this is account {} in {region}",
                    self.account
                );
                reader.mistake(&key, message, "name the endpoint of this account and region, or remove it here");
            }
        }
    }

    fn check(&self, reader: &mut Reader) {
        if self.regions.is_empty() {
            reader.mistake("regions", "there is no region to push to", "name one, as in `[\"eu-west-1\"]`");
        }
        for (i, region) in self.regions.iter().enumerate() {
            if self.regions[..i].contains(region) {
                reader.mistake(&format!("regions.{i}"), format!("{region} stands here twice"), "remove one");
            }
        }
        self.check_endpoints(reader);
        let mistakes = [
            (
                "external_id",
                self.external_id.is_some() && self.role.is_none(),
                "there is no role that asks for it",
                "say `role` too",
            ),
            (
                "mutable_tags",
                !self.immutable && !self.mutable_tags.is_empty(),
                "all tags can be moved already",
                "remove it, or `immutable = false`",
            ),
            (
                "mutable_tags",
                self.mutable_tags.len() > MOST_FILTERS,
                "ECR takes at most 5 filters",
                "join some with `*`",
            ),
            (
                "kms_key",
                self.kms_key.is_some() && self.encryption != Encryption::Kms,
                "nothing is encrypted with it",
                "say `encryption = \"KMS\"`",
            ),
            (
                "replication",
                self.replication.is_some() && self.regions.len() == 1,
                "there is one region, and nothing to replicate",
                "remove it, or name more regions",
            ),
        ];
        for (key, is_wrong, message, help) in mistakes {
            if is_wrong {
                reader.mistake(key, message, help);
            }
        }
    }
}
