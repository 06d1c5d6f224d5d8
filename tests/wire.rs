//! The wire clients against all that can go wrong between two machines.

mod auth;
mod bench;
mod download;
mod proxy;
mod registry;
mod retry;
mod tls;
mod tunnel;
