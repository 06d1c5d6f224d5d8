//! What is asked of EC2, and of SSM and Auto Scaling beside it: images, the instances that become images, and who uses
//! them.
//!
//! Every call is one that AWS has, or a list of all pages of one; which call follows which is decided on the road.
//! What may be called again safely after its answer was lost is: by a client token, or because the same thing is asked
//! for. Throttling, and "does not exist" right after something was made, are waited out behind this port.

mod order;
mod thing;

use std::collections::{BTreeMap, BTreeSet};

use super::PortError;
use crate::bake::event::Listener;
use crate::recipe::Share;

pub use order::{CopyOrder, ImageMade, ImageOrder, ImageStep, Mapped, Mapping, RunOrder, Started};
pub use thing::{Ask, Disk, Ec2Site, Instance, Machine, SpotRequest, Tags, Template, TypeFacts};

/// EC2, with what belongs to it in SSM and Auto Scaling.
pub trait Ec2: Sync {
    /// The account that our credentials belong to.
    ///
    /// # Errors
    /// When AWS does not say so, or says no; all others likewise.
    fn caller(&self, site: &Ec2Site, tell: Listener<'_>) -> Result<String, PortError>;

    /// Images of the account, deprecated and disabled ones too.
    ///
    /// # Errors
    /// See [`Ec2::caller`].
    fn images(&self, site: &Ec2Site, ask: &Ask, tell: Listener<'_>) -> Result<Vec<Machine>, PortError>;

    /// An image by id, whoever owns it.
    ///
    /// # Errors
    /// See [`Ec2::caller`].
    fn image(&self, site: &Ec2Site, id: &str, tell: Listener<'_>) -> Result<Option<Machine>, PortError>;

    /// Instances.
    ///
    /// # Errors
    /// See [`Ec2::caller`].
    fn instances(&self, site: &Ec2Site, ask: &Ask, tell: Listener<'_>) -> Result<Vec<Instance>, PortError>;

    /// Requests for spot instances.
    ///
    /// # Errors
    /// See [`Ec2::caller`].
    fn spot_requests(&self, site: &Ec2Site, ask: &Ask, tell: Listener<'_>) -> Result<Vec<SpotRequest>, PortError>;

    /// Takes a request for a spot instance back; its instance stays. One that is not there is taken back.
    ///
    /// # Errors
    /// See [`Ec2::caller`].
    fn cancel(&self, site: &Ec2Site, request: &str, tell: Listener<'_>) -> Result<(), PortError>;

    /// Volumes.
    ///
    /// # Errors
    /// See [`Ec2::caller`].
    fn volumes(&self, site: &Ec2Site, ask: &Ask, tell: Listener<'_>) -> Result<Vec<Disk>, PortError>;

    /// Snapshots.
    ///
    /// # Errors
    /// See [`Ec2::caller`].
    fn snapshots(&self, site: &Ec2Site, ask: &Ask, tell: Listener<'_>) -> Result<Vec<Disk>, PortError>;

    /// What instance types have; those that a region does not have are not in the answer.
    ///
    /// # Errors
    /// See [`Ec2::caller`].
    fn types(&self, site: &Ec2Site, names: &BTreeSet<String>, tell: Listener<'_>) -> Result<Vec<TypeFacts>, PortError>;

    /// Starts an instance.
    ///
    /// # Errors
    /// See [`Ec2::caller`].
    fn run(&self, site: &Ec2Site, order: &RunOrder, tell: Listener<'_>) -> Result<Started, PortError>;

    /// What an instance has printed on its serial console; empty where EC2 has none of it yet.
    ///
    /// # Errors
    /// See [`Ec2::caller`].
    fn console(&self, site: &Ec2Site, instance: &str, tell: Listener<'_>) -> Result<String, PortError>;

    /// Ends an instance. One that is not there is ended.
    ///
    /// # Errors
    /// See [`Ec2::caller`].
    fn terminate(&self, site: &Ec2Site, instance: &str, tell: Listener<'_>) -> Result<(), PortError>;

    /// Makes an image of an instance.
    ///
    /// # Errors
    /// See [`Ec2::caller`].
    fn make_image(&self, site: &Ec2Site, order: &ImageOrder, tell: Listener<'_>) -> Result<ImageMade, PortError>;

    /// Brings an image from another region to a site.
    ///
    /// # Errors
    /// See [`Ec2::caller`].
    fn copy_image(&self, site: &Ec2Site, order: &CopyOrder, tell: Listener<'_>) -> Result<ImageMade, PortError>;

    /// Who may start an image beside its owner.
    ///
    /// # Errors
    /// See [`Ec2::caller`].
    fn shared(&self, site: &Ec2Site, image: &str, tell: Listener<'_>) -> Result<Share, PortError>;

    /// Changes something about an image.
    ///
    /// # Errors
    /// See [`Ec2::caller`].
    fn change(&self, site: &Ec2Site, image: &str, step: &ImageStep, tell: Listener<'_>) -> Result<(), PortError>;

    /// Which accounts may make volumes of a snapshot. Snapshots know no organisations.
    ///
    /// # Errors
    /// See [`Ec2::caller`].
    fn snapshot_shared(
        &self,
        site: &Ec2Site,
        snapshot: &str,
        tell: Listener<'_>,
    ) -> Result<BTreeSet<String>, PortError>;

    /// Lets accounts make volumes of a snapshot, and others not any more.
    ///
    /// # Errors
    /// See [`Ec2::caller`].
    fn share_snapshot(
        &self,
        site: &Ec2Site,
        snapshot: &str,
        add: &BTreeSet<String>,
        remove: &BTreeSet<String>,
        tell: Listener<'_>,
    ) -> Result<(), PortError>;

    /// Puts tags on things of any kind, beside those that they have.
    ///
    /// # Errors
    /// See [`Ec2::caller`].
    fn tag(&self, site: &Ec2Site, ids: &BTreeSet<String>, tags: &Tags, tell: Listener<'_>) -> Result<(), PortError>;

    /// Takes an image away; its snapshots stay. One that is not there is away.
    ///
    /// # Errors
    /// See [`Ec2::caller`].
    fn deregister(&self, site: &Ec2Site, image: &str, tell: Listener<'_>) -> Result<(), PortError>;

    /// Deletes a snapshot. One that is not there is deleted.
    ///
    /// # Errors
    /// See [`Ec2::caller`].
    fn delete_snapshot(&self, site: &Ec2Site, snapshot: &str, tell: Listener<'_>) -> Result<(), PortError>;

    /// Deletes a volume. One that is not there is deleted.
    ///
    /// # Errors
    /// See [`Ec2::caller`].
    fn delete_volume(&self, site: &Ec2Site, volume: &str, tell: Listener<'_>) -> Result<(), PortError>;

    /// What an SSM parameter says; `None` where there is none.
    ///
    /// # Errors
    /// See [`Ec2::caller`].
    fn parameter(&self, site: &Ec2Site, name: &str, tell: Listener<'_>) -> Result<Option<String>, PortError>;

    /// Puts an AMI's id into an SSM parameter of AMI ids (`aws:ec2:image`).
    ///
    /// # Errors
    /// See [`Ec2::caller`].
    fn put_parameter(&self, site: &Ec2Site, name: &str, image: &str, tell: Listener<'_>) -> Result<(), PortError>;

    /// A launch template by name or `lt-` id; `None` where there is none.
    ///
    /// # Errors
    /// See [`Ec2::caller`].
    fn template(&self, site: &Ec2Site, name: &str, tell: Listener<'_>) -> Result<Option<Template>, PortError>;

    /// Makes a version of a launch template that is the newest one with another image, and tells its number. The same
    /// token never makes a second one.
    ///
    /// # Errors
    /// See [`Ec2::caller`].
    fn new_version(
        &self,
        site: &Ec2Site,
        template: &Template,
        image: &str,
        description: &str,
        token: &str,
        tell: Listener<'_>,
    ) -> Result<u64, PortError>;

    /// Makes a version of a launch template its default.
    ///
    /// # Errors
    /// See [`Ec2::caller`].
    fn set_default(
        &self,
        site: &Ec2Site,
        template: &Template,
        version: u64,
        tell: Listener<'_>,
    ) -> Result<(), PortError>;

    /// Ids of all images that something in the region starts from, with who does: instances that are not terminated,
    /// default and newest versions of launch templates, whatever versions and configurations Auto Scaling groups name.
    ///
    /// # Errors
    /// See [`Ec2::caller`].
    fn in_use(&self, site: &Ec2Site, tell: Listener<'_>) -> Result<BTreeMap<String, BTreeSet<String>>, PortError>;
}
