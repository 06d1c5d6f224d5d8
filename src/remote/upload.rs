//! A blob's way into a repository.
//!
//! | file | what |
//! |---|---|
//! | `road` | the order of the requests, and what is done when one of them fails |
//! | `line` | the requests, and what their answers mean |
//! | `session` | how far the registry has come, in its own words |
//! | `cargo` | the bytes, verified on their way |
//! | `parts` | the same into ECR, by its own calls |
//! | `origin` | the bytes from the registry that has them already |
//! | `journal` | what the next process needs to go on where this one was killed |

mod cargo;
mod journal;
mod line;
mod origin;
#[cfg(feature = "aws")]
mod parts;
mod road;
mod session;

#[cfg(feature = "aws")]
pub(super) use parts::bring_to_ecr;
pub(super) use road::{Trip, bring};
