//! Who asks ECR.

use std::time::Duration;

use aws_sdk_ecr::Client;
use aws_sdk_ecr::config::retry::RetryConfig;
use aws_sdk_ecr::config::timeout::TimeoutConfig;

use crate::remote::aws::access::Access;
use crate::remote::config::EcrSite;

/// A part that has not arrived by then is sent once more.
const LONGEST_PART: Duration = Duration::from_mins(10);

/// Asks ECR as who looks after a registry. Without the SDK's own retries, see `patience`.
pub(in crate::remote) async fn client(access: &Access, site: &EcrSite) -> Client {
    let config = access.way(site.into()).await;
    Client::from_conf(aws_sdk_ecr::config::Builder::from(&config).retry_config(RetryConfig::disabled()).build())
}

/// The same for bytes, which take their time on a slow line: 10 MiB at 0.2 MB/s are a minute.
pub(in crate::remote) async fn layer_client(access: &Access, site: &EcrSite) -> Client {
    let timeouts = TimeoutConfig::builder().operation_timeout(LONGEST_PART).build();
    let config =
        aws_sdk_ecr::config::Builder::from(&access.way(site.into()).await).retry_config(RetryConfig::disabled());
    Client::from_conf(config.timeout_config(timeouts).build())
}
