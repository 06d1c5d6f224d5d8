//! What the inputs of a recipe resolved to: every one by digest, with the facts that later steps need.

mod found;
mod moved;
mod stale;
mod want;
mod write;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::digest::Digest;
use crate::name::{ImagePath, Platform};
use crate::recipe::{Architecture, Checksum, Product, Region};
use crate::text::{self, DeValue, Document, Read, Reader, Spanned, TextError, table};

pub use found::{Found, FoundError};
pub use moved::{Moved, moved};
pub use stale::{Stale, Why, stale};
pub use want::{Input, Source, Want, wants};
pub use write::WriteError;

/// What a lock says of a base on a platform that follows from the base itself: whoever knows the base knows all of it.
pub const FACTS: [&str; 5] = ["product_version", "java_version", "read_for", "modules", "there"];

/// The format that is written; a lock of a newer one is refused.
pub const FORMAT: u32 = 1;

table! {
    /// What `elkbake lock` writes beside a recipe.
    #[derive(Serialize)]
    pub struct Lock {
        /// The format of this file.
        pub format: u32,
        /// The base of an image.
        pub base: Option<LockedBase>,
        /// The plugins, by name and platform.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub plugin: Vec<LockedFile>,
        /// The archives, by name and platform.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub archive: Vec<LockedFile>,
        /// The bases of a host, by architecture.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub ami: Vec<LockedAmi>,
    }

    /// The base of an image.
    #[derive(Serialize)]
    pub struct LockedBase {
        /// What the recipe says: when the two differ, the lock is stale.
        pub from: String,
        /// What the tag pointed to, an index or a single manifest; the file's own digest where the base is a file.
        pub digest: Option<Digest>,
        /// The base on each platform.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub platform: Vec<LockedPlatform>,
        /// Where the recipe builds on another: what is known of that one's base on each platform.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub below: Vec<LockedBelow>,
    }

    /// What is known of the base of a recipe that another builds on. It pins nothing: that recipe's own lock does.
    #[derive(Serialize)]
    pub struct LockedBelow {
        /// Which platform.
        pub name: Platform,
        /// The OCI manifest that it is known of; of another nothing is known.
        pub manifest: Digest,
        /// What lies where the recipe puts something, so that it can be baked without the base's layers.
        #[serde(skip_serializing_if = "BTreeMap::is_empty")]
        pub there: BTreeMap<ImagePath, Found>,
    }

    /// A base on one platform.
    #[derive(Serialize)]
    pub struct LockedPlatform {
        /// Which platform.
        pub name: Platform,
        /// The OCI manifest; the file's digest where the base is a root file system.
        pub manifest: Digest,
        /// The OCI configuration.
        pub config: Option<Digest>,
        /// When the base was made.
        pub created: Option<String>,
        /// The user that it runs as.
        pub user: Option<String>,
        /// The version of the product in it: as its files say, or else as it says of itself.
        pub product_version: Option<String>,
        /// The Java in it, likewise.
        pub java_version: Option<String>,
        /// The product that was looked for in its layers; none where nobody has read them.
        pub read_for: Option<Product>,
        /// What the product in it has as modules, so that no plugin can have the name.
        #[serde(skip_serializing_if = "BTreeSet::is_empty")]
        pub modules: BTreeSet<String>,
        /// What lies where the recipe puts something, so that it can be baked without the base's layers.
        #[serde(skip_serializing_if = "BTreeMap::is_empty")]
        pub there: BTreeMap<ImagePath, Found>,
        /// Its layers, from the bottom up.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub layer: Vec<LockedLayer>,
    }

    /// A layer of a base.
    #[derive(Serialize)]
    pub struct LockedLayer {
        /// The compressed bytes.
        pub digest: Digest,
        /// How many.
        pub size: u64,
        /// What they are.
        pub media_type: String,
    }

    /// A plugin or an archive.
    #[derive(Serialize)]
    pub struct LockedFile {
        /// Its name in the recipe.
        pub name: String,
        /// The platform it is for; all where none is given.
        pub platform: Option<Platform>,
        /// What the recipe asks for: when the two differ, the lock is stale.
        pub want: String,
        /// Where it was downloaded; a file of the project has none.
        pub url: Option<String>,
        /// Its bytes.
        pub sha256: Digest,
        /// How many.
        pub size: u64,
        /// The checksum that its publisher states, which held.
        pub published: Option<Checksum>,
    }

    /// The base of a host.
    #[derive(Serialize)]
    pub struct LockedAmi {
        /// Its processor.
        pub architecture: Architecture,
        /// The region it was looked up in.
        pub region: Region,
        /// What the recipe asks for: when the two differ, the lock is stale.
        pub want: String,
        /// Its id in that region.
        pub id: String,
        /// Its name.
        pub name: String,
        /// The account that owns it.
        pub owner: String,
        /// The snapshot of its root disk.
        pub snapshot: String,
        /// The device name of its root disk.
        pub root_device: String,
        /// When it was made.
        pub created: String,
        /// When it was or will be marked as deprecated.
        pub deprecated: Option<String>,
    }
}

/// A lock of the format that is known here. One of a newer format is refused for that alone: its other keys may
/// mean anything.
struct Known(Lock);

impl Read for Known {
    fn read(value: &Spanned<DeValue<'_>>, reader: &mut Reader) -> Option<Self> {
        let format = value.get_ref().get("format");
        let said = format.and_then(|format| {
            let digits = format.get_ref().as_integer()?;
            Some((format, i64::from_str_radix(digits.as_str(), digits.radix()).ok()?))
        });
        match said {
            Some((format, number)) if number > i64::from(FORMAT) => {
                let message = format!("written by a newer elkbake (format {number}, this one knows {FORMAT})");
                reader.wrong(
                    format,
                    message,
                    Some("update elkbake, or remove this file and run `elkbake lock` to write it anew".to_owned()),
                )
            }
            Some((format, number)) if number < 1 => {
                let message = format!("there is no format {number} of locks");
                reader.wrong(
                    format,
                    message,
                    Some("remove this file and run `elkbake lock` to write it anew".to_owned()),
                )
            }
            _ => Lock::read(value, reader).map(Self),
        }
    }

    fn schema() -> serde_json::Value {
        Lock::schema()
    }
}

/// Reads the text of a lock.
///
/// # Errors
/// Every mistake in it; a lock of a newer format is refused whole.
pub fn parse(path: &Path, text: &str) -> Result<Document<Lock>, TextError> {
    let Document { value: Known(value), positions, canonical } = text::parse(path, text)?;
    Ok(Document { value, positions, canonical })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> TextError {
        parse(Path::new("recipes/a.lock"), text).unwrap_err()
    }

    #[test]
    fn a_newer_format_is_all_that_is_told() {
        for text in ["format = 2\nunheard = 1\n[base]\nfrom = 1\n", "[unheard]\n", "format = 99999999999\n"] {
            let text = if text.contains("format") { text.to_owned() } else { format!("format = 7\n{text}") };
            let error = error(&text);
            assert_eq!(error.problems.len(), 1, "{error}");
            assert!(
                error.to_string().starts_with("recipes/a.lock:1:10: written by a newer elkbake (format "),
                "{error}"
            );
            assert!(
                error.problems[0]
                    .help
                    .as_ref()
                    .unwrap()
                    .starts_with("update elkbake, or remove this file and run `elkbake lock`")
            );
        }
    }

    #[test]
    fn other_mistakes_are_told_at_their_places() {
        assert_eq!(error("").to_string(), "recipes/a.lock:1:1: `format` is missing");
        assert!(error("format = 0\n").to_string().ends_with("there is no format 0 of locks"));
        assert!(error("format = \"1\"\n").to_string().contains("1:10: this has to be a whole number"));
        assert!(error("format = 1\nx = 1\n").to_string().contains("2:1: unknown key `x`"));
        assert!(
            error("format = 1\n[[plugin]]\nname = \"a\"\nwant = \"a\"\nsize = 1\nsha256 = \"b\"\n")
                .to_string()
                .contains("6:10: ")
        );
        assert!(parse(Path::new("a.lock"), "format = 1\n").is_ok());
    }
}
