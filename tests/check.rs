//! `elkbake check`, as a user sees it.

use std::process::Stdio;
use std::time::Duration;

use crate::kitchen::project::{Kitchen, golden};

const CLEAN: &str = "kind = \"image\"\nproduct = \"generic\"\nversion = \"1\"\nfrom = \"scratch\"\n";

const DIRTY: &str = r#"kind = "image"
product = "elasticsearch"
version = "8.19.3"
from = "docker.elastic.co/elasticsearch/elasticsearch:8.19.3"

[config.env]
ES_JAVA_OPTS = "-Xms1g -Xmx2g"

[config.healthcheck]
test = "curl localhost:9200"
"#;

const BROKEN: &str = r#"kind = "image"
prodcut = "elasticsearch"
version = "8 19"
from = "docker.elastic.co/elasticsearch/Elasticsearch:8.19.3"
platforms = ["linux/x86_64"]

[config]
cmd = "eswrapper"
"#;

#[test]
fn a_clean_recipe_passes() {
    Kitchen::new().recipe("app", CLEAN).run(&["check"]).success().says("1 recipe checked: 0 errors");
}

#[test]
fn findings_are_printed_for_people() {
    let ran = Kitchen::new().recipe("es", DIRTY).run(&["check"]).code(1);
    golden("check.txt", &ran.stdout);
}

#[test]
fn findings_are_printed_for_programs() {
    let ran = Kitchen::new().recipe("es", DIRTY).run(&["check", "--json"]).code(1);
    let document = ran.json();
    let first = &document["findings"][0];
    for key in ["code", "severity", "file", "line", "message", "why", "fix"] {
        assert!(!first[key].is_null(), "{key} is missing in {first}");
    }
    assert!(document["counts"]["error"].as_u64().unwrap() > 0);
}

#[test]
fn findings_are_printed_for_github() {
    let ran = Kitchen::new().recipe("es", DIRTY).run(&["check", "--format", "github"]).code(1);
    golden("check.github.txt", &ran.stdout);
}

#[test]
fn all_mistakes_of_a_recipe_are_shown_at_once() {
    let ran = Kitchen::new().recipe("es", BROKEN).run(&["check"]).code(3);
    golden("check-broken.txt", &ran.stderr);
}

#[test]
fn mistakes_reach_programs_too() {
    let kitchen = Kitchen::new().recipe("es", BROKEN);
    let problems = kitchen.run(&["check", "--json"]).code(3).json();
    assert!(problems["problems"].as_array().unwrap().len() >= 5, "{problems}");
    kitchen.run(&["check", "--format", "github"]).code(3).says("::error file=recipes/es.toml,line=2,col=1::");
}

#[test]
fn warnings_fail_only_where_they_are_denied() {
    let warned = CLEAN.replace("scratch", "docker.io/library/debian:12");
    let kitchen = Kitchen::new().recipe("app", &warned);
    kitchen.run(&["check"]).success().says("warning[");
    kitchen.run(&["check", "--deny", "warning"]).code(1);
}

#[test]
fn one_bad_recipe_does_not_hide_another() {
    let kitchen = Kitchen::new().recipe("a-broken", BROKEN).recipe("b-dirty", DIRTY);
    kitchen.run(&["check"]).code(3).says("recipes/b-dirty.toml").complains("recipes/a-broken.toml");
    kitchen.run(&["check", "b-dirty"]).code(1);
}

#[test]
fn a_recipe_that_is_not_there_is_named_with_the_nearest_one() {
    let kitchen = Kitchen::new().recipe("elasticsearch", CLEAN);
    kitchen.run(&["check", "elasticsaerch"]).code(3).complains("did you mean `elasticsearch`?");
    kitchen.run(&["check", "../x"]).code(2).complains("is no recipe of this project");
}

const MIB: usize = 1 << 20;

/// The highest resident memory of a run, in MiB: the kernel keeps the mark, and the last look before the end counts.
fn peak(kitchen: &Kitchen, args: &[&str]) -> usize {
    let mut child = kitchen.command(args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let mut peak = 0;
    loop {
        let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
        if let Some(line) = status.lines().find_map(|line| line.strip_prefix("VmHWM:")) {
            peak = line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() >> 10;
        }
        if let Some(status) = child.try_wait().unwrap() {
            assert!(status.success(), "{args:?}: {status}");
            return peak;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn many_long_texts_need_no_more_memory_than_a_few() {
    let peak = |files: usize| {
        let kitchen = Kitchen::new().recipe("app", CLEAN);
        let line = "looked through to its end\n";
        let text = line.repeat(MIB / line.len());
        kitchen.write("images/app/0.txt", text);
        let first = kitchen.project().join("images/app/0.txt");
        for i in 1..files {
            std::fs::hard_link(&first, first.with_file_name(format!("{i}.txt"))).unwrap();
        }
        peak(&kitchen, &["check"])
    };
    // A mark that was read too early is too low: of the few the highest counts.
    let (few, many) = ((0..3).map(|_| peak(4)).max().unwrap(), peak(36));
    assert!(many < few + 16, "4 MiB: {few} MiB of memory, 36 MiB: {many}");
}
