//! What a recipe asks for, in the words that a lock keeps beside each answer: as long as the words are the same,
//! the answer holds.

use std::collections::BTreeSet;
use std::fmt;

use super::{Lock, LockedFile};
use crate::name::Platform;
use crate::recipe::{
    AmiBase, AmiRecipe, Architecture, Archive, Checksum, From, ImageRecipe, Plugin, Product, ProjectPath, Recipe, Url,
    Version,
};

/// One input of a recipe.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Input {
    /// What an image is built on.
    Base,
    /// A plugin, by its name in the recipe.
    Plugin(String),
    /// An archive, by its name in the recipe.
    Archive(String),
    /// What a host is built on.
    Ami(Architecture),
}

impl Input {
    /// A plugin's or archive's name in the recipe; `base` or `ami` for what an image or host is built on.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Base => "base",
            Self::Plugin(name) | Self::Archive(name) => name,
            Self::Ami(_) => "ami",
        }
    }

    /// Whether a person means this one: by its name, or by the whole as it is printed.
    #[must_use]
    pub fn is_called(&self, said: &str) -> bool {
        said == self.name() || said == self.to_string()
    }
}

impl fmt::Display for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Base => f.write_str("base"),
            Self::Plugin(name) => write!(f, "plugin {name}"),
            Self::Archive(name) => write!(f, "archive {name}"),
            Self::Ami(architecture) => write!(f, "ami {architecture}"),
        }
    }
}

/// Where a file comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source<'r> {
    /// The product's own site, which lists it by name.
    Official {
        /// Whose plugin it is.
        product: Product,
        /// Its name there.
        name: &'r str,
        /// Its version.
        version: &'r Version,
    },
    /// A download.
    Url(&'r Url),
    /// A file of the project.
    Path(&'r ProjectPath),
    /// A Maven repository, by coordinates.
    Maven(&'r str),
}

impl<'r> Source<'r> {
    /// Where a plugin comes from. `None` where nothing is said and the product has no site for plugins.
    #[must_use]
    pub fn of_plugin(recipe: &'r ImageRecipe, plugin: &'r Plugin) -> Option<Self> {
        Self::said(plugin.url.as_ref(), plugin.path.as_ref(), plugin.maven.as_deref()).or_else(|| {
            let product = recipe.product;
            let version = plugin.version.as_ref().unwrap_or(&recipe.version);
            matches!(product, Product::Elasticsearch | Product::Kibana).then_some(Self::Official {
                product,
                name: &plugin.name,
                version,
            })
        })
    }

    /// Where an archive comes from. `None` where nothing is said.
    #[must_use]
    pub fn of_archive(archive: &'r Archive) -> Option<Self> {
        Self::said(archive.url.as_ref(), archive.path.as_ref(), archive.maven.as_deref())
    }

    fn said(url: Option<&'r Url>, path: Option<&'r ProjectPath>, maven: Option<&'r str>) -> Option<Self> {
        url.map(Self::Url).or(path.map(Self::Path)).or(maven.map(Self::Maven))
    }
}

impl fmt::Display for Source<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Official { product, name, version } => write!(f, "{product}:{name} {version}"),
            Self::Url(url) => write!(f, "{url}"),
            Self::Path(path) => write!(f, "path:{path}"),
            Self::Maven(coordinates) => write!(f, "maven:{coordinates}"),
        }
    }
}

/// What is asked for, and where it is needed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Want {
    /// Which input.
    pub input: Input,
    /// The request in its only spelling.
    pub text: String,
    /// The platforms that need it; none where the lock keeps nothing by platform.
    pub platforms: BTreeSet<Platform>,
}

/// All that a recipe asks for, in its own order: one for the base, one for each plugin and archive, or one for
/// each processor of a host.
#[must_use]
pub fn wants(recipe: &Recipe) -> Vec<Want> {
    match recipe {
        Recipe::Image(image) => of_image(image),
        Recipe::Ami(ami) => of_ami(ami),
    }
}

impl Lock {
    /// What it has for a plugin or an archive on a platform. Two entries of a recipe may share a name: the one that is
    /// wanted there counts.
    #[must_use]
    pub fn answer(&self, wants: &[Want], input: &Input, platform: &Platform) -> Option<&LockedFile> {
        let files = match input {
            Input::Plugin(_) => &self.plugin,
            Input::Archive(_) => &self.archive,
            Input::Base | Input::Ami(_) => return None,
        };
        let want = wants.iter().find(|want| want.input == *input && want.platforms.contains(platform))?;
        files.iter().find(|file| file.name == input.name() && file.want == want.text && file.is_for(platform))
    }
}

fn of_image(image: &ImageRecipe) -> Vec<Want> {
    let resolved = !matches!(image.from, From::Scratch | From::Recipe(_));
    let platforms = if resolved { image.platforms.clone() } else { BTreeSet::new() };
    let base = Want { input: Input::Base, text: image.from.to_string(), platforms };
    let some_or_all = |some: &BTreeSet<Platform>| if some.is_empty() { image.platforms.clone() } else { some.clone() };
    let plugins = image.plugin.iter().map(|plugin| Want {
        input: Input::Plugin(plugin.name.clone()),
        text: text(Source::of_plugin(image, plugin), plugin.checksum.as_ref()),
        platforms: some_or_all(&plugin.platforms),
    });
    let archives = image.archive.iter().map(|archive| Want {
        input: Input::Archive(archive.name.clone()),
        text: of_archive(archive),
        platforms: some_or_all(&archive.platforms),
    });
    std::iter::once(base).chain(plugins).chain(archives).collect()
}

/// Whether it is unpacked decides what a Maven artifact ends with, and so which file it is.
fn of_archive(archive: &Archive) -> String {
    let text = text(Source::of_archive(archive), archive.checksum.as_ref());
    match &archive.maven {
        Some(coordinates) if !archive.unpack && !coordinates.contains('@') => format!("{text} as it is"),
        _ => text,
    }
}

/// The checksum belongs to the request: one that is added later has to be held against the bytes.
fn text(source: Option<Source<'_>>, checksum: Option<&Checksum>) -> String {
    let source = source.map_or_else(|| "nothing".to_owned(), |source| source.to_string());
    match checksum {
        Some(checksum) => format!("{source} {checksum}"),
        None => source,
    }
}

fn of_ami(ami: &AmiRecipe) -> Vec<Want> {
    let want = |&architecture| Want {
        input: Input::Ami(architecture),
        text: format!("{} in {}", ami_text(&ami.base, architecture), ami.region),
        platforms: BTreeSet::new(),
    };
    ami.architectures.iter().map(want).collect()
}

fn ami_text(base: &AmiBase, architecture: Architecture) -> String {
    let ssm = base.ssm.get(&architecture);
    let parts = [("ssm", ssm), ("name", base.name.as_ref()), ("id", base.id.as_ref()), ("owner", base.owner.as_ref())];
    let said = parts.iter().filter_map(|(key, value)| value.map(|value| format!("{key}:{value}")));
    said.collect::<Vec<_>>().join(" ")
}
