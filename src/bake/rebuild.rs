//! Whether an image can be built again: the same inputs in an empty store, and a look at what comes out.

mod differ;
mod inputs;

pub use differ::{Difference, difference};
pub use inputs::Inputs;
