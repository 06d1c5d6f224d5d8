//! What a bake will make, known before any work is done: its key, its tag, its layers; and the refusal of what does
//! not fit together.
//!
//! Pure: recipe, lock and the digests of local files go in. No clock, disk or network has a say in a key.

mod change;
mod check;
mod cost;
mod host;
mod image;
mod input;
mod key;
mod lineage;
mod make;
mod planned;
mod stack;
mod stamp;

pub use change::{Change, Kind, compare};
pub use check::{Misfit, PlanError};
pub use cost::{Dollars, PRICES};
pub use host::{HostBase, HostPlan, Monthly, PlannedAmi, PlannedVolume, image_name};
pub use image::{ImagePlan, LayerKind, PlannedLayer, PlatformPlan};
pub use key::{HOST_FORMAT, KEY_FORMAT};
pub use lineage::{lineage, parent_of};
pub use planned::{Plan, Work};
pub use stamp::Stamps;

#[cfg(test)]
mod tests;
