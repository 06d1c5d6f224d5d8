//! `elkbake store`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::json;

use super::args::Global;
use super::failure::{Exit, Failure};
use super::surroundings::Surroundings;
use super::ui::{Paint, Ui, bytes};
use crate::store::Store;

/// Look after the local store of downloads and results
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  elkbake store gc               # drop what no run has used for 30 days
  elkbake store gc --keep 12h    # drop more
  elkbake store verify           # read everything, drop what the disk has spoilt")]
pub(super) struct StoreArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Gc(GcArgs),
    Verify(VerifyArgs),
    Path,
}

/// Drop what has not been used for a while
#[derive(Debug, Args)]
struct GcArgs {
    /// Keep what was used within this time: 90m, 12h, 30d, or 0 to drop everything
    #[arg(long, value_name = "TIME", default_value = "30d", value_parser = duration)]
    keep: Duration,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// Read all blobs, name the corrupt ones and drop them
#[derive(Debug, Args)]
struct VerifyArgs {
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

pub(super) fn store(
    args: &StoreArgs,
    global: &Global,
    ui: &Ui,
    surroundings: &Surroundings,
) -> Result<Exit, Failure> {
    let root = root(global, surroundings)?;
    match &args.command {
        Command::Path => ui.result(&format!("{}\n", root.display())).map(|()| Exit::Done),
        Command::Gc(args) => gc(args, &root, ui, surroundings),
        Command::Verify(args) => verify(args, &root, ui, surroundings),
    }
}

/// Where the store is.
pub(super) fn root(global: &Global, surroundings: &Surroundings) -> Result<PathBuf, Failure> {
    match &global.store {
        Some(named) => Ok(surroundings.folder.join(named)),
        None => surroundings.default_store(),
    }
}

/// Opens the store, which is made when it is not there.
pub(super) fn open(global: &Global, surroundings: &Surroundings) -> Result<Store, Failure> {
    Ok(Store::open(&root(global, surroundings)?, surroundings.now)?)
}

fn gc(args: &GcArgs, root: &Path, ui: &Ui, surroundings: &Surroundings) -> Result<Exit, Failure> {
    let freed = Store::gc(root, args.keep, surroundings.now)?;
    if args.json {
        ui.json(&freed)?;
    } else {
        ui.result(&format!(
            "dropped {} blobs, {} results and {} unfinished downloads: {} freed\nkept {} blobs: {}\n",
            freed.blobs,
            freed.results,
            freed.unfinished,
            bytes(freed.bytes),
            freed.kept_blobs,
            bytes(freed.kept_bytes),
        ))?;
    }
    Ok(Exit::Done)
}

/// `90m`, `12h`, `30d`: one whole number and one unit.
fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{text}` is no time: say a whole number and a unit, as in 90m, 12h or 30d");
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    let (number, unit) = text.split_at_checked(text.len().saturating_sub(1)).ok_or_else(wrong)?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86400,
        _ => return Err(wrong()),
    };
    let number: u32 = number.parse().map_err(|_| wrong())?;
    Ok(Duration::from_secs(u64::from(number) * seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_a_number_and_a_unit() {
        assert_eq!(duration("90m").unwrap(), Duration::from_secs(5400));
        assert_eq!(duration("30d").unwrap(), Duration::from_secs(30 * 86400));
        assert_eq!(duration("0").unwrap(), Duration::ZERO);
        for wrong in ["", "d", "1", "-1d", "1.5h", "1w", "99999999999d", "ä"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }
}
