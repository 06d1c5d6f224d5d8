//! What is built: a base of 600 MB in three layers, a plugin of 100 MiB in 298 files, and three files of configuration.
//!
//! One folder serves all: it is elkbake's project, and its `images` are what the others copy from. In it are two recipes
//! for the same image. `folder` is made from the files that the others copy; `zip` has the plugin as its publisher packs
//! it, which nobody else reads.

use std::fs::{self, File};
use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};

use zip::write::SimpleFileOptions;
use zip::{ZipArchive, ZipWriter};

use crate::base::Base;
use crate::cost::{run, shell};
use crate::elkbake;
use crate::random::Random;

/// Where the plugin is in the image.
pub(crate) const PLUGIN: &str = "usr/share/elasticsearch/plugins/x-pack";

/// Where the configuration is in the image.
pub(crate) const CONFIG: &str = "usr/share/elasticsearch/config";

/// The label and the entrypoint that everybody sets.
pub(crate) const LABEL: &str = "org.opencontainers.image.title=bench";
pub(crate) const ENTRYPOINT: &str = "/usr/share/elasticsearch/bin/elasticsearch";

/// What elkbake calls the registry that images are sent to.
pub(crate) const TARGET: &str = "bench";

/// A project.
pub(crate) struct Scene {
    /// Its folder.
    pub(crate) root: PathBuf,
    /// The image to build on, as all but umoci call it.
    pub(crate) base: String,
    plugin: Vec<Vec<u8>>,
    zip: Vec<u8>,
}

impl Scene {
    /// Writes it down. `from` is what elkbake builds on, `base` what the others call the same image.
    pub(crate) fn make(root: PathBuf, base: &Base, from: &str, name: &str, registry: Option<&str>) -> Self {
        let plugin = Random::new(11).plugin();
        let zip = zip(&plugin);
        let scene = Self { root, base: name.to_owned(), plugin, zip };
        let recipe = |from: &str, rest: &str| {
            let (label, value) = LABEL.split_once('=').expect("a label");
            format!(
                "kind = \"image\"\nproduct = \"generic\"\nversion = \"1\"\nfrom = \"{from}\"\n{rest}\n\
                 [config]\nentrypoint = [\"{ENTRYPOINT}\"]\nlabels = {{ \"{label}\" = \"{value}\" }}\n"
            )
        };
        let archive = format!("[[archive]]\nname = \"x-pack\"\npath = \"plugins/x-pack.zip\"\ninto = \"/{PLUGIN}\"");
        for (name, text) in
            [("zip", recipe(from, &archive)), ("plugin", recipe(from, "")), ("folder", recipe("recipe:plugin", ""))]
        {
            scene.write(&format!("recipes/{name}.toml"), text.as_bytes());
        }
        let mut random = Random::new(12);
        for name in ["zip", "folder"] {
            scene.write(&format!("images/{name}/{CONFIG}/jvm.options"), b"-Xms1g\n-Xmx1g\n");
            scene.write(&format!("images/{name}/{CONFIG}/log4j2.properties"), &random.text(4000));
        }
        if let Some(host) = registry {
            let target = format!("[target.{TARGET}]\nregistry = \"{host}/sent\"\n");
            scene.write("elkbake.toml", target.as_bytes());
        }
        let dockerfile = format!(
            "FROM {name}\nCOPY plugin/{PLUGIN} /{PLUGIN}/\nCOPY folder/{CONFIG} /{CONFIG}/\nLABEL {LABEL}\n\
             ENTRYPOINT [\"{ENTRYPOINT}\"]\n"
        );
        scene.write("images/Dockerfile", dockerfile.as_bytes());
        run(shell("cp -r \"$0\" \"$1\"").arg(&base.layout).arg(scene.root.join("base"))).expect("a copy");
        scene.change_config(0);
        scene.change_plugin(0);
        scene
    }

    /// The same in a folder of its own, as somebody else checks it out: other times, other inodes.
    pub(crate) fn copy(&self, root: PathBuf) -> Self {
        fs::create_dir_all(&root).expect("a folder");
        let script = "for part in base images plugins recipes; do cp -r \"$0/$part\" \"$1\"; done";
        run(shell(script).arg(&self.root).arg(&root)).expect("a copy");
        Self { root, base: self.base.clone(), plugin: Vec::new(), zip: Vec::new() }
    }

    /// What the others copy from.
    pub(crate) fn context(&self) -> PathBuf {
        self.root.join("images")
    }

    /// Writes all of the plugin anew, with other bytes in one of its files, and lets elkbake lock its zip.
    pub(crate) fn change_plugin(&self, version: usize) {
        let seed = format!("version {version}\n");
        for (i, bytes) in self.plugin.iter().enumerate() {
            self.write(&format!("images/plugin/{PLUGIN}/{}", name(i)), bytes);
        }
        self.write(&format!("images/plugin/{PLUGIN}/version"), seed.as_bytes());
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        let mut packed = ZipArchive::new(Cursor::new(&self.zip[..])).expect("a zip");
        for i in 0..packed.len() {
            writer.raw_copy_file(packed.by_index_raw(i).expect("an entry")).expect("a zip");
        }
        writer.start_file("version", SimpleFileOptions::default()).expect("a zip");
        writer.write_all(seed.as_bytes()).expect("a zip");
        self.write("plugins/x-pack.zip", &writer.finish().expect("a zip").into_inner());
        let store = self.root.join("store-of-lock");
        run(elkbake::command(&self.root, &store).args(["lock", "--quiet"])).expect("locks");
    }

    /// Changes one small file.
    pub(crate) fn change_config(&self, version: usize) {
        for name in ["zip", "folder"] {
            let text = format!("cluster.name: bench\nnode.name: node-{version}\n");
            self.write(&format!("images/{name}/{CONFIG}/elasticsearch.yml"), text.as_bytes());
        }
    }

    fn write(&self, path: &str, bytes: &[u8]) {
        write(&self.root.join(path), bytes);
    }
}

/// Writes a file, and makes its folder.
pub(crate) fn write(path: &Path, bytes: &[u8]) {
    fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    let mut file = File::create(path).expect("a file");
    file.write_all(bytes).expect("a file");
}

fn name(i: usize) -> String {
    format!("{}/{i}.bin", i % 50)
}

/// The plugin as it is published, without the file that differs.
fn zip(files: &[Vec<u8>]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (i, bytes) in files.iter().enumerate() {
        writer.start_file(name(i), SimpleFileOptions::default()).expect("a zip");
        writer.write_all(bytes).expect("a zip");
    }
    writer.finish().expect("a zip").into_inner()
}
