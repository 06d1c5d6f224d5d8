//! A plugin on its way into an image: what its installer is given, and what comes out.

use std::fs::File;
use std::io;

use crate::contents::Contents;
use crate::image::below::{Below, BelowError};
use crate::name::Platform;
use crate::recipe::{Product, Version};
use crate::tree::Tree;
use crate::unpack::Unpacked;

/// What a product's installer is given.
#[derive(Clone, Copy)]
pub struct Job<'a> {
    /// Whose plugin it is.
    pub product: Product,
    /// The version that the recipe says the product has.
    pub version: &'a Version,
    /// The platform that is baked for.
    pub platform: &'a Platform,
    /// What the recipe calls the plugin.
    pub name: &'a str,
    /// What its package holds. A gem of Logstash's is not unpacked: it is the one file of this.
    pub package: &'a Unpacked,
    /// The image so far.
    pub below: &'a dyn Below,
    /// Makes a file for what is unpacked on the way; it is gone as soon as nobody has it open.
    pub scratch: &'a (dyn Fn() -> io::Result<File> + Sync),
}

/// What an installer makes of a package.
#[derive(Clone, Debug, Default)]
pub struct Installed {
    /// The files, at their places in the image.
    pub tree: Tree,
    /// Their bytes.
    pub contents: Contents,
    /// What there is to say about it.
    pub facts: PluginFacts,
}

/// What a plugin says of itself, for people and for the deploy manifest.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct PluginFacts {
    /// Its name, as the product lists it.
    pub name: String,
    /// Its version.
    pub version: String,
    /// What it may do beyond what all plugins may, one line each.
    #[serde(default)]
    pub permissions: Vec<String>,
    /// The plugins whose classes it sees.
    #[serde(default)]
    pub extends: Vec<String>,
}

/// Why a plugin cannot be installed.
#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    /// It does not keep a rule of its product.
    #[error("{file}: {message}")]
    Rule {
        /// Which file of the package.
        file: String,
        /// What is wrong.
        message: String,
        /// What to do about it.
        help: String,
    },
    /// The image so far cannot be read.
    #[error("what the plugin is installed into cannot be read: {0}")]
    Below(#[from] BelowError),
    /// The package's bytes cannot be read.
    #[error("the package cannot be read: {0}")]
    Package(#[from] io::Error),
}

impl InstallError {
    /// A rule that is not kept.
    pub fn rule(file: &impl ToString, message: impl Into<String>, help: impl Into<String>) -> Self {
        Self::Rule { file: file.to_string(), message: message.into(), help: help.into() }
    }
}
