//! Which images something in a region starts from. What is not found out here is deleted one day, so whatever cannot be
//! read is an error, and only what is gone by now is passed over.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ec2::types::{Filter, LaunchTemplateVersion};

use crate::bake::port::PortError;
use crate::remote::aws::parameter;

use super::control::{Control, is_missing};
use super::groups::{Named, Start};
use super::templates::{DEFAULT, LATEST, VERSIONS, image_of};

/// What precedes the name of a parameter that holds an image's id.
const PARAMETER: &str = "resolve:ssm:";

/// Every state of an instance but `terminated`.
const ALIVE: [&str; 5] = ["pending", "running", "shutting-down", "stopping", "stopped"];

/// Images, or parameters that hold one, with who starts from them.
type Users = BTreeMap<String, BTreeSet<String>>;

impl Control<'_> {
    /// Ids of images, with who starts from them.
    pub(super) async fn in_use(&self) -> Result<Users, PortError> {
        let mut users = Users::new();
        let alive = Filter::builder().name("instance-state-name").set_values(Some(ALIVE.map(str::to_owned).into()));
        for instance in self.instances_by(Some(vec![alive.build()])).await? {
            enter(&mut users, &instance.image, format!("instance {}", instance.id));
        }
        // Of all templates EC2 tells these two versions, and no others.
        for version in self.versions(None, &[LATEST, DEFAULT]).await? {
            if let Some(image) = image_of(&version) {
                enter(&mut users, image, said(&version));
            }
        }
        for (group, start) in self.starts().await? {
            match start {
                Start::Image(image) => enter(&mut users, &image, group),
                Start::Template(named) => {
                    for version in self.versions(Some(&named), &[&named.version]).await? {
                        if let Some(image) = image_of(&version) {
                            enter(&mut users, image, format!("{group} ({})", said(&version)));
                        }
                    }
                }
            }
        }
        self.resolved(users).await
    }

    /// Versions of one launch template or of all.
    async fn versions(&self, of: Option<&Named>, versions: &[&str]) -> Result<Vec<LaunchTemplateVersion>, PortError> {
        const ACTION: &str = "ec2:DescribeLaunchTemplateVersions";
        let versions = versions.iter().map(|&version| version.to_owned()).collect();
        let request = self.clients.ec2.describe_launch_template_versions().set_versions(Some(versions));
        let request = request.max_results(VERSIONS);
        let request = match of {
            None => request,
            Some(Named { id: Some(id), .. }) => request.launch_template_id(id),
            Some(Named { name, .. }) => request.set_launch_template_name(name.clone()),
        };
        let call = self.of(ACTION);
        let found = self.pages(async |token| {
            match call.ask(async || request.clone().set_next_token(token.clone()).send().await).await {
                Ok(answer) => Ok((answer.launch_template_versions.unwrap_or_default(), answer.next_token)),
                Err(refused) if is_missing(refused.code()) || refused.code().ends_with(".VersionNotFound") => {
                    Ok((Vec::new(), None))
                }
                Err(refused) => Err(call.named(refused)),
            }
        });
        found.await
    }

    /// The same with ids in the place of parameters.
    async fn resolved(&self, users: Users) -> Result<Users, PortError> {
        let call = self.of("ssm:GetParameter");
        let mut resolved = Users::new();
        for (image, who) in users {
            let image = match image.strip_prefix(PARAMETER) {
                None => Some(image),
                Some(name) => parameter::get(&self.clients.ssm, &call, name).await?,
            };
            if let Some(image) = image {
                resolved.entry(image).or_default().extend(who);
            }
        }
        Ok(resolved)
    }
}

fn enter(users: &mut Users, image: &str, who: String) {
    if !image.is_empty() {
        users.entry(image.to_owned()).or_default().insert(who);
    }
}

fn said(version: &LaunchTemplateVersion) -> String {
    let name = version.launch_template_name().or(version.launch_template_id()).unwrap_or_default();
    format!("launch template {name}, version {}", version.version_number().unwrap_or_default())
}
