//! All tests that are not beside the code they test, in one binary.

mod kitchen;
mod real;
mod wire;
