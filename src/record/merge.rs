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
        if let Some(newer) = kept.iter_mut().find(|newer| newer.is_same_result(&record)) {
            newer.learn(&record);
        } else if kept.len() <= HISTORY {
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

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::super::tests::{name, plain, unfinished};
    use super::*;

    /// What happens to a manifest, with few different names, results and times, so that many coincide.
    fn manifest() -> impl Strategy<Value = Manifest> {
        let step = (0..2_usize, 0..14_u32, 0..20_u32, 0..8_u8);
        vec(step, 0..24).prop_map(|steps| {
            let mut manifest = Manifest::new("prod");
            for (recipe, result, second, what) in steps {
                let recipe = name(["es", "kibana"][recipe]);
                let (tag, at) = (format!("1-{result}"), format!("2026-01-01T00:00:{second:02}Z"));
                match what {
                    0 => manifest.put_unfinished(&recipe, &unfinished(&tag, &at)),
                    1 => drop(manifest.drop_unfinished(&recipe)),
                    2 => manifest.publish(&recipe, &Record { elkbake: "other".to_owned(), ..plain(&tag, &at) }),
                    _ => manifest.publish(&recipe, &plain(&tag, &at)),
                }
            }
            manifest
        })
    }

    fn both(one: &Manifest, other: &Manifest) -> Manifest {
        merge(one.clone(), other.clone()).unwrap()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn order_and_repetition_do_not_matter(a in manifest(), b in manifest(), c in manifest()) {
            prop_assert_eq!(both(&a, &b), both(&b, &a));
            prop_assert_eq!(both(&both(&a, &b), &c), both(&a, &both(&b, &c)));
            prop_assert_eq!(both(&a, &a), a.clone());
            let joined = both(&a, &b);
            prop_assert_eq!(both(&joined, &a), joined.clone());
            for (name, entry) in &joined.recipes {
                let all: Vec<_> = std::iter::once(&entry.current).chain(&entry.history).collect();
                prop_assert!(all.len() <= HISTORY + 1);
                prop_assert!(all.is_sorted_by(|newer, older| newer.pushed_at >= older.pushed_at));
                let twice = |i: usize, one: &Record| all[i + 1..].iter().any(|other| one.is_same_result(other));
                prop_assert!(!all.iter().enumerate().any(|(i, one)| twice(i, one)));
                let newest = [&a, &b].iter().filter_map(|m| Some(&m.recipes.get(name)?.current.pushed_at)).max();
                prop_assert_eq!(Some(&entry.current.pushed_at), newest);
            }
        }

        #[test]
        fn publishing_goes_on_from_what_was_merged(a in manifest(), b in manifest(), result in 0..14_u32) {
            let mut joined = both(&a, &b);
            joined.publish(&name("es"), &plain(&format!("1-{result}"), "2026-01-01T00:00:05Z"));
            prop_assert_eq!(joined.recipes[&name("es")].current.tag.as_str(), format!("1-{result}"));
            prop_assert_eq!(both(&joined, &a), both(&a, &joined));
            prop_assert_eq!(&both(&joined, &joined), &joined);
            prop_assert!(both(&joined, &a).recipes[&name("es")].current.is_same_result(&joined.recipes[&name("es")].current));
        }
    }

    #[test]
    fn two_targets_are_not_mixed() {
        let error = merge(Manifest::new("prod"), Manifest::new("staging")).unwrap_err().to_string();
        assert!(error.contains("`prod`") && error.contains("`staging`"), "{error}");
    }

    #[test]
    fn a_push_that_was_completed_elsewhere_is_finished() {
        let (mut begun, mut done) = (Manifest::new("prod"), Manifest::new("prod"));
        begun.put_unfinished(&name("es"), &unfinished("1-a", "2026-01-01T00:00:01Z"));
        done.publish(&name("es"), &plain("1-a", "2026-01-01T00:00:02Z"));
        assert!(both(&begun, &done).unfinished.is_empty());
        begun.put_unfinished(&name("es"), &unfinished("1-b", "2026-01-01T00:00:03Z"));
        assert_eq!(both(&begun, &done).unfinished, begun.unfinished);
    }
}
