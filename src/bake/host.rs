//! From a host's recipe to AMIs in every region.
//!
//! An instance is started from the locked base, changes itself as its user data says, says on its serial console how
//! that went, and stops. An image is made of it, and copied to the other regions. What is found by the key in a region
//! is never made again, finished or not: so a run goes on where an earlier one was killed. What a run has begun and
//! does not finish it takes down, whatever ends it.
//!
//! What only says where an image goes and who may use it is no part of its key: it is made to hold at every push
//! ([`converge`]).

mod desk;
mod fault;
mod made;
mod order;
mod words;

pub use desk::{Desk, Pace};
pub use fault::HostError;
pub use made::{Baked, Failed, Made, Sight, Sights};
pub use order::{Order, UserData};
