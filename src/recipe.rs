//! What a person writes: one image or one AMI, in TOML, refused unless every key of it is understood.

mod ami;
mod disk;
mod grammar;
mod image;
mod ingredient;
mod machine;
mod setting;
mod test;
mod value;

#[cfg(test)]
mod tests;

use std::path::Path;

use serde_json::json;

use crate::name::RecipeName;
use crate::text::{self, DeTable, DeValue, Document, Read, Reader, Spanned, TextError};

pub use ami::{
    AmiBase, AmiOutput, AmiRecipe, AmiTest, BAKE_MINUTES, Docker, Engine, FileSystem, Folder, Region, RegionOutput,
    Share, Volume, VolumeKind,
};
pub(crate) use grammar::{Account, KmsKey, RoleArn, SecurityGroupId, SubnetId, arn, is_account};
pub use image::{Compression, From, FromError, ImageRecipe, Product};
pub use ingredient::{Archive, FileRule, Jar, Plugin, Run};
pub use machine::{Architecture, Bake, Firewall, Host, HostRun, HostUser, HugePages, PackageFile, Protocol};
pub use setting::{Config, HealthCheck, NetworkMode, Runtime, Ulimit};
pub use test::{Expect, HostExpect, Ready, Test};
pub use value::{Checksum, Glob, LayoutTag, ProjectPath, Url, Version};

/// One image or one AMI.
#[derive(Clone, Debug, PartialEq)]
pub enum Recipe {
    /// A container image.
    Image(Box<ImageRecipe>),
    /// A host's image.
    Ami(Box<AmiRecipe>),
}

impl Recipe {
    /// What this release of the recipe is called; the tag begins with it.
    #[must_use]
    pub fn version(&self) -> &Version {
        match self {
            Self::Image(image) => &image.version,
            Self::Ami(ami) => &ami.version,
        }
    }

    /// Where the recipe's own files are: `images/NAME` or `ami/NAME`.
    #[must_use]
    pub fn folder(&self, name: &RecipeName) -> String {
        match self {
            Self::Image(_) => format!("images/{name}"),
            Self::Ami(_) => format!("ami/{name}"),
        }
    }
}

/// Reads the text of a recipe.
///
/// # Errors
/// Every mistake in it, each with its place.
pub fn parse(path: &Path, text: &str) -> Result<Document<Recipe>, TextError> {
    text::parse(path, text)
}

crate::text::word! {
    /// What a recipe is for.
    pub enum Kind {
        /// A container.
        Image = "image",
        /// A host.
        Ami = "ami",
    }
}

impl Kind {
    /// What a recipe that does not say so is most likely for.
    fn guess(table: &DeValue<'_>) -> Self {
        let is_host = ["base", "architectures", "region", "engine", "sysctl", "docker", "ecs", "volume", "ami"]
            .iter()
            .any(|key| table.get(*key).is_some());
        if is_host { Self::Ami } else { Self::Image }
    }
}

impl Read for Recipe {
    fn read(value: &Spanned<DeValue<'_>>, reader: &mut Reader) -> Option<Self> {
        let help = "say `kind = \"image\"` for a container image or `kind = \"ami\"` for a host";
        let kind = match value.get_ref().get("kind") {
            // What is wrong with a kind is told here; the rest is read as what it most likely is.
            Some(kind) => reader.within("kind", kind).unwrap_or_else(|| Kind::guess(value.get_ref())),
            None if value.get_ref().as_table().is_some_and(DeTable::is_empty) => {
                reader.problem_at(0..0, "this recipe is empty".to_owned(), Some(help.to_owned()));
                return None;
            }
            None => Kind::guess(value.get_ref()),
        };
        match kind {
            Kind::Image => ImageRecipe::read(value, reader).map(|image| Self::Image(Box::new(image))),
            Kind::Ami => AmiRecipe::read(value, reader).map(|ami| Self::Ami(Box::new(ami))),
        }
    }

    fn schema() -> serde_json::Value {
        let of_kind = |mut schema: serde_json::Value, kind: &str| {
            schema["properties"]["kind"]["const"] = kind.into();
            schema
        };
        json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "title": "elkbake recipe",
            "oneOf": [of_kind(ImageRecipe::schema(), "image"), of_kind(AmiRecipe::schema(), "ami")],
        })
    }
}
