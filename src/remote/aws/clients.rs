//! Who asks EC2 and what belongs to it. Kept, because each client has connections of its own.

use aws_config::SdkConfig;
use aws_sdk_ec2::config::retry::RetryConfig;

/// One client for each service, in one region and as one role. Without the SDK's own retries, see `patience`.
#[derive(Clone)]
pub(in crate::remote) struct Clients {
    pub(in crate::remote) ec2: aws_sdk_ec2::Client,
    pub(in crate::remote) ssm: aws_sdk_ssm::Client,
    pub(in crate::remote) scaling: aws_sdk_autoscaling::Client,
    pub(in crate::remote) sts: aws_sdk_sts::Client,
}

impl Clients {
    /// Opens no connection yet.
    pub(in crate::remote) fn new(config: &SdkConfig) -> Self {
        let config = config.clone().into_builder().retry_config(RetryConfig::disabled()).build();
        Self {
            ec2: aws_sdk_ec2::Client::new(&config),
            ssm: aws_sdk_ssm::Client::new(&config),
            scaling: aws_sdk_autoscaling::Client::new(&config),
            sts: aws_sdk_sts::Client::new(&config),
        }
    }
}
