//! What is said of a bake from outside of recipe, lock and files.
//!
//! It shows in the image, so it has to show in the key: otherwise one tag would stand for two images. Who says nothing
//! gets the same key on every machine and from every commit.

use super::planned::{Plan, Work};
use crate::digest::Digest;

/// What is said from outside.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stamps {
    /// When the image counts as made, in seconds since 1970: `SOURCE_DATE_EPOCH`.
    pub epoch: Option<u32>,
    /// The revision of the project that it is baked from.
    pub revision: Option<String>,
    /// Where the project's source can be found.
    pub source: Option<String>,
}

impl Plan {
    /// The same plan with what is said from outside. A host's image shows none of it.
    #[must_use]
    pub fn stamped(mut self, stamps: &Stamps) -> Self {
        let Work::Image(image) = &self.work else { return self };
        let epoch = stamps.epoch.map(|epoch| epoch.to_string());
        let said = [("created", &epoch), ("revision", &stamps.revision), ("source", &stamps.source)];
        let said = said.iter().filter_map(|(name, value)| Some((format!("stamp {name}"), value.as_ref()?)));
        self.inputs.said.extend(said.map(|(name, value)| (name, Digest::of(value.as_bytes()))));
        self.key = self.inputs.key();
        // A tag is a version and twelve hexadecimal digits, and both were good when the plan was made.
        if let Ok(tag) = format!("{}-{}", image.version, self.key.short()).parse() {
            self.tag = tag;
        }
        self
    }
}
