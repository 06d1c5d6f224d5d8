//! Rights for images in ECR.

use std::collections::BTreeSet;

use super::rights::Rights;
use super::statement::{Statement, key, partition};
use crate::name::{Reference, Repository};
use crate::project::{Ecr, Encryption, Place, Replication, ecr_owner};
use crate::recipe::{Recipe, Region};

const IMAGES: [&str; 7] = [
    "ecr:BatchCheckLayerAvailability",
    "ecr:BatchGetImage",
    "ecr:CompleteLayerUpload",
    "ecr:GetDownloadUrlForLayer",
    "ecr:InitiateLayerUpload",
    "ecr:PutImage",
    "ecr:UploadLayerPart",
];

/// Who changes nothing looks at no more than this.
const SEEN: [&str; 1] = ["ecr:DescribeRepositories"];

const CHANGED: [&str; 11] = [
    "ecr:CreateRepository",
    "ecr:DeleteLifecyclePolicy",
    "ecr:DeleteRepositoryPolicy",
    "ecr:GetLifecyclePolicy",
    "ecr:GetRepositoryPolicy",
    "ecr:ListTagsForResource",
    "ecr:PutImageScanningConfiguration",
    "ecr:PutImageTagMutability",
    "ecr:PutLifecyclePolicy",
    "ecr:SetRepositoryPolicy",
    "ecr:TagResource",
];

/// Also of who has layers mounted.
const PULL: [&str; 2] = ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"];

pub(super) fn statements(rights: &Rights<'_>, is_exact: bool) -> Vec<Statement> {
    let Some(Place::Ecr(ecr)) = rights.target.place() else { return Vec::new() };
    let repositories = repositories(rights, ecr, is_exact);
    if repositories.is_empty() {
        return Vec::new();
    }
    let mut statements = vec![Statement::anywhere("Token", ["ecr:GetAuthorizationToken"])];
    if is_exact {
        statements.push(Statement::new("Images", IMAGES, repositories.clone()));
        statements.push(Statement::new("Repositories", SEEN, repositories.clone()));
        if rights.provision {
            statements.push(Statement::new("RepositoriesChanged", CHANGED, repositories));
        }
    } else {
        // The same in fewer words: all of it is about the same repositories.
        let changed = if rights.provision { &CHANGED[..] } else { &[] };
        let actions = IMAGES.iter().chain(&SEEN).chain(changed).copied();
        statements.push(Statement::new("Images", actions, repositories));
    }
    if rights.provision {
        statements.extend(beyond(ecr));
    }
    let bases: BTreeSet<String> = rights.bases.iter().filter_map(arn).collect();
    if !bases.is_empty() {
        statements.push(Statement::new("Bases", PULL, bases));
    }
    if ecr.parameters {
        let parameter = |region| {
            let partition = partition(Some(region));
            format!("arn:{partition}:ssm:{region}:{}:parameter/elkbake/{}/*", ecr.account, rights.name)
        };
        statements.push(Statement::new("Parameters", ["ssm:PutParameter"], ecr.regions.iter().map(parameter)));
    }
    statements
}

/// What repositories need that are encrypted or replicated.
fn beyond(ecr: &Ecr) -> Vec<Statement> {
    let mut statements = Vec::new();
    // The account's own key for ECR lets everybody in who comes through ECR.
    if let Some(said) = ecr.kms_key.as_deref().filter(|_| ecr.encryption == Encryption::Kms) {
        let keys = ecr.regions.iter().map(|region| key(said, region, &ecr.account));
        let through = ecr.regions.iter().map(|region| format!("ecr.{region}.amazonaws.com"));
        let keys = Statement::new("Keys", ["kms:CreateGrant", "kms:DescribeKey"], keys);
        statements.push(keys.when("StringEquals", "kms:ViaService", through));
    }
    if ecr.replication == Some(Replication::Declared) {
        let actions = ["ecr:DescribeRegistry", "ecr:PutReplicationConfiguration"];
        statements.push(Statement::anywhere("Replication", actions));
        let partition = partition(ecr.regions.first());
        let service = "replication.ecr.amazonaws.com";
        let role = format!("arn:{partition}:iam::*:role/aws-service-role/{service}/*");
        let made = Statement::new("ReplicationRole", ["iam:CreateServiceLinkedRole"], [role]);
        statements.push(made.when("StringEquals", "iam:AWSServiceName", [service]));
    }
    statements
}

/// The repositories that images go to: one by one, or all below the target's prefix.
fn repositories(rights: &Rights<'_>, ecr: &Ecr, is_exact: bool) -> BTreeSet<String> {
    let own = rights.recipes.iter().filter_map(|(name, recipe)| match recipe {
        Recipe::Image(image) => image.repository.clone().or_else(|| name.as_str().parse().ok()),
        Recipe::Ami(_) => None,
    });
    let own: BTreeSet<Repository> = own.chain(rights.target.manifest_repository.clone()).collect();
    if own.is_empty() {
        return BTreeSet::new();
    }
    let below = |name: &str| match &ecr.prefix {
        Some(prefix) => format!("{prefix}/{name}"),
        None => name.to_owned(),
    };
    let names: BTreeSet<String> =
        if is_exact { own.iter().map(|one| below(one.as_str())).collect() } else { [below("*")].into() };
    let arns = ecr.regions.iter().flat_map(|region| {
        let account = &ecr.account;
        names
            .iter()
            .map(move |name| format!("arn:{}:ecr:{region}:{account}:repository/{name}", partition(Some(region))))
    });
    arns.collect()
}

/// The repository that something is in, where that is one of ECR's.
fn arn(base: &Reference) -> Option<String> {
    let (account, region) = ecr_owner(&base.registry)?;
    let region: Region = region.parse().ok()?;
    Some(format!("arn:{}:ecr:{region}:{account}:repository/{}", partition(Some(&region)), base.repository))
}
