//! `elkbake build` of hosts: their user data, what is in it, and what is refused.

use std::collections::BTreeMap;
use std::io::Read;

use serde_json::{Value, json};

use crate::kitchen::project::{Kitchen, golden};
use crate::plan::locked::{HOST, HOST_LOCK};

/// A host with a lock, so that nobody has to be asked for anything.
pub(crate) fn kitchen(more: &str) -> Kitchen {
    Kitchen::new().recipe("host", &format!("{HOST}{more}")).file("recipes/host.lock", HOST_LOCK)
}

/// The parts of a document, by the names of their files: their kind and text.
pub(crate) fn parts(document: &[u8]) -> BTreeMap<String, (String, String)> {
    let mut plain = String::new();
    flate2::read::GzDecoder::new(document).read_to_string(&mut plain).unwrap();
    let boundary = plain.split('"').nth(1).unwrap();
    let begin = format!("--{boundary}\n");
    let parts = plain.split(&begin).skip(1);
    let part = |part: &str| {
        let (head, text) = part.split_once("\n\n").unwrap();
        let after = |mark: &str| head.split(mark).nth(1).unwrap().split(['"', ';', '\n']).next().unwrap().to_owned();
        let text = text.strip_suffix(&format!("\n--{boundary}--\n")).or(text.strip_suffix('\n')).unwrap();
        (after("filename=\""), (after("Content-Type: "), text.to_owned()))
    };
    parts.map(part).collect()
}

/// The bytes of a document of what `elkbake build --json` says.
pub(crate) fn document(kitchen: &Kitchen, build: &Value, engine: &str) -> Vec<u8> {
    let documents = build["builds"][0]["documents"].as_array().unwrap();
    let document = documents.iter().find(|document| document["engine"] == engine).unwrap();
    let hex = document["digest"].as_str().unwrap().strip_prefix("sha256:").unwrap().to_owned();
    let bytes = std::fs::read(kitchen.store().join("v1/blobs/sha256").join(&hex[..2]).join(&hex)).unwrap();
    assert_eq!(json!(bytes.len()), document["size"]);
    bytes
}

#[test]
fn a_host_is_user_data_for_two_ways() {
    let kitchen = kitchen("").file("ami/host/etc/motd", "hello\n");
    let args = ["build", "host", "--output", "user-data:host.mime"];
    let ran = kitchen.run(&args).success().says("host 2026.11-").says("  written to user-data:host.mime\n");
    ran.says("  for the instance that becomes an image: user data of ").says(" % of what EC2 takes; ");
    let build = kitchen.run(&[&args[..], &["--json"]].concat()).success().json();
    let host = &build["builds"][0];
    assert_eq!((&host["kind"], &host["engine"], &host["was_there"]), (&json!("ami"), &json!("instance"), &json!(true)));
    assert_eq!((&host["most"], &host["outputs"]), (&json!(16384), &json!(["user-data:host.mime"])));
    let written = std::fs::read(kitchen.project().join("host.mime")).unwrap();
    assert_eq!(written, document(&kitchen, &build, "user-data"));

    let parts = parts(&written);
    let kinds: Vec<_> = parts.iter().map(|(name, (kind, _))| format!("{name} {kind}")).collect();
    assert_eq!(
        kinds,
        ["elkbake-boot text/cloud-boothook", "elkbake-first text/x-shellscript", "elkbake-packages text/cloud-config"]
    );
    assert!(parts["elkbake-boot"].1.contains("lay file /etc/motd 644 0:0 cat <<'-'\nhello\n-\n"));
    assert!(parts["elkbake-packages"].1.contains("\"amazon-ecr-credential-helper\""));
    let bake = super::host::parts(&document(&kitchen, &build, "instance"));
    assert_eq!(bake.keys().collect::<Vec<_>>(), ["elkbake-bake"]);
    assert!(bake["elkbake-bake"].1.contains("step packages install_packages amazon-ecr-credential-helper"));
}

#[test]
fn what_is_in_a_small_document_is_read_in_review() {
    let lines = HOST.lines().take_while(|line| !line.starts_with("[sysctl]"));
    let more = "[packages]\nsysstat = \"12.6\"\njq = \"*\"\n[[test.expect]]\ncommand = [\"echo\", \"it's\"]\ncontains = \"s\"\n\
        [[test.expect]]\nhttp = \"http://localhost:9200/\"\n[[test.expect]]\nfile = \"/etc/motd\"\nmode = \"0644\"\n";
    let text = format!("{}\n{more}", lines.collect::<Vec<_>>().join("\n"));
    let kitchen = Kitchen::new().recipe("host", &text).file("recipes/host.lock", HOST_LOCK);
    let kitchen = kitchen.file("ami/host/etc/odd name", "no line feed\u{0}").file("ami/host/etc/binary", [0xff; 9]);
    let build = kitchen.run(&["build", "host", "--json"]).success().json();
    let mut shown = String::new();
    for (name, (kind, text)) in parts(&document(&kitchen, &build, "user-data")) {
        // The programs are read where they are written.
        let is_programs = |chunk: &str| chunk.contains("/usr/libexec/elkbake/");
        let from = ["unpack() {", "expect() {"].iter().find_map(|mark| text.find(mark)).unwrap_or(0);
        let chunks = text[from..].split_inclusive("\n-\n").filter(|chunk| !is_programs(chunk));
        shown += &format!("=== {name} {kind}\n{}\n", chunks.collect::<String>());
    }
    golden("user-data.txt", &shown);
}

#[test]
fn the_same_bytes_come_out_anywhere_and_nothing_is_made_twice() {
    let one = kitchen("").file("ami/host/opt/tool/bin/run", "#!/bin/sh\n");
    let build = one.run(&["build", "host", "--json"]).success().json();
    let again = one.run(&["build", "host", "--json"]).success().json();
    assert_eq!((&build["builds"][0]["was_there"], &again["builds"][0]["was_there"]), (&json!(false), &json!(true)));
    let other =
        kitchen("").file("ami/host/opt/tool/bin/run", "#!/bin/sh\n").env("TZ", "Asia/Tokyo").env("LANG", "tr_TR");
    let mut command = std::process::Command::new("sh");
    command.args(["-c", "umask 077; exec \"$@\"", "sh", env!("CARGO_BIN_EXE_elkbake"), "build", "host", "--json"]);
    let output = command.current_dir(other.project()).env("HOME", other.project().join("../home")).output().unwrap();
    let there: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(there["builds"][0]["documents"], build["builds"][0]["documents"]);
}

#[test]
fn what_a_test_expects_is_no_part_of_the_key_and_still_comes_out_anew() {
    let kitchen = kitchen("");
    let before = kitchen.run(&["build", "host", "--json"]).success().json();
    kitchen.write("recipes/host.toml", format!("{HOST}[[test.expect]]\ncommand = [\"true\"]\n"));
    let after = kitchen.run(&["build", "host", "--json"]).success().json();
    assert_eq!(after["builds"][0]["key"], before["builds"][0]["key"]);
    assert_eq!(after["builds"][0]["was_there"], false);
    assert!(parts(&document(&kitchen, &after, "user-data"))["elkbake-first"].1.contains("is_command '' true\n"));
    assert_eq!(document(&kitchen, &after, "instance"), document(&kitchen, &before, "instance"));
}

/// Text that no compressor makes much of.
fn noise(len: usize) -> String {
    let mut state = 7_u32;
    let digit = |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        char::from(b'!' + u8::try_from((state >> 24) % 90).unwrap())
    };
    (0..len).map(digit).collect()
}

#[test]
fn more_than_ec2_takes_is_refused_with_what_it_is() {
    let kitchen = kitchen("").file("ami/host/etc/big", noise(20_000)).file("ami/host/etc/small", noise(500));
    let ran = kitchen
        .run(&["build", "host"])
        .code(3)
        .complains("recipe host: the user data has ")
        .complains("EC2 takes 16384");
    ran.complains("the most of it: /etc/big 1").complains("hint: put large files into a package");
    assert!(!kitchen.has("host.mime"));
}

#[test]
fn commands_are_for_an_instance_that_becomes_an_image() {
    let kitchen = kitchen("[[run]]\nname = \"setup\"\ncommand = [\"/bin/echo\", \"a b\"]\n");
    kitchen.run(&["build", "host"]).success().says("for hosts from the stock image: none: 1 [[run]] commands");
    let build = kitchen.run(&["build", "host", "--json"]).success().json();
    let bake = parts(&document(&kitchen, &build, "instance"));
    assert!(bake["elkbake-bake"].1.contains("step 'run setup' env -- /bin/echo 'a b'\n"));
    kitchen.run(&["build", "host", "--output", "user-data:x"]).code(3).complains("engine = \"instance\"");
    assert!(!kitchen.has("x"));
}

#[test]
fn hosts_without_an_ami_join_the_cluster_that_is_named() {
    let kitchen = kitchen("");
    let plain = ["build", "host", "--output", "user-data:plain"];
    kitchen.run(&plain).success();
    for cluster in ["blue", "gr_een-2"] {
        let output = format!("user-data:{cluster}");
        kitchen.run(&["build", "host", "--output", &output, "--cluster", cluster]).success();
        let read = parts(&std::fs::read(kitchen.project().join(cluster)).unwrap());
        let boot = &read["elkbake-boot"].1;
        // Before what is applied, which leaves it as it is.
        let (at, applied) = (boot.find(&format!("\ncluster {cluster}\n")), boot.find("\napply="));
        assert!(at.unwrap() < applied.unwrap(), "{boot}");
    }
    // The store has one document for the key, whatever was asked for in between.
    let before = std::fs::read(kitchen.project().join("plain")).unwrap();
    kitchen.run(&plain).success();
    assert_eq!(std::fs::read(kitchen.project().join("plain")).unwrap(), before);
    assert!(!parts(&before)["elkbake-boot"].1.contains("ECS_CLUSTER"));
    kitchen.run(&["build", "host", "--output", "user-data:x", "--cluster", "a b"]).code(2).complains("letters, digits");
    kitchen.run(&["build", "host", "--output", "oci:x", "--cluster", "a"]).code(2);
    kitchen.run(&["build", "host", "--cluster", "a"]).code(2);
    assert!(!kitchen.has("x"));
}

#[test]
fn each_output_takes_what_is_made_for_it() {
    let image = super::recipe("scratch", "");
    let kitchen = kitchen("").recipe("app", &image).file("images/app/etc/a", "a");
    kitchen.run(&["build"]).success().says("app 1.0-").says("host 2026.11-");
    kitchen.run(&["build", "--output", "user-data:h"]).success().says("host 2026.11-").says("written to user-data:h");
    kitchen.run(&["build", "--output", "oci:o"]).success().says("app 1.0-");
    assert!(kitchen.has("h") && kitchen.has("o/index.json"));
    kitchen.run(&["build", "--output", "user-data"]).success().says("written to user-data:host.user-data");
    let written = |file: &str| std::fs::read(kitchen.project().join(file)).unwrap();
    assert_eq!(written("host.user-data"), written("h"));
    kitchen
        .run(&["build", "host", "--output", "oci:o"])
        .code(2)
        .complains("takes an image, and host is the recipe of a host");
    kitchen
        .run(&["build", "app", "--output", "user-data:h"])
        .code(2)
        .complains("app is the recipe of a container image");
    kitchen.run(&["build", "--output", "ami:x"]).code(2).complains("`user-data:FILE` for a host");
    let ran = kitchen.run(&["build", "host", "--output", "user-data:no/such/folder"]).code(3);
    ran.complains("cannot write");
}

#[test]
fn what_a_check_calls_an_error_is_not_built() {
    let kitchen = kitchen("");
    kitchen.write("recipes/host.toml", HOST.replace("1048576", "65530"));
    kitchen.run(&["build", "host"]).code(3).complains("[AMI006]");
    let kitchen = kitchen.file("ami/host/etc/key", "AKIAIOSFODNN7EXAMPLA");
    kitchen.run(&["build", "host"]).code(7).complains("ami/host/etc/key");
}
