//! Two manifests of one target become one, whoever wrote first and however often.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::{Entry, FORMAT, HISTORY, Manifest, Record, Unfinished};
use crate::name::RecipeName;

/// Why two manifests cannot be merged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("one has the records of target `{one}`, the other those of `{other}`, and each target has its own manifest")]
pub struct MergeError {
    /// The target of one.
    pub one: String,
    /// The target of the other.
    pub other: String,
}

/// Joins what two manifests of a target say: of each recipe the record that was pushed last is current, all others are
/// its history, once each.
///
/// It does not matter in which order several manifests are merged, nor how often.
///
/// # Errors
/// When they are of two targets.
pub fn merge(one: Manifest, other: Manifest) -> Result<Manifest, MergeError> {
    if one.target != other.target {
        return Err(MergeError { one: one.target, other: other.target });
    }
    let mut records: BTreeMap<RecipeName, Vec<Record>> = BTreeMap::new();
    for (name, Entry { current, history }) in one.recipes.into_iter().chain(other.recipes) {
        records.entry(name).or_default().extend(std::iter::once(current).chain(history));
    }
    let recipes: BTreeMap<_, _> =
        records.into_iter().filter_map(|(name, records)| Some((name, entry(records)?))).collect();
    let mut unfinished: BTreeMap<RecipeName, Unfinished> = BTreeMap::new();
    for (name, one) in one.unfinished.into_iter().chain(other.unfinished) {
        // What was pushed since, or pushed again, is finished.
        let is_over = recipes.get(&name).is_some_and(|entry| entry.current.pushed_at >= one.at);
        let is_older = unfinished.get(&name).is_some_and(|known| order(&known.at, known) >= order(&one.at, &one));
        if !is_over && !is_older {
            unfinished.insert(name, one);
        }
    }
    Ok(Manifest { format: FORMAT, target: one.target, recipes, unfinished })
}

/// The records of a recipe in their order, each result once.
fn entry(mut records: Vec<Record>) -> Option<Entry> {
    records.sort_by_cached_key(|record| Reverse(order(&record.pushed_at, record)));
    let mut kept: Vec<Record> = Vec::new();
    for record in records {
        if kept.len() <= HISTORY && !kept.iter().any(|newer| newer.is_same_result(&record)) {
            kept.push(record);
        }
    }
    let mut kept = kept.into_iter();
    Some(Entry { current: kept.next()?, history: kept.collect() })
}

/// What is compared: the time, and where two have the same time, their texts, so that everybody decides alike.
fn order(at: &str, of: &impl serde::Serialize) -> (String, String) {
    (at.to_owned(), serde_json::to_string(of).unwrap_or_default())
}
