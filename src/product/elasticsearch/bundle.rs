//! Plugins and modules as nodes load them: their jars, and whose classes they see beside their own.

use std::collections::{BTreeMap, BTreeSet};

use super::descriptor::{self, CLASSIC};
use super::home::{HOME, Home, LARGEST_JAR, is_jar};
use super::jar;
use crate::product::java_properties;
use crate::product::plugin::{InstallError, Installed};
use crate::tree::Node;

/// One plugin or module.
#[derive(Clone)]
pub(super) struct Bundle<'a> {
    pub(super) name: String,
    pub(super) extends: Vec<String>,
    /// Its jars, by their paths from Elasticsearch's folder.
    pub(super) jars: Vec<String>,
    /// The jars for those that extend it, where these are others than its own.
    spi: Option<Vec<String>>,
    source: Source<'a>,
}

/// Where a bundle's bytes are.
#[derive(Clone, Copy)]
enum Source<'a> {
    Installed(&'a Installed),
    Below(Home<'a>),
}

impl<'a> Bundle<'a> {
    /// A plugin that is being installed.
    pub(super) fn installed(installed: &'a Installed) -> Self {
        let name = installed.facts.name.clone();
        let (root, spi) = (format!("plugins/{name}"), format!("plugins/{name}/spi"));
        let paths =
            || installed.tree.iter().filter_map(|(path, entry)| Some((path.as_str().strip_prefix(HOME)?, entry)));
        let jars = |folder: &str| {
            let file = |(path, entry): (&str, &crate::tree::Entry)| {
                let jar = path.rsplit_once('/').is_some_and(|(parent, file)| parent == folder && is_jar(file));
                (jar && matches!(entry.node, Node::File { .. })).then(|| path.to_owned())
            };
            paths().filter_map(file).collect::<Vec<_>>()
        };
        let spi = paths().any(|(path, _)| path == spi).then(|| jars(&spi));
        let extends = installed.facts.extends.clone();
        Self { name, extends, jars: jars(&root), spi, source: Source::Installed(installed) }
    }

    /// A module or a plugin of the image below.
    fn below(home: Home<'a>, kind: &str, name: &str) -> Result<Option<Self>, InstallError> {
        if !home.names(kind)?.iter().any(|other| other == name) {
            return Ok(None);
        }
        let root = format!("{kind}/{name}");
        let jars = |folder: &str| {
            let names = home.names(folder)?.into_iter().filter(|name| is_jar(name));
            Ok::<_, InstallError>(names.map(|name| format!("{folder}/{name}")).collect::<Vec<_>>())
        };
        let spi =
            home.names(&root)?.iter().any(|name| name == "spi").then(|| jars(&format!("{root}/spi"))).transpose()?;
        // A stable plugin extends none. What else is wrong with the descriptor is the base's matter.
        let file = format!("{root}/{CLASSIC}");
        let bytes = home.bytes(&file, descriptor::LONGEST)?.unwrap_or_default();
        let mut properties = java_properties::read(&bytes).map_err(|error| {
            let help = "use an image whose own plugins and modules are whole";
            InstallError::rule(&format!("{file}:{}", error.line), error.message, help)
        })?;
        let extends = properties.remove("extended.plugins").map(|property| descriptor::extended(&property.value));
        let name = name.to_owned();
        Ok(Some(Self {
            name,
            extends: extends.unwrap_or_default(),
            jars: jars(&root)?,
            spi,
            source: Source::Below(home),
        }))
    }

    /// All its jars.
    pub(super) fn all_jars(&self) -> impl Iterator<Item = &String> {
        self.jars.iter().chain(self.spi.iter().flatten())
    }

    /// The jars that those who extend it see.
    fn extension_jars(&self) -> &[String] {
        self.spi.as_deref().unwrap_or(&self.jars)
    }

    /// All bytes of one of its jars.
    pub(super) fn bytes(&self, jar: &str) -> Result<Vec<u8>, InstallError> {
        let missing = || InstallError::rule(&jar, "it is gone while it is read", "bake again");
        match self.source {
            Source::Below(home) => home.bytes(jar, LARGEST_JAR)?.ok_or_else(missing),
            Source::Installed(installed) => match installed.tree.get(&super::home::at(jar)?).map(|entry| &entry.node) {
                Some(Node::File { digest, .. }) => Ok(installed.contents.bytes(digest, LARGEST_JAR)?),
                _ => Err(missing()),
            },
        }
    }
}

/// The plugins that are being installed, the image they go into, and the classes seen so far.
pub(super) struct Bundles<'a> {
    home: Home<'a>,
    installed: &'a [Installed],
    /// Class names by jar, so that none is read twice.
    classes: BTreeMap<String, Vec<String>>,
}

impl<'a> Bundles<'a> {
    pub(super) fn new(home: Home<'a>, installed: &'a [Installed]) -> Self {
        Self { home, installed, classes: BTreeMap::new() }
    }

    /// A plugin or module by its name.
    pub(super) fn find(&self, name: &str) -> Result<Option<Bundle<'a>>, InstallError> {
        if let Some(installed) = self.installed.iter().find(|installed| installed.facts.name == name) {
            return Ok(Some(Bundle::installed(installed)));
        }
        // What is no name of a folder is nobody's name.
        if name.is_empty() || name.contains('/') || super::home::at(name).is_err() {
            return Ok(None);
        }
        match Bundle::below(self.home, "modules", name)? {
            Some(module) => Ok(Some(module)),
            None => Bundle::below(self.home, "plugins", name),
        }
    }

    /// The class names of a bundle's jar.
    pub(super) fn classes(&mut self, bundle: &Bundle<'_>, path: &str) -> Result<&[String], InstallError> {
        if !self.classes.contains_key(path) {
            let read = jar::classes(&bundle.bytes(path)?);
            let help = "it is damaged or no jar at all; use a whole one";
            let classes = read.map_err(|error| InstallError::rule(&path, error.to_string(), help))?;
            self.classes.insert(path.to_owned(), classes);
        }
        Ok(self.classes.get(path).map_or(&[], Vec::as_slice))
    }

    /// The jars that those see who extend a bundle, with the bundles they belong to: its own, and those of all that it
    /// extends in turn. What nobody knows is passed over.
    pub(super) fn transitive(&self, bundle: &Bundle<'a>) -> Result<BTreeMap<String, Bundle<'a>>, InstallError> {
        let mut jars = BTreeMap::new();
        let mut seen = BTreeSet::new();
        let mut waiting = vec![bundle.clone()];
        while let Some(bundle) = waiting.pop() {
            if seen.insert(bundle.name.clone()) {
                jars.extend(bundle.extension_jars().iter().map(|jar| (jar.clone(), bundle.clone())));
                for name in &bundle.extends {
                    waiting.extend(self.find(name)?);
                }
            }
        }
        Ok(jars)
    }
}
