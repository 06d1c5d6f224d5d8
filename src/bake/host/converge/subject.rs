//! An image that is made to be what it has to be.

use crate::bake::host::desk::Desk;
use crate::bake::host::fault::HostError;
use crate::bake::host::order::Order;
use crate::bake::port::{ImageStep, Machine};
use crate::recipe::{Architecture, Region};

/// An image in a region, and what it is to be.
pub(super) struct Subject<'s> {
    pub(super) order: &'s Order<'s>,
    pub(super) region: &'s Region,
    pub(super) architecture: Architecture,
    pub(super) machine: &'s Machine,
    pub(super) desk: Desk<'s>,
}

impl Subject<'_> {
    /// Changes something about the image.
    pub(super) fn change(&self, step: &ImageStep) -> Result<(), HostError> {
        Ok(self.desk.ec2.change(&self.order.site(self.region), &self.machine.id, step, self.desk.tell)?)
    }
}
