//! `make demo`, as somebody sees it who has never seen elkbake. It fails by itself where a command ends in another way than
//! it says, so that little is left to look at.

use std::process::{Command, Stdio};

use crate::kitchen::script;

#[test]
fn the_demo_runs_to_its_end_and_leaves_nothing_behind() {
    let Some(_) = crate::real::program(&["zip"], "zip") else { return };
    for artefact in ["debian.tar", "filebeat.tar", "java.tar", "elasticsearch.zip"] {
        let Some(_) = crate::real::artefact(artefact, "debian filebeat java elasticsearch") else { return };
    }
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tools/demo.sh"));
    command.env("ELKBAKE", env!("CARGO_BIN_EXE_elkbake")).env("TMPDIR", folder.path()).stdin(Stdio::null());
    let output = command.output().unwrap();
    let [stdout, stderr] = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes));
    assert!(output.status.success(), "{}\n-- stdout\n{stdout}\n-- stderr\n{stderr}", output.status);
    assert_eq!(stdout.matches("real: ").count(), 3, "{stdout}");
    for said in ["the same digests", "2 blobs sent, 1.", "a tag is never moved", "the same when it is built again"] {
        assert!(stdout.contains(said), "no `{said}` in\n{stdout}");
    }
    assert!(!stdout.contains('\u{1b}'), "no colours where there is no terminal");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "{stdout}");
}

/// On a machine that has nothing: no package can be had, and nothing is fetched.
#[test]
fn where_nothing_can_be_had_stand_ins_are_named_and_all_of_it_works() {
    let Some(_) = crate::real::program(&["zip"], "zip") else { return };
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().join("home");
    std::fs::create_dir_all(home.join("tools")).unwrap();
    for path in ["recipes", "images"] {
        std::os::unix::fs::symlink(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(path), home.join(path))
            .unwrap();
    }
    script::write(&home.join("tools/demo.sh"), include_str!("../tools/demo.sh"));
    let mut command = Command::new(home.join("tools/demo.sh"));
    command.env("ELKBAKE", env!("CARGO_BIN_EXE_elkbake")).stdin(Stdio::null());
    let output = command.output().unwrap();
    let [stdout, stderr] = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes));
    assert!(output.status.success(), "{}\n-- stdout\n{stdout}\n-- stderr\n{stderr}", output.status);
    assert_eq!((stdout.matches("A STAND-IN: ").count(), stdout.matches("real: ").count()), (3, 0), "{stdout}");
}
