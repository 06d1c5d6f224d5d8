//! All tests of the program from outside: one binary, because each one more would link all of it once more.
#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::too_many_lines,
    clippy::unreachable,
    clippy::unwrap_used,
    unreachable_pub,
    reason = "a test that fails may panic, and a test sets up the world that the program may not look at"
)]

#[cfg(feature = "aws")]
mod aws;
mod bad_input;
mod build;
mod check;
mod cloud;
mod command_line;
mod demo;
mod diff;
mod docs;
#[cfg(feature = "aws")]
mod ec2;
#[cfg(feature = "aws")]
mod ecr;
mod entrypoint;
mod export;
mod floors;
#[cfg(feature = "aws")]
mod host;
mod inspect;
mod json;
mod kitchen;
mod lock;
mod manifest;
mod output;
mod permissions;
mod plan;
mod push;
mod real;
mod recipes;
mod reproducible;
mod run;
mod schema;
mod smoke;
mod store;
mod store_crash;
mod verify;
mod wire;
#[cfg(not(feature = "aws"))]
mod without_aws;
