//! A plan, once it is made.

use std::collections::BTreeMap;

use super::change::{Change, compare};
use super::host::HostPlan;
use super::image::ImagePlan;
use super::input::Inputs;
use crate::digest::Digest;
use crate::name::{RecipeName, Tag};

/// What a bake of one recipe will make.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Plan {
    #[serde(rename = "recipe")]
    pub(super) name: RecipeName,
    pub(super) key: Digest,
    pub(super) tag: Tag,
    pub(super) work: Work,
    pub(super) inputs: Inputs,
}

/// What is made.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Work {
    /// A container image.
    Image(ImagePlan),
    /// A host's image.
    Ami(HostPlan),
}

impl Plan {
    /// The recipe.
    #[must_use]
    pub fn name(&self) -> &RecipeName {
        &self.name
    }

    /// The digest of all that the result depends on.
    #[must_use]
    pub fn key(&self) -> Digest {
        self.key
    }

    /// What the result is called, for good.
    #[must_use]
    pub fn tag(&self) -> &Tag {
        &self.tag
    }

    /// What is made.
    #[must_use]
    pub fn work(&self) -> &Work {
        &self.work
    }

    /// All that the key was made of, by name.
    #[must_use]
    pub fn inputs(&self) -> BTreeMap<String, Digest> {
        self.inputs.iter().collect()
    }

    /// What changed since a plan that had these inputs.
    #[must_use]
    pub fn compare(&self, before: &BTreeMap<String, Digest>) -> Vec<Change> {
        compare(before, &self.inputs())
    }
}
