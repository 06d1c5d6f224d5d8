//! All tests that use elkbake from outside, in one binary: linking many would cost more than running them.

mod kitchen;
mod real;
mod store_crash;
mod wire;
