//! Which images a repository lets go of by itself.
//!
//! ECR has no word for "never this one". But an image that a rule's tags match is never touched by a rule of lower
//! priority, so a rule that matches one tag, and lets go of it when there are more than one of it, keeps it for good.
//! Releases are counted by their tags: the platforms of an index are untagged images too, which ECR keeps as long as
//! the index is there, and lets go of by the last rule when it is not.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::name::Tag;

/// How the descriptions of rules begin that elkbake made.
const OURS: &str = "elkbake: ";

/// ECR takes no more rules than this.
const MOST_RULES: usize = 50;

/// An index is pushed after its platforms, and a push that was cut off is gone on with in a day or two.
const DAYS_UNTAGGED: u32 = 7;

/// What is to become of a lifecycle policy.
#[derive(Debug, PartialEq)]
pub(super) enum Lifecycle {
    /// It is as it should be, or nobody's business.
    Stays,
    /// It goes.
    Goes,
    /// It becomes this.
    Becomes(String),
    /// It cannot be made to fit, for this reason.
    CannotBe(String),
}

/// Decides what becomes of a policy, where `keep` images and all that have one of the tags are to stay.
///
/// A policy with rules that elkbake did not make is left as it is: what two lists of rules together delete is what
/// neither of their authors has in mind, and nobody brings it back.
pub(super) fn lifecycle(now: Option<&str>, keep: Option<u32>, current: &BTreeSet<Tag>) -> Lifecycle {
    let known = now.map(|text| serde_json::from_str::<Value>(text).unwrap_or_default());
    let is_ours = known.as_ref().is_none_or(is_ours);
    let Some(keep) = keep else {
        // Rules that were ours would go on and know nothing of what is current from now on.
        return if known.is_some() && is_ours { Lifecycle::Goes } else { Lifecycle::Stays };
    };
    if !is_ours {
        return Lifecycle::CannotBe(
            "its lifecycle policy has rules that elkbake did not make, and is left as it is: they may let go of \
             images that are deployed. Remove that policy, or `keep` of the target"
                .to_owned(),
        );
    }
    if current.len() + 2 > MOST_RULES {
        return Lifecycle::CannotBe(format!(
            "its lifecycle policy is left as it is: {} images are current, and ECR takes {MOST_RULES} rules: use \
             more repositories",
            current.len()
        ));
    }
    let wanted = policy(keep, current);
    if known.as_ref() == Some(&wanted) { Lifecycle::Stays } else { Lifecycle::Becomes(wanted.to_string()) }
}

fn is_ours(policy: &Value) -> bool {
    let rules = policy.get("rules").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let said = |rule: &Value| rule["description"].as_str().is_some_and(|text| text.starts_with(OURS));
    !rules.is_empty() && rules.iter().all(said)
}

fn policy(keep: u32, current: &BTreeSet<Tag>) -> Value {
    let mut rules: Vec<Value> = Vec::new();
    let mut rule = |what: String, selection: Value| {
        rules.push(json!({
            "rulePriority": rules.len() + 1,
            "description": format!("{OURS}{what}"),
            "selection": selection,
            "action": { "type": "expire" },
        }));
    };
    for tag in current {
        rule(
            "the manifest names it".to_owned(),
            json!({ "tagStatus": "tagged", "tagPatternList": [tag.to_string()], "countType": "imageCountMoreThan", "countNumber": 1 }),
        );
    }
    rule(
        format!("the newest {keep}"),
        json!({ "tagStatus": "tagged", "tagPatternList": ["*"], "countType": "imageCountMoreThan", "countNumber": keep }),
    );
    rule(
        "what no tag and no index names".to_owned(),
        json!({ "tagStatus": "untagged", "countType": "sinceImagePushed", "countUnit": "days", "countNumber": DAYS_UNTAGGED }),
    );
    json!({ "rules": rules })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(names: &[&str]) -> BTreeSet<Tag> {
        names.iter().map(|name| name.parse().unwrap()).collect()
    }

    fn made(keep: u32, names: &[&str]) -> String {
        match lifecycle(None, Some(keep), &tags(names)) {
            Lifecycle::Becomes(text) => text,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_is_current_has_a_rule_of_its_own_before_the_one_that_counts() {
        let policy: Value = serde_json::from_str(&made(10, &["b", "a"])).unwrap();
        let rules = policy["rules"].as_array().unwrap();
        let told: Vec<_> = rules
            .iter()
            .map(|rule| (rule["rulePriority"].as_u64().unwrap(), rule["selection"]["tagPatternList"].to_string()))
            .collect();
        assert_eq!(
            told,
            [(1, "[\"a\"]".to_owned()), (2, "[\"b\"]".to_owned()), (3, "[\"*\"]".to_owned()), (4, "null".to_owned())]
        );
        assert_eq!(rules[2]["selection"]["countNumber"], 10);
        assert_eq!(rules[3]["selection"]["tagStatus"], "untagged");
    }

    #[test]
    fn the_same_again_is_nothing_to_do_however_it_is_written() {
        let text = made(3, &["a"]);
        let pretty = serde_json::to_string_pretty(&serde_json::from_str::<Value>(&text).unwrap()).unwrap();
        assert_eq!(lifecycle(Some(&pretty), Some(3), &tags(&["a"])), Lifecycle::Stays);
        assert!(matches!(lifecycle(Some(&pretty), Some(4), &tags(&["a"])), Lifecycle::Becomes(_)));
        assert!(matches!(lifecycle(Some(&pretty), Some(3), &tags(&["b"])), Lifecycle::Becomes(_)));
    }

    #[test]
    fn rules_of_ours_go_with_keep_and_rules_of_others_stay() {
        let ours = made(3, &["a"]);
        assert_eq!(lifecycle(Some(&ours), None, &tags(&["a"])), Lifecycle::Goes);
        assert_eq!(lifecycle(None, None, &tags(&["a"])), Lifecycle::Stays);
        for other in [r#"{"rules":[{"description":"old"}]}"#, r#"{"rules":[{}]}"#, "{}", "no JSON"] {
            assert_eq!(lifecycle(Some(other), None, &tags(&[])), Lifecycle::Stays);
            assert!(matches!(lifecycle(Some(other), Some(3), &tags(&[])), Lifecycle::CannotBe(_)), "{other}");
        }
        let mut mixed: Value = serde_json::from_str(&ours).unwrap();
        mixed["rules"][0]["description"] = "mine".into();
        assert!(matches!(lifecycle(Some(&mixed.to_string()), Some(3), &tags(&["a"])), Lifecycle::CannotBe(_)));
    }

    #[test]
    fn more_current_images_than_ecr_has_rules_for_are_not_given_up_to_the_count() {
        let many: Vec<String> = (0..49).map(|n| format!("t{n}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert!(matches!(lifecycle(None, Some(3), &tags(&many)), Lifecycle::CannotBe(_)));
        assert!(matches!(lifecycle(None, Some(3), &tags(&many[1..])), Lifecycle::Becomes(_)));
    }
}
