//! Steps in people's words: "make it, immutable, scanned on push".

use std::fmt;

use crate::bake::port::{Mutability, RepositoryStep};

use super::repository::said;

impl fmt::Display for Mutability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.immutable { "immutable" } else { "mutable" })?;
        if self.except.is_empty() {
            return Ok(());
        }
        write!(f, " but for {}", self.except.iter().cloned().collect::<Vec<_>>().join(", "))
    }
}

impl fmt::Display for RepositoryStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Make { mutability, scan_on_push, encryption, .. } => {
                write!(f, "make it, {mutability}")?;
                f.write_str(if *scan_on_push { ", scanned on push" } else { ", not scanned" })?;
                write!(f, ", encrypted with {}", said(encryption))
            }
            Self::Mutability(mutability) => write!(f, "make its tags {mutability}"),
            Self::ScanOnPush(true) => f.write_str("scan it on push"),
            Self::ScanOnPush(false) => f.write_str("scan it no more on push"),
            Self::Lifecycle(Some(policy)) => lifecycle(f, policy),
            Self::Lifecycle(None) => f.write_str("remove its lifecycle policy: all images are kept"),
            Self::Policy(Some(policy)) => match pullers(policy) {
                who if who.is_empty() => f.write_str("let nobody else pull any more"),
                who => write!(f, "let {} pull", who.join(", ")),
            },
            Self::Policy(None) => f.write_str("let nobody else pull any more: remove its repository policy"),
            Self::Tags(tags) => {
                let tags: Vec<String> = tags.iter().map(|(key, value)| format!("{key}={value}")).collect();
                write!(f, "tag it {}", tags.join(", "))
            }
        }
    }
}

fn lifecycle(f: &mut fmt::Formatter<'_>, policy: &str) -> fmt::Result {
    let policy: serde_json::Value = serde_json::from_str(policy).unwrap_or_default();
    let rules = policy["rules"].as_array().map_or(&[][..], Vec::as_slice);
    let pattern = |rule: &serde_json::Value| rule["selection"]["tagPatternList"][0].as_str().map(str::to_owned);
    let keep = rules.iter().find(|rule| pattern(rule).as_deref() == Some("*"));
    write!(f, "keep {} releases", keep.map_or(0, |rule| rule["selection"]["countNumber"].as_u64().unwrap_or(0)))?;
    let named: Vec<String> = rules.iter().filter_map(pattern).filter(|tag| tag != "*").collect();
    if named.is_empty() { Ok(()) } else { write!(f, ", and {} in any case", named.join(", ")) }
}

fn pullers(policy: &str) -> Vec<String> {
    let policy: serde_json::Value = serde_json::from_str(policy).unwrap_or_default();
    let statements = policy["Statement"].as_array().map_or(&[][..], Vec::as_slice);
    let ours = statements.iter().find(|one| one["Sid"] == "ElkbakeReaders");
    let who = ours.and_then(|one| one["Principal"]["AWS"].as_array());
    who.into_iter().flatten().filter_map(|one| one.as_str()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use crate::bake::provision::Wanted;
    use crate::bake::provision::fixture::ecr;

    #[test]
    fn steps_are_said_in_one_line_each() {
        let ecr =
            ecr("keep = 5\nreaders = [\"111122223333\"]\ntags = { team = \"search\" }\nmutable_tags = [\"dev-*\"]");
        let wanted = Wanted {
            name: "elk/kibana".parse().unwrap(),
            ecr: &ecr,
            region: &ecr.regions[0],
            current: ["8.19.3-abc".parse().unwrap()].into(),
            moving: BTreeSet::new(),
        };
        let words: Vec<String> = wanted.decide(None).steps.iter().map(ToString::to_string).collect();
        assert_eq!(
            words,
            [
                "make it, immutable but for dev-*, scanned on push, encrypted with AES256",
                "keep 5 releases, and 8.19.3-abc in any case",
                "let arn:aws:iam::111122223333:root pull",
            ]
        );
    }
}
