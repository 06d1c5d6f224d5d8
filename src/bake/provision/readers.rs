//! Who else may pull: one statement of a repository's policy is ours, the others are left as they are.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::recipe::{Region, is_account};

/// The name of the statement that is ours.
const SID: &str = "ElkbakeReaders";

/// What pulling takes.
const ACTIONS: [&str; 3] = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"];

/// What is to become of a repository policy.
#[derive(Debug, PartialEq)]
pub(super) enum Readers {
    /// It is as it should be.
    Stays,
    /// Nothing is left of it.
    Goes,
    /// It becomes this.
    Becomes(String),
    /// It cannot be read.
    Unreadable,
}

/// Decides what becomes of a policy, where these may pull.
pub(super) fn readers(now: Option<&str>, readers: &BTreeSet<String>, region: &Region) -> Readers {
    let mut policy = match now.map(serde_json::from_str::<Value>) {
        None => json!({ "Version": "2012-10-17", "Statement": [] }),
        Some(Ok(policy)) if policy.is_object() => policy,
        Some(_) => return Readers::Unreadable,
    };
    // One statement may stand without a list around it.
    let statements = match policy["Statement"].take() {
        Value::Array(statements) => statements,
        Value::Null => Vec::new(),
        one => vec![one],
    };
    let (ours, mut others): (Vec<Value>, Vec<Value>) = statements.into_iter().partition(|one| one["Sid"] == SID);
    let wanted: BTreeSet<String> = readers.iter().map(|reader| principal(reader, region)).collect();
    let is_so = match &ours[..] {
        [] => wanted.is_empty(),
        [one] => !wanted.is_empty() && allows(one, &wanted, region),
        _ => false,
    };
    if is_so {
        return Readers::Stays;
    }
    if !wanted.is_empty() {
        others.push(json!({ "Sid": SID, "Effect": "Allow", "Principal": { "AWS": wanted }, "Action": ACTIONS }));
    }
    if others.is_empty() {
        return Readers::Goes;
    }
    policy["Statement"] = Value::Array(others);
    Readers::Becomes(policy.to_string())
}

/// An account means its root, which is what ECR writes instead.
fn principal(reader: &str, region: &Region) -> String {
    if !is_account(reader) {
        return reader.to_owned();
    }
    let partition = match region.as_str() {
        name if name.starts_with("cn-") => "aws-cn",
        name if name.starts_with("us-gov-") => "aws-us-gov",
        name if name.starts_with("us-iso-") => "aws-iso",
        name if name.starts_with("us-isob-") => "aws-iso-b",
        _ => "aws",
    };
    format!("arn:{partition}:iam::{reader}:root")
}

/// Whether a statement lets exactly these do exactly what pulling takes. Lists of one may stand without the list.
fn allows(statement: &Value, wanted: &BTreeSet<String>, region: &Region) -> bool {
    let texts = |value: &Value| -> BTreeSet<String> {
        let all = match value {
            Value::Array(all) => all.clone(),
            one => vec![one.clone()],
        };
        all.iter().filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let principals = texts(&statement["Principal"]["AWS"]).iter().map(|one| principal(one, region)).collect();
    let actions: BTreeSet<String> = ACTIONS.map(str::to_owned).into();
    statement["Effect"] == "Allow"
        && statement.get("Condition").is_none()
        && *wanted == principals
        && actions == texts(&statement["Action"])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decided(now: Option<&str>, who: &[&str]) -> Readers {
        let who = who.iter().map(|&who| who.to_owned()).collect();
        readers(now, &who, &"eu-west-1".parse().unwrap())
    }

    fn becomes(now: Option<&str>, who: &[&str]) -> Value {
        match decided(now, who) {
            Readers::Becomes(text) => serde_json::from_str(&text).unwrap(),
            other => panic!("{other:?}"),
        }
    }

    const ROLE: &str = "arn:aws:iam::444455556666:role/pull";

    #[test]
    fn accounts_and_roles_may_pull_and_no_more() {
        let policy = becomes(None, &["111122223333", ROLE]);
        let statement = &policy["Statement"][0];
        assert_eq!(statement["Principal"]["AWS"], json!(["arn:aws:iam::111122223333:root", ROLE]));
        assert_eq!(statement["Action"], json!(ACTIONS));
        let china = readers(None, &["111122223333".to_owned()].into(), &"cn-north-1".parse().unwrap());
        assert!(matches!(china, Readers::Becomes(text) if text.contains("arn:aws-cn:iam::111122223333:root")));
    }

    #[test]
    fn the_same_again_is_nothing_to_do_however_ecr_writes_it() {
        let one = format!(
            r#"{{"Statement":{{"Sid":"ElkbakeReaders","Effect":"Allow","Principal":{{"AWS":"{ROLE}"}},"Action":["ecr:GetDownloadUrlForLayer","ecr:BatchGetImage","ecr:BatchCheckLayerAvailability"]}}}}"#
        );
        assert_eq!(decided(Some(&one), &[ROLE]), Readers::Stays);
        assert_eq!(decided(None, &[]), Readers::Stays);
        let short = one.replace(ROLE, "111122223333");
        assert_eq!(decided(Some(&short), &["111122223333"]), Readers::Stays);
        assert!(matches!(decided(Some(&one.replace("\"Allow\"", "\"Deny\"")), &[ROLE]), Readers::Becomes(_)));
        assert!(matches!(decided(Some(&one.replace("BatchGetImage", "*")), &[ROLE]), Readers::Becomes(_)));
    }

    #[test]
    fn statements_of_others_stay_and_ours_goes_with_its_readers() {
        let other = r#"{"Version":"2008-10-17","Id":"x","Statement":[{"Sid":"Mine","Effect":"Deny"}]}"#;
        assert_eq!(decided(Some(other), &[]), Readers::Stays);
        let both = becomes(Some(other), &[ROLE]);
        assert_eq!((&both["Id"], &both["Statement"][0]["Sid"]), (&json!("x"), &json!("Mine")));
        assert_eq!(becomes(Some(&both.to_string()), &[]), serde_json::from_str::<Value>(other).unwrap());
        let ours = becomes(None, &[ROLE]).to_string();
        assert_eq!(decided(Some(&ours), &[]), Readers::Goes);
        assert_eq!(becomes(Some(&ours), &["111122223333"])["Statement"].as_array().unwrap().len(), 1);
    }

    #[test]
    fn what_is_no_policy_is_not_written_over() {
        for text in ["", "[]", "no JSON"] {
            assert_eq!(decided(Some(text), &[ROLE]), Readers::Unreadable);
        }
    }
}
