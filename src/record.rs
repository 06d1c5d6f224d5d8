//! The deploy manifest `bake-manifest.json`: what was published where, and what it needs to run. Deploy tools read it,
//! so its format has a number of its own and its types do not follow every change of a recipe's.

mod host;
mod merge;
mod needs;
mod nondeterminism;
mod publish;
mod tested;
mod write;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::digest::Digest;
use crate::name::{Platform, RecipeName, Reference, Tag};
use crate::recipe::{Product, ProjectPath, Region, Version};
use crate::text::{Read, table, word};

pub use host::{RecordedAmi, RecordedBoot, RecordedHost, RecordedVolume};
pub use merge::{MergeError, merge};
pub use needs::{HealthCheck, Needs, Ulimit};
pub use publish::HISTORY;
pub use tested::{RecordedCheck, RecordedTest};

/// The format that is read and written; a manifest of a newer one is refused.
pub const FORMAT: u32 = 1;

/// Longer manifests are refused unread: a record has a few KB, and the history is kept short.
pub const LONGEST_MANIFEST: usize = 64 << 20;

word! {
    /// What a record is of.
    pub enum RecordKind {
        /// A container image.
        Image = "image",
        /// A host's image.
        Ami = "ami",
    }
}

table! {
    /// What a target holds.
    #[derive(Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    pub struct Manifest {
        /// The format of this file.
        pub format: u32,
        /// The target, as `elkbake.toml` names it.
        pub target: String,
        /// What was published of each recipe.
        pub recipes: BTreeMap<RecipeName, Entry>,
        /// Pushes that did not reach all regions; the next push of the recipe completes them.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        pub unfinished: BTreeMap<RecipeName, Unfinished>,
    }

    /// A push that did not reach all regions.
    #[derive(Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    pub struct Unfinished {
        /// The tag.
        pub tag: Tag,
        /// The digest of an image's OCI manifest or index.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub digest: Option<Digest>,
        /// The regions that hold it.
        pub regions: BTreeSet<Region>,
        /// The regions that do not, and why.
        pub missing: BTreeMap<Region, String>,
        /// The AMIs that were made all the same.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        pub amis: Vec<RecordedAmi>,
        /// When that was, in UTC.
        pub at: String,
    }

    /// What was published of one recipe.
    #[derive(Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    pub struct Entry {
        /// What is to be deployed.
        pub current: Record,
        /// What was before, the newest first.
        #[serde(default)]
        pub history: Vec<Record>,
    }

    /// One published result.
    #[derive(Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    pub struct Record {
        /// What it is: image or ami.
        pub kind: RecordKind,
        /// Whose rules an image keeps.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub product: Option<Product>,
        /// Where an image is, by digest: of several regions in the first.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub reference: Option<Reference>,
        /// Where an image is, where the target is a folder: the OCI layout, from the project's folder.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub layout: Option<ProjectPath>,
        /// The digest of an image's OCI manifest or index.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub digest: Option<Digest>,
        /// Its tag; an AMI's name ends with it.
        pub tag: Tag,
        /// The digest of all that it was made from.
        pub key: Digest,
        /// The version that the recipe says.
        pub version: Version,
        /// An image on each of its platforms.
        #[serde(default)]
        pub platforms: Vec<RecordedPlatform>,
        /// The AMIs, one for each region and processor; those of the region in which they were made come first.
        #[serde(default)]
        pub amis: Vec<RecordedAmi>,
        /// What a launch template may say for a host.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub host: Option<RecordedHost>,
        /// What it was built on.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub base: Option<RecordedBase>,
        /// The plugins in it.
        #[serde(default)]
        pub plugins: Vec<RecordedFile>,
        /// The archives in it.
        #[serde(default)]
        pub archives: Vec<RecordedFile>,
        /// All that the key was made of, by name: `elkbake plan --why` compares with it.
        #[serde(default)]
        pub inputs: BTreeMap<String, Digest>,
        /// What a task definition has to say for it.
        #[serde(default)]
        pub needs: Needs,
        /// The smoke tests that it passed before it was published.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        pub tests: Vec<RecordedTest>,
        /// The AMIs that were started and found well.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        pub boots: Vec<RecordedBoot>,
        /// Where it differs first when it is built again, if that was found; nothing says that it does not.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub nondeterminism: Option<String>,
        /// Where an image is in each region, by digest.
        #[serde(default)]
        pub regions: BTreeMap<Region, Reference>,
        /// The sources that it was baked from, where they are under version control.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub source: Option<SourceRevision>,
        /// The version of elkbake that baked it.
        pub elkbake: String,
        /// When it counts as made, in UTC, as the image itself says: `2026-01-02T03:04:05Z`.
        pub created: String,
        /// When it was published, in UTC.
        pub pushed_at: String,
    }

    /// An image on one platform.
    #[derive(Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    pub struct RecordedPlatform {
        /// Which platform.
        pub name: Platform,
        /// The digest of its OCI manifest.
        pub digest: Digest,
        /// The bytes of its layers together, as a registry holds them.
        pub size: u64,
    }

    /// What something was built on.
    #[derive(Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    pub struct RecordedBase {
        /// As the recipe says it; of an AMI, its name.
        pub name: String,
        /// Its digest; an AMI has none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub digest: Option<Digest>,
    }

    /// A plugin or archive.
    #[derive(Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    pub struct RecordedFile {
        /// Its name in the recipe.
        pub name: String,
        /// Its version: a plugin's as it says itself, else as the recipe says.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub version: Option<Version>,
        /// The platform it is for; all where none is given.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub platform: Option<Platform>,
        /// Its bytes, as they were downloaded.
        pub digest: Digest,
        /// What a plugin may do beyond what all plugins may.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        pub permissions: Vec<String>,
    }

    /// The state of the sources.
    #[derive(Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    pub struct SourceRevision {
        /// The commit.
        pub revision: String,
        /// Whether something was changed and not committed.
        pub dirty: bool,
    }
}

impl Record {
    /// What a deploy tool asks for to get the image: by digest, never by tag. A host has none.
    #[must_use]
    pub fn image(&self) -> Option<String> {
        match (&self.reference, &self.layout, &self.digest) {
            (Some(reference), ..) => Some(reference.to_string()),
            (None, Some(layout), Some(digest)) => Some(format!("oci:{layout}@{digest}")),
            _ => None,
        }
    }
}

/// Why a manifest could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// Nothing that long is read.
    #[error("{} has more than {LONGEST_MANIFEST} bytes; manifests of up to {LONGEST_MANIFEST} bytes are read", path.display())]
    TooLong {
        /// The file.
        path: PathBuf,
    },
    /// It was written by a newer elkbake.
    #[error("{} has format {found}, this elkbake reads up to {FORMAT}: use the one that wrote it, or a newer one", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u64,
    },
    /// Nobody would read it.
    #[error("{} would have {bytes} bytes; manifests of up to {LONGEST_MANIFEST} bytes are read: give some recipes a target of their own", path.display())]
    Grown {
        /// The file.
        path: PathBuf,
        /// How many it would have.
        bytes: usize,
    },
    /// It is no manifest.
    #[error("{}: {message}", path.display())]
    Wrong {
        /// The file.
        path: PathBuf,
        /// What is wrong, with line and column.
        message: String,
    },
}

/// What is read of a manifest before anything else: all formats have it.
#[derive(serde::Deserialize)]
struct Head {
    format: u64,
}

/// Reads the bytes of a manifest.
///
/// # Errors
/// When it is too long, of a newer format, or no manifest.
pub fn parse(path: &Path, bytes: &[u8]) -> Result<Manifest, RecordError> {
    let path = path.to_owned();
    if bytes.len() > LONGEST_MANIFEST {
        return Err(RecordError::TooLong { path });
    }
    let wrong = |error: &serde_json::Error| RecordError::Wrong { path: path.clone(), message: error.to_string() };
    let head: Head = serde_json::from_slice(bytes).map_err(|error| wrong(&error))?;
    if head.format > u64::from(FORMAT) {
        return Err(RecordError::Newer { path, found: head.format });
    }
    if head.format == 0 {
        return Err(RecordError::Wrong { path, message: "there is no format 0".to_owned() });
    }
    serde_json::from_slice(bytes).map_err(|error| wrong(&error))
}

/// The JSON Schema of a manifest.
#[must_use]
pub fn schema() -> serde_json::Value {
    let mut schema = <Manifest as Read>::schema();
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema".into();
    schema["title"] = "elkbake deploy manifest".into();
    schema["properties"]["format"]["const"] = FORMAT.into();
    schema
}

#[cfg(test)]
mod tests;
