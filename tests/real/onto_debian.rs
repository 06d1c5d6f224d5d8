//! Images on a real root file system, as the usual tools see them: GNU tar, skopeo, umoci, podman and Debian's registry.
//!
//! What has to come out is made by tar and by plain calls of the file system, so that nothing of ours has a say in it.

use std::collections::BTreeMap;
use std::os::unix::fs::{PermissionsExt, chown, lchown, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::engine::Engine;
use super::seen::{assert_same, seen};
use super::{artefact, program, run};
use crate::kitchen::project::Kitchen;

/// A name as long as file systems allow, in a folder that makes its path longer than tar's fields.
const LONG: [&str; 2] = [
    "opt/a-folder-with-a-name-of-some-length-so-that-its-path-does-not-fit-the-hundred-bytes-of-a-header/inner",
    "a-file-name-of-exactly-two-hundred-and-fifty-five-bytes-which-is-what-file-systems-allow-and-tar-has-no-field-for-\
     so-that-it-goes-into-an-extended-header-of-its-own-in-front-of-the-entry-and-every-tool-has-to-read-it-from-there-\
     and-nowhere-else-0123456789",
];
const UTF8: &str = "opt/Bäckerei/Brötchen-面包-🥖";

/// Files of the base with extended attributes.
const CAPABLE: &str = "usr/bin/capable";
const ATTRIBUTED: &str = "usr/share/attributed";

/// Without, tar reads and writes no attributes.
const ATTRIBUTES: [&str; 2] = ["--xattrs", "--xattrs-include=*"];

/// The base, as a file of the project; linked, because it is large.
pub fn debian(kitchen: &Kitchen) -> Option<PathBuf> {
    let to = kitchen.project().join("debian.tar");
    place(&artefact("debian.tar", "debian")?, &to);
    Some(to)
}

/// The base with two files in it that have extended attributes, one of them what `setcap` writes. A copy: the one above is
/// linked into other projects too.
pub fn debian_with_attributes(kitchen: &Kitchen) -> Option<PathBuf> {
    let (from, to) = (artefact("debian.tar", "debian")?, kitchen.project().join("debian.tar"));
    std::fs::copy(from, &to).unwrap();
    let folder = tempfile::tempdir().unwrap();
    // Version 2, effective; cap_net_bind_service is permitted.
    let capability = [[1, 0, 0, 2], [0, 4, 0, 0], [0; 4], [0; 4], [0; 4]].concat();
    for (path, name, value) in
        [(CAPABLE, "security.capability", &capability[..]), (ATTRIBUTED, "user.house", b"baked\0\xff\n=")]
    {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, "has more to it\n").unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
        rustix::fs::setxattr(&path, name, value, rustix::fs::XattrFlags::empty()).unwrap();
    }
    let more = folder.path().join("more.tar");
    // `tar -r` would leave out the attributes.
    let mut tar = Command::new("tar");
    tar.args(["--numeric-owner", "--format=posix"]).args(ATTRIBUTES).arg("-C").arg(folder.path()).arg("-cf").arg(&more);
    run(tar.args([CAPABLE, ATTRIBUTED]));
    run(Command::new("tar").arg("-Af").arg(&to).arg(&more));
    Some(to)
}

/// Puts something fetched into a project.
pub fn place(from: &Path, to: &Path) {
    if std::fs::hard_link(from, to).is_err() {
        std::fs::copy(from, to).unwrap();
    }
}

/// Unpacks with GNU tar all that there is to a file.
pub fn unpack(archive: &Path, to: &Path) {
    run(Command::new("tar").arg("--numeric-owner").args(ATTRIBUTES).arg("-xpf").arg(archive).arg("-C").arg(to));
}

/// The only tag in an OCI layout that elkbake wrote.
pub fn tag(layout: &Path) -> String {
    let index: serde_json::Value = serde_json::from_slice(&std::fs::read(layout.join("index.json")).unwrap()).unwrap();
    index["manifests"][0]["annotations"]["org.opencontainers.image.ref.name"].as_str().unwrap().to_owned()
}

/// Files of all sorts, and what they replace and remove.
pub fn bakery() -> Kitchen {
    let recipe = r#"
kind    = "image"
product = "generic"
version = "1"
from    = "rootfs:debian.tar"
remove  = ["/etc/issue", "/usr/share/perl5"]

[[archive]]
name  = "tools"
path  = "tools.tar.gz"
into  = "/opt/tools"
strip = 1
owner = "1000:0"

[files]
"srv/**"                 = { owner = "1000:1000", mode = "0640" }
"usr/local/bin/as-owner" = { mode = "4755" }
"#;
    let kitchen = Kitchen::new()
        .recipe("house", recipe)
        .file("images/house/etc/house", "one\n")
        .file("images/house/etc/debian_version", "replaced\n")
        .file("images/house/bin/house", "#!/bin/sh\necho baked\n")
        .file("images/house/usr/local/bin/as-owner", "set-user-id\n")
        .file("images/house/srv/in/order", "rye\n")
        .file("images/house/srv/note", "")
        .file(&format!("images/house/{}/{}", LONG[0], LONG[1]), "long\n")
        .file(&format!("images/house/{UTF8}"), "bread\n");
    let files = kitchen.project().join("images/house");
    std::fs::create_dir_all(files.join("srv/out")).unwrap();
    symlink("house", files.join("etc/alias")).unwrap();
    let tools = kitchen.project().join("tools/tools-1");
    std::fs::create_dir_all(tools.join("bin")).unwrap();
    std::fs::write(tools.join("bin/tool"), "tool\n").unwrap();
    std::fs::set_permissions(tools.join("bin/tool"), PermissionsExt::from_mode(0o750)).unwrap();
    std::fs::hard_link(tools.join("bin/tool"), tools.join("bin/also")).unwrap();
    symlink("bin/tool", tools.join("link")).unwrap();
    let archive = kitchen.project().join("tools.tar.gz");
    run(Command::new("tar").arg("-C").arg(kitchen.project().join("tools")).arg("-czf").arg(archive).arg("tools-1"));
    kitchen
}

/// The tree that has to come out.
pub fn expected(base: &Path, folder: &Path) -> BTreeMap<PathBuf, String> {
    let root = folder.join("expected");
    std::fs::create_dir(&root).unwrap();
    unpack(base, &root);
    let own = |path: &str, mode: u32, (uid, gid): (u32, u32)| {
        chown(root.join(path), Some(uid), Some(gid)).unwrap();
        std::fs::set_permissions(root.join(path), PermissionsExt::from_mode(mode)).unwrap();
    };
    let folder = |path: &str, mode: u32, owner: (u32, u32)| {
        std::fs::create_dir_all(root.join(path)).unwrap();
        own(path, mode, owner);
    };
    let file = |path: &str, content: &str, mode: u32, owner: (u32, u32)| {
        std::fs::create_dir_all(root.join(path).parent().unwrap()).unwrap();
        std::fs::write(root.join(path), content).unwrap();
        own(path, mode, owner);
    };
    let (admin, user, tools) = ((0, 0), (1000, 1000), (1000, 0));
    file("etc/house", "one\n", 0o644, admin);
    file("etc/debian_version", "replaced\n", 0o644, admin);
    symlink("house", root.join("etc/alias")).unwrap();
    // The base's /bin is a link, and stays one.
    file("usr/bin/house", "#!/bin/sh\necho baked\n", 0o755, admin);
    file("usr/local/bin/as-owner", "set-user-id\n", 0o4755, admin);
    folder("srv/in", 0o755, user);
    folder("srv/out", 0o755, user);
    file("srv/in/order", "rye\n", 0o640, user);
    file("srv/note", "", 0o640, user);
    file(&format!("{}/{}", LONG[0], LONG[1]), "long\n", 0o644, admin);
    file(UTF8, "bread\n", 0o644, admin);
    // The folder to unpack into is not in the archive, and a hard link of one is a file of its own.
    folder("opt/tools", 0o755, tools);
    folder("opt/tools/bin", 0o755, tools);
    file("opt/tools/bin/tool", "tool\n", 0o750, tools);
    file("opt/tools/bin/also", "tool\n", 0o750, tools);
    symlink("bin/tool", root.join("opt/tools/link")).unwrap();
    lchown(root.join("opt/tools/link"), Some(1000), Some(0)).unwrap();
    std::fs::remove_file(root.join("etc/issue")).unwrap();
    std::fs::remove_dir_all(root.join("usr/share/perl5")).unwrap();
    seen(&root)
}

#[test]
fn what_is_baked_onto_a_debian_comes_out_of_every_tool() {
    let kitchen = bakery();
    let Some(base) = debian_with_attributes(&kitchen) else { return };
    let Some(registry) = program(&["docker-registry", "registry"], "docker-registry") else { return };
    let (Some(skopeo), Some(umoci)) = (program(&["skopeo"], "skopeo"), program(&["umoci"], "umoci")) else { return };
    let Some(engine) = Engine::new() else { return };
    let folder = tempfile::tempdir().unwrap();
    let within = |name: &str| folder.path().join(name);
    let expected = expected(&base, folder.path());
    for (path, part) in [(CAPABLE, " security.capability="), (ATTRIBUTED, " user.house=baked")] {
        assert!(expected[Path::new(path)].contains(part), "{path}: {}", expected[Path::new(path)]);
    }
    let layout = within("layout");
    kitchen.run(&["build", "house", "--output", &format!("oci:{}", layout.display())]).success();
    kitchen.run(&["build", "house", "--output", &format!("rootfs:{}", within("root.tar").display())]).success();
    let image = format!("{}:{}", layout.display(), tag(&layout));

    std::fs::create_dir(within("tar")).unwrap();
    unpack(&within("root.tar"), &within("tar"));
    assert_same(&expected, &seen(&within("tar")), "tar");

    run(Command::new(umoci).args(["unpack", "--image", &image]).arg(within("umoci")));
    assert_same(&expected, &seen(&within("umoci/rootfs")), "umoci");

    let server = super::registry::serve(&registry, folder.path());
    let remote = format!("docker://127.0.0.1:{}/elk/house:1", server.1);
    let archive = within("archive.tar");
    let copy = |args: &[&str]| run(Command::new(&skopeo).args(["--insecure-policy", "copy", "--quiet"]).args(args));
    copy(&["--dest-tls-verify=false", &format!("oci:{image}"), &remote]);
    copy(&["--src-tls-verify=false", &remote, &format!("docker-archive:{}:elk/house:1", archive.display())]);
    let name = engine.load(&archive);
    let mounted = run(engine.podman().args(["image", "mount", &name]));
    assert_same(&expected, &seen(Path::new(mounted.trim())), "podman");
    run(engine.podman().args(["image", "unmount", &name]));
    assert_eq!(engine.run(&[], &name, &["/bin/house"]).success(), "baked\n");
}
