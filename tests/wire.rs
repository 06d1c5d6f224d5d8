//! The wire clients against all that can go wrong between two machines.

mod auth;
pub mod bench;
pub mod cuts;
mod download;
mod many;
mod proxy;
mod publish;
mod registry;
mod retry;
mod tls;
pub mod tunnel;
mod upload;
mod upload_auth;
