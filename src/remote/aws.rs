//! Looking up host images in EC2 and SSM.

pub(super) mod access;
mod caller;
mod choose;
pub(super) mod clients;
pub(super) mod memory;
pub(super) mod parameter;
pub(super) mod patience;
pub(super) mod words;

use aws_config::SdkConfig;
use aws_sdk_ec2::error::ProvideErrorMetadata;
use aws_sdk_ec2::types::{Filter, Image};

use crate::bake::port::{AmiFacts, AmiLookup, PortError};
use crate::recipe::{AmiBase, Architecture, Region};
use crate::remote::ec2::seen::machine;
use crate::remote::wire::Wire;

use access::Access;
use choose::{Candidate, choose};
use words::refusal;

impl AmiLookup for Wire {
    fn find(&self, base: &AmiBase, architecture: Architecture, region: &Region) -> Result<AmiFacts, PortError> {
        self.run(&format!("the base AMI in {region}"), lookup(&self.access, base, architecture, region))
    }
}

async fn lookup(
    access: &Access,
    base: &AmiBase,
    architecture: Architecture,
    region: &Region,
) -> Result<AmiFacts, PortError> {
    let config = access.region(region.as_str()).await;
    let ec2 = aws_sdk_ec2::Client::new(&config);
    let request = match (base.ssm.get(&architecture), &base.id, &base.name) {
        (Some(parameter), ..) => {
            ec2.describe_images().image_ids(parameter_value(access, &config, parameter, region).await?)
        }
        (None, Some(id), _) => ec2.describe_images().image_ids(id),
        (None, None, Some(name)) => ec2
            .describe_images()
            .set_owners(base.owner.clone().map(|owner| vec![owner]))
            .filters(filter("name", name))
            .filters(filter("architecture", architecture.as_str()))
            .filters(filter("state", "available")),
        (None, None, None) => {
            let message = format!("the recipe's [base] says nothing for {architecture}");
            return Err(PortError::Cloud { subject: "the base AMI".to_owned(), message });
        }
    };
    // Only the service knows who `self` is.
    let request =
        if base.owner.as_deref() == Some("self") { request.set_owners(Some(vec!["self".to_owned()])) } else { request };
    let subject = format!("the base AMI in {region}");
    let answer = request.send().await.map_err(|error| refusal(&subject, "ec2:DescribeImages", &error, access.clock))?;
    let candidates = answer.images.unwrap_or_default().into_iter().filter_map(candidate).collect();
    choose(candidates, base, architecture, region)
}

fn filter(name: &str, value: &str) -> Filter {
    Filter::builder().name(name).values(value).build()
}

/// The id that a public parameter holds.
async fn parameter_value(
    access: &Access,
    config: &SdkConfig,
    parameter: &str,
    region: &Region,
) -> Result<String, PortError> {
    let subject = format!("SSM parameter {parameter} in {region}");
    let asked = aws_sdk_ssm::Client::new(config).get_parameter().name(parameter).send().await;
    let answer = match asked {
        Err(error) if error.code() == Some("ParameterNotFound") => {
            return Err(PortError::Cloud { subject, message: "there is no such parameter".to_owned() });
        }
        asked => asked.map_err(|error| refusal(&subject, "ssm:GetParameter", &error, access.clock))?,
    };
    let value = answer.parameter.and_then(|parameter| parameter.value).unwrap_or_default();
    if value.starts_with("ami-") {
        Ok(value)
    } else {
        let message = format!("it holds no AMI id but `{value}`; parameters that do end in `/image_id`");
        Err(PortError::Cloud { subject, message })
    }
}

fn candidate(image: Image) -> Option<Candidate> {
    let (owner, owner_alias) = (image.owner_id.clone().unwrap_or_default(), image.image_owner_alias.clone());
    let machine = machine(image)?;
    Some(Candidate {
        architecture: machine.architecture,
        owner_alias,
        state: machine.state,
        facts: AmiFacts {
            id: machine.id,
            name: machine.name,
            owner,
            snapshot: machine.snapshots.get(&machine.root_device).cloned().unwrap_or_default(),
            root_device: machine.root_device,
            created: machine.created,
            deprecated: machine.deprecated,
        },
    })
}
