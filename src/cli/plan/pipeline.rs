//! Jobs in the words of the engines that run them.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use clap::ValueEnum;
use serde_json::json;

use super::jobs::Job;

/// Who runs the jobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// GitHub Actions: JSON for `strategy.matrix`, through `fromJSON`
    Github,
    /// GitLab: YAML for a child pipeline
    Gitlab,
    /// AWS CodeBuild: a buildspec for a batch
    Codebuild,
}

impl Format {
    /// How many jobs the engine takes.
    pub(super) const fn most(self) -> usize {
        match self {
            // "A matrix will generate a maximum of 256 jobs per workflow run."
            Self::Github => 256,
            // A pipeline has no limit of its own, but a project on gitlab.com has 500 at a time.
            Self::Gitlab => 400,
            // 100 builds a batch, one of which joins the records.
            Self::Codebuild => 99,
        }
    }
}

/// The jobs of a target.
pub(super) fn text(format: Format, target: &str, jobs: &[Job]) -> String {
    match format {
        Format::Github => github(target, jobs),
        Format::Gitlab => gitlab(target, jobs),
        Format::Codebuild => codebuild(target, jobs),
    }
}

/// One line, since a step's output is one.
fn github(target: &str, jobs: &[Job]) -> String {
    let entry = |job: &Job| json!({ "name": job.name(), "recipes": job.arguments(), "target": target });
    format!("{}\n", json!({ "include": jobs.iter().map(entry).collect::<Vec<_>>() }))
}

/// A pipeline without a job is an error, so that there is one even where there is nothing to do.
fn gitlab(target: &str, jobs: &[Job]) -> String {
    let mut text = "# Written by `elkbake plan --format gitlab`.\n".to_owned();
    if jobs.is_empty() {
        text += "nothing to do:\n  variables:\n    GIT_STRATEGY: none\n  script:\n    - echo nothing is stale\n";
        return text;
    }
    text += "stages:\n  - push\n  - record\n";
    for job in jobs {
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "{}:\n  extends: .elkbake-push\n  stage: push\n{}",
            quoted(&format!("push {}", job.name())),
            variables("  ", target, &job.arguments())
        );
    }
    let _ = write!(
        text,
        "record:\n  extends: .elkbake-record\n  stage: record\n  variables:\n    ELKBAKE_TARGET: {}\n",
        quoted(target)
    );
    text
}

/// A batch needs a build, so that there is one even where there is nothing to do: it finds no records to join.
fn codebuild(target: &str, jobs: &[Job]) -> String {
    let mut text =
        "# Written by `elkbake plan --format codebuild`.\nversion: 0.2\nbatch:\n  fast-fail: false\n".to_owned();
    text += "  build-graph:\n";
    let mut names = BTreeSet::from(["record".to_owned()]);
    let mut pushes = Vec::new();
    for job in jobs {
        let name = identifier(job, &mut names);
        let _ = write!(
            text,
            "    - identifier: {name}\n      buildspec: buildspec-push.yml\n      env:\n{}",
            variables("        ", target, &job.arguments())
        );
        pushes.push(name);
    }
    let _ = write!(
        text,
        "    - identifier: record\n      buildspec: buildspec-record.yml\n      env:\n        variables:\n          ELKBAKE_TARGET: {}\n",
        quoted(target)
    );
    if !pushes.is_empty() {
        text += "      depend-on:\n";
        pushes.iter().for_each(|name| text += &format!("        - {name}\n"));
    }
    text
}

fn variables(indent: &str, target: &str, recipes: &str) -> String {
    format!(
        "{indent}variables:\n{indent}  ELKBAKE_TARGET: {}\n{indent}  ELKBAKE_RECIPES: {}\n",
        quoted(target),
        quoted(recipes)
    )
}

/// JSON's strings are strings of YAML too, and nothing in them is taken for a number or a word.
fn quoted(text: &str) -> String {
    json!(text).to_string()
}

/// CodeBuild takes letters, digits and underscores; two recipes may look the same then.
fn identifier(job: &Job, taken: &mut BTreeSet<String>) -> String {
    let first = job.recipes.first().map_or("", |name| name.as_str());
    let plain: String = first.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    let mut name = format!("push_{plain}");
    let mut n = 1;
    while !taken.insert(name.clone()) {
        n += 1;
        name = format!("push_{plain}_{n}");
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jobs(jobs: &[&str]) -> Vec<Job> {
        let job = |line: &&str| Job { recipes: line.split(' ').map(|name| name.parse().unwrap()).collect() };
        jobs.iter().map(job).collect()
    }

    #[test]
    fn github_gets_one_line_also_of_nothing() {
        let text = github("prod", &jobs(&["es es-data", "kibana"]));
        assert_eq!(
            text,
            "{\"include\":[{\"name\":\"es and 1 more\",\"recipes\":\"es es-data\",\"target\":\"prod\"},\
             {\"name\":\"kibana\",\"recipes\":\"kibana\",\"target\":\"prod\"}]}\n"
        );
        assert_eq!(github("prod", &[]), "{\"include\":[]}\n");
    }

    #[test]
    fn gitlab_gets_a_job_even_for_nothing() {
        let text = gitlab("prod", &jobs(&["es es-data", "123"]));
        for part in [
            "\"push es and 1 more\":\n  extends: .elkbake-push\n  stage: push\n",
            "    ELKBAKE_RECIPES: \"es es-data\"\n",
            "\"push 123\":\n",
            "record:\n  extends: .elkbake-record\n",
        ] {
            assert!(text.contains(part), "{text}");
        }
        assert!(gitlab("prod", &[]).contains("\nnothing to do:\n"));
    }

    #[test]
    fn codebuild_gets_identifiers_that_it_takes_and_a_build_even_for_nothing() {
        let text = codebuild("prod", &jobs(&["a-b", "a.b", "record"]));
        for part in ["identifier: push_a_b\n", "identifier: push_a_b_2\n", "identifier: push_record\n"] {
            assert!(text.contains(part), "{text}");
        }
        let end = "      depend-on:\n        - push_a_b\n        - push_a_b_2\n        - push_record\n";
        assert!(text.ends_with(end), "{text}");
        let nothing = codebuild("prod", &[]);
        assert!(nothing.contains("identifier: record\n") && !nothing.contains("depend-on"), "{nothing}");
    }
}
