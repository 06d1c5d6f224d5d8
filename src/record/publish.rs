//! How a manifest changes when something was published, or was not.

use std::collections::BTreeMap;

use super::{Entry, FORMAT, Manifest, Record, Unfinished};
use crate::moment::Moment;
use crate::name::RecipeName;

/// How many earlier records of a recipe are kept. They are there to go back to, and nobody goes back further than a few
/// releases; whoever wants to know more asks the version control that the manifest is in. With the digests of its files
/// a record has some KB, and a file of a thousand recipes is still read.
pub const HISTORY: usize = 10;

impl Manifest {
    /// A manifest of a target that holds nothing.
    #[must_use]
    pub fn new(target: &str) -> Self {
        Self { format: FORMAT, target: target.to_owned(), recipes: BTreeMap::new(), unfinished: BTreeMap::new() }
    }

    /// Puts in what was published of a recipe: it is current now, and what was current before is history. Nothing of
    /// the recipe is unfinished any more.
    ///
    /// The same result once more changes nothing that was said of when and from what it was published; so a push of
    /// what is there writes no new manifest, and a manifest that is committed makes no next one.
    pub fn publish(&mut self, recipe: &RecipeName, record: &Record) {
        self.unfinished.remove(recipe);
        let entry = match self.recipes.remove(recipe) {
            Some(entry) if entry.current.is_same_result(record) => {
                Entry { current: renewed(entry.current, record), history: entry.history }
            }
            Some(entry) => followed(entry, record),
            None => Entry { current: record.clone(), history: Vec::new() },
        };
        self.recipes.insert(recipe.clone(), entry);
    }

    /// Notes that a push of a recipe did not reach all regions. What is current stays so.
    pub fn put_unfinished(&mut self, recipe: &RecipeName, unfinished: &Unfinished) {
        let mut unfinished = unfinished.clone();
        if let Some(entry) = self.recipes.get(recipe) {
            unfinished.at = later(unfinished.at, &entry.current.pushed_at);
        }
        self.unfinished.insert(recipe.clone(), unfinished);
    }

    /// Forgets that a push of a recipe did not reach all regions; tells whether one had not.
    pub fn drop_unfinished(&mut self, recipe: &RecipeName) -> bool {
        self.unfinished.remove(recipe).is_some()
    }
}

impl Record {
    /// Whether it is of the same result, wherever and whenever that was published.
    #[must_use]
    pub fn is_same_result(&self, other: &Self) -> bool {
        self.tag == other.tag && self.digest == other.digest
    }
}

/// The same result once more: its first record says when and from what it came to be. Only that something was not
/// committed does not stick when it is since.
fn renewed(old: Record, new: &Record) -> Record {
    let source = match (old.source, &new.source) {
        (Some(old), Some(new)) if old.dirty && !new.dirty => Some(new.clone()),
        (old, new) => old.or_else(|| new.clone()),
    };
    let Record { elkbake, created, pushed_at, .. } = old;
    Record { source, elkbake, created, pushed_at, ..new.clone() }
}

fn followed(before: Entry, record: &Record) -> Entry {
    let mut current = record.clone();
    let mut history = Vec::with_capacity(HISTORY);
    for old in std::iter::once(before.current).chain(before.history) {
        current.pushed_at = later(current.pushed_at, &old.pushed_at);
        if !old.is_same_result(record) && history.len() < HISTORY {
            history.push(old);
        }
    }
    Entry { current, history }
}

/// A time that is after another. Machines' clocks differ, and seconds are coarse: what follows has to look so too, or
/// [`super::merge`] would take the older one for current.
fn later(at: String, than: &str) -> String {
    if at.as_str() > than {
        return at;
    }
    Moment::parse(than).map_or(at, |than| than.next().to_string())
}
