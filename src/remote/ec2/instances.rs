//! Instances: started, listened to, ended.

use aws_sdk_ec2::error::ProvideErrorMetadata;
use aws_sdk_ec2::operation::run_instances::builders::RunInstancesFluentBuilder;
use aws_sdk_ec2::types::{
    HttpTokensState, IamInstanceProfileSpecification, InstanceInterruptionBehavior, InstanceMarketOptionsRequest,
    InstanceMetadataEndpointState, InstanceMetadataOptionsRequest, InstanceType, MarketType, ResourceType,
    ShutdownBehavior, SpotInstanceType, SpotMarketOptions,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::bake::port::{PortError, RunOrder, Started};
use crate::remote::aws::memory::Paid;
use crate::remote::aws::patience::Refused;

use super::control::{Control, is_missing};
use super::list::equal;
use super::mapping::{block_devices, tagged};

/// A container on the instance is one hop further from the metadata service than the instance.
const HOPS: i32 = 2;

/// What EC2 answers where it has no spot instance for us now, whatever it may have otherwise.
const NO_SPOT: [&str; 7] = [
    "InsufficientInstanceCapacity",
    "InsufficientCapacity",
    "SpotMaxPriceTooLow",
    "MaxSpotInstanceCountExceeded",
    "UnfulfillableCapacity",
    // The account has never had a spot instance, and we may not make the role that they take.
    "AuthFailure.ServiceLinkedRoleCreationNotPermitted",
    "ServiceLinkedRoleCreationNotPermitted",
];

/// The token was used for another order, or what came of it was ended.
const USED_TOKEN: [&str; 2] = ["IdempotentParameterMismatch", "IdempotentInstanceTerminated"];

impl Control<'_> {
    /// Starts an instance.
    pub(super) async fn run(&self, order: &RunOrder) -> Result<Started, PortError> {
        let request = self.order(order)?;
        // The image may have been made just now.
        let asked = self.ask("ec2:RunInstances", &[&order.image], async || request.clone().send().await).await;
        let answer = match asked {
            Ok(answer) => answer,
            Err(refused) if USED_TOKEN.contains(&refused.code()) => return Ok(Started::OtherOrder),
            Err(refused) if order.spot.is_some() && NO_SPOT.contains(&refused.code()) => {
                return Ok(Started::NoSpot(format!("{}: {}", refused.code(), refused.message())));
            }
            Err(refused) => return Err(self.of("ec2:RunInstances").named(refused)),
        };
        let Some(instance) = answer.instances.unwrap_or_default().into_iter().next() else {
            return Err(self.wrong("EC2 says that it starts an instance, and not which"));
        };
        let id = instance.instance_id.unwrap_or_default();
        self.memory.given(&id);
        self.memory.spot_request(&id, instance.spot_instance_request_id.as_deref());
        Ok(Started::Instance(id))
    }

    fn order(&self, order: &RunOrder) -> Result<RunInstancesFluentBuilder, PortError> {
        let metadata = InstanceMetadataOptionsRequest::builder()
            .http_tokens(HttpTokensState::Required)
            .http_put_response_hop_limit(HOPS)
            .http_endpoint(InstanceMetadataEndpointState::Enabled)
            .build();
        let profile = order.instance_profile.as_ref().map(|profile| {
            let builder = IamInstanceProfileSpecification::builder();
            if profile.starts_with("arn:") { builder.arn(profile).build() } else { builder.name(profile).build() }
        });
        let mut kinds = vec![ResourceType::Instance, ResourceType::Volume, ResourceType::NetworkInterface];
        if order.spot.is_some() {
            kinds.push(ResourceType::SpotInstancesRequest);
        }
        let mut request = self.clients.ec2.run_instances().image_id(&order.image).min_count(1).max_count(1);
        for id in &order.security_groups {
            request = request.security_group_ids(id);
        }
        Ok(request
            .instance_type(InstanceType::from(order.instance_type.as_str()))
            .user_data(STANDARD.encode(&order.user_data))
            .set_block_device_mappings(block_devices(&order.mappings, self)?)
            .set_subnet_id(order.subnet.clone())
            .set_iam_instance_profile(profile)
            .set_instance_market_options(order.spot.as_deref().map(|until| self.spot(until)).transpose()?)
            .set_tag_specifications(tagged(&kinds, &order.tags))
            .metadata_options(metadata)
            .instance_initiated_shutdown_behavior(ShutdownBehavior::Stop)
            .client_token(&order.token))
    }

    /// An instance that shuts itself down has to stop, to be made into an image. One that was asked for once cannot: EC2
    /// lets only those stop whose request stays. It does not stay for ever: nobody may come back to take it back.
    fn spot(&self, until: &str) -> Result<InstanceMarketOptionsRequest, PortError> {
        let options = SpotMarketOptions::builder()
            .spot_instance_type(SpotInstanceType::Persistent)
            .valid_until(self.time(until)?)
            .instance_interruption_behavior(InstanceInterruptionBehavior::Stop);
        let request = InstanceMarketOptionsRequest::builder().market_type(MarketType::Spot);
        Ok(request.spot_options(options.build()).build())
    }

    /// What is on an instance's serial console.
    pub(super) async fn console(&self, instance: &str) -> Result<String, PortError> {
        const ACTION: &str = "ec2:GetConsoleOutput";
        let request = self.clients.ec2.get_console_output().instance_id(instance);
        let latest = self.ask(ACTION, &[instance], async || request.clone().latest(true).send().await).await;
        let latest = match latest {
            Ok(answer) => self.unpacked(answer.output)?,
            // What is no Nitro system tells what it has printed only when its state changes.
            Err(refused) if is_without_latest(&refused) => String::new(),
            Err(refused) => return Err(self.of(ACTION).named(refused)),
        };
        if !latest.is_empty() {
            return Ok(latest);
        }
        let kept = self.must(ACTION, &[instance], async || request.clone().send().await).await?;
        self.unpacked(kept.output)
    }

    fn unpacked(&self, output: Option<String>) -> Result<String, PortError> {
        let text: String = output.unwrap_or_default().split_whitespace().collect();
        let bytes = STANDARD.decode(text).map_err(|error| self.wrong(format!("its console is no base64: {error}")))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Ends an instance, and the request that would start another one in its place.
    pub(super) async fn terminate(&self, instance: &str) -> Result<(), PortError> {
        if let Some(request) = self.spot_request(instance).await? {
            self.cancel(&request, instance).await?;
        }
        let request = self.clients.ec2.terminate_instances().instance_ids(instance);
        self.away("ec2:TerminateInstances", instance, async || request.clone().send().await).await
    }

    /// Takes a request for a spot instance back, which was made together with something.
    pub(super) async fn cancel(&self, request: &str, with: &str) -> Result<(), PortError> {
        const ACTION: &str = "ec2:CancelSpotInstanceRequests";
        let cancel = self.clients.ec2.cancel_spot_instance_requests().spot_instance_request_ids(request);
        match self.ask(ACTION, &[with], async || cancel.clone().send().await).await {
            Ok(_) => Ok(()),
            Err(refused) if is_missing(refused.code()) => Ok(()),
            Err(refused) => Err(self.of(ACTION).named(refused)),
        }
    }

    async fn spot_request(&self, instance: &str) -> Result<Option<String>, PortError> {
        let mut paid = self.memory.paid(instance);
        if paid.is_none() {
            self.instances_by(Some(vec![equal("instance-id", [&instance.to_owned()])])).await?;
            paid = self.memory.paid(instance);
        }
        Ok(match paid {
            Some(Paid::Spot(request)) => Some(request),
            Some(Paid::OnDemand) | None => None,
        })
    }
}

fn is_without_latest<E: ProvideErrorMetadata>(refused: &Refused<E>) -> bool {
    matches!(refused.code(), "UnsupportedOperation" | "InvalidParameterCombination" | "IncorrectInstanceState")
}
