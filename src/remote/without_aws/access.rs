//! Who we would be to AWS.

use std::sync::Arc;

use hyper::header::HeaderValue;
use tokio::time::Instant;

use crate::bake::port::PortError;
use crate::name::Registry;
use crate::remote::config::{EcrSite, WireConfig};

/// What is answered instead of AWS.
pub(in crate::remote) fn without(subject: impl Into<String>) -> PortError {
    PortError::Cloud {
        subject: subject.into(),
        message: "this elkbake was built without AWS; build it without `--no-default-features`".to_owned(),
    }
}

/// No way to AWS.
pub(in crate::remote) struct Access;

impl Access {
    pub(in crate::remote) fn new(_: &WireConfig) -> Self {
        Self
    }
}

/// A token that nobody gets.
pub(in crate::remote) struct Token {
    pub(in crate::remote) header: HeaderValue,
    pub(in crate::remote) until: Instant,
}

/// Knows only where a token would be needed.
pub(in crate::remote) struct Tokens {
    sites: Vec<EcrSite>,
}

impl Tokens {
    pub(in crate::remote) fn new(config: &WireConfig, _: Arc<Access>) -> Self {
        Self { sites: config.ecr.clone() }
    }

    pub(in crate::remote) fn is_target(&self, host: &Registry) -> bool {
        self.sites.iter().any(|site| site.host() == host)
    }

    #[expect(clippy::unused_async, reason = "as in a build with AWS")]
    pub(in crate::remote) async fn token(
        &self,
        host: &Registry,
        _: Option<&HeaderValue>,
    ) -> Result<Option<Token>, PortError> {
        if self.is_target(host) { Err(without(host.as_str())) } else { Ok(None) }
    }
}
