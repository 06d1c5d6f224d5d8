//! The client of EC2, against a strict one on loopback.

mod bake;
mod client;
mod errors;
mod life;
mod mended;
mod users;
