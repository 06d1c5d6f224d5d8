//! Tokens for ECR's registries. One holds for twelve hours and for all repositories of an account's region.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex as Lock, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::header::HeaderValue;
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::bake::event::SILENT;
use crate::bake::port::PortError;
use crate::name::Registry;
use crate::remote::aws::access::Access;
use crate::remote::aws::patience::Call;
use crate::remote::config::{EcrSite, Timing, WireConfig};
use crate::remote::secret::{Login, Secret};

use super::client::client;
use super::site;

/// A token holds for twelve hours from its making on, whatever the clocks say; an hour before, it is replaced.
const LIFE: Duration = Duration::from_secs(11 * 3600);

/// A token as it is shown.
#[derive(Clone)]
pub(in crate::remote) struct Token {
    pub(in crate::remote) header: HeaderValue,
    pub(in crate::remote) until: Instant,
}

type Slot = Arc<Mutex<Option<Token>>>;

/// The tokens that we have.
pub(in crate::remote) struct Tokens {
    access: Arc<Access>,
    sites: Vec<EcrSite>,
    timing: Timing,
    /// While one is fetched, others wait for it.
    held: Lock<BTreeMap<Registry, Slot>>,
}

impl Tokens {
    pub(in crate::remote) fn new(config: &WireConfig, access: Arc<Access>) -> Self {
        Self { access, sites: config.ecr.clone(), timing: config.timing, held: Lock::default() }
    }

    /// Whether a host is a registry that we push to, whose tokens are ours to get.
    pub(in crate::remote) fn is_target(&self, host: &Registry) -> bool {
        self.sites.iter().any(|site| site.host() == host)
    }

    /// The token for a host; `None` where it is not ECR. `stale` is what was shown in vain.
    pub(in crate::remote) async fn token(
        &self,
        host: &Registry,
        stale: Option<&HeaderValue>,
    ) -> Result<Option<Token>, PortError> {
        let told = self.sites.iter().find(|site| site.host() == host).cloned();
        let Some(site) = told.or_else(|| site::of_name(host)) else { return Ok(None) };
        let slot = {
            let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(held.entry(site.registry.clone()).or_default())
        };
        let mut held = slot.lock().await;
        let is_good = |token: &&Token| Instant::now() < token.until && Some(&token.header) != stale;
        if let Some(token) = held.as_ref().filter(is_good) {
            return Ok(Some(token.clone()));
        }
        // On the heap: the SDK's future is large, and is a part of that of every request.
        let token = Box::pin(self.fetch(&site)).await?;
        *held = Some(token.clone());
        Ok(Some(token))
    }

    async fn fetch(&self, site: &EcrSite) -> Result<Token, PortError> {
        let client = client(&self.access, site).await;
        let subject = format!("the token of {}", site.registry);
        let call = Call {
            subject: &subject,
            action: "ecr:GetAuthorizationToken",
            timing: self.timing,
            clock: self.access.clock,
            tell: SILENT,
        };
        let answer = call.must(async || client.get_authorization_token().send().await).await?;
        let data = answer.authorization_data.unwrap_or_default();
        let header = data.first().and_then(|data| login(data.authorization_token()?)?.basic());
        let wrong = || PortError::Cloud { subject: subject.clone(), message: "AWS answers without a token".to_owned() };
        Ok(Token { header: header.ok_or_else(wrong)?, until: Instant::now() + LIFE })
    }
}

/// What a token says when it is unpacked: `AWS:PASSWORD`.
fn login(token: &str) -> Option<Login> {
    let text = String::from_utf8(STANDARD.decode(token).ok()?).ok()?;
    let (user, password) = text.split_once(':')?;
    Some(Login { user: user.to_owned(), password: Secret::new(password) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_a_login_and_is_not_shown() {
        let login = login(&STANDARD.encode("AWS:hunter2")).unwrap();
        assert_eq!((login.user.as_str(), login.password.reveal()), ("AWS", "hunter2"));
        assert!(!format!("{:?}", login.basic()).contains("QVdTOmh1bnRlcjI"));
        for wrong in ["", "!", "AAAA"] {
            assert!(super::login(wrong).is_none(), "{wrong}");
        }
    }
}
