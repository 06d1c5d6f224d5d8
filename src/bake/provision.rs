//! Repositories in ECR: what they lack to be what their target declares is found out first, so that it can be shown
//! before anything is done; then it is done.
//!
//! ```text
//! survey -> repository -> lifecycle, readers    what each repository lacks
//!    |      replicate                           what the registry lacks
//! apply     words                               in people's words
//!           by_hand                             and how to do it without elkbake
//! ```

mod by_hand;
mod lifecycle;
mod readers;
mod replicate;
mod repository;
mod words;

use std::collections::BTreeMap;

use crate::bake::event::Listener;
use crate::bake::port::{Closeness, EcrControl, PortError, ReplicationRule, RepositoryState, RepositoryStep};
use crate::name::{Registry, Repository};
use crate::parallel;
use crate::project::{Ecr, Replication};
use crate::recipe::Region;

pub use repository::{Decision, Wanted};

/// Regions and repositories that are worked on at once. ECR answers some ten calls a second of each kind, and what is
/// more comes back as throttling.
const AT_ONCE: usize = 8;

/// What is to be in one region of a target.
#[derive(Debug)]
pub struct Order<'o> {
    /// What the target declares.
    pub ecr: &'o Ecr,
    /// The region.
    pub region: &'o Region,
    /// The repositories, with the target's prefix.
    pub repositories: Vec<Wanted<'o>>,
}

impl Order<'_> {
    fn names(&self) -> Vec<Repository> {
        self.repositories.iter().map(|wanted| wanted.name.clone()).collect()
    }
}

/// What is to be done in one region.
#[derive(Debug)]
pub struct Provision {
    /// The registry, under its usual name.
    pub registry: Registry,
    /// Each repository that is not as it should be.
    pub repositories: Vec<(Repository, Decision)>,
    /// The replication rules that the registry is to have.
    pub replication: Option<Vec<ReplicationRule>>,
}

impl Provision {
    /// Whether nothing is to be done, and nothing to be said.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.repositories.is_empty() && self.replication.is_none()
    }

    /// A line for each thing that would be done.
    #[must_use]
    pub fn lines(&self, region: &Region) -> Vec<String> {
        let mut lines = Vec::new();
        for (name, decision) in &self.repositories {
            let steps: Vec<String> = decision.steps.iter().map(ToString::to_string).collect();
            if !steps.is_empty() {
                lines.push(format!("{name} in {region}: {}", steps.join("; ")));
            }
        }
        if let Some(rule) = self.replication.as_ref().and_then(|rules| rules.last()) {
            let to: Vec<&str> = rule.destinations.iter().map(|(to, _)| to.as_str()).collect();
            lines.push(format!("{region}: replicate {} to {}", rule.prefixes.join(", "), to.join(", ")));
        }
        lines
    }

    /// A line for each repository that is there and not as declared, where somebody else looks after it.
    #[must_use]
    pub fn drift(&self, region: &Region) -> Vec<String> {
        let is_there = |decision: &&(Repository, Decision)| {
            !decision.1.steps.is_empty() && !matches!(decision.1.steps[..], [RepositoryStep::Make { .. }, ..])
        };
        let said = |(name, decision): &(Repository, Decision)| {
            let steps: Vec<String> = decision.steps.iter().map(ToString::to_string).collect();
            format!("{name} in {region} is not as declared; left to do: {}", steps.join("; "))
        };
        self.repositories.iter().filter(is_there).map(said).collect()
    }

    /// A line for each thing that should be otherwise and cannot be made so.
    #[must_use]
    pub fn warnings(&self, region: &Region) -> Vec<String> {
        let all = self.repositories.iter().flat_map(|(name, decision)| {
            decision.warnings.iter().map(move |warning| format!("{name} in {region}: {warning}"))
        });
        all.collect()
    }
}

/// Makes sure that our credentials belong to the account that a target is in. Asked before the first byte is sent.
///
/// # Errors
/// When they belong to another account, or AWS does not say so.
pub fn identify(port: &dyn EcrControl, ecr: &Ecr, region: &Region, tell: Listener<'_>) -> Result<(), PortError> {
    let registry = registry(ecr, region)?;
    let account = port.account(&registry, tell)?;
    if account == ecr.account {
        return Ok(());
    }
    let by = ecr.role.as_ref().map_or_else(
        || "name a `role` there, or use the profile of that account".to_owned(),
        |role| format!("its `role` is {role}"),
    );
    Err(PortError::Cloud {
        subject: registry.to_string(),
        message: format!(
            "the credentials belong to account {account}, and the target is in account {}: {by}",
            ecr.account
        ),
    })
}

/// Finds out what is to be done in each region, without doing anything.
pub fn survey(port: &dyn EcrControl, orders: &[Order<'_>], tell: Listener<'_>) -> Vec<Result<Provision, PortError>> {
    parallel::bounded(orders, AT_ONCE, |order| survey_region(port, order, tell))
}

/// Finds out what differs in each region as far as one permission tells, `ecr:DescribeRepositories`: for who is not to
/// change anything, and as a rule may not.
pub fn glance(port: &dyn EcrControl, orders: &[Order<'_>], tell: Listener<'_>) -> Vec<Result<Provision, PortError>> {
    parallel::bounded(orders, AT_ONCE, |order| {
        identify(port, order.ecr, order.region, tell)?;
        let now = described(port, order, Closeness::Glance, tell)?;
        decided(order, |wanted| wanted.glance(now.get(&wanted.name)))
    })
}

fn survey_region(port: &dyn EcrControl, order: &Order<'_>, tell: Listener<'_>) -> Result<Provision, PortError> {
    identify(port, order.ecr, order.region, tell)?;
    let closeness = if order.ecr.tags.is_empty() { Closeness::Policies } else { Closeness::PoliciesAndTags };
    let now = described(port, order, closeness, tell)?;
    let found = decided(order, |wanted| wanted.decide(now.get(&wanted.name)))?;
    let (registry, names) = (&found.registry, order.names());
    let is_first = order.ecr.regions.first() == Some(order.region);
    let replication = if is_first && order.ecr.replication == Some(Replication::Declared) {
        let others: Vec<String> = order.ecr.regions[1..].iter().map(ToString::to_string).collect();
        let rules = port.replication(registry, tell)?;
        replicate::rules(&rules, &order.ecr.account, &others, order.ecr.prefix.as_ref(), &names)
    } else {
        None
    };
    Ok(Provision { replication, ..found })
}

/// What the repositories of an order are now.
fn described(
    port: &dyn EcrControl,
    order: &Order<'_>,
    closeness: Closeness,
    tell: Listener<'_>,
) -> Result<BTreeMap<Repository, RepositoryState>, PortError> {
    port.repositories(&registry(order.ecr, order.region)?, &order.names(), closeness, tell)
}

/// What is to be done to the repositories of an order.
fn decided(order: &Order<'_>, decide: impl Fn(&Wanted<'_>) -> Decision) -> Result<Provision, PortError> {
    let decided = order.repositories.iter().map(|wanted| (wanted.name.clone(), decide(wanted)));
    let repositories = decided.filter(|(_, decision)| *decision != Decision::default()).collect();
    Ok(Provision { registry: registry(order.ecr, order.region)?, repositories, replication: None })
}

/// Where elkbake is not to make anything: the first repository that is not there is an error that says how to make it.
/// What else is not as declared is in [`Provision::drift`], and refuses nothing.
///
/// # Errors
/// When a repository is not there.
pub fn refuse_missing(order: &Order<'_>, provision: &Provision) -> Result<(), PortError> {
    let is_missing = |name: &Repository| {
        let decision = provision.repositories.iter().find(|(other, _)| other == name);
        decision.is_some_and(|(_, decision)| matches!(decision.steps.first(), Some(RepositoryStep::Make { .. })))
    };
    match order.repositories.iter().find(|wanted| is_missing(&wanted.name)) {
        Some(wanted) => Err(wanted.missing()),
        None => Ok(()),
    }
}

/// Does what was found to be done, and stops at the first thing of a repository that does not succeed.
///
/// # Errors
/// The first error, when all that could be done is done.
pub fn apply(port: &dyn EcrControl, provision: &Provision, tell: Listener<'_>) -> Result<(), PortError> {
    let registry = &provision.registry;
    let done = parallel::bounded(&provision.repositories, AT_ONCE, |(name, decision)| {
        decision.steps.iter().try_for_each(|step| port.change(registry, name, step, tell))
    });
    done.into_iter().collect::<Result<(), _>>()?;
    // Replication brings what is pushed from then on, into repositories that are there with all their settings.
    match &provision.replication {
        Some(rules) => port.replicate(registry, rules, tell),
        None => Ok(()),
    }
}

/// The repositories whose tags can be moved although the target declares that they cannot, or that are not there.
///
/// # Errors
/// When AWS does not say so, or says no.
pub fn movable(port: &dyn EcrControl, order: &Order<'_>, tell: Listener<'_>) -> Result<Vec<Repository>, PortError> {
    let now = described(port, order, Closeness::Glance, tell)?;
    let is_fixed =
        |wanted: &&Wanted<'_>| now.get(&wanted.name).is_some_and(|now| now.mutability == wanted.mutability());
    let others = order.repositories.iter().filter(|wanted| order.ecr.immutable && !is_fixed(wanted));
    Ok(others.map(|wanted| wanted.name.clone()).collect())
}

fn registry(ecr: &Ecr, region: &Region) -> Result<Registry, PortError> {
    ecr.registry(region).map_err(|error| PortError::Cloud {
        subject: format!("the registry of account {} in {region}", ecr.account),
        message: error.to_string(),
    })
}

#[cfg(test)]
mod fixture;
#[cfg(test)]
mod tests;
