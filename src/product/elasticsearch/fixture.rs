//! A made-up plugin and the image it goes into, for one test.

use std::collections::BTreeMap;
use std::io::{Cursor, Write};

use zip::write::SimpleFileOptions;

use super::descriptor::{CLASSIC, STABLE};
use super::home::HOME;
use crate::image::below::AtHand;
use crate::product::plugin::{InstallError, Installed, Job};
use crate::recipe::Product;
use crate::tree::{Entry, Mode, Node, Owner};
use crate::unpack::Unpacked;

/// A plugin called `analysis-x`, for a bare image of some version.
#[derive(Clone)]
pub(super) struct Fixture {
    pub(super) name: String,
    pub(super) version: String,
    descriptor: Option<&'static str>,
    keys: BTreeMap<String, String>,
    pub(super) package: Unpacked,
    pub(super) below: AtHand,
}

/// The bytes of a jar with these entries, all empty but those with a `=`.
pub(super) fn jar(entries: &[&str]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for entry in entries {
        let (name, content) = entry.split_once('=').unwrap_or((entry, ""));
        writer.start_file(name, SimpleFileOptions::default()).unwrap();
        writer.write_all(content.as_bytes()).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

impl Fixture {
    /// A classic plugin that nothing is wrong with.
    pub(super) fn new(version: &str) -> Self {
        let keys = [
            ("name", "analysis-x"),
            ("description", "made up"),
            ("version", "1.2"),
            ("elasticsearch.version", version),
            ("java.version", "17"),
            ("classname", "com.example.X"),
        ];
        let keys = keys.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
        let fixture = Self {
            name: "analysis-x".to_owned(),
            version: version.to_owned(),
            descriptor: Some(CLASSIC),
            keys,
            package: Unpacked::default(),
            below: AtHand::default(),
        };
        fixture
            .owned_below("config", Owner { uid: 1000, gid: 0 })
            .below("jdk/release", "JAVA_VERSION=\"21.0.2\"\n")
            .below(&format!("lib/elasticsearch-{version}.jar"), jar(&["org/elasticsearch/Node.class"]))
    }

    /// A stable plugin that nothing is wrong with.
    pub(super) fn stable(version: &str) -> Self {
        let fixture = Self { descriptor: Some(STABLE), ..Self::new(version) };
        fixture.without("classname").file("/named_components.json", "{}")
    }

    /// Sets a key of the descriptor.
    pub(super) fn with(mut self, key: &str, value: &str) -> Self {
        self.keys.insert(key.to_owned(), value.to_owned());
        self
    }

    /// Leaves a key of the descriptor out.
    pub(super) fn without(mut self, key: &str) -> Self {
        self.keys.remove(key).unwrap();
        self
    }

    /// Leaves the descriptor out.
    pub(super) fn undescribed(mut self) -> Self {
        self.descriptor = None;
        self
    }

    /// Adds a file to the package.
    pub(super) fn file(mut self, path: &str, bytes: impl Into<Vec<u8>>) -> Self {
        let node = self.package.contents.add_bytes(bytes.into());
        self.node(path, node)
    }

    /// Adds anything to the package.
    pub(super) fn node(mut self, path: &str, node: Node) -> Self {
        let entry = Entry { mode: Mode::new(0o600), owner: Owner::default(), node };
        self.package.tree.insert(path.parse().unwrap(), entry);
        self
    }

    /// Adds a file to the image below.
    pub(super) fn below(mut self, path: &str, bytes: impl Into<Vec<u8>>) -> Self {
        let node = self.below.contents.add_bytes(bytes.into());
        let entry = Entry { mode: Mode::new(0o444), owner: Owner::default(), node };
        self.below.tree.insert(format!("{HOME}{path}").parse().unwrap(), entry);
        self
    }

    /// Adds a folder to the image below.
    pub(super) fn owned_below(mut self, path: &str, owner: Owner) -> Self {
        let entry = Entry { mode: Mode::new(0o775), owner, node: Node::Folder };
        self.below.tree.insert(format!("{HOME}{path}").parse().unwrap(), entry);
        self
    }

    /// Takes a file out of the image below.
    pub(super) fn not_below(mut self, path: &str) -> Self {
        self.below.tree.remove(&format!("{HOME}{path}").parse().unwrap()).unwrap();
        self
    }

    /// What comes of installing it.
    pub(super) fn install(&self) -> Result<Installed, InstallError> {
        let mut whole = self.clone();
        if let Some(descriptor) = self.descriptor {
            let text: String = self.keys.iter().map(|(key, value)| format!("{key}={value}\n")).collect();
            whole = whole.file(&format!("/{descriptor}"), text);
        }
        let job = Job {
            product: Product::Elasticsearch,
            version: &self.version.parse().unwrap(),
            platform: &"linux/amd64".parse().unwrap(),
            name: &self.name,
            package: &whole.package,
            below: &self.below,
            scratch: &tempfile::tempfile,
        };
        crate::product::install::plugin(&job)
    }

    /// The refusal, with its file.
    pub(super) fn refusal(&self) -> String {
        match self.install() {
            Err(InstallError::Rule { file, message, help }) => {
                assert!(!help.is_empty());
                format!("{file}: {message}")
            }
            other => panic!("{other:?}"),
        }
    }

    /// What is installed where: mode, owner and path from Elasticsearch's folder.
    pub(super) fn listing(&self) -> Vec<String> {
        let installed = self.install().unwrap();
        let line = |(path, entry): (&crate::name::ImagePath, &Entry)| {
            let path = path.as_str().strip_prefix(HOME).unwrap();
            let slash = if entry.node == Node::Folder { "/" } else { "" };
            format!("{} {} {path}{slash}", entry.mode, entry.owner)
        };
        installed.tree.iter().map(line).collect()
    }
}

/// The bytes of a jar that is a module.
pub(super) fn module_jar(name: &str) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    writer.start_file("module-info.class", SimpleFileOptions::default()).unwrap();
    writer.write_all(&super::module::description(name)).unwrap();
    writer.finish().unwrap().into_inner()
}
