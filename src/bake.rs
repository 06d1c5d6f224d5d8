//! The order of the steps, and the ports through which they reach the world.

pub mod base;
pub mod build;
pub mod built;
pub mod diff;
pub mod documents;
pub mod event;
pub mod found;
pub mod handover;
pub mod host;
pub mod inspect;
pub mod interrupt;
mod known;
pub mod ledger;
pub mod output;
pub mod parameters;
pub mod port;
pub mod provision;
pub mod push;
pub mod rebuild;
pub mod recorded;
pub mod replicated;
pub mod resolve;
mod saved;
pub mod smoke;
pub mod standing;
pub mod survey;
pub mod visit;
