//! What a repository lacks to be what its target declares.

use std::collections::{BTreeMap, BTreeSet};

use crate::bake::port::{Mutability, RepositoryEncryption, RepositoryState, RepositoryStep};
use crate::name::{Repository, Tag};
use crate::project::{Ecr, Encryption};
use crate::recipe::Region;

use super::lifecycle::{Lifecycle, lifecycle};
use super::readers::{Readers, readers};

/// A repository as it should be.
#[derive(Clone, Debug)]
pub struct Wanted<'w> {
    /// Its whole name, the target's prefix included.
    pub name: Repository,
    /// What its target declares.
    pub ecr: &'w Ecr,
    /// The region that it is in.
    pub region: &'w Region,
    /// The tags that the manifest names as current, and those that are about to be pushed: they are never let go of.
    pub current: BTreeSet<Tag>,
    /// Tags that are moved, beside those that the target names: that of the pushed manifest.
    pub moving: BTreeSet<Tag>,
}

/// What is to be done to a repository.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decision {
    /// The steps, in their order.
    pub steps: Vec<RepositoryStep>,
    /// What should be otherwise and cannot be made so here.
    pub warnings: Vec<String>,
}

impl Wanted<'_> {
    /// Whether its tags can be moved.
    pub(super) fn mutability(&self) -> Mutability {
        let mut except = BTreeSet::new();
        if self.ecr.immutable {
            except.extend(self.ecr.mutable_tags.iter().cloned());
            except.extend(self.moving.iter().map(ToString::to_string));
        }
        Mutability { immutable: self.ecr.immutable, except }
    }

    pub(super) fn encryption(&self) -> RepositoryEncryption {
        RepositoryEncryption { kind: self.ecr.encryption.to_string(), key: self.ecr.kms_key.clone() }
    }

    /// Decides what is to be done, of what a glance at a repository tells. `None` is one that is not there.
    #[must_use]
    pub fn glance(&self, now: Option<&RepositoryState>) -> Decision {
        let mut decision = Decision::default();
        match now {
            None => decision.steps.push(RepositoryStep::Make {
                mutability: self.mutability(),
                scan_on_push: self.ecr.scan_on_push,
                encryption: self.encryption(),
                tags: self.ecr.tags.clone(),
            }),
            Some(now) => self.settings(now, &mut decision),
        }
        decision
    }

    /// Decides what is to be done. `None` is a repository that is not there.
    #[must_use]
    pub fn decide(&self, now: Option<&RepositoryState>) -> Decision {
        let mut decision = self.glance(now);
        if let Some(now) = now {
            self.tags(now, &mut decision);
        }
        let now = now.cloned().unwrap_or_default();
        match lifecycle(now.lifecycle.as_deref(), self.ecr.keep, &self.current) {
            Lifecycle::Stays => {}
            Lifecycle::Goes => decision.steps.push(RepositoryStep::Lifecycle(None)),
            Lifecycle::Becomes(policy) => decision.steps.push(RepositoryStep::Lifecycle(Some(policy))),
            Lifecycle::CannotBe(why) => decision.warnings.push(why),
        }
        match readers(now.policy.as_deref(), &self.ecr.readers, self.region) {
            Readers::Stays => {}
            Readers::Goes => decision.steps.push(RepositoryStep::Policy(None)),
            Readers::Becomes(policy) => decision.steps.push(RepositoryStep::Policy(Some(policy))),
            Readers::Unreadable => {
                let why = "its repository policy is no JSON object, and is left as it is: `readers` may not be able \
                    to pull";
                decision.warnings.push(why.to_owned());
            }
        }
        decision
    }

    /// What can be changed of a repository that is there.
    fn settings(&self, now: &RepositoryState, decision: &mut Decision) {
        if now.mutability != self.mutability() {
            decision.steps.push(RepositoryStep::Mutability(self.mutability()));
        }
        if now.scan_on_push != self.ecr.scan_on_push {
            decision.steps.push(RepositoryStep::ScanOnPush(self.ecr.scan_on_push));
        }
        if !is_encrypted_as(&now.encryption, self.ecr) {
            decision.warnings.push(format!(
                "it is encrypted with {}, not with {}, and only new repositories can be told: say so in the target, \
                 or push under another `prefix`",
                said(&now.encryption),
                said(&self.encryption())
            ));
        }
    }

    fn tags(&self, now: &RepositoryState, decision: &mut Decision) {
        // Tags that others put there are theirs: what a company books its costs by, what Terraform adds everywhere.
        let lacking: BTreeMap<String, String> = (self.ecr.tags.iter())
            .filter(|(key, value)| now.tags.get(*key) != Some(value))
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        if !lacking.is_empty() {
            decision.steps.push(RepositoryStep::Tags(lacking));
        }
    }
}

fn is_encrypted_as(now: &RepositoryEncryption, wanted: &Ecr) -> bool {
    if now.kind != wanted.encryption.to_string() {
        return false;
    }
    match (&wanted.kms_key, &now.key) {
        _ if wanted.encryption != Encryption::Kms => true,
        // ECR answers with the key's ARN, which does not tell its aliases.
        (None, _) | (_, None) => true,
        (Some(wanted), Some(now)) => wanted.contains("alias/") || now == wanted || now.ends_with(&format!("/{wanted}")),
    }
}

pub(super) fn said(encryption: &RepositoryEncryption) -> String {
    match (encryption.kind.as_str(), &encryption.key) {
        ("AES256", _) => "AES256".to_owned(),
        (kind, None) => format!("{kind} and the account's own key"),
        (kind, Some(key)) => format!("{kind} and the key {key}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bake::provision::fixture::ecr;

    fn wanted<'w>(ecr: &'w Ecr, region: &'w Region) -> Wanted<'w> {
        let current = ["8.19.3-abc".parse().unwrap()].into();
        Wanted { name: "elk/kibana".parse().unwrap(), ecr, region, current, moving: BTreeSet::new() }
    }

    fn state(ecr: &Ecr) -> RepositoryState {
        let region = ecr.regions[0].clone();
        let wanted = wanted(ecr, &region);
        let mut state = RepositoryState {
            mutability: wanted.mutability(),
            scan_on_push: ecr.scan_on_push,
            encryption: wanted.encryption(),
            tags: ecr.tags.clone(),
            ..RepositoryState::default()
        };
        for step in wanted.decide(None).steps {
            match step {
                RepositoryStep::Lifecycle(policy) => state.lifecycle = policy,
                RepositoryStep::Policy(policy) => state.policy = policy,
                _ => {}
            }
        }
        state
    }

    fn decided(ecr: &Ecr, change: impl Fn(&mut RepositoryState)) -> Decision {
        let region = ecr.regions[0].clone();
        let mut now = state(ecr);
        change(&mut now);
        wanted(ecr, &region).decide(Some(&now))
    }

    const ALL: &str =
        "keep = 5\nreaders = [\"111122223333\"]\ntags = { team = \"search\" }\nmutable_tags = [\"dev-*\"]";

    #[test]
    fn a_repository_that_is_as_declared_is_left_alone() {
        for text in ["", ALL, "immutable = false", "encryption = \"KMS\"\nkms_key = \"alias/x\""] {
            assert_eq!(decided(&ecr(text), |_| {}), Decision::default(), "{text}");
        }
    }

    #[test]
    fn a_missing_one_is_made_with_all_that_is_declared() {
        let ecr = ecr(ALL);
        let region = ecr.regions[0].clone();
        let steps = wanted(&ecr, &region).decide(None).steps;
        let [RepositoryStep::Make { mutability, scan_on_push: true, tags, .. }, lifecycle, policy] = &steps[..] else {
            panic!("{steps:?}")
        };
        assert!(mutability.immutable && mutability.except.contains("dev-*") && tags["team"] == "search");
        assert!(matches!(lifecycle, RepositoryStep::Lifecycle(Some(text)) if text.contains("8.19.3-abc")));
        assert!(matches!(policy, RepositoryStep::Policy(Some(text)) if text.contains("111122223333")));
    }

    #[test]
    fn each_difference_is_one_step() {
        let ecr = ecr(ALL);
        let step = |change: fn(&mut RepositoryState)| {
            let decision = decided(&ecr, change);
            assert_eq!((decision.steps.len(), decision.warnings.len()), (1, 0), "{decision:?}");
            decision.steps[0].clone()
        };
        assert!(matches!(step(|now| now.mutability.immutable = false), RepositoryStep::Mutability(m) if m.immutable));
        assert!(
            matches!(step(|now| now.mutability.except.clear()), RepositoryStep::Mutability(m) if m.except.len() == 1)
        );
        assert_eq!(step(|now| now.scan_on_push = false), RepositoryStep::ScanOnPush(true));
        assert!(matches!(step(|now| now.lifecycle = None), RepositoryStep::Lifecycle(Some(_))));
        assert!(matches!(step(|now| now.policy = None), RepositoryStep::Policy(Some(_))));
        let tags = step(|now| {
            now.tags.insert("team".to_owned(), "other".to_owned());
            now.tags.insert("cost".to_owned(), "42".to_owned());
        });
        assert_eq!(tags, RepositoryStep::Tags([("team".to_owned(), "search".to_owned())].into()));
    }

    #[test]
    fn a_tag_that_moves_by_itself_is_let_move() {
        let ecr = ecr("");
        let region = ecr.regions[0].clone();
        let wanted = Wanted { moving: ["current".parse().unwrap()].into(), ..wanted(&ecr, &region) };
        assert!(wanted.mutability().except.contains("current"));
    }

    #[test]
    fn another_encryption_is_told_and_left() {
        let aes = ecr("");
        let key = |key: &str| RepositoryEncryption { kind: "KMS".to_owned(), key: Some(key.to_owned()) };
        let decision = decided(&aes, |now| now.encryption = key("arn:aws:kms:eu-west-1:123456789012:key/k"));
        assert!(decision.steps.is_empty());
        assert!(decision.warnings[0].contains("KMS and the key arn") && decision.warnings[0].contains("AES256"));
        let id = "1234abcd-12ab-34cd-56ef-1234567890ab";
        let kms = ecr(&format!("encryption = \"KMS\"\nkms_key = \"{id}\""));
        let at = |id: &str| key(&format!("arn:aws:kms:eu-west-1:123456789012:key/{id}"));
        assert_eq!(decided(&kms, |now| now.encryption = at(id)).warnings, Vec::<String>::new());
        assert_eq!(decided(&kms, |now| now.encryption = at("other")).warnings.len(), 1);
    }
}
