//! IAM, as far as the policies that elkbake prints go: whether one allows what the clouds of the kitchen saw.
//!
//! What AWS asks for is written down from its service authorization reference: some calls need several rights, each on
//! its own resources, with what is known of these as conditions.
//!
//! ```text
//! ec2      what calls of EC2, SSM and STS need
//! ecr      what calls of ECR need, of its API and of its registries
//! ```

pub mod ec2;
pub mod ecr;

use std::collections::BTreeMap;

use serde_json::Value;

pub type Tags = BTreeMap<String, String>;

/// A right that a call needs.
#[derive(Clone, Debug)]
pub struct Need {
    pub action: String,
    pub resource: String,
    pub context: BTreeMap<String, String>,
}

/// A call, and what it needs.
#[derive(Clone, Debug)]
pub struct Call {
    /// For people.
    pub what: String,
    pub needs: Vec<Need>,
}

/// What a policy allows though no call tells that it is needed, each with the reason in the test.
#[derive(Clone, Copy, Default)]
pub struct Exceptions<'e> {
    /// Statements that AWS uses in our name.
    pub unseen: &'e [&'e str],
    /// Statements that may be left out by who needs none of what they are for: no other one may rest upon them.
    pub optional: &'e [&'e str],
    /// Actions and resources of statements that this scenario does not bring about.
    pub parts: &'e [(&'e str, &'e str)],
}

/// Fails unless a policy allows all that calls need, each of its statements is needed by one of them, and each action
/// and resource in it, too.
pub fn assert_fits(policy: &Value, calls: &[Call], exceptions: Exceptions<'_>) {
    let statements: Vec<&Value> = policy["Statement"].as_array().unwrap().iter().collect();
    assert_allowed(policy, calls);
    let mut wrong = Vec::new();
    for left_out in &statements {
        let sid = left_out["Sid"].as_str().unwrap();
        if exceptions.unseen.contains(&sid) {
            continue;
        }
        let gone = |one: &&&Value| one["Sid"] == sid || exceptions.optional.iter().any(|other| one["Sid"] == *other);
        let others: Vec<&Value> = statements.iter().filter(|one| !gone(one)).copied().collect();
        let is_needed = calls.iter().any(|call| !denied(&others, call).is_empty());
        if !is_needed {
            wrong.push(format!("nothing that was asked for needs the statement {sid}"));
        }
        let uses = |need: &Need, part: &str| need.action == part || is_like(part, &need.resource);
        for part in texts(&left_out["Action"]).into_iter().chain(texts(&left_out["Resource"])) {
            let mut needs = calls.iter().flat_map(|call| &call.needs);
            let is_used = needs.any(|need| uses(need, &part) && allows(left_out, need));
            if is_used == exceptions.parts.contains(&(sid, part.as_str())) {
                let what = if is_used { "is no exception, as a call needs it" } else { "is needed by nothing" };
                wrong.push(format!("{part} of the statement {sid} {what}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}\n{policy:#}", wrong.join("\n"));
}

/// Fails unless a policy allows all that calls need.
pub fn assert_allowed(policy: &Value, calls: &[Call]) {
    let statements: Vec<&Value> = policy["Statement"].as_array().unwrap().iter().collect();
    assert!(!calls.is_empty(), "nothing was asked for");
    for call in calls {
        let missing = denied(&statements, call);
        assert!(missing.is_empty(), "{} is denied: {missing:#?}\nby {policy:#}", call.what);
    }
}

/// The rights of a call that no statement gives.
fn denied<'c>(statements: &[&Value], call: &'c Call) -> Vec<&'c Need> {
    call.needs.iter().filter(|need| !statements.iter().any(|statement| allows(statement, need))).collect()
}

fn request_tags<'t>(tags: impl IntoIterator<Item = (&'t String, &'t String)>) -> Vec<(String, String)> {
    tags.into_iter().map(|(tag, value)| (format!("aws:RequestTag/{tag}"), value.clone())).collect()
}

/// The ARN of a key that a call names in whatever way. What an alias stands for is nobody's to know.
fn key(said: &str, region: &str, account: &str) -> String {
    if said.starts_with("arn:") && !said.contains(":alias/") {
        return said.to_owned();
    }
    let id = if said.contains("alias/") { "of-the-alias" } else { said };
    format!("arn:aws:kms:{region}:{account}:key/{id}")
}

fn allows(statement: &Value, need: &Need) -> bool {
    let one_of = |key: &str, said: &str| texts(&statement[key]).iter().any(|pattern| is_like(pattern, said));
    statement["Effect"] == "Allow"
        && one_of("Action", &need.action)
        && one_of("Resource", &need.resource)
        && statement.get("Condition").is_none_or(|condition| holds(condition, &need.context))
}

fn holds(condition: &Value, context: &BTreeMap<String, String>) -> bool {
    let all = condition.as_object().unwrap().iter();
    let mut all = all.flat_map(|(operator, keys)| keys.as_object().unwrap().iter().map(move |one| (operator, one)));
    all.all(|(operator, (key, wanted))| {
        let (is, wanted) = (context.get(key), texts(wanted));
        match operator.as_str() {
            // `false` asks that there be such a key.
            "Null" => is.is_some() == (wanted == ["false"]),
            "StringEquals" | "Bool" => is.is_some_and(|is| wanted.contains(is)),
            other => panic!("nobody knows what {other} asks for"),
        }
    })
}

fn texts(value: &Value) -> Vec<String> {
    let text = |one: &Value| one.as_str().map_or_else(|| one.to_string(), str::to_owned);
    value.as_array().map_or_else(|| vec![text(value)], |all| all.iter().map(text).collect())
}

/// Whether a text is what a pattern with `*` says. What is asked for may have one, too: for things without an id.
fn is_like(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let parts: Vec<_> = parts.collect();
    let Some((last, between)) = parts.split_last() else { return rest.is_empty() };
    for part in between {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

#[test]
fn patterns_are_read_as_iam_reads_them() {
    assert!(is_like("*", "") && is_like("a*c", "abc") && is_like("a*b*c", "a-b-b-c") && is_like("ab", "ab"));
    assert!(!is_like("a*c", "abd") && !is_like("ab", "abc") && !is_like("a*bc*c", "abc"));
}
