//! All tests that use elkbake from outside, in one binary: linking many would cost more than running them.

mod store_crash;
