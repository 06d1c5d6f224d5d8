//! What a person writes: one image or one AMI, in TOML, refused unless every key of it is understood.

mod ami;
mod image;
mod value;

use std::path::Path;

use serde_json::json;

use crate::name::RecipeName;
use crate::text::{self, DeValue, Document, Read, Reader, Spanned, TextError};

pub use ami::{
    AmiBase, AmiOutput, AmiRecipe, AmiTest, Architecture, Docker, Engine, FileSystem, Folder, Region, RegionOutput,
    Share, Volume, VolumeKind,
};
pub use image::{
    Archive, Compression, Config, Expect, FileRule, From, HealthCheck, ImageRecipe, NetworkMode, Plugin, Product,
    Ready, Run, Runtime, Test, Ulimit,
};
pub use value::{Checksum, Glob, ProjectPath, Url, Version};

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

impl Read for Recipe {
    fn read(value: &Spanned<DeValue<'_>>, reader: &mut Reader) -> Option<Self> {
        match value.get_ref().get("kind").map(|kind| (kind, kind.get_ref().as_str())) {
            Some((_, Some("image"))) => ImageRecipe::read(value, reader).map(|image| Self::Image(Box::new(image))),
            Some((_, Some("ami"))) => AmiRecipe::read(value, reader).map(|ami| Self::Ami(Box::new(ami))),
            Some((kind, _)) => reader.wrong(kind, "a recipe's kind is \"image\" or \"ami\"".to_owned(), None),
            None => {
                let help = "say `kind = \"image\"` for a container image or `kind = \"ami\"` for a host".to_owned();
                reader.problem_at(0..0, "`kind` is missing".to_owned(), Some(help));
                None
            }
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
