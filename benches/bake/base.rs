//! The image that everybody builds on: 600 MB in three layers, like a distribution, a JDK and a product.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use crate::cost::{run, shell};
use crate::elkbake;
use crate::random::Random;
use crate::scene::write;

/// An image of elkbake's own making, in the forms in which others take it.
pub(crate) struct Base {
    /// As an OCI layout.
    pub(crate) layout: PathBuf,
    /// Its name in there.
    pub(crate) tag: String,
    /// As `docker save` writes it.
    pub(crate) archive: PathBuf,
}

/// Of each layer: its name, where its files are, how many MiB, how long they are in the middle, and how many of ten are
/// noise and text; the rest is like machine code.
const LAYERS: [(&str, &str, usize, usize, [usize; 2]); 3] = [
    ("distribution", "usr/lib", 180, 24 << 10, [1, 4]),
    ("jdk", "usr/share/elasticsearch/jdk", 220, 300 << 10, [1, 1]),
    ("product", "usr/share/elasticsearch/lib", 200, 700 << 10, [6, 1]),
];

impl Base {
    pub(crate) fn make(folder: &Path) -> Self {
        let root = folder.join("base");
        let mut recipe = "kind = \"image\"\nproduct = \"generic\"\nversion = \"1\"\nfrom = \"scratch\"\n".to_owned();
        for (name, at, mib, middle, shares) in LAYERS {
            recipe += &format!("[[archive]]\nname = \"{name}\"\npath = \"{name}.tar\"\ninto = \"/{at}\"\n");
            fs::create_dir_all(&root).expect("a folder");
            tarball(&root.join(format!("{name}.tar")), mib << 20, middle, shares);
        }
        write(&root.join("recipes/base.toml"), recipe.as_bytes());
        let (layout, archive, store) = (root.join("layout"), root.join("base.tar"), root.join("store"));
        let mut command = elkbake::command(&root, &store);
        command.args(["build", "base", "--quiet", "--json"]);
        command.arg("--output").arg(format!("oci:{}", layout.display()));
        command.arg("--output").arg(format!("docker-archive:{}", archive.display()));
        let built = run(&mut command).expect("the base is built");
        let built: serde_json::Value = serde_json::from_str(&built).expect("a document");
        let tag = built["builds"][0]["tag"].as_str().expect("a tag").to_owned();
        fs::remove_dir_all(store).expect("a store");
        Self { layout, tag, archive }
    }

    /// Puts it into a registry.
    pub(crate) fn push(&self, host: &str) -> Result<String, String> {
        let name = format!("{host}/elk/base:1");
        let script = "skopeo copy --quiet --dest-tls-verify=false \"oci:$0\" \"docker://$1\"";
        run(shell(script).arg(format!("{}:{}", self.layout.display(), self.tag)).arg(&name))?;
        Ok(name)
    }
}

fn tarball(path: &Path, size: usize, middle: usize, [noise, text]: [usize; 2]) {
    let mut random = Random::new(size as u64);
    let sources = [random.noise(16 << 20), random.text(8 << 20), random.library(8 << 20)];
    let mut tar = tar::Builder::new(File::create(path).expect("a file"));
    let (mut written, mut files) = (0, 0);
    while written < size {
        let of = match random.below(10) {
            kind if kind < noise => 0,
            kind if kind < noise + text => 1,
            _ => 2,
        };
        // Most are short, some are long.
        let len = (middle / 4 + random.below(middle)) * (1 + random.below(8) / 6 * 3);
        let from = random.below(sources[of].len() - len.min(4 << 20));
        let bytes = &sources[of][from..][..len.min(4 << 20)];
        let mut header = tar::Header::new_ustar();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        let name = format!("m{:02}/f{files:05}", files % 23);
        tar.append_data(&mut header, name, bytes).expect("a tarball");
        (written, files) = (written + bytes.len(), files + 1);
    }
    tar.finish().expect("a tarball");
}
