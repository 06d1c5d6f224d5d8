//! The world behind sockets: registries, download sites, container engines. The only room with async code, behind the
//! runtimes that [`Wire`] and [`docker::Docker`] own; what it shows is blocking.
//!
//! ```text
//! wire -> auth -> docker_config, credential     who we are
//!   |       |        challenge                  what they want to know
//!   |       +-> http -> proxy, tls, address     one request, one answer
//!   |            +----> body                    what goes out with it
//! exchange -> door                              one request to a registry, with credentials where it asks
//!   |
//! registry, fetch -> download -> retry          many, until the thing is in the store
//! publish -> upload ---------------+            many, until the thing is in the registry
//! docker                                        container engines
//! wire, docker -> stop                          whatever waits, until the person asks to stop
//! http, docker, aws -> causes                   what is behind an error
//! aws, ecr, ec2 -> clock                        what AWS has beside images; `without_aws` in builds without it
//!                    mirror, config             what we are told from outside
//! ```

mod address;
mod auth;
#[cfg(feature = "aws")]
mod aws;
mod body;
mod causes;
mod challenge;
#[cfg(feature = "aws")]
mod clock;
pub mod config;
mod credential;
pub mod docker;
mod docker_config;
mod door;
mod download;
#[cfg(feature = "aws")]
mod ec2;
#[cfg(feature = "aws")]
mod ecr;
mod exchange;
mod fetch;
mod http;
pub mod mirror;
mod netrc;
mod proxy;
mod publish;
mod refusal;
mod registry;
mod retry;
mod secret;
mod stop;
mod tls;
mod upload;
mod wire;
#[cfg(not(feature = "aws"))]
mod without_aws;

pub use wire::{Wire, WireError};
