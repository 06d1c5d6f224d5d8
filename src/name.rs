//! Names that are used as paths, in URLs and in registries, each with one strict parser:
//! a value of one of these types needs no further check.

mod image_path;
mod reference;

use std::fmt;
use std::str::FromStr;

pub use image_path::ImagePath;
pub use reference::{Reference, Registry, Repository, Tag};

/// Why a text is no name of the kind asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no {kind}: {why}")]
pub struct NameError {
    /// What it should have been.
    pub kind: &'static str,
    /// What it was, shortened where it is very long.
    pub text: String,
    /// The rule it breaks.
    pub why: &'static str,
}

impl NameError {
    fn new(kind: &'static str, text: &str, why: &'static str) -> Self {
        // A name of ten megabytes must not make an error of ten megabytes.
        const SHOWN: usize = 300;
        let text = if text.chars().nth(SHOWN).is_some() {
            text.chars().take(SHOWN).chain(['…']).collect()
        } else {
            text.to_owned()
        };
        Self { kind, text, why }
    }
}

/// Gives a checked text its reading, writing and JSON forms.
macro_rules! text_type {
    ($type:ident) => {
        impl $type {
            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl std::fmt::Debug for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, "{:?}", self.0)
            }
        }

        $crate::name::text_serde!($type);
    };
}
pub(crate) use text_type;

/// Gives a type with `Display` and `FromStr` its JSON form, a string.
macro_rules! text_serde {
    ($type:ident) => {
        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(from)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}
pub(crate) use text_serde;

/// The name of a recipe: its file is `recipes/NAME.toml`, its own files are under `images/NAME/`
/// or `ami/NAME/`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecipeName(String);

text_type!(RecipeName);

impl FromStr for RecipeName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let wrong = |why| NameError::new("recipe name", text, why);
        if text.is_empty() || text.len() > 64 {
            return Err(wrong("it has 1 to 64 characters"));
        }
        if !text.split(['-', '.', '_']).all(is_lower_alphanumeric) {
            return Err(wrong("it is made of lower-case letters and digits, with single `-`, `_` or `.` between them"));
        }
        Ok(Self(text.to_owned()))
    }
}

fn is_lower_alphanumeric(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
}

/// The operating system and processor that an image is for: `linux/amd64`, `linux/arm64`, `linux/arm/v7`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Platform {
    /// As Go names it: `amd64`, `arm64`.
    pub architecture: String,
    /// The processor's variant where the architecture alone does not say enough: `v7`.
    pub variant: Option<String>,
}

impl Platform {
    /// What the operating system is called in OCI documents; ECS on EC2 with an Elastic stack knows no other.
    pub const OS: &'static str = "linux";

    /// Whether an image made for `other` runs here: 64-bit ARM means v8 whether it says so or not.
    #[must_use]
    pub fn accepts(&self, architecture: &str, variant: Option<&str>) -> bool {
        let plain = |architecture: &str, variant: Option<&str>| match (architecture, variant) {
            ("arm64", Some("v8")) | ("amd64", Some("v1")) => None,
            (_, variant) => variant.map(str::to_owned),
        };
        self.architecture == architecture
            && plain(&self.architecture, self.variant.as_deref()) == plain(architecture, variant)
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", Self::OS, self.architecture)?;
        self.variant.iter().try_for_each(|variant| write!(f, "/{variant}"))
    }
}

impl fmt::Debug for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Platform {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let wrong = |why| NameError::new("platform", text, why);
        let mut parts = text.split('/');
        if parts.next() != Some(Self::OS) {
            return Err(wrong("it starts with `linux/`, as in `linux/amd64`"));
        }
        let architecture = parts.next().unwrap_or_default();
        let variant = parts.next();
        if parts.next().is_some() || text.len() > 64 {
            return Err(wrong("it is `linux/ARCHITECTURE` or `linux/ARCHITECTURE/VARIANT`"));
        }
        if matches!(architecture, "x86_64" | "aarch64") {
            return Err(wrong("images say `amd64` for x86_64 and `arm64` for aarch64"));
        }
        if !std::iter::once(architecture).chain(variant).all(is_lower_alphanumeric) {
            return Err(wrong("it is `linux/ARCHITECTURE` or `linux/ARCHITECTURE/VARIANT`"));
        }
        Ok(Self { architecture: architecture.to_owned(), variant: variant.map(str::to_owned) })
    }
}

text_serde!(Platform);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recipe_names() {
        for right in ["elasticsearch", "es-8.19", "a", "ecs_host", "0day", &"x".repeat(64)] {
            assert_eq!(right.parse::<RecipeName>().unwrap().as_str(), right);
        }
        for wrong in ["", "-", "Elastic", "es--8", "es-", "../es", "es/8", "es.toml/", "ä", "a b", &"x".repeat(65)] {
            assert!(wrong.parse::<RecipeName>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn platforms() {
        for right in ["linux/amd64", "linux/arm64", "linux/arm/v7", "linux/s390x"] {
            assert_eq!(right.parse::<Platform>().unwrap().to_string(), right);
        }
        for wrong in ["", "linux", "linux/", "windows/amd64", "linux/AMD64", "linux/arm/v7/x", "amd64", "linux/x86_64"]
        {
            assert!(wrong.parse::<Platform>().is_err(), "{wrong}");
        }
        let arm: Platform = "linux/arm64".parse().unwrap();
        assert!(arm.accepts("arm64", Some("v8")) && arm.accepts("arm64", None));
        assert!(!arm.accepts("arm", Some("v7")) && !arm.accepts("amd64", None));
    }

    #[test]
    fn a_huge_name_makes_a_small_error() {
        let error = "x".repeat(10_000_000).parse::<RecipeName>().unwrap_err();
        assert!(error.to_string().len() < 1000);
    }
}
