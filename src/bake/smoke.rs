//! Smoke tests: an image is started as ECS would start it, looked at, and stopped.
//!
//! All containers of a test share one network with nothing else in it, as the containers of an awsvpc task do: each is
//! found by the others under its recipe's name, and nothing outside is. It is the network of one more container, the
//! probe's, so that none has to be made, and none can be left behind. By way of the probe addresses are asked and the
//! services of ECS are answered for; commands and files are the engine's own matter.
//!
//! ```text
//! run -> look -> http -> probe -> ecs     one test, one look, one question, the way there, who is asked
//!  +---> place, log, outcome              what a container gets; what it says; what was found
//! ```

mod ecs;
mod http;
mod log;
mod look;
mod outcome;
mod place;
mod probe;
mod run;

pub use outcome::{Check, Outcome, passed};
pub use run::{Smoke, SmokeError, Subject};
