//! What whole builds cost beside `docker build`, buildah and umoci, on this machine, by turns.
//!
//! Prints tables and writes `target/bench/bake.json`. Everybody makes the same image from the same files; see
//! [`scene`]. Ratios count, not seconds: builders take turns, and each row says how many times longer it took than
//! elkbake did with the same files. Processor time includes daemons, and holds on a busy machine too; how busy others
//! kept it is told. Peers that are not installed are left out, and that is told as well.
//!
//! Words after `--` choose: `builds`, `growth`, `steps`; all where there are none.
#![allow(
    clippy::cast_precision_loss,
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a measurement is for people to read, and has nobody to hand an error to"
)]

mod base;
mod buildah;
mod builder;
mod compare;
mod cost;
mod docker;
mod elkbake;
mod growth;
#[path = "../made/random.rs"]
mod random;
mod scene;
mod service;
mod steps;
mod table;
mod umoci;

use std::path::Path;

fn main() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/bench");
    std::fs::create_dir_all(&folder).expect("a folder");
    // Not where temporary files are, which may be memory.
    let work = tempfile::Builder::new().prefix("bake-").tempdir_in(&folder).expect("a folder");
    let chosen: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let is_chosen = |part: &str| chosen.is_empty() || chosen.iter().any(|word| word == part);
    let mut document = serde_json::Map::new();
    if is_chosen("builds") {
        document.insert("builds".to_owned(), compare::compare(work.path()));
    }
    if is_chosen("growth") {
        document.insert("growth".to_owned(), growth::growth(work.path()));
    }
    if is_chosen("steps") {
        document.insert("steps".to_owned(), steps::steps(work.path()));
    }
    let text = serde_json::to_string_pretty(&document).expect("a document");
    std::fs::write(folder.join("bake.json"), text + "\n").expect("a file");
}
