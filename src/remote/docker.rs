//! Container engines: whatever speaks Docker's API, at a socket, over TCP or through SSH.
//!
//! ```text
//! engines -> speaker -> line -> way         one engine, one call, one connection
//!    |          +-----> pour, words, talk   bytes that go in and come out while a call lasts; its words; a container
//!    |                                     that runs
//!    +-> choose -> address                  which engine, and where it is
//! ```

mod address;
mod choose;
mod engines;
mod line;
mod pour;
mod speaker;
mod talk;
mod way;
mod words;

pub use choose::{EngineConfig, EngineTiming, Named};
pub use engines::Docker;
