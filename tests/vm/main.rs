//! A host as a whole: a virtual machine boots with what elkbake has made, and is looked at.
//!
//! Not a part of `cargo test`, since it takes minutes: `make test-vm` makes the machine's disk and runs this.
#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::too_many_lines,
    clippy::unwrap_used,
    unreachable_pub,
    reason = "a test that fails may panic, and a test sets up the world that the program may not look at"
)]

mod bake;
mod machine;
mod project;
mod storage;
mod tuned;
