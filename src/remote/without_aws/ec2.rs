//! What EC2 would be asked.

use std::collections::{BTreeMap, BTreeSet};

use crate::bake::event::Listener;
use crate::bake::port::{
    Ask, CopyOrder, Disk, Ec2, Ec2Site, ImageMade, ImageOrder, ImageStep, Instance, Machine, PortError, RunOrder,
    SpotRequest, Started, Tags, Template, TypeFacts,
};
use crate::recipe::Share;
use crate::remote::wire::Wire;

use super::access::without;

impl Ec2 for Wire {
    fn caller(&self, site: &Ec2Site, _: Listener<'_>) -> Result<String, PortError> {
        Err(without(of(site)))
    }

    fn images(&self, site: &Ec2Site, _: &Ask, _: Listener<'_>) -> Result<Vec<Machine>, PortError> {
        Err(without(of(site)))
    }

    fn image(&self, site: &Ec2Site, _: &str, _: Listener<'_>) -> Result<Option<Machine>, PortError> {
        Err(without(of(site)))
    }

    fn instances(&self, site: &Ec2Site, _: &Ask, _: Listener<'_>) -> Result<Vec<Instance>, PortError> {
        Err(without(of(site)))
    }

    fn spot_requests(&self, site: &Ec2Site, _: &Ask, _: Listener<'_>) -> Result<Vec<SpotRequest>, PortError> {
        Err(without(of(site)))
    }

    fn cancel(&self, site: &Ec2Site, _: &str, _: Listener<'_>) -> Result<(), PortError> {
        Err(without(of(site)))
    }

    fn volumes(&self, site: &Ec2Site, _: &Ask, _: Listener<'_>) -> Result<Vec<Disk>, PortError> {
        Err(without(of(site)))
    }

    fn snapshots(&self, site: &Ec2Site, _: &Ask, _: Listener<'_>) -> Result<Vec<Disk>, PortError> {
        Err(without(of(site)))
    }

    fn types(&self, site: &Ec2Site, _: &BTreeSet<String>, _: Listener<'_>) -> Result<Vec<TypeFacts>, PortError> {
        Err(without(of(site)))
    }

    fn run(&self, site: &Ec2Site, _: &RunOrder, _: Listener<'_>) -> Result<Started, PortError> {
        Err(without(of(site)))
    }

    fn console(&self, site: &Ec2Site, _: &str, _: Listener<'_>) -> Result<String, PortError> {
        Err(without(of(site)))
    }

    fn terminate(&self, site: &Ec2Site, _: &str, _: Listener<'_>) -> Result<(), PortError> {
        Err(without(of(site)))
    }

    fn make_image(&self, site: &Ec2Site, _: &ImageOrder, _: Listener<'_>) -> Result<ImageMade, PortError> {
        Err(without(of(site)))
    }

    fn copy_image(&self, site: &Ec2Site, _: &CopyOrder, _: Listener<'_>) -> Result<ImageMade, PortError> {
        Err(without(of(site)))
    }

    fn shared(&self, site: &Ec2Site, _: &str, _: Listener<'_>) -> Result<Share, PortError> {
        Err(without(of(site)))
    }

    fn change(&self, site: &Ec2Site, _: &str, _: &ImageStep, _: Listener<'_>) -> Result<(), PortError> {
        Err(without(of(site)))
    }

    fn snapshot_shared(&self, site: &Ec2Site, _: &str, _: Listener<'_>) -> Result<BTreeSet<String>, PortError> {
        Err(without(of(site)))
    }

    fn share_snapshot(
        &self,
        site: &Ec2Site,
        _: &str,
        _: &BTreeSet<String>,
        _: &BTreeSet<String>,
        _: Listener<'_>,
    ) -> Result<(), PortError> {
        Err(without(of(site)))
    }

    fn tag(&self, site: &Ec2Site, _: &BTreeSet<String>, _: &Tags, _: Listener<'_>) -> Result<(), PortError> {
        Err(without(of(site)))
    }

    fn deregister(&self, site: &Ec2Site, _: &str, _: Listener<'_>) -> Result<(), PortError> {
        Err(without(of(site)))
    }

    fn delete_snapshot(&self, site: &Ec2Site, _: &str, _: Listener<'_>) -> Result<(), PortError> {
        Err(without(of(site)))
    }

    fn delete_volume(&self, site: &Ec2Site, _: &str, _: Listener<'_>) -> Result<(), PortError> {
        Err(without(of(site)))
    }

    fn parameter(&self, site: &Ec2Site, _: &str, _: Listener<'_>) -> Result<Option<String>, PortError> {
        Err(without(of(site)))
    }

    fn put_parameter(&self, site: &Ec2Site, _: &str, _: &str, _: Listener<'_>) -> Result<(), PortError> {
        Err(without(of(site)))
    }

    fn template(&self, site: &Ec2Site, _: &str, _: Listener<'_>) -> Result<Option<Template>, PortError> {
        Err(without(of(site)))
    }

    fn new_version(
        &self,
        site: &Ec2Site,
        _: &Template,
        _: &str,
        _: &str,
        _: &str,
        _: Listener<'_>,
    ) -> Result<u64, PortError> {
        Err(without(of(site)))
    }

    fn set_default(&self, site: &Ec2Site, _: &Template, _: u64, _: Listener<'_>) -> Result<(), PortError> {
        Err(without(of(site)))
    }

    fn in_use(&self, site: &Ec2Site, _: Listener<'_>) -> Result<BTreeMap<String, BTreeSet<String>>, PortError> {
        Err(without(of(site)))
    }
}

fn of(site: &Ec2Site) -> String {
    format!("EC2 in {}", site.region)
}
