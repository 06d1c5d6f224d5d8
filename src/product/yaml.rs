//! A strict reader of that part of YAML which people write settings in.
//!
//! [`settings`](super::settings) guesses at any text and never complains; this one reads all of a text or says on which
//! line it is no YAML, or not of this part: block and flow mappings and lists, plain, quoted and block texts, comments.
//! Anchors, tags, directives and several documents in one file are not.

mod block;
mod flow;
mod node;
mod scalar;

pub(crate) use block::read;
pub(crate) use node::{Fault, Node, Value};

#[cfg(test)]
mod tests;
