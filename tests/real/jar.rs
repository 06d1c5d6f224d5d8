//! Jars with classes taken out, read by the programs that others use on them: unzip, zip, and Java.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use elkbake::image::jar;

use super::program;

fn run(program: &Path, args: &[&str], folder: &Path) -> String {
    let output = Command::new(program).args(args).current_dir(folder).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{args:?}: {said}{}", String::from_utf8_lossy(&output.stderr));
    said
}

fn cut(folder: &Path, from: &str, to: &str, names: &[&str]) {
    let names: BTreeSet<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let cut = jar::remove(&fs::read(folder.join(from)).unwrap(), &names).unwrap().unwrap();
    assert_eq!(cut.removed, names);
    fs::write(folder.join(to), cut.bytes).unwrap();
}

/// A jar as Info-ZIP writes it: with fields of its own, and with sizes behind the bytes where it writes to a pipe.
#[test]
fn what_is_left_is_whole_to_unzip() {
    let (Some(zip), Some(unzip)) = (program(&["zip"], "zip"), program(&["unzip"], "unzip")) else { return };
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    fs::create_dir_all(folder.join("org/x")).unwrap();
    for (name, text) in
        [("org/x/A.class", "a".repeat(5000)), ("org/x/B.class", "b".to_owned()), ("c.txt", String::new())]
    {
        fs::write(folder.join(name), text).unwrap();
    }
    run(&zip, &["-q", "-r", "file.jar", "org", "c.txt"], folder);
    let piped = Command::new(&zip).args(["-q", "-r", "-", "org", "c.txt"]).current_dir(folder).output().unwrap();
    fs::write(folder.join("piped.jar"), piped.stdout).unwrap();
    for name in ["file.jar", "piped.jar"] {
        cut(folder, name, "cut.jar", &["org/x/B.class"]);
        run(&unzip, &["-tq", "cut.jar"], folder);
        assert_eq!(run(&unzip, &["-Z1", "cut.jar"], folder), "org/\norg/x/\norg/x/A.class\nc.txt\n", "{name}");
        assert_eq!(run(&unzip, &["-p", "cut.jar", "org/x/A.class"], folder), "a".repeat(5000));
    }
    // The program that people use for it leaves the same bytes behind.
    cut(folder, "file.jar", "cut.jar", &["org/x/B.class"]);
    run(&zip, &["-q", "-d", "file.jar", "org/x/B.class"], folder);
    assert_eq!(fs::read(folder.join("cut.jar")).unwrap(), fs::read(folder.join("file.jar")).unwrap());
}

/// A jar of the distribution's, and Java still loads what is left of it.
#[test]
fn java_loads_what_is_left() {
    let (Some(java), Some(_)) = (program(&["java"], "default-jre-headless"), program(&["jruby"], "jruby")) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    // JRuby needs it, and so it is there.
    fs::copy("/usr/share/java/asm.jar", folder.join("whole.jar")).unwrap();
    cut(folder, "whole.jar", "cut.jar", &["org/objectweb/asm/Handle.class"]);
    let load = |jar: &str, class: &str| {
        let class = format!("org.objectweb.asm.{class}");
        let output = Command::new(&java).args(["-cp", jar, &class]).current_dir(folder).output().unwrap();
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    // Neither can be run, but only what is loaded can be found to have no `main`.
    for (jar, class, error) in [
        ("whole.jar", "Handle", "Main method not found"),
        ("cut.jar", "Handle", "ClassNotFoundException"),
        ("cut.jar", "Label", "Main method not found"),
    ] {
        let said = load(jar, class);
        assert!(said.contains(error), "{jar} {class}: {said}");
    }
}
