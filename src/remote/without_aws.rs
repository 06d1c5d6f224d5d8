//! What a build without the AWS SDKs answers.

pub(super) mod access;
mod ec2;

use std::collections::{BTreeMap, BTreeSet};

use crate::bake::event::Listener;
use crate::bake::port::{
    AmiFacts, AmiLookup, Arrival, Closeness, EcrControl, PortError, ReplicationRule, RepositoryState, RepositoryStep,
};
use crate::digest::Digest;
use crate::name::{Reference, Registry, Repository};
use crate::recipe::{AmiBase, Architecture, Region};
use crate::remote::config::EcrSite;
use crate::remote::upload::Trip;
use crate::remote::wire::Wire;

use access::without;

impl AmiLookup for Wire {
    fn find(&self, _: &AmiBase, _: Architecture, region: &Region) -> Result<AmiFacts, PortError> {
        Err(without(format!("the base AMI in {region}")))
    }
}

impl EcrControl for Wire {
    fn account(&self, registry: &Registry, _: Listener<'_>) -> Result<String, PortError> {
        Err(without(registry.as_str()))
    }

    fn repositories(
        &self,
        registry: &Registry,
        _: &[Repository],
        _: Closeness,
        _: Listener<'_>,
    ) -> Result<BTreeMap<Repository, RepositoryState>, PortError> {
        Err(without(registry.as_str()))
    }

    fn change(
        &self,
        registry: &Registry,
        _: &Repository,
        _: &RepositoryStep,
        _: Listener<'_>,
    ) -> Result<(), PortError> {
        Err(without(registry.as_str()))
    }

    fn replication(&self, registry: &Registry, _: Listener<'_>) -> Result<Vec<ReplicationRule>, PortError> {
        Err(without(registry.as_str()))
    }

    fn replicate(&self, registry: &Registry, _: &[ReplicationRule], _: Listener<'_>) -> Result<(), PortError> {
        Err(without(registry.as_str()))
    }

    fn put_parameter(&self, registry: &Registry, _: &str, _: &str, _: Listener<'_>) -> Result<(), PortError> {
        Err(without(registry.as_str()))
    }
}

impl Wire {
    #[expect(clippy::unused_self, reason = "as in a build with AWS")]
    pub(super) fn missing_in_ecr(
        &self,
        site: &EcrSite,
        _: &Reference,
        _: &[Digest],
        _: Listener<'_>,
    ) -> Result<Option<BTreeSet<Digest>>, PortError> {
        Err(without(site.registry.as_str()))
    }
}

pub(super) async fn bring_to_ecr(_: &Wire, site: &EcrSite, _: Trip<'_>, _: Listener<'_>) -> Result<Arrival, PortError> {
    Err(without(site.registry.as_str()))
}
