use std::collections::BTreeSet;
use std::sync::Mutex;

use super::fixture::ecr;
use super::*;
use crate::bake::event::SILENT;

/// A cloud in memory.
#[derive(Default)]
struct Cloud {
    account: String,
    repositories: Mutex<BTreeMap<(String, String), RepositoryState>>,
    replication: Mutex<Vec<ReplicationRule>>,
    changes: Mutex<Vec<String>>,
}

impl EcrControl for Cloud {
    fn account(&self, _: &Registry, _: Listener<'_>) -> Result<String, PortError> {
        Ok(self.account.clone())
    }

    fn repositories(
        &self,
        registry: &Registry,
        names: &[Repository],
        _: Closeness,
        _: Listener<'_>,
    ) -> Result<BTreeMap<Repository, RepositoryState>, PortError> {
        let all = self.repositories.lock().unwrap();
        let found = names
            .iter()
            .filter_map(|name| Some((name.clone(), all.get(&(registry.to_string(), name.to_string()))?.clone())));
        Ok(found.collect())
    }

    fn change(
        &self,
        registry: &Registry,
        name: &Repository,
        step: &RepositoryStep,
        _: Listener<'_>,
    ) -> Result<(), PortError> {
        self.changes.lock().unwrap().push(format!("{name}: {step}"));
        let mut all = self.repositories.lock().unwrap();
        let state = all.entry((registry.to_string(), name.to_string())).or_default();
        match step.clone() {
            RepositoryStep::Make { mutability, scan_on_push, encryption, tags } => {
                *state = RepositoryState { mutability, scan_on_push, encryption, tags, ..RepositoryState::default() };
            }
            RepositoryStep::Mutability(to) => state.mutability = to,
            RepositoryStep::ScanOnPush(to) => state.scan_on_push = to,
            RepositoryStep::Lifecycle(to) => state.lifecycle = to,
            RepositoryStep::Policy(to) => state.policy = to,
            RepositoryStep::Tags(tags) => state.tags.extend(tags),
        }
        Ok(())
    }

    fn replication(&self, _: &Registry, _: Listener<'_>) -> Result<Vec<ReplicationRule>, PortError> {
        Ok(self.replication.lock().unwrap().clone())
    }

    fn replicate(&self, _: &Registry, rules: &[ReplicationRule], _: Listener<'_>) -> Result<(), PortError> {
        *self.replication.lock().unwrap() = rules.to_vec();
        Ok(())
    }

    fn put_parameter(&self, _: &Registry, _: &str, _: &str, _: Listener<'_>) -> Result<(), PortError> {
        Ok(())
    }
}

fn cloud() -> Cloud {
    Cloud { account: "123456789012".to_owned(), ..Cloud::default() }
}

fn orders(ecr: &Ecr) -> Vec<Order<'_>> {
    let wanted = |region| Wanted {
        name: "elk/kibana".parse().unwrap(),
        ecr,
        region,
        current: BTreeSet::new(),
        moving: BTreeSet::new(),
    };
    ecr.regions.iter().map(|region| Order { ecr, region, repositories: vec![wanted(region)] }).collect()
}

#[test]
fn what_was_done_once_is_not_done_again() {
    let ecr = ecr("replication = \"declared\"\nkeep = 3\nreaders = [\"111122223333\"]\nprefix = \"elk\"");
    let (cloud, orders) = (cloud(), orders(&ecr));
    let found: Vec<Provision> = survey(&cloud, &orders, SILENT).into_iter().map(Result::unwrap).collect();
    assert!(cloud.changes.lock().unwrap().is_empty(), "a survey does nothing");
    assert_eq!(
        found[0].lines(&ecr.regions[0]),
        [
            "elk/kibana in eu-west-1: make it, immutable, scanned on push, encrypted with AES256; keep 3 releases; \
             let arn:aws:iam::111122223333:root pull",
            "eu-west-1: replicate elk/ to us-east-1",
        ]
    );
    assert_eq!(found[1].replication, None, "only from the first region");
    found.iter().for_each(|found| apply(&cloud, found, SILENT).unwrap());
    for again in survey(&cloud, &orders, SILENT) {
        assert!(again.unwrap().is_empty());
    }
}

#[test]
fn credentials_of_another_account_are_refused_with_both_named() {
    let ecr = ecr("role = \"arn:aws:iam::123456789012:role/push\"");
    let cloud = Cloud { account: "999999999999".to_owned(), ..cloud() };
    let error = survey(&cloud, &orders(&ecr), SILENT).remove(0).unwrap_err();
    assert!(matches!(error, PortError::Cloud { .. }));
    let error = error.to_string();
    assert!(error.contains("999999999999") && error.contains("123456789012") && error.contains("role/push"), "{error}");
}

#[test]
fn who_is_not_to_make_repositories_is_told_how_to() {
    let ecr = ecr("");
    let (cloud, orders) = (cloud(), orders(&ecr));
    let found = survey(&cloud, &orders, SILENT).remove(0).unwrap();
    let error = refuse_missing(&orders[0], &found).unwrap_err().to_string();
    assert!(error.contains("aws ecr create-repository") && error.contains("aws_ecr_repository"), "{error}");
    apply(&cloud, &found, SILENT).unwrap();
    let found = survey(&cloud, &orders, SILENT).remove(0).unwrap();
    assert!(refuse_missing(&orders[0], &found).is_ok());
}

#[test]
fn a_repository_whose_tags_can_be_moved_is_found() {
    let ecr = ecr("");
    let (cloud, orders) = (cloud(), orders(&ecr));
    assert_eq!(movable(&cloud, &orders[0], SILENT).unwrap().len(), 1, "it is not there");
    apply(&cloud, &survey(&cloud, &orders, SILENT).remove(0).unwrap(), SILENT).unwrap();
    assert!(movable(&cloud, &orders[0], SILENT).unwrap().is_empty());
    cloud.repositories.lock().unwrap().values_mut().for_each(|state| state.mutability.immutable = false);
    assert_eq!(movable(&cloud, &orders[0], SILENT).unwrap(), ["elk/kibana".parse().unwrap()]);
}

#[test]
fn who_may_only_look_is_told_what_is_not_as_declared_and_refused_nothing() {
    let ecr = ecr("keep = 3\nreaders = [\"111122223333\"]\ntags = { team = \"search\" }");
    let (cloud, orders) = (cloud(), orders(&ecr));
    let found = glance(&cloud, &orders, SILENT).remove(0).unwrap();
    assert_eq!(found.drift(&ecr.regions[0]), Vec::<String>::new(), "what is not there is an error, and no drift");
    assert!(refuse_missing(&orders[0], &found).is_err());
    apply(&cloud, &survey(&cloud, &orders, SILENT).remove(0).unwrap(), SILENT).unwrap();
    assert!(glance(&cloud, &orders, SILENT).remove(0).unwrap().is_empty());
    cloud.repositories.lock().unwrap().values_mut().for_each(|state| {
        *state = RepositoryState { encryption: state.encryption.clone(), ..RepositoryState::default() };
    });
    let found = glance(&cloud, &orders, SILENT).remove(0).unwrap();
    assert_eq!(
        found.drift(&ecr.regions[0]),
        ["elk/kibana in eu-west-1 is not as declared; left to do: make its tags immutable; scan it on push"],
        "nobody asked for its policies and tags"
    );
    assert!(refuse_missing(&orders[0], &found).is_ok());
}
