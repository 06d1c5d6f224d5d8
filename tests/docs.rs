//! The documents, typed as they stand: every block of shell in README.md, recipes/README.md and docs/ is run, from the top
//! of its document to the end, in a project of its own.
//!
//! - ```` ```sh ```` is run, by `bash -euo pipefail`.
//! - ```` ```console ```` is typed by people and not run here: it builds elkbake, or needs what no test has. How many there
//!   are is counted below.
//! - A block of any other kind after a line that ends with a path in backquotes and a colon is that file.
//! - `<!-- before: COMMAND -->` in front of a block is run before it, for what its reader has and the test has not.
//!
//! Programs of others (AWS, Docker, Terraform) are stand-ins that take everything: what elkbake prints for them is held
//! against the real ones in `real/`. What is named in the text, as in `elkbake push --dry-run`, has to be in the help.

mod markdown;
mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use self::markdown::{Block, Document};
use self::world::World;
use crate::kitchen::project::Kitchen;

/// The documents in which somebody types something, in the world that each of them takes for granted.
fn world(name: &str) -> World {
    match name {
        "docs/export.md" | "docs/manifest.md" => World::recorded(),
        #[cfg(feature = "aws")]
        "docs/ami.md" => World::of_hosts(),
        _ => World::new(),
    }
}

/// How many blocks are for people only.
const NOT_RUN: usize = 2;

fn home() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All documents for users, by their paths.
fn documents() -> Vec<Document> {
    let mut names = vec!["README.md".to_owned(), "recipes/README.md".to_owned()];
    let mut folders = vec![home().join("docs")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                names.push(path.strip_prefix(home()).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    names.sort();
    names.into_iter().map(|name| Document::read(home(), name)).collect()
}

fn typed(block: &Block) -> bool {
    block.kind == "sh" || block.kind == "console"
}

#[test]
fn every_block_runs() {
    let documents = documents();
    // Without AWS there is no ECR to push to.
    let runs = |document: &&Document| {
        cfg!(feature = "aws") || !["target.prod.ecr", "target.prod.ec2"].iter().any(|aws| document.text.contains(aws))
    };
    std::thread::scope(|scope| {
        for document in documents.iter().filter(|document| document.blocks.iter().any(typed)).filter(runs) {
            scope.spawn(move || run(document));
        }
    });
}

fn run(document: &Document) {
    let world = world(&document.name);
    for block in &document.blocks {
        if let Some(path) = &block.file {
            world.write(path, &block.text);
        }
        let has_all = !block.text.contains("jq ") || crate::real::program(&["jq"], "jq").is_some();
        if block.kind == "sh" && has_all {
            let script = block.before.iter().chain([&block.text]).cloned().collect::<Vec<_>>().join("\n");
            world.run(&block.place, &script);
        }
    }
}

#[test]
fn what_is_not_run_is_counted() {
    let documents = documents();
    let blocks: Vec<_> = documents.iter().flat_map(|document| &document.blocks).collect();
    let not_run: Vec<_> = blocks.iter().filter(|block| block.kind == "console").map(|block| &block.place).collect();
    assert_eq!(not_run.len(), NOT_RUN, "{not_run:?}");
    let kinds: BTreeSet<_> = blocks.iter().map(|block| block.kind.as_str()).collect();
    let known = ["console", "hcl", "json", "sh", "text", "toml", "yaml"];
    assert!(kinds.iter().all(|kind| known.contains(kind)), "{kinds:?}");
    for block in blocks.iter().filter(|block| !typed(block)) {
        let command = block.text.lines().find(|line| line.starts_with("elkbake ") || line.starts_with("$ "));
        assert_eq!(command, None, "{}: what is typed is `sh`, or `console` where it cannot be run", block.place);
    }
}

/// Commands and flags in the text, which no block may have.
#[test]
fn what_is_named_is_there() {
    let kitchen = Kitchen::new();
    let mut helps: BTreeMap<String, String> = BTreeMap::new();
    let mut help = |command: &str| {
        let ask = || {
            let args: Vec<_> = ["help"].into_iter().chain(command.split(' ')).collect();
            let ran = kitchen.run(&args);
            if ran.code == 0 { ran.stdout } else { String::new() }
        };
        helps.entry(command.to_owned()).or_insert_with(ask).clone()
    };
    let (mut seen, mut wrong) = (0, Vec::new());
    for document in documents() {
        for (place, span) in document.spans().filter(|(_, span)| span.starts_with("elkbake ")) {
            let span = span.replace("\\|", "|");
            let words: Vec<_> = span.split_whitespace().skip(1).collect();
            if words[0] == "help" || words[0].chars().all(char::is_uppercase) {
                continue;
            }
            let depth = if ["store", "manifest"].contains(&words[0]) && words.len() > 1 { 2 } else { 1 };
            // `store gc|verify|path` are three.
            for command in words[..depth].join(" ").split('|') {
                let command = if words[0] == "store" && !command.starts_with("store") {
                    format!("store {command}")
                } else {
                    command.to_owned()
                };
                let help = help(&command);
                let flags = words.iter().filter(|word| word.trim_start_matches('[').starts_with("--"));
                let name = |flag: &&str| flag.trim_start_matches('[').split(['=', '[', ']']).next().unwrap().to_owned();
                let missing: Vec<_> = flags.map(name).filter(|flag| !help.contains(flag.as_str())).collect();
                if help.is_empty() || !missing.is_empty() {
                    wrong.push(format!("{place}: `{span}` {missing:?}"));
                }
                seen += 1;
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(seen > 40, "{seen}");
}

/// A guide that nothing leads to is read by nobody, and a link that leads nowhere is no help.
#[test]
fn links_lead_somewhere_and_the_index_has_every_document() {
    let documents = documents();
    for document in &documents {
        for (place, link) in document.links().filter(|(_, link)| !link.contains("://") && !link.starts_with('#')) {
            let (path, part) = link.split_once('#').unwrap_or((link, ""));
            let target = home().join(Path::new(&document.name).parent().unwrap()).join(path);
            assert!(target.exists(), "{place}: {link}");
            if !part.is_empty() {
                let text = std::fs::read_to_string(&target).unwrap();
                assert!(text.lines().any(|line| markdown::anchor(line).as_deref() == Some(part)), "{place}: {link}");
            }
        }
    }
    let index = documents.iter().find(|document| document.name == "docs/README.md").unwrap();
    let linked: BTreeSet<_> = index.links().map(|(_, link)| format!("docs/{link}")).collect();
    for document in documents.iter().filter(|document| document.name.starts_with("docs/")) {
        assert!(
            document.name == index.name || linked.contains(&document.name),
            "{} is not in the index",
            document.name
        );
    }
}
