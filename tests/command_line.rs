//! What holds for every command: help, exit codes, the project, the log.

use crate::kitchen::project::{Kitchen, golden};

const CLEAN: &str = "kind = \"image\"\nproduct = \"generic\"\nversion = \"1\"\nfrom = \"scratch\"\n";

const COMMANDS: [&str; 18] = [
    "check",
    "lock",
    "plan",
    "build",
    "test",
    "load",
    "push",
    "promote",
    "prune",
    "inspect",
    "diff",
    "verify",
    "export",
    "manifest",
    "schema",
    "store",
    "sweep",
    "completions",
];

#[test]
fn help_is_reviewed_like_code() {
    let kitchen = Kitchen::new();
    let mut all = kitchen.run(&["--help"]).success().stdout;
    for command in COMMANDS {
        let help = kitchen.run(&["help", command]).success();
        assert!(help.stdout.contains("Examples:"), "`elkbake help {command}` has no examples");
        all += &format!("\n-- elkbake help {command}\n{}", help.stdout);
    }
    all +=
        &format!("\n-- elkbake help manifest merge\n{}", kitchen.run(&["help", "manifest", "merge"]).success().stdout);
    golden("help.txt", &all);
}

#[test]
fn the_readme_has_the_same_exit_codes_as_the_help() {
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let help = Kitchen::new().run(&["--help"]).success().stdout;
    let told = help[help.find("Exit codes:").unwrap()..].lines().skip(1).take_while(|line| !line.is_empty());
    let told: Vec<_> = told.map(|line| line.trim().split_once(' ').unwrap()).collect();
    assert_eq!(told.iter().map(|(code, _)| *code).collect::<Vec<_>>(), ["0", "1", "2", "3", "4", "5", "6", "7", "130"]);
    for (code, meaning) in told {
        let row = format!("\n| {code} | {} |\n", meaning.trim());
        assert!(readme.contains(&row), "README.md does not say of exit code {code}: {}", meaning.trim());
    }
}

#[test]
fn examples_stay_as_they_are_on_terminals_of_80_columns() {
    let kitchen = Kitchen::new().env("COLUMNS", "80");
    for command in COMMANDS {
        let help = kitchen.run(&["help", command]).success().stdout;
        let examples = &help[help.find("Examples:\n").unwrap()..];
        for line in examples.lines().skip(1).take_while(|line| !line.is_empty()) {
            assert!(line.starts_with("  "), "`elkbake help {command}` breaks a line: {line}");
        }
        for line in help.lines() {
            assert!(line.chars().count() <= 80, "`elkbake help {command}` has a long line: {line}");
        }
    }
}

#[test]
fn a_wrong_command_line_is_2() {
    let kitchen = Kitchen::new();
    for wrong in [vec!["bake"], vec![], vec!["lock", "--check", "--update"], vec!["store", "gc", "--keep", "soon"]] {
        kitchen.run(&wrong).code(2);
    }
    kitchen.run(&["chekc"]).code(2).complains("'check'");
}

#[test]
fn version_is_printed() {
    Kitchen::new().run(&["--version"]).success().says(concat!("elkbake ", env!("CARGO_PKG_VERSION")));
}

#[test]
fn a_project_is_found_from_any_folder_inside_it() {
    let kitchen = Kitchen::new().recipe("app", CLEAN).file("images/app/etc/x", "x");
    let deep = kitchen.project().join("images/app/etc");
    kitchen.run_in(&deep, &["check"]).success().says("1 recipe checked");
}

#[test]
fn without_elkbake_toml_the_nearest_folder_with_recipes_counts_and_with_it_that_one() {
    let kitchen = Kitchen::new().recipe("outer", CLEAN).file("sub/recipes/inner.toml", CLEAN);
    kitchen.run_in(&kitchen.project().join("sub"), &["check", "inner"]).success();
    kitchen.write("elkbake.toml", "");
    kitchen.run_in(&kitchen.project().join("sub"), &["check", "outer"]).success();
}

#[test]
fn a_folder_without_recipes_says_what_to_do() {
    Kitchen::new().run(&["check"]).code(3).complains("hint: write recipes/NAME.toml");
    Kitchen::new().run(&["check", "--project", "nowhere"]).code(2).complains("no such folder");
}

#[test]
fn a_recipe_may_be_named_by_its_file_from_wherever_one_is() {
    let kitchen = Kitchen::new().recipe("app", CLEAN).file("other/recipes/app.toml", CLEAN).file("images/app/x", "x");
    let (project, deep) = (kitchen.project(), kitchen.project().join("images/app"));
    let whole = project.join("recipes/app.toml").display().to_string();
    for name in ["app", "app.toml", "recipes/app", "recipes/app.toml", "./recipes/app.toml", &whole] {
        kitchen.run(&["plan", name]).success().says("app 1-");
    }
    for name in ["../../recipes/app.toml", "recipes/app.toml"] {
        kitchen.run_in(&deep, &["plan", name]).success().says("app 1-");
    }
    let above = project.parent().unwrap();
    kitchen.run_in(above, &["-C", "project", "plan", "project/recipes/app.toml"]).success().says("app 1-");
    for elsewhere in ["other/recipes/app.toml", "images/app/app.toml", "none/app.toml"] {
        let ran = kitchen.run(&["plan", elsewhere]).code(2);
        ran.complains(&format!("{elsewhere} is no recipe of this project")).complains("--project DIR");
    }
    kitchen.run(&["build"]).success();
    kitchen.run_in(&deep, &["inspect", "../../recipes/app.toml"]).success().says("app app:1-");
}

#[test]
fn a_slip_in_a_name_is_told_with_what_was_meant() {
    let kitchen = Kitchen::new().recipe("app", CLEAN).recipe("kibana", CLEAN);
    for command in ["check", "lock", "plan", "build", "inspect"] {
        kitchen.run(&[command, "kibanna"]).code(3).complains("there is no recipe kibanna").complains("mean `kibana`?");
        kitchen.run(&[command, "Kibana"]).code(2).complains("`Kibana` is no recipe name").complains("mean `kibana`?");
        kitchen.run(&[command, "x"]).code(3).complains("hint: this project has: app, kibana");
        Kitchen::new().run(&[command, "x"]).code(3).complains("there are no recipes in");
    }
}

#[test]
fn a_log_for_programs_is_one_json_document_a_line() {
    let ran = Kitchen::new().recipe("app", "kind = \"image\"").run(&["check", "--log-format", "json"]).code(3);
    let lines: Vec<serde_json::Value> = ran.stderr.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((lines[0]["level"].as_str(), lines[0]["exit"].as_u64()), (Some("error"), Some(3)));
}

#[test]
fn a_closed_pipe_is_no_error() {
    let kitchen = Kitchen::new();
    let mut child = kitchen.command(&["schema"]).stdout(std::process::Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    assert!(child.wait().unwrap().success());
}

#[test]
fn completions_come_for_every_shell() {
    let kitchen = Kitchen::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        kitchen.run(&["completions", shell]).success().says("elkbake");
    }
}

#[test]
fn man_pages_are_written() {
    let kitchen = Kitchen::new();
    kitchen.run(&["man", "man"]).success();
    assert!(kitchen.read("man/elkbake.1").contains("elkbake") && kitchen.has("man/elkbake-lock.1"));
}

#[test]
fn color_is_used_only_where_it_is_wanted() {
    let kitchen = Kitchen::new().recipe("app", "kind = \"image\"");
    assert!(!kitchen.run(&["check"]).stderr.contains('\u{1b}'));
    assert!(kitchen.run(&["check", "--color", "always"]).stderr.contains('\u{1b}'));
}

#[test]
fn a_project_file_with_a_mistake_is_shown_with_its_place() {
    let kitchen = Kitchen::new().recipe("app", CLEAN).file("elkbake.toml", "[miror]\n");
    kitchen.run(&["check"]).code(3).complains("elkbake.toml:1:2").complains("did you mean `mirror`?");
}
