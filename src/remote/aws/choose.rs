//! Which of the images that EC2 knows is the one that a recipe means: decided here, so that it is decided the
//! same way whatever a service or an emulator filters.

use crate::bake::port::{AmiFacts, PortError};
use crate::recipe::{AmiBase, Architecture, Region};

/// An image that EC2 offered.
pub(super) struct Candidate {
    /// Its processor, in EC2's words.
    pub(super) architecture: String,
    /// `amazon`, where Amazon owns it.
    pub(super) owner_alias: Option<String>,
    /// `available`, when it can be started.
    pub(super) state: String,
    /// What the lock keeps of it.
    pub(super) facts: AmiFacts,
}

pub(super) fn choose(
    candidates: Vec<Candidate>,
    base: &AmiBase,
    architecture: Architecture,
    region: &Region,
) -> Result<AmiFacts, PortError> {
    let offered = candidates.len();
    let newest = candidates
        .into_iter()
        // The date is ISO 8601 in UTC, so text order is time order; the id makes ties stable.
        .max_by(|a, b| (&a.facts.created, &a.facts.id).cmp(&(&b.facts.created, &b.facts.id)));
    let Some(newest) = newest else {
        return Err(PortError::NotFound { subject: said(base, architecture, region), message: String::new() });
    };
    let facts = newest.facts;
    let wrong = |message: String| {
        Err(PortError::Cloud { subject: format!("{} ({}) in {region}", facts.id, facts.name), message })
    };
    if newest.architecture != architecture.as_str() {
        return wrong(format!("it is for {}, the recipe bakes for {architecture}", newest.architecture));
    }
    let is_owner =
        |owner: &str| owner == "self" || owner == facts.owner || Some(owner) == newest.owner_alias.as_deref();
    if let Some(owner) = base.owner.as_deref().filter(|owner| !is_owner(owner)) {
        let alias = newest.owner_alias.map_or_else(String::new, |alias| format!(" ({alias})"));
        return wrong(format!("account {}{alias} owns it, the recipe says {owner}", facts.owner));
    }
    if newest.state != "available" {
        return wrong(format!("it is {}, so nothing can be started from it", newest.state));
    }
    if facts.snapshot.is_empty() {
        return wrong(format!("its root disk {} has no snapshot ({offered} images were offered)", facts.root_device));
    }
    Ok(facts)
}

fn said(base: &AmiBase, architecture: Architecture, region: &Region) -> String {
    let asked = match (base.ssm.get(&architecture), &base.id, &base.name) {
        (Some(parameter), ..) => format!("the AMI of {parameter}"),
        (None, Some(id), _) => id.clone(),
        (None, None, name) => {
            let owner = base.owner.as_deref().unwrap_or("anybody");
            format!("an AMI named `{}` of {owner} for {architecture}", name.as_deref().unwrap_or_default())
        }
    };
    format!("{asked} in {region}")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn candidate(id: &str, created: &str) -> Candidate {
        Candidate {
            architecture: "x86_64".to_owned(),
            owner_alias: Some("amazon".to_owned()),
            state: "available".to_owned(),
            facts: AmiFacts {
                id: id.to_owned(),
                name: "al2023-ecs".to_owned(),
                owner: "591542846629".to_owned(),
                snapshot: "snap-1".to_owned(),
                root_device: "/dev/xvda".to_owned(),
                created: created.to_owned(),
                deprecated: None,
            },
        }
    }

    fn base(owner: Option<&str>) -> AmiBase {
        AmiBase { ssm: BTreeMap::new(), name: Some("al2023-*".to_owned()), id: None, owner: owner.map(str::to_owned) }
    }

    fn chosen(candidates: Vec<Candidate>, owner: Option<&str>) -> Result<String, String> {
        let region = "eu-west-1".parse().unwrap();
        choose(candidates, &base(owner), Architecture::X86, &region).map(|facts| facts.id).map_err(|e| e.to_string())
    }

    #[test]
    fn the_newest_is_taken() {
        let offered = vec![
            candidate("ami-old", "2025-01-01T00:00:00.000Z"),
            candidate("ami-new", "2026-01-01T00:00:00.000Z"),
            candidate("ami-mid", "2025-06-01T00:00:00.000Z"),
        ];
        assert_eq!(chosen(offered, Some("amazon")).unwrap(), "ami-new");
    }

    #[test]
    fn what_was_not_meant_is_refused_with_both_sides_named() {
        assert!(chosen(vec![], Some("amazon")).unwrap_err().contains("al2023-*"));
        let other = Candidate { architecture: "arm64".to_owned(), ..candidate("ami-1", "") };
        assert!(chosen(vec![other], None).unwrap_err().contains("it is for arm64, the recipe bakes for x86_64"));
        let error = chosen(vec![candidate("ami-1", "")], Some("111122223333")).unwrap_err();
        assert!(error.contains("account 591542846629 (amazon) owns it, the recipe says 111122223333"), "{error}");
        let pending = Candidate { state: "pending".to_owned(), ..candidate("ami-1", "") };
        assert!(chosen(vec![pending], None).unwrap_err().contains("it is pending"));
        let mut bare = candidate("ami-1", "");
        bare.facts.snapshot.clear();
        assert!(chosen(vec![bare], None).unwrap_err().contains("no snapshot"));
    }

    #[test]
    fn an_owner_counts_by_alias_or_by_number() {
        assert!(chosen(vec![candidate("ami-1", "")], Some("amazon")).is_ok());
        assert!(chosen(vec![candidate("ami-1", "")], Some("591542846629")).is_ok());
    }
}
