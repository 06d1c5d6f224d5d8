//! What is asked of ECR beside images: who we are there, its repositories and how they are set, replication, and the
//! parameters beside it.

use std::collections::{BTreeMap, BTreeSet};

use super::PortError;
use crate::bake::event::Listener;
use crate::name::{Registry, Repository};

/// Whether tags stay what they are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mutability {
    /// For good, or not.
    pub immutable: bool,
    /// The tags for which it is the other way, by pattern.
    pub except: BTreeSet<String>,
}

/// How a repository encrypts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RepositoryEncryption {
    /// In ECR's words: `AES256`, `KMS`, `KMS_DSSE`.
    pub kind: String,
    /// The KMS key, where one is named.
    pub key: Option<String>,
}

/// How closely repositories are looked at. Each look takes permissions of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closeness {
    /// What describing them tells: whether tags can be moved, scans, encryption.
    Glance,
    /// Their policies too.
    Policies,
    /// Their policies and their tags too.
    PoliciesAndTags,
}

/// What a repository is now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RepositoryState {
    /// Whether its tags can be moved.
    pub mutability: Mutability,
    /// Whether it looks for vulnerabilities in what is pushed.
    pub scan_on_push: bool,
    /// How it encrypts.
    pub encryption: RepositoryEncryption,
    /// Its lifecycle policy, as JSON, where it was asked for.
    pub lifecycle: Option<String>,
    /// Its repository policy, as JSON, where it was asked for.
    pub policy: Option<String>,
    /// Its tags, where they were asked for.
    pub tags: BTreeMap<String, String>,
}

/// One thing that is done to a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RepositoryStep {
    /// It is made.
    Make {
        /// Whether its tags can be moved.
        mutability: Mutability,
        /// Whether it looks for vulnerabilities in what is pushed.
        scan_on_push: bool,
        /// How it encrypts, which cannot be changed later.
        encryption: RepositoryEncryption,
        /// Its tags.
        tags: BTreeMap<String, String>,
    },
    /// Its tags can be moved from now on, or cannot.
    Mutability(Mutability),
    /// It looks for vulnerabilities from now on, or does not.
    ScanOnPush(bool),
    /// It has this lifecycle policy from now on, or none.
    Lifecycle(Option<String>),
    /// It has this repository policy from now on, or none.
    Policy(Option<String>),
    /// It has these tags beside those that it has.
    Tags(BTreeMap<String, String>),
}

/// What a registry brings to others by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplicationRule {
    /// Where to: regions and accounts.
    pub destinations: Vec<(String, String)>,
    /// The beginnings of the repositories' names; all repositories where there is none.
    pub prefixes: Vec<String>,
}

/// ECR beside images. Registries go by their usual names, whatever the endpoint that they are reached at.
pub trait EcrControl: Sync {
    /// The account that our credentials belong to, for calls to a registry.
    ///
    /// # Errors
    /// When AWS does not say so, or says no.
    fn account(&self, registry: &Registry, tell: Listener<'_>) -> Result<String, PortError>;

    /// What some repositories of a registry are now; those that are not there are not in the answer.
    ///
    /// # Errors
    /// When AWS does not say so, or says no.
    fn repositories(
        &self,
        registry: &Registry,
        names: &[Repository],
        closeness: Closeness,
        tell: Listener<'_>,
    ) -> Result<BTreeMap<Repository, RepositoryState>, PortError>;

    /// Does something to a repository. One that somebody else has just made counts as made.
    ///
    /// # Errors
    /// When AWS does not do so, or says no.
    fn change(
        &self,
        registry: &Registry,
        name: &Repository,
        step: &RepositoryStep,
        tell: Listener<'_>,
    ) -> Result<(), PortError>;

    /// The replication rules of a registry.
    ///
    /// # Errors
    /// When AWS does not say so, or says no.
    fn replication(&self, registry: &Registry, tell: Listener<'_>) -> Result<Vec<ReplicationRule>, PortError>;

    /// Puts these replication rules in place of those that a registry has.
    ///
    /// # Errors
    /// When AWS does not do so, or says no.
    fn replicate(&self, registry: &Registry, rules: &[ReplicationRule], tell: Listener<'_>) -> Result<(), PortError>;

    /// Puts an SSM parameter into a registry's region, instead of what it may hold.
    ///
    /// # Errors
    /// When AWS does not do so, or says no.
    fn put_parameter(&self, registry: &Registry, name: &str, value: &str, tell: Listener<'_>) -> Result<(), PortError>;
}
