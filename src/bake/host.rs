//! From a host's recipe to AMIs in every region.
//!
//! An instance is started from the locked base, changes itself as its user data says, says on its serial console how
//! that went, and stops. An image is made of it, and copied to the other regions. What is found by the key in a region
//! is never made again, finished or not: so a run goes on where an earlier one was killed. What a run has begun and
//! does not finish it takes down, whatever ends it.
//!
//! What only says where an image goes and who may use it is no part of its key: it is made to hold at every push
//! (`converge`).

mod bake;
mod boot_test;
mod builder;
mod clear;
mod compare;
mod console;
mod converge;
mod copy;
mod desk;
mod disks;
mod fault;
mod find;
mod fit;
mod guard;
mod home;
mod image;
mod left;
mod made;
mod needed;
mod order;
mod prune;
mod standing;
mod sweep;
mod words;

pub use bake::bake;
pub use boot_test::{Trial, Tried, boot_test};
pub use desk::{Desk, Pace};
pub use fault::HostError;
pub use find::find;
pub use left::{Leftover, MARGIN_MINUTES, Remains, left};
pub use made::{Baked, Failed, Made, Sight, Sights};
pub use needed::Users;
pub use order::{Order, UserData};
pub use prune::{Candidate, Fate, Pruned, Retention, prune, pruning};
pub use standing::{HostFlaw, standing};
pub use sweep::{Swept, sweep};

#[cfg(test)]
mod fixture;
#[cfg(test)]
mod tests;
