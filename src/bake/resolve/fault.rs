//! What can be wrong with an input.

use std::io;
use std::path::PathBuf;

use crate::bake::port::PortError;
use crate::image::oci::OciError;
use crate::lock::Input;
use crate::name::{Platform, RecipeName};
use crate::store::StoreError;

/// Why a recipe could not be locked.
#[derive(Debug, thiserror::Error)]
pub enum ResolveError {
    /// Some inputs could not be found or are wrong; all of them are listed.
    #[error("recipe {recipe} cannot be locked:{}", list(.faults))]
    Inputs {
        /// Which recipe.
        recipe: RecipeName,
        /// What is wrong, in the recipe's order; never empty.
        faults: Vec<InputFault>,
    },
    /// An input was asked to move that the recipe does not have.
    #[error("recipe {recipe} has no input `{name}`; it has: {}", names(.known))]
    UnknownInput {
        /// Which recipe.
        recipe: RecipeName,
        /// What was named.
        name: String,
        /// What it has.
        known: Vec<Input>,
    },
}

fn list(faults: &[InputFault]) -> String {
    let mut text = String::new();
    for fault in faults {
        text.push_str("\n  ");
        text.push_str(&fault.to_string());
    }
    text
}

fn names(inputs: &[Input]) -> String {
    inputs.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// One input and what is wrong with it.
#[derive(Debug, thiserror::Error)]
#[error("{}", about(.input, .fault))]
pub struct InputFault {
    /// Which input.
    pub input: Input,
    /// What is wrong.
    pub fault: Fault,
}

/// What is wrong with an input, which what was asked for may say already.
fn about(input: &Input, fault: &Fault) -> String {
    let (input, fault) = (input.to_string(), fault.to_string());
    if fault.strip_prefix(&input).is_some_and(|rest| rest.starts_with(' ')) {
        fault
    } else {
        format!("{input}: {fault}")
    }
}

/// What can be wrong with an input.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// It could not be had.
    #[error(transparent)]
    Port(#[from] PortError),
    /// The store could not take or give it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Its documents are wrong.
    #[error("{subject}: {source}")]
    Oci {
        /// Which document.
        subject: String,
        /// What is wrong with it.
        source: OciError,
    },
    /// A file of the project cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// It can be read, and is not what it should be.
    #[error("{subject}: {message}")]
    Wrong {
        /// What was read.
        subject: String,
        /// What is wrong with it.
        message: String,
    },
    /// It does not exist for a platform of the recipe.
    #[error("{subject} is not made for {wanted}; it is for {}", if .there.is_empty() { "none".to_owned() } else { .there.join(", ") })]
    Platform {
        /// What was looked at.
        subject: String,
        /// The platform that the recipe names.
        wanted: Platform,
        /// The platforms that there are.
        there: Vec<String>,
    },
    /// Its bytes are not those that were promised.
    #[error("{subject} should have the checksum {expected} ({said_by}), it has {got}")]
    Checksum {
        /// What was read.
        subject: String,
        /// What was promised.
        expected: String,
        /// By whom.
        said_by: &'static str,
        /// What it is.
        got: String,
    },
    /// Nobody says where it comes from.
    #[error("the recipe does not say where it comes from: give `url`, `path` or `maven`")]
    NoSource {
        /// Which input.
        input: Input,
    },
}

impl Fault {
    pub(in crate::bake) fn wrong(subject: &impl ToString, message: impl Into<String>) -> Self {
        Self::Wrong { subject: subject.to_string(), message: message.into() }
    }

    /// A document of an image in a file of the project, which is the user's own input.
    pub(in crate::bake) fn in_file(subject: &impl ToString) -> impl Fn(OciError) -> Self {
        let subject = subject.to_string();
        move |source| Self::Wrong { subject: subject.clone(), message: source.to_string() }
    }

    pub(in crate::bake) fn oci(subject: &impl ToString) -> impl Fn(OciError) -> Self {
        let subject = subject.to_string();
        move |source| Self::Oci { subject: subject.clone(), source }
    }
}
