//! Images: made, copied, changed, shared, taken away; and the disks that lie under them.

use std::collections::BTreeSet;

use aws_sdk_ec2::types::ResourceType;

use crate::bake::port::{CopyOrder, ImageMade, ImageOrder, Machine, PortError, Tags};

use super::control::{Control, is_missing};
use super::mapping::{block_devices, tagged, tags};
use super::seen;

/// EC2 tags so many things at once.
const TAGGED_AT_ONCE: usize = 500;

/// What EC2 answers where another image has the name. It may be what an earlier try made, whose answer was lost.
const NAME_TAKEN: &str = "InvalidAMIName.Duplicate";

impl Control<'_> {
    /// An image, whoever owns it.
    pub(super) async fn image(&self, id: &str) -> Result<Option<Machine>, PortError> {
        let request = self.clients.ec2.describe_images().image_ids(id).include_deprecated(true).include_disabled(true);
        match self.ask("ec2:DescribeImages", &[id], async || request.clone().send().await).await {
            Ok(answer) => Ok(answer.images.unwrap_or_default().into_iter().find_map(seen::machine)),
            Err(refused) if is_missing(refused.code()) || refused.code() == "InvalidAMIID.Unavailable" => Ok(None),
            Err(refused) => Err(self.of("ec2:DescribeImages").named(refused)),
        }
    }

    /// Makes an image of an instance.
    pub(super) async fn make_image(&self, order: &ImageOrder) -> Result<ImageMade, PortError> {
        let request = self.clients.ec2.create_image().instance_id(&order.instance).name(&order.name);
        let request = request
            .description(&order.description)
            .set_block_device_mappings(block_devices(&order.mappings, self)?)
            .set_tag_specifications(tagged(&[ResourceType::Image, ResourceType::Snapshot], &order.tags));
        match self.ask("ec2:CreateImage", &[&order.instance], async || request.clone().send().await).await {
            Ok(answer) => self.made(answer.image_id),
            Err(refused) if refused.code() == NAME_TAKEN => Ok(ImageMade::NameTaken),
            Err(refused) => Err(self.of("ec2:CreateImage").named(refused)),
        }
    }

    /// Brings an image here from another region.
    pub(super) async fn copy_image(&self, order: &CopyOrder) -> Result<ImageMade, PortError> {
        let request = self.clients.ec2.copy_image().source_region(order.from.as_str()).source_image_id(&order.image);
        let request = request
            .name(&order.name)
            .description(&order.description)
            .encrypted(order.encrypted)
            .set_kms_key_id(order.kms_key.clone())
            .copy_image_tags(false)
            .set_tag_specifications(tagged(&[ResourceType::Image, ResourceType::Snapshot], &order.tags))
            .client_token(&order.token);
        match self.ask("ec2:CopyImage", &[&order.image], async || request.clone().send().await).await {
            Ok(answer) => self.made(answer.image_id),
            Err(refused) if refused.code() == NAME_TAKEN => Ok(ImageMade::NameTaken),
            Err(refused) => Err(self.of("ec2:CopyImage").named(refused)),
        }
    }

    fn made(&self, id: Option<String>) -> Result<ImageMade, PortError> {
        let id = id.ok_or_else(|| self.wrong("EC2 says that it makes an image, and not which"))?;
        self.memory.given(&id);
        Ok(ImageMade::Image(id))
    }

    /// Marks an image as deprecated from some time on.
    pub(super) async fn deprecate(&self, image: &str, at: &str) -> Result<(), PortError> {
        let request = self.clients.ec2.enable_image_deprecation().image_id(image).deprecate_at(self.time(at)?);
        self.must("ec2:EnableImageDeprecation", &[image], async || request.clone().send().await).await.map(drop)
    }

    /// Marks an image as not deprecated, neither now nor later.
    pub(super) async fn never_deprecate(&self, image: &str) -> Result<(), PortError> {
        let request = self.clients.ec2.disable_image_deprecation().image_id(image);
        self.must("ec2:DisableImageDeprecation", &[image], async || request.clone().send().await).await.map(drop)
    }

    /// Puts tags on things.
    pub(super) async fn tag(&self, ids: &BTreeSet<String>, wanted: &Tags) -> Result<(), PortError> {
        if wanted.is_empty() {
            return Ok(());
        }
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        for ids in ids.chunks(TAGGED_AT_ONCE) {
            let mut request = self.clients.ec2.create_tags().set_tags(Some(tags(wanted)));
            for id in ids {
                request = request.resources(*id);
            }
            self.must("ec2:CreateTags", ids, async || request.clone().send().await).await?;
        }
        Ok(())
    }

    /// Takes an image away.
    pub(super) async fn deregister(&self, image: &str) -> Result<(), PortError> {
        let request = self.clients.ec2.deregister_image().image_id(image);
        self.away("ec2:DeregisterImage", image, async || request.clone().send().await).await
    }

    /// Deletes a snapshot.
    pub(super) async fn delete_snapshot(&self, snapshot: &str) -> Result<(), PortError> {
        const ACTION: &str = "ec2:DeleteSnapshot";
        let request = self.clients.ec2.delete_snapshot().snapshot_id(snapshot);
        let mut pauses = self.pauses();
        loop {
            let refused = match self.ask(ACTION, &[snapshot], async || request.clone().send().await).await {
                Ok(_) => break,
                Err(refused) if is_missing(refused.code()) => break,
                Err(refused) => refused,
            };
            if refused.code() != "InvalidSnapshot.InUse" {
                return Err(self.of(ACTION).named(refused));
            }
            // The image that it is in use by may be one that we have just taken away.
            if !self.memory.names_gone(refused.message(), self.call.timing.settling) {
                let by = refused.message().split(|c: char| !c.is_ascii_alphanumeric() && c != '-');
                let by =
                    by.into_iter().find(|word| word.starts_with("ami-")).unwrap_or("an image that EC2 does not name");
                return Err(self.wrong(format!("it is in use by {by}: deregister that first ({})", refused.message())));
            }
            pauses.wait(refused.message()).await;
        }
        self.memory.gone(snapshot);
        Ok(())
    }

    /// Deletes a volume.
    pub(super) async fn delete_volume(&self, volume: &str) -> Result<(), PortError> {
        let request = self.clients.ec2.delete_volume().volume_id(volume);
        self.away("ec2:DeleteVolume", volume, async || request.clone().send().await).await
    }
}
