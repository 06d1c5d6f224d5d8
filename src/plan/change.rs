//! What changed between two keys, in people's words.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::input::{FORMAT, HOST_FORMAT, ORDER};
use crate::digest::Digest;

crate::text::word! {
    /// What became of an input.
    pub enum Kind {
        /// It is new.
        Added = "added",
        /// It is gone.
        Removed = "removed",
        /// It is another.
        Changed = "changed",
    }
}

/// An input that is not what it was.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Change {
    /// Its name among the inputs.
    pub input: String,
    /// What became of it.
    pub kind: Kind,
}

/// Each input that differs, sorted by name.
#[must_use]
pub fn compare(before: &BTreeMap<String, Digest>, after: &BTreeMap<String, Digest>) -> Vec<Change> {
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let changes = names.into_iter().filter_map(|name| {
        let kind = match (before.get(name), after.get(name)) {
            (None, _) => Kind::Added,
            (_, None) => Kind::Removed,
            (old, new) if old != new => Kind::Changed,
            _ => return None,
        };
        Some(Change { input: name.clone(), kind })
    });
    let mut changes: Vec<_> = changes.collect();
    // When an array has other members, its order differs too, and to say so would only hide the cause.
    let grown: BTreeSet<String> = changes
        .iter()
        .filter(|change| change.kind != Kind::Changed)
        .filter_map(|change| Some(format!("{ORDER}{}", change.input.strip_prefix("recipe ")?.split_once(' ')?.0)))
        .collect();
    changes.retain(|change| !grown.contains(&change.input));
    changes
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = self.kind;
        if self.input == FORMAT {
            return write!(f, "the key format {kind}");
        }
        if self.input == HOST_FORMAT {
            return write!(f, "what elkbake itself writes into a host {kind}");
        }
        match self.input.split_once(' ') {
            Some(("order", array)) => write!(f, "the order of [[{array}]] in the recipe {kind}"),
            Some(("recipe", key)) if key.contains(' ') => write!(f, "{key} {kind} in the recipe"),
            Some(("recipe", key)) => write!(f, "recipe key {key} {kind}"),
            Some(("lock", input)) => write!(f, "{input} {kind} in the lock"),
            Some(("parent", name)) => write!(f, "the recipe {name} that this builds on {kind}"),
            _ => write!(f, "{} {kind}", self.input),
        }
    }
}
