//! Tests against programs that other people wrote.
//!
//! They fail where the program is not installed, so that nobody takes a test that did not run for one that
//! passed. `PEERS=0` says that this is known: then they say what did not run.

pub mod registry;

use std::path::PathBuf;

/// The path of a program, or `None` when `PEERS=0` says that it may be missing.
///
/// # Panics
/// When it is missing and was not said to be.
pub fn program(names: &[&str], package: &str) -> Option<PathBuf> {
    if std::env::var("PEERS").is_ok_and(|peers| peers == "0") {
        eprintln!("PEERS=0: did not run what needs {}", names[0]);
        return None;
    }
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let found =
        names.iter().find_map(|name| std::env::split_paths(&folders).map(|f| f.join(name)).find(|p| p.is_file()));
    let Some(program) = found else {
        panic!("{} is not installed: install the package `{package}`, or set PEERS=0 to go without", names[0]);
    };
    Some(program)
}
