//! Launch templates.

use aws_sdk_ec2::types::{LaunchTemplateVersion, RequestLaunchTemplateData, ValidationWarning};

use crate::bake::event::Event;
use crate::bake::port::{PortError, Template};

use super::control::{Control, is_missing};

/// The newest version, in EC2's words.
pub(super) const LATEST: &str = "$Latest";

/// The version that is used where none is named, in EC2's words.
pub(super) const DEFAULT: &str = "$Default";

/// EC2 tells of so many versions at once.
pub(super) const VERSIONS: i32 = 200;

impl Control<'_> {
    /// A launch template; `None` where there is none of that name or id.
    pub(super) async fn template(&self, name: &str) -> Result<Option<Template>, PortError> {
        const ACTION: &str = "ec2:DescribeLaunchTemplates";
        let request = self.clients.ec2.describe_launch_templates();
        let request = if name.starts_with("lt-") {
            request.launch_template_ids(name)
        } else {
            request.launch_template_names(name)
        };
        let found = match self.ask(ACTION, &[], async || request.clone().send().await).await {
            Ok(answer) => answer.launch_templates.unwrap_or_default().into_iter().next(),
            Err(refused) if is_missing(refused.code()) => None,
            Err(refused) => return Err(self.of(ACTION).named(refused)),
        };
        let Some(found) = found else { return Ok(None) };
        let id = found.launch_template_id.unwrap_or_default();
        let request = self.clients.ec2.describe_launch_template_versions().launch_template_id(&id).versions(LATEST);
        let asked = self.must("ec2:DescribeLaunchTemplateVersions", &[], async || request.clone().send().await);
        let newest = asked.await?.launch_template_versions.unwrap_or_default().into_iter().next();
        let number = |number: Option<i64>| number.and_then(|number| u64::try_from(number).ok()).unwrap_or_default();
        Ok(Some(Template {
            id,
            name: found.launch_template_name.unwrap_or_default(),
            default: number(found.default_version_number),
            latest: number(found.latest_version_number),
            latest_image: newest.as_ref().and_then(image_of).map(str::to_owned),
        }))
    }

    /// Makes a version that is the newest one with another image.
    pub(super) async fn new_version(
        &self,
        template: &Template,
        image: &str,
        description: &str,
        token: &str,
    ) -> Result<u64, PortError> {
        let data = RequestLaunchTemplateData::builder().image_id(image).build();
        let request = self.clients.ec2.create_launch_template_version().launch_template_id(&template.id);
        let request = request
            .source_version(template.latest.to_string())
            .launch_template_data(data)
            .version_description(description)
            .client_token(token);
        let sent = self.must("ec2:CreateLaunchTemplateVersion", &[], async || request.clone().send().await);
        let answer = sent.await?;
        for wrong in answer.warning.iter().flat_map(ValidationWarning::errors) {
            let said = wrong.message().or(wrong.code()).unwrap_or("something is wrong with it");
            (self.call.tell)(Event::Warn(&format!("{}: EC2 has made the version, but: {said}", self.call.subject)));
        }
        let number = answer.launch_template_version.and_then(|version| version.version_number);
        let number = number.and_then(|number| u64::try_from(number).ok());
        number.ok_or_else(|| self.wrong("EC2 says that it has made a version, and not which"))
    }

    /// Makes a version the default.
    pub(super) async fn set_default(&self, template: &Template, version: u64) -> Result<(), PortError> {
        let request = self.clients.ec2.modify_launch_template().launch_template_id(&template.id);
        let request = request.default_version(version.to_string());
        let sent = self.must("ec2:ModifyLaunchTemplate", &[], async || request.clone().send().await);
        sent.await.map(drop)
    }
}

/// The image that a version names: an id, or `resolve:ssm:` and a parameter.
pub(super) fn image_of(version: &LaunchTemplateVersion) -> Option<&str> {
    version.launch_template_data()?.image_id().filter(|image| !image.is_empty())
}
