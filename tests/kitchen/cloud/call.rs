//! A call as it came.

use std::collections::BTreeMap;
use std::time::Instant;

use serde_json::{Value, json};

use super::params::Params;

/// A call as it came, for those who look at it afterwards.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Counted from 1 over all services and regions.
    pub number: usize,
    pub service: String,
    pub action: String,
    pub region: String,
    pub account: String,
    /// What was sent, by name as it was sent; the members of a JSON body.
    pub fields: BTreeMap<String, String>,
    /// The body, byte by byte.
    pub body: String,
}

/// A call that is worked on.
pub struct Call {
    pub region: String,
    pub account: String,
    pub service: String,
    pub action: String,
    /// Of a form.
    pub params: Params,
    /// Of JSON.
    pub json: Value,
    pub now: Instant,
}

/// An answer that is no success.
#[derive(Debug)]
pub struct No {
    pub status: u16,
    pub code: String,
    pub said: String,
}

/// What comes of a call.
pub type Answer = Result<Value, No>;

/// A refusal with status 400.
pub fn no(code: &str, said: impl Into<String>) -> No {
    No { status: 400, code: code.to_owned(), said: said.into() }
}

/// The same as an answer.
pub fn refuse<T>(code: &str, said: impl Into<String>) -> Result<T, No> {
    Err(no(code, said))
}

/// What EC2 answers where there is nothing more to say.
pub fn done() -> Value {
    json!({ "return": true })
}
