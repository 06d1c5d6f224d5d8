//! Whose credentials are shown to AWS, and where it is asked.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex as Lock, PoisonError};
use std::time::Duration;

use aws_config::identity::IdentityCache;
use aws_config::sts::AssumeRoleProvider;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_sdk_ecr::config::{Credentials, SharedCredentialsProvider};
use tokio::sync::{Mutex, Semaphore};

use crate::bake::port::{Ec2Site, PortError};
use crate::name::Registry;
use crate::remote::aws::clients::Clients;
use crate::remote::aws::memory::Memory;
use crate::remote::clock::Clock;
use crate::remote::config::{Aws, EcrSite, WireConfig};

/// A call that has not been answered by then never will be; the SDK itself knows no such bound.
const LONGEST_CALL: Duration = Duration::from_secs(60);

/// A part of 5 MiB is in memory as it is, as base64 in JSON, and once more on its way: 25 MB.
const PARTS: usize = 2;

/// So many calls about hosts are under way at once in one region: an account's first bucket of calls that change
/// something holds 50 or more of them, and others use the account, too.
const AT_ONCE: usize = 8;

/// What `CloudTrail` shows of who assumed a role.
const SESSION: &str = "elkbake";

/// A role, and what its trust policy asks for.
type Role = (String, Option<String>);

/// Where AWS is asked, and as whom; as ourselves where no role is named.
#[derive(Clone, Copy)]
pub(in crate::remote) struct Way<'w> {
    pub(in crate::remote) region: &'w str,
    pub(in crate::remote) role: Option<&'w str>,
    /// What the role's trust policy asks for.
    pub(in crate::remote) external_id: Option<&'w str>,
}

impl<'w> From<&'w EcrSite> for Way<'w> {
    fn from(site: &'w EcrSite) -> Self {
        Self { region: &site.region, role: site.role.as_deref(), external_id: site.external_id.as_deref() }
    }
}

impl<'w> From<&'w Ec2Site> for Way<'w> {
    fn from(site: &'w Ec2Site) -> Self {
        Self { region: site.region.as_str(), role: site.role.as_deref(), external_id: site.external_id.as_deref() }
    }
}

impl Way<'_> {
    fn role(&self) -> Option<Role> {
        Some((self.role?.to_owned(), self.external_id.map(str::to_owned)))
    }
}

/// The ways to AWS. What is read from profiles, and who we are by them, is found out once and shared by all regions.
pub(in crate::remote) struct Access {
    aws: Aws,
    pub(in crate::remote) clock: Clock,
    own: Mutex<Option<SdkConfig>>,
    assumed: Mutex<BTreeMap<Role, SdkConfig>>,
    clients: Mutex<BTreeMap<(String, Option<Role>), Clients>>,
    /// The accounts that we are in.
    callers: Mutex<BTreeMap<Option<Role>, String>>,
    /// What this process has made in EC2.
    pub(in crate::remote) memory: Memory,
    /// Those who wait for their turn, by region.
    turns: Lock<BTreeMap<String, Arc<Semaphore>>>,
    /// So many parts of layers are under way at once.
    pub(in crate::remote) parts: Semaphore,
    /// The registries that took no layer from another repository of theirs.
    unmounted: Lock<BTreeSet<Registry>>,
    /// The registries whose API does not know layers.
    without_layers: Lock<BTreeSet<Registry>>,
}

impl Access {
    pub(in crate::remote) fn new(config: &WireConfig) -> Self {
        Self {
            aws: config.aws.clone(),
            clock: Clock::new(config.now),
            own: Mutex::default(),
            assumed: Mutex::default(),
            clients: Mutex::default(),
            callers: Mutex::default(),
            memory: Memory::default(),
            turns: Lock::default(),
            parts: Semaphore::new(PARTS),
            unmounted: Lock::default(),
            without_layers: Lock::default(),
        }
    }

    /// Whether a registry may take layers from other repositories of its own.
    pub(in crate::remote) fn mounts(&self, registry: &Registry) -> bool {
        !self.unmounted.lock().unwrap_or_else(PoisonError::into_inner).contains(registry)
    }

    /// Remembers that it does not.
    pub(in crate::remote) fn mounts_not(&self, registry: &Registry) {
        self.unmounted.lock().unwrap_or_else(PoisonError::into_inner).insert(registry.clone());
    }

    /// Whether a registry's API answers questions about layers. Emulators join an API without them to any registry.
    pub(in crate::remote) fn knows_layers(&self, registry: &Registry) -> bool {
        !self.without_layers.lock().unwrap_or_else(PoisonError::into_inner).contains(registry)
    }

    /// Remembers that it does not.
    pub(in crate::remote) fn knows_no_layers(&self, registry: &Registry) {
        self.without_layers.lock().unwrap_or_else(PoisonError::into_inner).insert(registry.clone());
    }

    /// As ourselves, in a region.
    pub(in crate::remote) async fn region(&self, region: &str) -> SdkConfig {
        let mut own = self.own.lock().await;
        let config = match own.take() {
            Some(config) => config,
            None => self.load(region).await,
        };
        *own = Some(config.clone());
        in_region(&config, region)
    }

    /// As who looks after something, in its region.
    pub(in crate::remote) async fn way(&self, way: Way<'_>) -> SdkConfig {
        let Some(role) = way.role() else { return self.region(way.region).await };
        let mut assumed = self.assumed.lock().await;
        if let Some(config) = assumed.get(&role) {
            return in_region(config, way.region);
        }
        let own = self.region(way.region).await;
        let mut builder = AssumeRoleProvider::builder(&role.0).session_name(SESSION).configure(&own);
        if let Some(id) = &role.1 {
            builder = builder.external_id(id);
        }
        let provider = SharedCredentialsProvider::new(builder.build().await);
        let config = own.into_builder().credentials_provider(provider);
        let config = config.identity_cache(IdentityCache::lazy().build()).build();
        assumed.insert(role, config.clone());
        config
    }

    /// The clients of a way.
    pub(in crate::remote) async fn clients(&self, way: Way<'_>) -> Clients {
        let mut held = self.clients.lock().await;
        let key = (way.region.to_owned(), way.role());
        if let Some(clients) = held.get(&key) {
            return clients.clone();
        }
        let clients = Clients::new(&self.way(way).await);
        held.insert(key, clients.clone());
        clients
    }

    /// The account that we are in, asked for once: whoever asks meanwhile waits for that answer.
    pub(in crate::remote) async fn caller(
        &self,
        way: Way<'_>,
        ask: impl AsyncFnOnce() -> Result<String, PortError>,
    ) -> Result<String, PortError> {
        let mut callers = self.callers.lock().await;
        let role = way.role();
        if let Some(account) = callers.get(&role) {
            return Ok(account.clone());
        }
        let account = ask().await?;
        callers.insert(role, account.clone());
        Ok(account)
    }

    /// Where calls about hosts wait for their turn in a region.
    pub(in crate::remote) fn turns(&self, region: &str) -> Arc<Semaphore> {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(turns.entry(region.to_owned()).or_insert_with(|| Arc::new(Semaphore::new(AT_ONCE))))
    }

    /// The credentials are those that every AWS program uses: variables, profile, SSO, the instance's or task's role.
    async fn load(&self, region: &str) -> SdkConfig {
        let timeouts = TimeoutConfig::builder().operation_timeout(LONGEST_CALL).build();
        // Pinned: `latest` changes retries and defaults with the next version of the SDK.
        let mut loader = aws_config::defaults(BehaviorVersion::v2026_01_12())
            .region(aws_config::Region::new(region.to_owned()))
            .timeout_config(timeouts);
        if let Some(endpoint) = &self.aws.endpoint {
            loader = loader.endpoint_url(endpoint);
        }
        if let Some((id, key)) = &self.aws.keys {
            loader = loader.credentials_provider(Credentials::new(id, key, None, None, "told"));
        }
        loader.load().await
    }
}

fn in_region(config: &SdkConfig, region: &str) -> SdkConfig {
    config.clone().into_builder().region(aws_config::Region::new(region.to_owned())).build()
}
