//! Who may start an image or read a snapshot, and what else is changed about an image.

use std::collections::BTreeSet;

use aws_sdk_ec2::types::{
    AttributeValue, CreateVolumePermission, CreateVolumePermissionModifications, ImageAttributeName, LaunchPermission,
    LaunchPermissionModifications, SnapshotAttributeName,
};

use crate::bake::port::{ImageStep, PortError};
use crate::recipe::Share;

use super::control::Control;

impl Control<'_> {
    /// Who may start an image.
    pub(super) async fn shared(&self, image: &str) -> Result<Share, PortError> {
        let request = self.clients.ec2.describe_image_attribute().image_id(image);
        let request = request.attribute(ImageAttributeName::LaunchPermission);
        let answer = self.must("ec2:DescribeImageAttribute", &[image], async || request.clone().send().await).await?;
        let mut share = Share { accounts: BTreeSet::new(), organizations: BTreeSet::new() };
        for permission in answer.launch_permissions.unwrap_or_default() {
            share.accounts.extend(permission.user_id);
            share.organizations.extend(permission.organization_arn.or(permission.organizational_unit_arn));
        }
        Ok(share)
    }

    /// Changes something about an image.
    pub(super) async fn change(&self, image: &str, step: &ImageStep) -> Result<(), PortError> {
        let request = self.clients.ec2.modify_image_attribute().image_id(image);
        let permissions = LaunchPermissionModifications::builder();
        let request = match step {
            ImageStep::Share(share) | ImageStep::Unshare(share) if all(share).is_empty() => return Ok(()),
            ImageStep::Share(share) => request.launch_permission(permissions.set_add(Some(all(share))).build()),
            ImageStep::Unshare(share) => request.launch_permission(permissions.set_remove(Some(all(share))).build()),
            ImageStep::ImdsV2 => request.imds_support(AttributeValue::builder().value("v2.0").build()),
            ImageStep::Deprecate(at) => return self.deprecate(image, at).await,
            ImageStep::NeverDeprecate => return self.never_deprecate(image).await,
        };
        self.must("ec2:ModifyImageAttribute", &[image], async || request.clone().send().await).await.map(drop)
    }

    /// Which accounts may read a snapshot.
    pub(super) async fn snapshot_shared(&self, snapshot: &str) -> Result<BTreeSet<String>, PortError> {
        let request = self.clients.ec2.describe_snapshot_attribute().snapshot_id(snapshot);
        let request = request.attribute(SnapshotAttributeName::CreateVolumePermission);
        let action = "ec2:DescribeSnapshotAttribute";
        let answer = self.must(action, &[snapshot], async || request.clone().send().await).await?;
        let permissions = answer.create_volume_permissions.unwrap_or_default();
        Ok(permissions.into_iter().filter_map(|one| one.user_id).collect())
    }

    /// Lets accounts read a snapshot, and others not any more. EC2 does one of the two in a call.
    pub(super) async fn share_snapshot(
        &self,
        snapshot: &str,
        add: &BTreeSet<String>,
        remove: &BTreeSet<String>,
    ) -> Result<(), PortError> {
        let accounts = |accounts: &BTreeSet<String>| {
            let one = |account: &String| CreateVolumePermission::builder().user_id(account).build();
            Some(accounts.iter().map(one).collect::<Vec<_>>())
        };
        let steps = [
            (add, CreateVolumePermissionModifications::builder().set_add(accounts(add))),
            (remove, CreateVolumePermissionModifications::builder().set_remove(accounts(remove))),
        ];
        for (_, step) in steps.into_iter().filter(|(who, _)| !who.is_empty()) {
            let request = self.clients.ec2.modify_snapshot_attribute().snapshot_id(snapshot);
            let request = request.attribute(SnapshotAttributeName::CreateVolumePermission);
            let request = request.create_volume_permission(step.build());
            self.must("ec2:ModifySnapshotAttribute", &[snapshot], async || request.clone().send().await).await?;
        }
        Ok(())
    }
}

fn all(share: &Share) -> Vec<LaunchPermission> {
    let accounts = share.accounts.iter().map(|account| LaunchPermission::builder().user_id(account).build());
    let organizations = share.organizations.iter().map(|arn| {
        let permission = LaunchPermission::builder();
        if arn.contains(":organization/") {
            permission.organization_arn(arn).build()
        } else {
            permission.organizational_unit_arn(arn).build()
        }
    });
    accounts.chain(organizations).collect()
}
