//! The client of EC2, against a strict one on loopback.

mod client;
mod errors;
mod life;
mod users;
