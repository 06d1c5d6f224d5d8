//! The order of the steps, and the ports through which they reach the world.

pub mod base;
pub mod build;
pub mod built;
pub mod diff;
pub mod event;
pub mod found;
pub mod inspect;
pub mod interrupt;
mod known;
pub mod output;
pub mod parameters;
pub mod port;
pub mod provision;
pub mod rebuild;
pub mod replicated;
pub mod resolve;
pub mod survey;
