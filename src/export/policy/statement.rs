//! One statement of a policy, and the ARNs in it.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::recipe::Region;

/// What a key has to be: one value stands alone, as people write it.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Values {
    One(String),
    Any(BTreeSet<String>),
}

/// What is allowed.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Statement {
    sid: &'static str,
    effect: &'static str,
    action: BTreeSet<&'static str>,
    resource: BTreeSet<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    condition: BTreeMap<&'static str, BTreeMap<String, Values>>,
}

impl Statement {
    pub(super) fn new(
        sid: &'static str,
        actions: impl IntoIterator<Item = &'static str>,
        resources: impl IntoIterator<Item = String>,
    ) -> Self {
        Self {
            sid,
            effect: "Allow",
            action: actions.into_iter().collect(),
            resource: resources.into_iter().collect(),
            condition: BTreeMap::new(),
        }
    }

    /// For actions that know no resources.
    pub(super) fn anywhere(sid: &'static str, actions: impl IntoIterator<Item = &'static str>) -> Self {
        Self::new(sid, actions, ["*".to_owned()])
    }

    /// Only where a condition holds.
    #[must_use]
    pub(super) fn when(
        mut self,
        operator: &'static str,
        key: &str,
        values: impl IntoIterator<Item = impl ToString>,
    ) -> Self {
        let mut values: BTreeSet<String> = values.into_iter().map(|value| value.to_string()).collect();
        let values = match values.pop_first() {
            Some(only) if values.is_empty() => Values::One(only),
            first => Values::Any(first.into_iter().chain(values).collect()),
        };
        self.condition.entry(operator).or_default().insert(key.to_owned(), values);
        self
    }

    /// Whether this is its name.
    pub(super) fn is(&self, sid: &str) -> bool {
        self.sid == sid
    }

    pub(super) fn actions(&self) -> impl Iterator<Item = &str> {
        self.action.iter().copied()
    }
}

/// The part of AWS that a region is in.
pub(super) fn partition(region: Option<&Region>) -> &'static str {
    match region.map_or("", Region::as_str) {
        name if name.starts_with("cn-") => "aws-cn",
        name if name.starts_with("us-gov-") => "aws-us-gov",
        _ => "aws",
    }
}

/// The ARN of a key, as far as what is said names one.
pub(super) fn key(said: &str, region: &Region, account: &str) -> String {
    if said.starts_with("arn:") && !said.contains(":alias/") {
        return said.to_owned();
    }
    // An alias is no resource of these actions, and may point to any key of the account.
    let id = if said.contains("alias/") { "*" } else { said };
    format!("arn:{}:kms:{region}:{account}:key/{id}", partition(Some(region)))
}
