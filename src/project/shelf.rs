//! A part of a registry.

use std::fmt;
use std::str::FromStr;

use crate::name::{NameError, Reference, Registry, Repository, text_serde};
use crate::text::read_as_text;

/// A registry, and what the paths of all repositories in it begin with: `registry.example.com:5000/elk`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Shelf {
    registry: Registry,
    prefix: Option<Repository>,
}

impl Shelf {
    /// All of a registry, or what begins with a prefix.
    #[must_use]
    pub fn new(registry: Registry, prefix: Option<Repository>) -> Self {
        Self { registry, prefix }
    }

    /// Who holds it.
    #[must_use]
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// What the paths of all repositories begin with.
    #[must_use]
    pub fn prefix(&self) -> Option<&Repository> {
        self.prefix.as_ref()
    }

    /// Where a recipe's repository is.
    ///
    /// # Errors
    /// When the whole path is too long.
    pub fn repository(&self, repository: &Repository) -> Result<Reference, NameError> {
        let repository = match &self.prefix {
            Some(prefix) => format!("{prefix}/{repository}").parse()?,
            None => repository.clone(),
        };
        Ok(Reference { registry: self.registry.clone(), repository, tag: None, digest: None })
    }
}

impl FromStr for Shelf {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        match text.split_once('/') {
            Some((registry, prefix)) => Ok(Self::new(registry.parse()?, Some(prefix.parse()?))),
            None => Ok(Self::new(text.parse()?, None)),
        }
    }
}

impl fmt::Display for Shelf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.registry)?;
        self.prefix.iter().try_for_each(|prefix| write!(f, "/{prefix}"))
    }
}

text_serde!(Shelf);
read_as_text!(Shelf);
