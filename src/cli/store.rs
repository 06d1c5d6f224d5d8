//! `elkbake store`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::json;

use super::failure::{Exit, Failure};
use super::global::Global;
use super::size::{bytes, counted};
use super::surroundings::Surroundings;
use super::ui::{Paint, Ui};
use crate::bake::event::{Event, Task};
use crate::store::{Audit, Broken, BrokenEntry, Count, Store, StoreError, Usage};

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
    /// Print where the store is
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

pub(super) fn store(args: &StoreArgs, global: &Global, ui: &Ui, surroundings: &Surroundings) -> Result<Exit, Failure> {
    let root = root(global, surroundings)?;
    match &args.command {
        Command::Path => ui.result(&format!("{}\n", root.display())).map(|()| Exit::Done),
        Command::Gc(args) => gc(args, &root, ui, surroundings),
        Command::Verify(args) => verify(args, &root, ui, surroundings),
    }
}

/// Where the store is.
pub(super) fn root(global: &Global, surroundings: &Surroundings) -> Result<PathBuf, Failure> {
    match global.store.as_ref().or(surroundings.store.as_ref()) {
        Some(named) => Ok(surroundings.folder.join(named)),
        None => surroundings.default_store(),
    }
}

/// Opens the store, which is made when it is not there.
pub(super) fn open(global: &Global, surroundings: &Surroundings) -> Result<Store, Failure> {
    Ok(Store::open(&root(global, surroundings)?, surroundings.now)?)
}

/// The store if there is one; a command that only looks does not make it.
pub(super) fn open_if_there(global: &Global, surroundings: &Surroundings) -> Option<Store> {
    let root = root(global, surroundings).ok().filter(|root| root.is_dir())?;
    Store::open(&root, surroundings.now).ok()
}

fn gc(args: &GcArgs, root: &Path, ui: &Ui, surroundings: &Surroundings) -> Result<Exit, Failure> {
    let freed = Store::gc(root, args.keep, surroundings.now)?;
    if args.json {
        ui.json(&json!({ "freed": usage_json(&freed.freed), "kept": usage_json(&freed.kept) }))?;
    } else {
        ui.result(&format!("dropped {}\nkept    {}\n", usage_line(&freed.freed), usage_line(&freed.kept)))?;
    }
    Ok(Exit::Done)
}

fn usage_line(usage: &Usage) -> String {
    format!(
        "{}, {}, {}, {}: {}",
        counted(usage.blobs.count, "blob"),
        counted(usage.entries.count, "result"),
        counted(usage.partials.count, "unfinished download"),
        counted(usage.leftovers.count, "leftover"),
        bytes(usage.bytes()),
    )
}

fn usage_json(usage: &Usage) -> serde_json::Value {
    let count = |count: &Count| json!({ "count": count.count, "bytes": count.bytes });
    json!({
        "blobs": count(&usage.blobs),
        "results": count(&usage.entries),
        "unfinished": count(&usage.partials),
        "leftovers": count(&usage.leftovers),
    })
}

fn verify(args: &VerifyArgs, root: &Path, ui: &Ui, surroundings: &Surroundings) -> Result<Exit, Failure> {
    // Where there is no store, none is made to find nothing in it.
    let audit = if root.exists() {
        let store = Store::open(root, surroundings.now)?;
        let tell = |event: Event<'_>| ui.event(event);
        let task = Task::begin("verify", None, &tell);
        store.audit(&mut |_, size| task.advance(size))?
    } else {
        Audit::default()
    };
    if args.json {
        ui.json(&audit_json(&audit))?;
    } else {
        ui.result(&audit_text(&audit, ui))?;
    }
    Ok(if audit.is_clean() { Exit::Done } else { Exit::CheckFailed })
}

fn audit_text(audit: &Audit, ui: &Ui) -> String {
    let mut text = String::new();
    for broken in &audit.broken {
        let label = ui.paint(Paint::Red, "corrupt");
        text += &format!("{label} blob {}: {}, {}\n", broken.digest, broken.damage, left(broken.left.as_ref()));
    }
    for broken in &audit.broken_entries {
        let label = ui.paint(Paint::Red, "corrupt");
        text += &format!("{label} result {}: {}, {}\n", broken.key, broken.damage, left(broken.left.as_ref()));
    }
    for stranger in &audit.strangers {
        text +=
            &format!("{} {}: not the store's, left alone\n", ui.paint(Paint::Yellow, "stranger"), stranger.display());
    }
    let (blobs, results) = (&audit.sound, &audit.entries);
    let (blobs, size) = (counted(blobs.count, "blob"), bytes(blobs.bytes));
    text + &format!("{blobs} ({size}) and {} sound\n", counted(results.count, "result"))
}

fn left(left: Option<&StoreError>) -> String {
    left.map_or_else(|| "dropped".to_owned(), |error| format!("not dropped: {error}"))
}

fn audit_json(audit: &Audit) -> serde_json::Value {
    let blob = |broken: &Broken| json!({ "digest": broken.digest, "damage": broken.damage.to_string(), "dropped": broken.left.is_none() });
    let result = |broken: &BrokenEntry| json!({ "key": broken.key, "damage": broken.damage.to_string(), "dropped": broken.left.is_none() });
    json!({
        "sound": { "blobs": audit.sound.count, "bytes": audit.sound.bytes, "results": audit.entries.count },
        "corrupt_blobs": audit.broken.iter().map(blob).collect::<Vec<_>>(),
        "corrupt_results": audit.broken_entries.iter().map(result).collect::<Vec<_>>(),
        "strangers": audit.strangers,
    })
}

/// `90m`, `12h`, `30d`: one whole number and one unit.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
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
