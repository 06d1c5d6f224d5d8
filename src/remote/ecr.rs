//! ECR: what it has beside what all registries have.
//!
//! ```text
//! client       who asks
//! control      repositories, their settings, replication
//! layers       which layers are there
//! token        who we are to its registries
//! site         which registry a name means
//! ```

mod client;
mod control;
mod layers;
pub(super) mod site;
pub(super) mod token;

use std::collections::{BTreeMap, BTreeSet};

use crate::bake::event::{Event, Listener};
use crate::bake::port::{Closeness, EcrControl, PortError, ReplicationRule, RepositoryState, RepositoryStep};
use crate::digest::Digest;
use crate::name::{Reference, Registry, Repository};
use crate::parallel;
use crate::remote::aws::parameter;
use crate::remote::config::EcrSite;
use crate::remote::wire::Wire;

use client::client;
use control::Control;

pub(super) use client::layer_client;
pub(super) use layers::missing;

/// ECR describes so many repositories at once, and no more.
const DESCRIBED_AT_ONCE: usize = 100;

/// So many calls to one region are under way; see `aws::patience` for what becomes of too many.
const AT_ONCE: usize = 8;

impl EcrControl for Wire {
    fn account(&self, registry: &Registry, tell: Listener<'_>) -> Result<String, PortError> {
        let site = site::site(&self.config.ecr, registry)?;
        self.caller_by((&site).into(), tell)
    }

    fn repositories(
        &self,
        registry: &Registry,
        names: &[Repository],
        closeness: Closeness,
        tell: Listener<'_>,
    ) -> Result<BTreeMap<Repository, RepositoryState>, PortError> {
        let site = site::site(&self.config.ecr, registry)?;
        let mut known = Vec::new();
        for names in names.chunks(DESCRIBED_AT_ONCE) {
            let together =
                self.at(&site, &subject(names, &site), tell, async |control| control.describe(names).await)?;
            if let Some(together) = together {
                known.extend(together);
                continue;
            }
            // One that is not there hides all the others.
            let alone = parallel::bounded(names, AT_ONCE, |name| {
                let name = std::slice::from_ref(name);
                self.at(&site, &subject(name, &site), tell, async |control| control.describe(name).await)
            });
            known.extend(alone.into_iter().collect::<Result<Vec<_>, _>>()?.into_iter().flatten().flatten());
        }
        let states = parallel::bounded(&known, AT_ONCE, |known| {
            let name = known.repository_name().unwrap_or_default();
            let subject = format!("{name} in {}", site.region);
            let state = self.at(&site, &subject, tell, async |control| control.state(known, closeness).await)?;
            let wrong = |error: crate::name::NameError| PortError::Cloud { subject, message: error.to_string() };
            Ok((name.parse().map_err(wrong)?, state))
        });
        states.into_iter().collect()
    }

    fn change(
        &self,
        registry: &Registry,
        name: &Repository,
        step: &RepositoryStep,
        tell: Listener<'_>,
    ) -> Result<(), PortError> {
        let site = site::site(&self.config.ecr, registry)?;
        let subject = format!("{name} in {}: {step}", site.region);
        let name = name.to_string();
        self.at(&site, &subject, tell, async |control| control.change(&name, step).await)
    }

    fn replication(&self, registry: &Registry, tell: Listener<'_>) -> Result<Vec<ReplicationRule>, PortError> {
        let site = site::site(&self.config.ecr, registry)?;
        self.at(&site, &format!("the registry {registry}"), tell, async |control| control.replication().await)
    }

    fn replicate(&self, registry: &Registry, rules: &[ReplicationRule], tell: Listener<'_>) -> Result<(), PortError> {
        let site = site::site(&self.config.ecr, registry)?;
        self.at(&site, &format!("the registry {registry}"), tell, async |control| control.replicate(rules).await)
    }

    fn put_parameter(&self, registry: &Registry, name: &str, value: &str, tell: Listener<'_>) -> Result<(), PortError> {
        let site = site::site(&self.config.ecr, registry)?;
        let subject = format!("SSM parameter {name} in {}", site.region);
        self.run(&subject, async {
            let clients = self.access.clients((&site).into()).await;
            let call = self.call(&subject, "ssm:PutParameter", tell);
            parameter::put(&clients.ssm, &call, name, value, None).await
        })
    }
}

impl Wire {
    /// Which of some layers a repository does not have. `None` where the API does not answer that, and the registry
    /// itself is to be asked, as every other one is.
    pub(super) fn missing_in_ecr(
        &self,
        site: &EcrSite,
        into: &Reference,
        blobs: &[Digest],
        tell: Listener<'_>,
    ) -> Result<Option<BTreeSet<Digest>>, PortError> {
        if !self.access.knows_layers(&site.registry) {
            return Ok(None);
        }
        let subject = format!("{}/{}", into.registry, into.repository);
        let asked = self.at(site, &subject, tell, async |control| {
            missing(&control.client, site, &into.repository, blobs, &control.call).await
        });
        match asked {
            Err(PortError::Unreachable { message, .. }) => {
                tell(Event::Note(&format!("{subject}: {message}; asks the registry itself instead")));
                // Under its own name it is ECR, which knows layers and has trouble just now.
                if site.endpoint.is_some() {
                    self.access.knows_no_layers(&site.registry);
                }
                Ok(None)
            }
            asked => asked.map(Some),
        }
    }

    /// Asks ECR's control plane for something.
    fn at<T>(
        &self,
        site: &EcrSite,
        subject: &str,
        tell: Listener<'_>,
        work: impl AsyncFnOnce(Control<'_>) -> Result<T, PortError>,
    ) -> Result<T, PortError> {
        self.run(subject, async {
            let client = client(&self.access, site).await;
            work(Control { client, site, call: self.call(subject, "", tell) }).await
        })
    }
}

fn subject(names: &[Repository], site: &EcrSite) -> String {
    match names {
        [one] => format!("{one} in {}", site.region),
        all => format!("{} repositories in {}", all.len(), site.region),
    }
}
