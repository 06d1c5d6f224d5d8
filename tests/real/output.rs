//! What is written, read by the programs that others use on it: skopeo, umoci and tar.

use std::path::Path;
use std::process::Command;

use elkbake::bake::built::Built;
use elkbake::plan::LayerKind;

use super::program;
use crate::kitchen::built::{Bakery, Packed, Tarball, files};
use crate::output::write;

/// An image of three layers, each packed in another way.
fn bake(bakery: &Bakery) -> Built {
    let base = Tarball::new().folder("etc").file("etc/os", b"base").file("etc/gone", b"gone").link("etc/link", "os");
    let own = Tarball::new().folder("etc").file("etc/.wh.gone", b"").file("etc/own", &b"own ".repeat(30_000));
    let last = Tarball::new().file("etc/os", b"changed");
    bakery.image(&[(
        "linux/amd64",
        vec![
            bakery.layer(LayerKind::Base, base, Packed::Gzip),
            bakery.layer(LayerKind::Archive("own".to_owned()), own, Packed::Zstd),
            bakery.layer(LayerKind::Files, last, Packed::Plain),
        ],
    )])
}

fn run(program: &Path, args: &[&str], folder: &Path) -> String {
    let output = Command::new(program).args(args).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn skopeo_reads_layouts_and_archives_and_copies_them() {
    let Some(skopeo) = program(&["skopeo"], "skopeo") else { return };
    let bakery = Bakery::new();
    let built = bake(&bakery);
    let folder = bakery.folder.path();
    write(&bakery, &built, "8.1-abc", "oci:layout").unwrap();
    write(&bakery, &built, "8.1-abc", "docker-archive:es.tar").unwrap();
    let raw = run(&skopeo, &["inspect", "--raw", "oci:layout:8.1-abc"], folder);
    assert_eq!(elkbake::digest::Digest::of(raw.as_bytes()), built.platforms[0].manifest.digest);
    let config = |from: &str| run(&skopeo, &["inspect", "--config", from], folder);
    assert_eq!(config("oci:layout:8.1-abc"), config("docker-archive:es.tar:elk/es:8.1-abc"));
    let tags = run(&skopeo, &["list-tags", "docker-archive:es.tar"], folder);
    assert!(tags.contains("elk/es:8.1-abc"), "{tags}");
    for from in ["oci:layout:8.1-abc", "docker-archive:es.tar"] {
        run(&skopeo, &["--insecure-policy", "copy", "--quiet", from, "oci:copy:c"], folder);
    }
}

#[test]
fn umoci_unpacks_a_layout() {
    let Some(umoci) = program(&["umoci"], "umoci") else { return };
    let bakery = Bakery::new();
    let mut built = bake(&bakery);
    // Debian's umoci does not know zstd.
    let layers =
        built.platforms.remove(0).layers.into_iter().filter(|layer| layer.what != LayerKind::Archive("own".to_owned()));
    let built = bakery.image(&[("linux/amd64", layers.collect())]);
    write(&bakery, &built, "8.1-abc", "oci:layout").unwrap();
    run(&umoci, &["unpack", "--rootless", "--image", "layout:8.1-abc", "bundle"], bakery.folder.path());
    let files = files(&bakery.path("bundle/rootfs"));
    assert_eq!(files["etc/os"], b"changed");
    assert!(files.contains_key("etc/link"));
}

#[test]
fn tar_unpacks_a_root_file_system_as_umoci_unpacks_the_layers() {
    let Some(umoci) = program(&["umoci"], "umoci") else { return };
    let Some(tar) = program(&["tar"], "tar") else { return };
    let bakery = Bakery::new();
    let long = format!("{}/{}/ü", "a".repeat(120), "b".repeat(200));
    let base = Tarball::new()
        .folder("etc")
        .file("etc/os", b"base")
        .hard_link("etc/os2", "etc/os")
        .file("etc/gone", b"gone")
        .hard_link("etc/stays", "etc/gone")
        .folder("opaque")
        .file("opaque/old", b"old")
        .link("etc/link", "os")
        .file(&long, b"long");
    let own = Tarball::new()
        .file("etc/.wh.gone", b"")
        .file("opaque/.wh..wh..opq", b"")
        .file("opaque/new", b"new")
        .file("etc/os", b"replaced");
    let layers =
        vec![bakery.layer(LayerKind::Base, base, Packed::Gzip), bakery.layer(LayerKind::Files, own, Packed::Gzip)];
    let built = bakery.image(&[("linux/amd64", layers)]);
    let folder = bakery.folder.path();
    write(&bakery, &built, "1", "oci:layout").unwrap();
    write(&bakery, &built, "1", "rootfs:root.tar.gz").unwrap();
    run(&umoci, &["unpack", "--rootless", "--image", "layout:1", "bundle"], folder);
    std::fs::create_dir(bakery.path("root")).unwrap();
    run(&tar, &["-xzf", "root.tar.gz", "--no-same-owner", "-C", "root"], folder);
    assert_eq!(files(&bakery.path("root")), files(&bakery.path("bundle/rootfs")));
    // Modes, times, links and hard links too, as tar itself would write both trees down.
    let listed = |root: &str| {
        let script = format!(
            "cd {root} && find . -printf '%p %M %T@ %l %n\\n' | sed 's/^\\(\\S* d\\S*\\) [0-9.]*/\\1/' | LC_ALL=C sort"
        );
        run(Path::new("/bin/sh"), &["-c", &script], folder)
    };
    let of = |text: String| text.lines().filter(|line| !line.starts_with(". ")).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(of(listed("root")), of(listed("bundle/rootfs")));
    assert_eq!(run(&tar, &["-tzf", "root.tar.gz"], folder).lines().count(), 10);
}
