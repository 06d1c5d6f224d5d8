//! The pipelines to copy in `docs/pipelines`, and what `elkbake plan --format` prints, under the linters of those who
//! run them.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::{program, run, serve};
use crate::kitchen::project::Kitchen;

const SCRATCH: &str = "kind = \"image\"\nproduct = \"generic\"\nversion = \"1\"\nfrom = \"scratch\"\n";

fn docs(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/pipelines").join(path)
}

/// A project of which something is stale, and one of which nothing is: no recipe makes an image.
fn projects() -> [Kitchen; 2] {
    let project = "[target.prod]\noci = \"out\"\nmanifest = \"prod.json\"\n";
    // Names that look like something else to YAML and to shells.
    let full = ["base", "true", "1.10", "null", "a-b", "a.b", "a_b"]
        .iter()
        .fold(Kitchen::new(), |kitchen, name| kitchen.recipe(name, SCRATCH));
    let full = full.recipe("app", &SCRATCH.replace("scratch", "recipe:base"));
    let none = Kitchen::new().recipe("host", super::super::plan::locked::HOST);
    let none = none.file("recipes/host.lock", super::super::plan::locked::HOST_LOCK);
    full.run(&["lock"]).success();
    [full.file("elkbake.toml", project), none.file("elkbake.toml", project)]
}

fn plan(kitchen: &Kitchen, format: &str) -> String {
    kitchen.run(&["plan", "--offline", "--target", "prod", "--format", format]).success().stdout
}

fn yamllint() -> Option<Command> {
    let mut command = Command::new(program(&["yamllint"], "yamllint: tools/need.sh yamllint")?);
    command.args(["--strict", "--config-file"]).arg(docs(".yamllint.yml"));
    Some(command)
}

fn schema() -> Option<Command> {
    Some(Command::new(program(&["check-jsonschema"], "check-jsonschema: tools/need.sh check-jsonschema")?))
}

fn actionlint(workflow: &Path) -> Option<Command> {
    let mut command = Command::new(program(&["actionlint"], "actionlint: tools/need.sh actionlint")?);
    command.arg("-no-color").arg(workflow);
    Some(command)
}

#[test]
fn the_pipelines_to_copy_are_laid_out_as_they_should() {
    let Some(mut command) = yamllint() else { return };
    // It does not look for files whose names begin with a dot.
    run(command.arg(docs("")).arg(docs("gitlab/.gitlab-ci.yml")));
}

#[test]
fn github_takes_the_workflow_and_every_matrix() {
    let workflow = docs("github/images.yml");
    let Some(mut lint) = actionlint(&workflow) else { return };
    run(&mut lint);
    run(schema().unwrap().args(["--builtin-schema", "vendor.github-workflows"]).arg(&workflow));
    let text = fs::read_to_string(&workflow).unwrap();
    for kitchen in projects() {
        let matrix = plan(&kitchen, "github");
        // As if it stood in the workflow itself, so that the linter sees what is in it.
        let place = "fromJSON(needs.check.outputs.matrix)";
        assert!(text.contains(place));
        if matrix.contains("[]") {
            // No job has such a matrix: both that take it are asked first.
            assert_eq!(text.matches("fromJSON(needs.check.outputs.matrix).include[0] != null").count(), 2);
            continue;
        }
        kitchen.write("literal.yml", text.replace(place, &format!("fromJSON('{}')", matrix.trim_end())));
        run(&mut actionlint(&kitchen.project().join("literal.yml")).unwrap());
        let entries: serde_json::Value = serde_json::from_str(&matrix).unwrap();
        for key in ["name", "recipes"] {
            assert!(text.contains(&format!("matrix.{key} ")), "the workflow does not ask for {key}");
            assert!(entries["include"].as_array().unwrap().iter().all(|entry| entry[key].is_string()));
        }
    }
}

#[test]
fn gitlab_takes_the_pipeline_and_every_child_pipeline() {
    let Some(mut first) = schema() else { return };
    run(first.args(["--builtin-schema", "vendor.gitlab-ci"]).arg(docs("gitlab/.gitlab-ci.yml")));
    let common = fs::read_to_string(docs("gitlab/elkbake-jobs.yml")).unwrap();
    for (kitchen, has_jobs) in projects().into_iter().zip([true, false]) {
        let jobs = plan(&kitchen, "gitlab");
        // As the pipeline puts it together.
        kitchen.write("stale.yml", format!("{common}{jobs}"));
        let stale = kitchen.project().join("stale.yml");
        run(schema().unwrap().args(["--builtin-schema", "vendor.gitlab-ci"]).arg(&stale));
        run(yamllint().unwrap().arg(&stale));
        assert_eq!(jobs.contains("ELKBAKE_RECIPES"), has_jobs);
        for used in jobs.lines().filter_map(|line| line.trim().strip_prefix("extends: ")) {
            assert!(common.contains(&format!("\n{used}:\n")), "{used} is not in elkbake-jobs.yml");
        }
    }
}

#[test]
fn codebuild_takes_the_buildspecs_and_every_batch() {
    let Some(mut first) = schema() else { return };
    let ours = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/real/pipelines/buildspec.schema.json");
    let specs = ["buildspec.yml", "buildspec-push.yml", "buildspec-record.yml"];
    run(first.args(["--schemafile", ours]).args(specs.map(|name| docs("codebuild").join(name))));
    for kitchen in projects() {
        let batch = plan(&kitchen, "codebuild");
        kitchen.write("stale.yml", &batch);
        let stale = kitchen.project().join("stale.yml");
        run(schema().unwrap().args(["--schemafile", ours]).arg(&stale));
        run(yamllint().unwrap().arg(&stale));
        for used in batch.lines().filter_map(|line| line.trim().strip_prefix("buildspec: ")) {
            assert!(specs.contains(&used), "{used} is not there to copy");
        }
    }
}

#[test]
fn the_scripts_in_pipelines_are_sound() {
    let Some(shellcheck) = program(&["shellcheck"], "shellcheck") else { return };
    let mut seen = 0;
    let gitlab = ["gitlab/.gitlab-ci.yml", "gitlab/elkbake-jobs.yml"];
    let codebuild = ["codebuild/buildspec.yml", "codebuild/buildspec-push.yml", "codebuild/buildspec-record.yml"];
    for path in gitlab.iter().chain(&codebuild) {
        let commands = commands(&fs::read_to_string(docs(path)).unwrap());
        seen += commands.len();
        let script = format!("#!/bin/bash\n{}\n", commands.join("\n"));
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), &script).unwrap();
        // Names of recipes need no quotes, and variables come from outside.
        run(Command::new(&shellcheck).args(["--exclude", "SC2086,SC2154"]).arg(file.path()));
    }
    assert!(seen > 20, "only {seen} commands were found");
}

/// The commands of a pipeline: items of lists that are no mappings, single lines and blocks.
fn commands(yaml: &str) -> Vec<String> {
    let mut commands: Vec<String> = Vec::new();
    let mut lines = yaml.lines().peekable();
    let mut is_script = false;
    while let Some(line) = lines.next() {
        let (text, indent) = (line.trim_start(), line.len() - line.trim_start().len());
        if text.ends_with(':') && !text.starts_with('-') {
            is_script = ["script:", "before_script:", "after_script:", "commands:"].contains(&text);
        }
        let Some(item) = text.strip_prefix("- ").filter(|_| is_script) else { continue };
        if item != "|" {
            commands.push(item.to_owned());
            continue;
        }
        let mut block = String::new();
        while let Some(next) = lines.next_if(|next| next.is_empty() || next.len() - next.trim_start().len() > indent) {
            block += &format!("{}\n", next.trim_start());
        }
        commands.push(block);
    }
    commands
}

#[test]
fn the_policies_name_actions_that_there_are() {
    let Some(parliament) = program(&["parliament"], "parliament: tools/need.sh parliament") else { return };
    for path in ["ecr-policy.json", "codebuild/policy.json"] {
        let policy = fs::read_to_string(docs(path)).unwrap();
        assert_eq!(judged(&parliament, &policy), (true, String::new()), "{path}");
        // It would say so.
        let wrong = policy.replacen("ecr:PutImage\"", "ecr:PutImages\"", 1).replacen("s3:PutObject", "s3:PutThing", 1);
        assert_ne!(wrong, policy);
        let (is_good, said) = judged(&parliament, &wrong);
        assert!(!is_good && said.contains("Unknown action"), "{said}");
    }
}

/// Holds a policy against what AWS knows of actions, resources and conditions.
#[cfg(feature = "aws")]
pub fn lint(policy: &str) {
    let Some(parliament) = program(&["parliament"], "parliament: tools/need.sh parliament") else { return };
    let (_, said) = judged(&parliament, policy);
    // It looks at one statement at a time, and the resources of an action may be in several; and whether looks know
    // resources differs by service and year.
    let known = ["No resources match for the given action", "Unnecessary use of Resource *"];
    let wrong: Vec<_> = said.lines().filter(|line| !known.iter().any(|known| line.contains(known))).collect();
    assert_eq!(wrong, [""; 0], "{policy}");
}

fn judged(parliament: &Path, policy: &str) -> (bool, String) {
    let mut child =
        Command::new(parliament).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(policy.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    (output.status.success(), String::from_utf8(output.stdout).unwrap())
}

/// Three engines, played in a few lines, run the pipelines as they stand: from the first push over changes to where nothing
/// is stale, each job in a fresh checkout with an empty store.
#[test]
fn a_fleet_of_runners_shares_the_work_and_its_records_become_one_manifest() {
    let Some(registry) = program(&["docker-registry", "registry"], "docker-registry") else { return };
    let ruby = program(&["ruby"], "ruby").unwrap();
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("registry.yml");
    let server = serve(&registry, |command, port| {
        let (root, address) = (dir.path().join("held"), format!("127.0.0.1:{port}"));
        let storage = format!("storage: {{filesystem: {{rootdirectory: '{}'}}}}", root.display());
        fs::write(&config, format!("version: 0.1\n{storage}\nhttp: {{addr: '{address}'}}\n")).unwrap();
        command.arg("serve").arg(&config);
    });
    let fleet = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/real/pipelines/fleet.rb");
    let work = dir.path().join("work");
    fs::create_dir(&work).unwrap();
    let mut command = Command::new(ruby);
    command
        .arg(fleet)
        .arg(env!("CARGO_BIN_EXE_elkbake"))
        .arg(docs(""))
        .arg(format!("127.0.0.1:{}", server.1))
        .arg(&work);
    let references = run(&mut command);
    assert_eq!(references.lines().count(), 9, "three recipes of three engines: {references}");
}
