//! Differences, for people.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use crate::bake::diff::{Changed, Difference, FileChange, Side, What};
use crate::bake::found::FoundImage;
use crate::cli::plain::plain;
use crate::cli::size::bytes;
use crate::cli::ui::{Paint, Ui};
use crate::lock::Moved;

/// A platform that one side alone has: 0 for the first.
pub(super) type Only = (usize, String);

/// How wide the names of fields are.
const FIELD: usize = 12;

pub(super) fn locks(a: &str, b: &str, moved: &[Moved]) -> String {
    if moved.is_empty() {
        return format!("{} and {} have the same pins\n", plain(a), plain(b));
    }
    let lines = moved.iter().map(|moved| format!("  {}\n", plain(&moved.to_string()))).collect::<String>();
    format!("from {} to {}\n{lines}", plain(a), plain(b))
}

pub(super) fn images(a: &str, b: &str, differences: &[Difference], only: &[Only], ui: &Ui) -> String {
    let (a, b) = (plain(a), plain(b));
    let mut text = format!("from {} to {}\n", ui.paint(Paint::Bold, &a), ui.paint(Paint::Bold, &b));
    for difference in differences {
        let _ = writeln!(text, "{}", ui.paint(Paint::Bold, &plain(&difference.platform)));
        platform(&mut text, difference, ui);
    }
    for (side, name) in only {
        let _ = writeln!(text, "{} is in {} alone", plain(name), if *side == 0 { &a } else { &b });
    }
    text
}

/// The same in a few lines: the first of each kind.
pub(super) fn in_short(difference: &Difference, a: &FoundImage, b: &FoundImage) -> Vec<String> {
    const SHOWN: usize = 5;
    let on = &difference.platform;
    let said = difference.base.iter().chain(&difference.config).chain(difference.plugins.iter().flatten()).map(said);
    let files = difference.files.iter().map(|change| {
        let what = match (&change.from, &change.to) {
            (None, _) => "is new",
            (_, None) => "is gone",
            _ => "is another",
        };
        format!("{} {what}", change.path)
    });
    let all: Vec<String> = said.chain(files).collect();
    let there: BTreeSet<_> = a.layers.iter().map(|layer| layer.diff_id).collect();
    let same = b.layers.iter().filter(|layer| there.contains(&layer.diff_id)).count();
    let mut lines = vec![format!("{on}: {same} of {} layers are the same", b.layers.len())];
    lines.extend(all.iter().take(SHOWN).map(|line| format!("{on}: {line}")));
    if all.len() > SHOWN {
        lines.push(format!("{on}: and {} more", all.len() - SHOWN));
    }
    lines.iter().map(|line| plain(line).into_owned()).collect()
}

fn platform(text: &mut String, difference: &Difference, ui: &Ui) {
    if difference.same {
        text.push_str("  the same\n");
        return;
    }
    // Writing to a String cannot fail.
    let field = |text: &mut String, name: &str, value: &str| {
        let _ = writeln!(text, "  {name:<FIELD$} {}", plain(value));
    };
    for change in difference.digest.iter().chain(&difference.base) {
        field(text, &change.what, change.from.as_deref().unwrap_or("none"));
        field(text, "", &format!("-> {}", change.to.as_deref().unwrap_or("none")));
    }
    for (name, changes) in
        [("config", &difference.config[..]), ("plugins", difference.plugins.as_deref().unwrap_or_default())]
    {
        for (number, change) in changes.iter().enumerate() {
            field(text, if number == 0 { name } else { "" }, &said(change));
        }
    }
    let (before, after) = difference.sizes;
    if before != after {
        field(text, "size", &format!("{} -> {}", bytes(before), bytes(after)));
    }
    let count = |is_it: &dyn Fn(&FileChange) -> bool| difference.files.iter().filter(|change| is_it(change)).count();
    let added = count(&|change| change.from.is_none());
    let removed = count(&|change| change.to.is_none());
    let changed = difference.files.len() - added - removed;
    field(text, "files", &format!("{added} added, {removed} removed, {changed} changed"));
    difference.files.iter().for_each(|change| file(text, change, ui));
}

/// Ports and volumes have no value beside their name.
fn said(change: &Changed) -> String {
    let line = change.to_string();
    line.strip_suffix(", ").or_else(|| line.strip_suffix(", was ")).unwrap_or(&line).to_owned()
}

fn file(text: &mut String, change: &FileChange, ui: &Ui) {
    let path = plain(change.path.as_str());
    let line = match (&change.from, &change.to) {
        (None, Some(side)) => format!("{} {}  {path}{}", ui.paint(Paint::Green, "+"), one(side), target(side)),
        (Some(side), None) => format!("{} {}  {path}{}", ui.paint(Paint::Red, "-"), one(side), target(side)),
        (Some(from), Some(to)) => {
            let what: Vec<_> = change.changed.iter().map(|what| each(*what, from, to)).collect();
            format!("{} {}  {path}: {}", ui.paint(Paint::Yellow, "~"), one(to), what.join(", "))
        }
        (None, None) => return,
    };
    let _ = writeln!(text, "    {line}");
}

fn one(side: &Side) -> String {
    let size = side.size.map_or_else(|| side.kind.to_owned(), bytes);
    format!("{} {:<9} {size:>9}", side.mode, side.owner.to_string())
}

fn target(side: &Side) -> String {
    side.target.as_ref().map_or_else(String::new, |target| format!(" -> {}", plain(target)))
}

fn each(what: What, from: &Side, to: &Side) -> String {
    match what {
        What::Kind => format!("was a {}, is a {}", from.kind, to.kind),
        What::Mode => format!("mode was {}", from.mode),
        What::Owner => format!("owner was {}", from.owner),
        What::Content => match (from.size, &from.target) {
            (Some(size), _) if from.size == to.size => format!("other content of {}", bytes(size)),
            (Some(size), _) => format!("was {}", bytes(size)),
            (None, Some(target)) => {
                format!("was -> {}, is -> {}", plain(target), plain(to.target.as_deref().unwrap_or_default()))
            }
            (None, None) => "other content".to_owned(),
        },
    }
}
