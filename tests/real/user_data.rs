//! User data beside cloud-init itself and shellcheck, and a whole bake in a root file system of this machine's programs.

mod bake;
mod check;

use std::fs;
use std::process::Command;

use super::{program, run};
use crate::build::host::{document, kitchen, parts};
use crate::kitchen::project::Kitchen;

/// Everything that has its own way through the document: texts, bytes, odd names, and all kinds of packages.
const MORE: &str = "\
\"we\u{131}rd \\u00fc\" = \"1:2.0~\u{e9}\"
[[package]]
name = \"tool's own\"
url = \"https://example.com/tool.rpm\"
checksum = \"sha256:0000000000000000000000000000000000000000000000000000000000000000\"
architecture = \"arm64\"
[[test.expect]]
command = [\"sh\", \"-c\", \"echo \u{fc}; exit 0\"]
contains = \"\u{fc}\"
";

fn full() -> Kitchen {
    let kitchen =
        kitchen("").file("ami/host/etc/g r\u{fc}n", "\u{fc} \r\n\0 no end").file("ami/host/etc/bytes", [0xff; 64]);
    kitchen.write(
        "recipes/host.toml",
        crate::plan::locked::HOST.replace("[packages]\n", &format!("[packages]\nsysstat = \"12.6\"\n{MORE}")),
    );
    let text = kitchen.read("recipes/host.toml");
    // What is of the packages stays in their table.
    kitchen.write("recipes/host.toml", text.replace("amazon-ecr-credential-helper = \"*\"\n", ""));
    kitchen
}

/// What cloud-init takes out of a document, one line of JSON for each part.
const READER: &str = r#"
import json, sys
from cloudinit import helpers, user_data, util
paths = helpers.Paths({"cloud_dir": sys.argv[2], "run_dir": sys.argv[2]})
data = open(sys.argv[1], "rb").read()
for part in user_data.UserDataProcessor(paths).process(data).walk():
    if part.get_content_maintype() == "multipart":
        continue
    print(json.dumps([part.get_filename(), part.get_content_type(), util.fully_decoded_payload(part)]))
"#;

/// The python that Debian's packages are for; another one may come first in the PATH.
fn python() -> Option<Command> {
    program(&["cloud-init"], "cloud-init")?;
    Some(Command::new("/usr/bin/python3"))
}

#[test]
fn cloud_init_takes_the_parts_out_as_they_were_put_in() {
    let Some(mut python) = python() else { return };
    let kitchen = full();
    let build = kitchen.run(&["build", "host", "--json"]).success().json();
    for engine in ["user-data", "instance"] {
        let (file, bytes) = (kitchen.project().join(engine), document(&kitchen, &build, engine));
        fs::write(&file, &bytes).unwrap();
        let read = run(python.args(["-c", READER]).arg(&file).arg(kitchen.project()));
        python = self::python().unwrap();
        let expected = parts(&bytes);
        assert_eq!(read.lines().count(), expected.len(), "{read}");
        for line in read.lines() {
            let (name, kind, text): (String, String, String) = serde_json::from_str(line).unwrap();
            assert_eq!((&kind, &text), (&expected[&name].0, &expected[&name].1), "{name} of {engine}");
        }
    }
}

#[test]
fn cloud_init_likes_the_settings() {
    let Some(cloud_init) = program(&["cloud-init"], "cloud-init") else { return };
    let kitchen = full();
    let build = kitchen.run(&["build", "host", "--json"]).success().json();
    let parts = parts(&document(&kitchen, &build, "user-data"));
    let (kind, text) = &parts["elkbake-packages"];
    assert_eq!(kind, "text/cloud-config");
    kitchen.write("config", text);
    let said = run(Command::new(cloud_init).args(["schema", "--config-file"]).arg(kitchen.project().join("config")));
    assert!(said.contains("Valid"), "{said}");
}

#[test]
fn shellcheck_likes_the_programs() {
    let Some(shellcheck) = program(&["shellcheck"], "shellcheck") else { return };
    let kitchen = full();
    let build = kitchen.run(&["build", "host", "--json"]).success().json();
    for engine in ["user-data", "instance"] {
        for (name, (kind, text)) in parts(&document(&kitchen, &build, engine)) {
            if kind == "text/cloud-config" {
                continue;
            }
            let script = text.strip_prefix("#cloud-boothook\n").unwrap_or(&text);
            kitchen.write(&name, script);
            // Functions that every document has, used or not, and variables of theirs; and a document of no program.
            run(Command::new(&shellcheck).args(["-e", "SC2034,SC2317"]).arg(kitchen.project().join(&name)));
        }
    }
}
