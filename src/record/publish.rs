//! How a manifest changes when something was published, or was not.

use std::collections::{BTreeMap, BTreeSet};

use super::{Entry, FORMAT, Manifest, Record, Unfinished};
use crate::moment::Moment;
use crate::name::RecipeName;
use crate::recipe::Architecture;

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
        self.tag == other.tag && self.digest == other.digest && self.originals() == other.originals()
    }

    /// The AMIs in the region in which they were made. Those of other regions are copies of them, and may be made anew
    /// without becoming another result.
    fn originals(&self) -> BTreeSet<(Architecture, &str)> {
        let home = self.amis.first().map(|first| &first.region);
        let here = self.amis.iter().filter(|ami| Some(&ami.region) == home);
        here.map(|ami| (ami.architecture, ami.id.as_str())).collect()
    }
}

/// The same result once more: its first record says when and from what it came to be. Only that something was not
/// committed does not stick when it is since.
fn renewed(old: Record, new: &Record) -> Record {
    let mut new = new.clone();
    new.learn(&old);
    let source = match (old.source, &new.source) {
        (Some(old), Some(new)) if old.dirty && !new.dirty => Some(new.clone()),
        (old, new) => old.or_else(|| new.clone()),
    };
    // Who has not tested it here takes nothing away from who has elsewhere.
    let tests = if new.tests.is_empty() { old.tests } else { new.tests.clone() };
    let boots = if new.boots.is_empty() { old.boots } else { new.boots.clone() };
    let Record { elkbake, created, pushed_at, .. } = old;
    Record { tests, boots, source, elkbake, created, pushed_at, ..new }
}

fn followed(before: Entry, record: &Record) -> Entry {
    let mut current = record.clone();
    let mut history = Vec::with_capacity(HISTORY);
    for old in std::iter::once(before.current).chain(before.history) {
        current.pushed_at = later(current.pushed_at, &old.pushed_at);
        if old.is_same_result(record) {
            current.learn(&old);
        } else if history.len() < HISTORY {
            history.push(old);
        }
    }
    Entry { current, history }
}

/// A time that is after another. Machines' clocks differ, and seconds are coarse: what follows has to look so too, or
/// [`super::merge()`] would take the older one for current.
fn later(at: String, than: &str) -> String {
    if at.as_str() > than {
        return at;
    }
    Moment::parse(than).map_or(at, |than| than.next().to_string())
}

#[cfg(test)]
mod tests {
    use super::super::SourceRevision;
    use super::super::tests::{name, plain};
    use super::*;

    fn tags(manifest: &Manifest) -> Vec<&str> {
        let entry = &manifest.recipes[&name("es")];
        std::iter::once(&entry.current).chain(&entry.history).map(|record| record.tag.as_str()).collect()
    }

    #[test]
    fn what_was_current_is_history_the_newest_first_and_only_so_much_of_it() {
        let mut manifest = Manifest::new("prod");
        for i in 0..=HISTORY + 3 {
            manifest.publish(&name("es"), &plain(&format!("1-{i}"), &format!("2026-01-01T00:00:{i:02}Z")));
        }
        let expected: Vec<_> = (3..=HISTORY + 3).rev().map(|i| format!("1-{i}")).collect();
        assert_eq!(tags(&manifest), expected);
    }

    #[test]
    fn the_same_result_again_changes_nothing_but_what_is_new_of_it() {
        let mut manifest = Manifest::new("prod");
        let (mut first, second) = (plain("1-a", "2026-01-01T00:00:00Z"), plain("1-b", "2026-01-02T00:00:00Z"));
        first.source = Some(SourceRevision { revision: "one".to_owned(), dirty: true });
        manifest.publish(&name("es"), &first);
        let before = manifest.clone();
        manifest.publish(&name("es"), &Record { pushed_at: "2026-01-01T05:00:00Z".to_owned(), ..first.clone() });
        assert_eq!(manifest, before, "nothing is new");
        let clean = SourceRevision { revision: "two".to_owned(), dirty: false };
        let again = |revision: &str, dirty| Record {
            pushed_at: "2026-01-01T06:00:00Z".to_owned(),
            regions: [("eu-west-1".parse().unwrap(), "a.example/b".parse().unwrap())].into(),
            source: Some(SourceRevision { revision: revision.to_owned(), dirty }),
            elkbake: "9".to_owned(),
            ..first.clone()
        };
        manifest.publish(&name("es"), &again("two", false));
        let current = &manifest.recipes[&name("es")].current;
        assert_eq!(
            (current.regions.len(), &current.source, &current.pushed_at),
            (1, &Some(clean.clone()), &first.pushed_at)
        );
        assert_eq!(current.elkbake, first.elkbake);
        manifest.publish(&name("es"), &again("three", false));
        assert_eq!(manifest.recipes[&name("es")].current.source, Some(clean), "it came of that already");
        // Gone back to: it is current again, and once there.
        manifest.publish(&name("es"), &second);
        manifest.publish(&name("es"), &plain("1-a", "2026-01-03T00:00:00Z"));
        assert_eq!(tags(&manifest), ["1-a", "1-b"]);
        // A tag that was moved, where tags may be: another result.
        let moved =
            Record { digest: Some(crate::digest::Digest::of(b"moved")), ..plain("1-a", "2026-01-04T00:00:00Z") };
        manifest.publish(&name("es"), &moved);
        assert_eq!(tags(&manifest), ["1-a", "1-a", "1-b"]);
    }

    #[test]
    fn what_follows_is_later_whatever_the_clock_says() {
        let mut manifest = Manifest::new("prod");
        manifest.publish(&name("es"), &plain("1-a", "2026-12-31T23:59:59Z"));
        manifest.publish(&name("es"), &plain("1-b", "2026-01-01T00:00:00Z"));
        assert_eq!(manifest.recipes[&name("es")].current.pushed_at, "2027-01-01T00:00:00Z");
        let merged = super::super::merge(manifest.clone(), manifest.clone()).unwrap();
        assert_eq!(merged, manifest);
        let unfinished = super::super::tests::unfinished("1-c", "2026-01-01T00:00:00Z");
        manifest.put_unfinished(&name("es"), &unfinished);
        assert_eq!(manifest.unfinished[&name("es")].at, "2027-01-01T00:00:01Z");
    }

    #[test]
    fn what_is_finished_is_not_unfinished() {
        let mut manifest = Manifest::new("prod");
        let unfinished = super::super::tests::unfinished("1-c", "2026-01-01T00:00:00Z");
        manifest.put_unfinished(&name("es"), &unfinished);
        manifest.put_unfinished(&name("kibana"), &unfinished);
        manifest.publish(&name("es"), &plain("1-c", "2026-01-01T00:00:00Z"));
        assert_eq!(manifest.unfinished.keys().collect::<Vec<_>>(), [&name("kibana")]);
        assert!(manifest.drop_unfinished(&name("kibana")) && !manifest.drop_unfinished(&name("es")));
    }

    fn host(at: &str, amis: &[(&str, &str)]) -> Record {
        let mut record = serde_json::to_value(plain("1-a", at)).unwrap();
        let ami = |(region, id): &(&str, &str)| serde_json::json!({ "region": region, "architecture": "arm64", "id": id, "snapshot": "snap-1" });
        record["kind"] = "ami".into();
        record.as_object_mut().unwrap().remove("digest");
        record["amis"] = amis.iter().map(ami).collect();
        serde_json::from_value(record).unwrap()
    }

    #[test]
    fn a_copy_more_is_the_same_result_and_another_original_is_not() {
        let first = host("2026-01-01T00:00:00Z", &[("eu-west-1", "ami-1")]);
        let more = host("2026-01-02T00:00:00Z", &[("eu-west-1", "ami-1"), ("eu-central-1", "ami-2")]);
        let other = host("2026-01-03T00:00:00Z", &[("eu-west-1", "ami-3")]);
        assert!(first.is_same_result(&more) && !first.is_same_result(&other));
        let mut manifest = Manifest::new("prod");
        manifest.publish(&name("host"), &first);
        manifest.publish(&name("host"), &more);
        let entry = &manifest.recipes[&name("host")];
        assert_eq!((entry.current.amis.len(), entry.history.len()), (2, 0));
        assert_eq!(entry.current.pushed_at, first.pushed_at);
        let before = manifest.clone();
        manifest.publish(&name("host"), &other);
        assert_eq!(manifest.recipes[&name("host")].history.len(), 1);
        assert_eq!(super::super::merge(before.clone(), manifest.clone()).unwrap(), manifest);
        assert_eq!(super::super::merge(manifest.clone(), before).unwrap(), manifest);
    }
}
