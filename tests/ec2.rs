//! The client of EC2, against a strict one on loopback.

mod bake;
mod client;
mod errors;
mod life;
mod mended;
mod users;

use elkbake::remote::config::{Aws, WireConfig};

use crate::kitchen::cloud::Amazon;

impl Amazon {
    /// What a client has to be told that works here.
    fn config(&self) -> WireConfig {
        WireConfig {
            aws: Aws { endpoint: Some(self.url()), keys: Some(("AKIDKITCHEN".to_owned(), "very-secret".to_owned())) },
            ..crate::wire::bench::config()
        }
    }
}
