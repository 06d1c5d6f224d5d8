//! What comes from outside and is wrong: each of it gets one clear error and the right exit code, and the store is as
//! it was before.

mod answers;
mod archives;

use std::os::unix::fs::symlink;

use crate::kitchen::project::{Kitchen, Ran};

const CLEAN: &str = "kind = \"image\"\nproduct = \"generic\"\nversion = \"1\"\nfrom = \"scratch\"\n";

/// The commands that read a recipe.
const COMMANDS: [&[&str]; 3] = [&["check"], &["lock"], &["plan"]];

/// Every command that reads a recipe ends with 3 and this text, once, and writes nothing.
fn refused(kitchen: &Kitchen, text: &str) {
    for command in COMMANDS {
        let ran = kitchen.run(command).code(3).complains(text);
        assert_eq!(errors(&ran), 1, "{command:?}: {}", ran.stderr);
        assert!(!ran.stderr.contains("panicked"), "{}", ran.stderr);
        assert!(ran.stderr.len() < 2000, "{command:?}: {} bytes of error", ran.stderr.len());
        assert!(!kitchen.has("recipes/app.lock"));
        assert!(!kitchen.store().join("v1/blobs").exists(), "{command:?} made a store");
    }
}

fn errors(ran: &Ran) -> usize {
    ran.stderr.lines().filter(|line| line.starts_with("error")).count()
}

fn with(bytes: impl AsRef<[u8]>) -> Kitchen {
    Kitchen::new().file("recipes/app.toml", bytes)
}

#[test]
fn a_recipe_that_is_no_text() {
    refused(&with(b"kind = \"image\"\nversion = \"\xff\"\n"), "recipes/app.toml:2:12");
}

#[test]
fn an_empty_recipe() {
    refused(&with(""), "this recipe is empty");
    refused(&with("# nothing yet\n\n"), "this recipe is empty");
}

#[test]
fn a_recipe_of_10_mb() {
    let long = format!("{CLEAN}# {}\n", "x".repeat(10_000_000));
    refused(&with(long), "this file has more than 1048576 bytes");
    refused(&with(vec![0; 10_000_000]), "this file has more than 1048576 bytes");
}

#[test]
fn a_recipe_that_is_deeply_nested() {
    let deep = format!("x = {}1{}\n", "[".repeat(5000), "]".repeat(5000));
    refused(&with(format!("{CLEAN}{deep}")), "recipes/app.toml:5:");
    for (open, times, end) in [("[", 1_000_000, ""), ("{a=", 300_000, ""), ("a.", 400_000, "x = 1\n")] {
        let begin = if end.is_empty() { "x = " } else { "" };
        let kitchen = with(format!("{begin}{}{end}", open.repeat(times)));
        let ran = kitchen.run(&["check"]).code(3).complains("recipes/app.toml:1:");
        assert_eq!(errors(&ran), 1, "{}", ran.stderr);
        assert!(ran.stderr.len() < 2000);
    }
}

#[test]
fn a_key_twice() {
    refused(&with(format!("{CLEAN}version = \"2\"\n")), "recipes/app.toml:5:1");
    refused(&with(format!("{CLEAN}[config]\n[config]\n")), "recipes/app.toml:6:");
}

#[test]
fn a_path_that_leaves_the_project() {
    for from in ["rootfs:../root.tar", "oci:/etc", "docker-archive:a/../../b.tar"] {
        refused(&with(CLEAN.replace("scratch", from)), "recipes/app.toml:4:8");
    }
    let archive = "[[archive]]\nname = \"a\"\ninto = \"/opt\"\npath = \"../secret.tar\"\n";
    refused(&with(format!("{CLEAN}{archive}")), "recipes/app.toml:8:8");
}

#[test]
fn a_recipe_that_is_a_link_out_of_the_project() {
    let kitchen = Kitchen::new().file("../elsewhere/app.toml", CLEAN).file("recipes/.keep", "");
    symlink("../../elsewhere/app.toml", kitchen.project().join("recipes/app.toml")).unwrap();
    refused(&kitchen, "recipes/app.toml leads out of the project");
}

#[test]
fn a_recipe_in_a_folder_that_is_a_link_out_of_the_project() {
    let kitchen = Kitchen::new().file("../elsewhere/app.toml", CLEAN).file("elkbake.toml", "");
    symlink("../elsewhere", kitchen.project().join("recipes")).unwrap();
    refused(&kitchen, "out of the project");
}

#[test]
fn a_recipe_that_is_a_link_in_a_circle_or_to_nowhere() {
    let kitchen = Kitchen::new().file("recipes/.keep", "");
    let link = kitchen.project().join("recipes/app.toml");
    symlink("app.toml", &link).unwrap();
    refused(&kitchen, "recipes/app.toml");
    std::fs::remove_file(&link).unwrap();
    symlink("nowhere.toml", &link).unwrap();
    refused(&kitchen, "recipes/app.toml");
}

#[test]
fn a_recipe_that_is_a_folder_or_a_device() {
    refused(&Kitchen::new().file("recipes/app.toml/x", ""), "recipes/app.toml");
    let kitchen = Kitchen::new().file("recipes/.keep", "");
    symlink("/dev/zero", kitchen.project().join("recipes/app.toml")).unwrap();
    refused(&kitchen, "recipes/app.toml leads out of the project");
}

#[test]
fn a_recipe_that_is_a_pipe() {
    let kitchen = Kitchen::new().file("recipes/.keep", "");
    let path = kitchen.project().join("recipes/app.toml");
    assert!(std::process::Command::new("mkfifo").arg(path).status().unwrap().success());
    refused(&kitchen, "recipes/app.toml is no regular file");
}

#[test]
fn a_file_of_the_image_that_is_a_link_out_of_it() {
    let kitchen = with(CLEAN).file("images/app/etc/.keep", "");
    symlink("../../../../home/.ssh/id_rsa", kitchen.project().join("images/app/etc/key")).unwrap();
    refused(&kitchen, "images/app/etc/key");
}

#[test]
fn a_folder_of_the_image_that_is_a_link_out_of_the_project() {
    let kitchen = with(CLEAN).file("../elsewhere/etc/x", "x").file("images/.keep", "");
    symlink("../../elsewhere", kitchen.project().join("images/app")).unwrap();
    refused(&kitchen, "images/app is a link that leaves the project");
}

#[test]
fn an_input_that_is_a_link_out_of_the_project() {
    let archive = "[[archive]]\nname = \"a\"\ninto = \"/opt\"\npath = \"a.tar\"\n";
    let kitchen = with(format!("{CLEAN}{archive}")).file("../elsewhere/a.tar", "x");
    symlink("../elsewhere/a.tar", kitchen.project().join("a.tar")).unwrap();
    for command in ["lock", "plan"] {
        kitchen.run(&[command]).code(3).complains("archive a: a.tar: it is a link that leaves the project");
    }
    assert!(!kitchen.has("recipes/app.lock"));
}

#[test]
fn a_name_that_is_not_allowed() {
    for name in ["Big.toml", "white space.toml", "ümlaut.toml", "-dash.toml"] {
        let kitchen = Kitchen::new().file(&format!("recipes/{name}"), CLEAN);
        refused(&kitchen, &format!("recipes/{name}"));
        assert!(kitchen.run(&["check"]).stderr.contains("hint: rename the file"));
    }
}

#[test]
fn a_lock_of_a_newer_elkbake() {
    let newer = "format = 99\n[unheard]\nof = 1\n";
    let kitchen = with(CLEAN).file("recipes/app.lock", newer);
    for command in [&["check"][..], &["lock"], &["lock", "--update"], &["lock", "--check"], &["plan"]] {
        let ran = kitchen.run(command).code(3);
        let ran = ran.complains("recipes/app.lock:1:10").complains("written by a newer elkbake (format 99");
        assert_eq!(errors(&ran), 1, "{}", ran.stderr);
        assert_eq!(kitchen.read("recipes/app.lock"), newer, "it is left as it was");
    }
}

#[test]
fn what_a_bad_lock_advises_helps() {
    let kitchen = with(CLEAN).file("recipes/app.lock", "format = 99\n");
    kitchen.run(&["plan"]).code(3).complains("remove this file and run `elkbake lock`");
    std::fs::remove_file(kitchen.project().join("recipes/app.lock")).unwrap();
    kitchen.run(&["lock"]).success();
    kitchen.run(&["plan"]).success();
}

#[test]
fn a_lock_that_is_none() {
    for (lock, place) in [
        (&b"format = \xff"[..], "recipes/app.lock:1:10"),
        (b"", "recipes/app.lock"),
        (b"format = 1\n<<<<<<< HEAD\n", "recipes/app.lock:2:1"),
        (b"format = 1\n[base]\nfrom = 1\n", "recipes/app.lock:3:8"),
    ] {
        let kitchen = with(CLEAN).file("recipes/app.lock", lock);
        for command in COMMANDS {
            kitchen.run(command).code(3).complains(place);
        }
    }
}
