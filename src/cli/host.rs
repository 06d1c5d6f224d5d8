//! Hosts, for all commands that have to do with AMIs.
//!
//! ```text
//! parcel      a recipe that was planned, and its user data
//! account     whose credentials these are
//! freight     a parcel for one target: looked for, made, tested, recorded
//! trial       whether its AMIs boot
//! scope       the regions of a target in which hosts may be
//! row         what came of it, for people and programs
//! ```

mod account;
mod freight;
mod parcel;
mod row;
mod scope;
mod trial;

pub(super) use account::identify;
pub(super) use freight::Freight;
pub(super) use parcel::HostParcel;
pub(super) use row::HostRow;
pub(super) use scope::Scope;
pub(super) use trial::boot;
