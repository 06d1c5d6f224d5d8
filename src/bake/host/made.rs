//! What is there, and what came of a bake.

use std::collections::BTreeMap;

use super::fault::HostError;
use crate::bake::port::Machine;
use crate::recipe::{Architecture, Region};

/// What is in a region for one processor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sight {
    /// Where.
    pub region: Region,
    /// For which processor.
    pub architecture: Architecture,
    /// The finished image, or else the one that has got the furthest; none where nothing was begun.
    pub machine: Option<Machine>,
    /// Whether it is all that it has to be.
    pub finished: bool,
    /// One of the same key that somebody has disabled.
    pub(super) disabled: Option<Machine>,
    /// Images of the same key that came to nothing.
    pub(super) failed: Vec<Machine>,
}

impl Sight {
    /// Whether there may be another one.
    ///
    /// # Errors
    /// When somebody has disabled the one that was there: that is a wish, and it has the name.
    pub(super) fn check(&self) -> Result<(), HostError> {
        let Some(machine) = &self.disabled else { return Ok(()) };
        let message = "somebody has disabled it: enable it, or raise the recipe's version to have another one made";
        let subject = format!("{} in {}", machine.id, self.region);
        Err(HostError::Misfit { subject, message: message.to_owned() })
    }
}

/// What is in all regions of an order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sights(pub(super) Vec<Sight>);

impl Sights {
    /// One for each region and processor: the home region's first.
    #[must_use]
    pub fn all(&self) -> &[Sight] {
        &self.0
    }

    /// What is in a region for a processor.
    #[must_use]
    pub fn at(&self, region: &Region, architecture: Architecture) -> Option<&Sight> {
        self.0.iter().find(|sight| sight.region == *region && sight.architecture == architecture)
    }

    /// Whether there is a finished image in every region for every processor.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.0.iter().all(|sight| sight.finished)
    }

    /// Whether an instance is needed for a processor: it has no image at home, nor one on its way, nor a finished one
    /// elsewhere that could be brought home.
    #[must_use]
    pub fn needs_instance(&self, home: &Region, architecture: Architecture) -> bool {
        let is_there = |sight: &&Sight| sight.architecture == architecture && sight.machine.is_some();
        !self.0.iter().filter(is_there).any(|sight| sight.finished || sight.region == *home)
    }
}

/// A finished image in a region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made {
    /// Where.
    pub region: Region,
    /// For which processor.
    pub architecture: Architecture,
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The device name of its root disk.
    pub root_device: String,
    /// The snapshots of its disks, by device name.
    pub snapshots: BTreeMap<String, String>,
    /// The key that encrypts its root disk's, where the recipe names one.
    pub kms_key: Option<String>,
    /// Whether it was there and finished before.
    pub was_there: bool,
    /// What was changed about it and what points to it, in words.
    pub changed: Vec<String>,
}

impl Made {
    /// The snapshot of its root disk.
    #[must_use]
    pub fn root_snapshot(&self) -> Option<&str> {
        self.snapshots.get(&self.root_device).map(String::as_str)
    }
}

/// A region that did not get an image.
#[derive(Debug)]
pub struct Failed {
    /// Where.
    pub region: Region,
    /// For which processor.
    pub architecture: Architecture,
    /// Why.
    pub error: HostError,
}

/// What came of a bake. Regions and processors that failed do not keep the others from being finished.
#[derive(Debug, Default)]
pub struct Baked {
    /// What is there and finished.
    pub made: Vec<Made>,
    /// What is not.
    pub failed: Vec<Failed>,
}
