//! Which replication rule a registry lacks. Rules that are there are somebody's, and stay.

use std::collections::BTreeSet;

use crate::bake::port::ReplicationRule;
use crate::name::Repository;

/// The rules a registry is to have so that repositories get from its region to others of the same account; `None`
/// where those that it has do that.
pub(super) fn rules(
    now: &[ReplicationRule],
    account: &str,
    regions: &[String],
    prefix: Option<&Repository>,
    repositories: &[Repository],
) -> Option<Vec<ReplicationRule>> {
    let lacking = |repository: &&Repository| regions.iter().any(|to| !brings(now, account, to, repository));
    let lacking: Vec<&Repository> = repositories.iter().filter(lacking).collect();
    let destinations: BTreeSet<&String> = lacking
        .iter()
        .flat_map(|repository| regions.iter().filter(|to| !brings(now, account, to, repository)))
        .collect();
    if destinations.is_empty() {
        return None;
    }
    let prefixes = match prefix {
        // The whole target at once: the next recipe needs no other rule.
        Some(prefix) => vec![format!("{prefix}/")],
        None => lacking.iter().map(ToString::to_string).collect(),
    };
    let destinations = regions.iter().filter(|to| destinations.contains(to));
    let rule =
        ReplicationRule { destinations: destinations.map(|to| (to.clone(), account.to_owned())).collect(), prefixes };
    Some(now.iter().cloned().chain([rule]).collect())
}

fn brings(rules: &[ReplicationRule], account: &str, to: &str, repository: &Repository) -> bool {
    rules.iter().any(|rule| {
        let is_there = rule.destinations.iter().any(|(region, of)| region == to && of == account);
        let is_meant = rule.prefixes.is_empty()
            || rule.prefixes.iter().any(|prefix| repository.to_string().starts_with(prefix.as_str()));
        is_there && is_meant
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const US: &str = "123456789012";

    fn rule(to: &[&str], prefixes: &[&str]) -> ReplicationRule {
        ReplicationRule {
            destinations: to.iter().map(|&to| (to.to_owned(), US.to_owned())).collect(),
            prefixes: prefixes.iter().map(|&prefix| prefix.to_owned()).collect(),
        }
    }

    fn decided(now: &[ReplicationRule], prefix: Option<&str>) -> Option<Vec<ReplicationRule>> {
        let repositories = ["elk/kibana", "elk/elasticsearch"].map(|name| name.parse().unwrap());
        let prefix = prefix.map(|prefix| prefix.parse().unwrap());
        rules(now, US, &["a".to_owned(), "b".to_owned()], prefix.as_ref(), &repositories)
    }

    #[test]
    fn what_is_brought_already_needs_no_rule() {
        assert_eq!(decided(&[rule(&["a", "b"], &[])], None), None);
        assert_eq!(decided(&[rule(&["a"], &["elk"]), rule(&["b"], &["x", "elk/"])], Some("elk")), None);
    }

    #[test]
    fn what_lacks_is_added_and_the_rules_of_others_stay() {
        assert_eq!(decided(&[], Some("elk")), Some(vec![rule(&["a", "b"], &["elk/"])]));
        let other = rule(&["a"], &[]);
        assert_eq!(decided(std::slice::from_ref(&other), Some("elk")), Some(vec![other, rule(&["b"], &["elk/"])]));
        let half = rule(&["a", "b"], &["elk/kibana"]);
        assert_eq!(
            decided(std::slice::from_ref(&half), None),
            Some(vec![half, rule(&["a", "b"], &["elk/elasticsearch"])])
        );
        let abroad = ReplicationRule { destinations: vec![("a".to_owned(), "1".to_owned())], prefixes: vec![] };
        assert_eq!(decided(std::slice::from_ref(&abroad), Some("elk")).unwrap()[1], rule(&["a", "b"], &["elk/"]));
    }
}
