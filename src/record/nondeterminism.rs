//! What is known of a result that comes out otherwise each time it is built.

use super::{Manifest, Record};
use crate::digest::Digest;
use crate::name::RecipeName;

impl Manifest {
    /// Notes of every record of a result, current or not, where it differs when it is built again; tells whether there
    /// is one. What is noted already stays: which place differs first may be another each time, and a manifest that is
    /// committed is not to change with every look.
    pub fn note_nondeterminism(&mut self, recipe: &RecipeName, key: Digest, digest: Digest, place: &str) -> bool {
        let entry = self.recipes.get_mut(recipe);
        let records = entry.into_iter().flat_map(|entry| std::iter::once(&mut entry.current).chain(&mut entry.history));
        let mut is_there = false;
        for record in records.filter(|record| record.key == key && record.digest == Some(digest)) {
            record.nondeterminism.get_or_insert_with(|| place.to_owned());
            is_there = true;
        }
        is_there
    }
}

impl Record {
    /// Takes over what another record of the same result knows. Of two notes all sides keep the same one, whoever asks
    /// whom.
    pub(super) fn learn(&mut self, other: &Self) {
        let known = [&self.nondeterminism, &other.nondeterminism].into_iter().flatten().min();
        self.nondeterminism = known.cloned();
    }
}

#[cfg(test)]
mod tests {
    use super::super::merge;
    use super::super::tests::{name, plain};
    use super::*;

    fn noted(manifest: &Manifest) -> Vec<Option<&str>> {
        let entry = &manifest.recipes[&name("es")];
        let records = std::iter::once(&entry.current).chain(&entry.history);
        records.map(|record| record.nondeterminism.as_deref()).collect()
    }

    #[test]
    fn a_note_stays_with_its_result_whatever_is_published_and_merged() {
        let (one, two) = (plain("1-a", "2026-01-01T00:00:00Z"), plain("1-b", "2026-01-02T00:00:00Z"));
        let mut manifest = Manifest::new("prod");
        manifest.publish(&name("es"), &one);
        let before = manifest.clone();
        let mut note = |key, digest, place| manifest.note_nondeterminism(&name("es"), key, digest, place);
        assert!(!note(two.key, one.digest.unwrap(), "x") && !note(one.key, two.digest.unwrap(), "x"));
        assert!(note(one.key, one.digest.unwrap(), "layer 1") && note(one.key, one.digest.unwrap(), "another"));
        assert!(!manifest.note_nondeterminism(&name("kibana"), one.key, one.digest.unwrap(), "x"));
        assert_eq!(noted(&manifest), [Some("layer 1")]);
        for (one, other) in [(&before, &manifest), (&manifest, &before)] {
            assert_eq!(noted(&merge(one.clone(), other.clone()).unwrap()), [Some("layer 1")]);
        }
        manifest.publish(&name("es"), &one);
        assert_eq!(noted(&manifest), [Some("layer 1")], "pushed again");
        manifest.publish(&name("es"), &two);
        assert_eq!(noted(&manifest), [None, Some("layer 1")]);
        manifest.publish(&name("es"), &plain("1-a", "2026-01-03T00:00:00Z"));
        assert_eq!(noted(&manifest), [Some("layer 1"), None], "gone back to");
    }
}
