//! What Auto Scaling groups start their instances from.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_autoscaling::types::{AutoScalingGroup, LaunchTemplateSpecification};

use crate::bake::port::PortError;

use super::control::Control;
use super::templates::DEFAULT;

/// Auto Scaling tells of so many groups at once.
const GROUPS: i32 = 100;

/// And of so many launch configurations.
const CONFIGURATIONS: usize = 50;

/// What a group's next instance is started from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Start {
    /// An image, or a parameter that holds one.
    Image(String),
    /// A version of a launch template.
    Template(Named),
}

/// A version of a launch template, as a group names it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Named {
    pub(super) id: Option<String>,
    pub(super) name: Option<String>,
    pub(super) version: String,
}

impl Control<'_> {
    /// What all groups of the region start from; each with the group in words.
    pub(super) async fn starts(&self) -> Result<BTreeSet<(String, Start)>, PortError> {
        let call = self.of("autoscaling:DescribeAutoScalingGroups");
        let request = self.clients.scaling.describe_auto_scaling_groups().max_records(GROUPS);
        let groups = self.pages(async |token| {
            let answer = call.must(async || request.clone().set_next_token(token.clone()).send().await).await?;
            Ok((answer.auto_scaling_groups.unwrap_or_default(), answer.next_token))
        });
        let groups = groups.await?;
        let mut starts: BTreeSet<(String, Start)> =
            groups.iter().flat_map(|group| named(group).into_iter().map(|start| (said(group), start))).collect();
        let configurations: Vec<String> =
            groups.iter().filter_map(|group| group.launch_configuration_name.clone()).collect();
        let images = self.configured(&configurations).await?;
        for group in &groups {
            if let Some(image) = group.launch_configuration_name.as_ref().and_then(|name| images.get(name)) {
                starts.insert((said(group), Start::Image(image.clone())));
            }
        }
        Ok(starts)
    }

    /// The images of launch configurations.
    async fn configured(&self, names: &[String]) -> Result<BTreeMap<String, String>, PortError> {
        let call = self.of("autoscaling:DescribeLaunchConfigurations");
        let mut images = BTreeMap::new();
        for names in names.chunks(CONFIGURATIONS) {
            let request = self.clients.scaling.describe_launch_configurations();
            let request = request.set_launch_configuration_names(Some(names.to_vec()));
            let found = self.pages(async |token| {
                let answer = call.must(async || request.clone().set_next_token(token.clone()).send().await).await?;
                Ok((answer.launch_configurations.unwrap_or_default(), answer.next_token))
            });
            for one in found.await? {
                images.extend(one.launch_configuration_name.zip(one.image_id));
            }
        }
        Ok(images)
    }
}

fn said(group: &AutoScalingGroup) -> String {
    format!("Auto Scaling group {}", group.auto_scaling_group_name().unwrap_or_default())
}

/// Templates and images that a group names itself.
fn named(group: &AutoScalingGroup) -> Vec<Start> {
    let mixed = group.mixed_instances_policy().and_then(|policy| policy.launch_template());
    let overrides = mixed.iter().flat_map(|mixed| mixed.overrides());
    let mut all: Vec<Start> =
        overrides.clone().filter_map(|one| one.image_id()).map(|id| Start::Image(id.to_owned())).collect();
    let templates = group
        .launch_template()
        .into_iter()
        .chain(mixed.and_then(|mixed| mixed.launch_template_specification()))
        .chain(overrides.filter_map(|one| one.launch_template_specification()));
    all.extend(templates.map(template).map(Start::Template));
    all
}

fn template(said: &LaunchTemplateSpecification) -> Named {
    Named {
        id: said.launch_template_id().map(str::to_owned),
        name: said.launch_template_name().map(str::to_owned),
        version: said.version().filter(|version| !version.is_empty()).unwrap_or(DEFAULT).to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_autoscaling::types::{LaunchTemplate, LaunchTemplateOverrides, MixedInstancesPolicy};

    use super::*;

    fn specification(id: &str, version: Option<&str>) -> LaunchTemplateSpecification {
        let version = version.map(str::to_owned);
        LaunchTemplateSpecification::builder().launch_template_id(id).set_version(version).build()
    }

    #[test]
    fn a_group_names_templates_and_images_in_four_places() {
        let other = LaunchTemplateOverrides::builder();
        let other = other.launch_template_specification(specification("lt-3", Some("7"))).image_id("ami-4").build();
        let mixed = LaunchTemplate::builder().launch_template_specification(specification("lt-2", Some("$Latest")));
        let policy = MixedInstancesPolicy::builder().launch_template(mixed.overrides(other).build()).build();
        let group = AutoScalingGroup::builder().launch_template(specification("lt-1", None));
        let template = |id: &str, version: &str| {
            Start::Template(Named { id: Some(id.to_owned()), name: None, version: version.to_owned() })
        };
        let expected = [
            Start::Image("ami-4".to_owned()),
            template("lt-1", "$Default"),
            template("lt-2", "$Latest"),
            template("lt-3", "7"),
        ];
        assert_eq!(named(&group.mixed_instances_policy(policy).build()), expected);
    }
}
