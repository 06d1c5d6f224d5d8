//! Rights for AMIs.
//!
//! Whatever elkbake makes in EC2 bears the tag `elkbake:run` from its first moment, so that it may touch nothing else:
//! what is made has to be asked for with the tag, and what is changed or removed has to have it.

use std::collections::BTreeSet;

use super::rights::Rights;
use super::statement::{Statement, key, partition};
use crate::project::Ec2;
use crate::recipe::{AmiOutput, AmiRecipe, Engine, Recipe, Region};

/// What bears it was made by elkbake.
const RUN: &str = "elkbake:run";

/// The statement by which `elkbake prune` reads what launch templates name.
pub(super) const RESOLVED: &str = "PruneParameters";

/// Looks, which know no resources.
const SEEN: [&str; 12] = [
    "autoscaling:DescribeAutoScalingGroups",
    "autoscaling:DescribeLaunchConfigurations",
    "ec2:DescribeImageAttribute",
    "ec2:DescribeImages",
    "ec2:DescribeInstanceTypes",
    "ec2:DescribeInstances",
    "ec2:DescribeLaunchTemplateVersions",
    "ec2:DescribeLaunchTemplates",
    "ec2:DescribeSnapshotAttribute",
    "ec2:DescribeSnapshots",
    "ec2:DescribeSpotInstanceRequests",
    "ec2:DescribeVolumes",
];

/// What is done to instances that are started, and to what any run has left.
const ENDED: [&str; 6] = [
    "ec2:CancelSpotInstanceRequests",
    "ec2:DeleteSnapshot",
    "ec2:DeleteVolume",
    "ec2:DeregisterImage",
    "ec2:GetConsoleOutput",
    "ec2:TerminateInstances",
];

/// What is done beside that where AMIs are made.
const CHANGED: [&str; 6] = [
    "ec2:CreateImage",
    "ec2:CreateTags",
    "ec2:DisableImageDeprecation",
    "ec2:EnableImageDeprecation",
    "ec2:ModifyImageAttribute",
    "ec2:ModifySnapshotAttribute",
];

const KEYS: [&str; 5] =
    ["kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKeyWithoutPlaintext", "kms:ReEncryptFrom", "kms:ReEncryptTo"];

pub(super) fn statements(rights: &Rights<'_>, is_exact: bool) -> Vec<Statement> {
    let Some(ec2) = &rights.target.ec2 else { return Vec::new() };
    let recipes: Vec<&AmiRecipe> = rights.recipes.iter().filter_map(|(_, recipe)| host(recipe)).collect();
    let regions: BTreeSet<&Region> = recipes.iter().flat_map(|recipe| regions(recipe)).collect();
    if regions.is_empty() {
        return Vec::new();
    }
    let all = Hosts { ec2, recipes, partition: partition(regions.first().copied()), regions };
    let mut statements = all.made();
    statements.extend(all.changed());
    statements.extend(all.keys());
    statements.extend(all.parameters(is_exact));
    statements.extend(all.resolved());
    statements.extend(all.templates());
    statements.extend(all.profile());
    statements.extend(all.spot());
    statements
}

fn host(recipe: &Recipe) -> Option<&AmiRecipe> {
    match recipe {
        Recipe::Ami(ami) => Some(ami),
        Recipe::Image(_) => None,
    }
}

/// Where something of a recipe may be. Of user data no AMI is made: an instance is started in its region, to test it.
fn regions(recipe: &AmiRecipe) -> impl Iterator<Item = &Region> {
    let copies = recipe.copies().filter(|_| recipe.engine == Engine::Instance);
    std::iter::once(&recipe.region).chain(copies)
}

struct Hosts<'h> {
    ec2: &'h Ec2,
    recipes: Vec<&'h AmiRecipe>,
    regions: BTreeSet<&'h Region>,
    partition: &'static str,
}

impl Hosts<'_> {
    /// Something of EC2 in the account; images and snapshots have none in their ARNs.
    fn arn(&self, what: &str) -> String {
        let account = if what.starts_with("image/") || what.starts_with("snapshot/") { "" } else { &self.ec2.account };
        format!("arn:{}:ec2:*:{account}:{what}", self.partition)
    }

    fn here(&self, statement: Statement) -> Statement {
        statement.when("StringEquals", "aws:RequestedRegion", &self.regions)
    }

    /// The recipes of which AMIs are made.
    fn baked(&self) -> impl Iterator<Item = &&AmiRecipe> {
        self.recipes.iter().filter(|recipe| recipe.engine == Engine::Instance)
    }

    /// What becomes of their AMIs.
    fn outputs(&self) -> impl Iterator<Item = &AmiOutput> {
        self.baked().filter_map(|recipe| recipe.ami.as_ref())
    }

    fn is_spot(&self) -> bool {
        self.baked().any(|recipe| recipe.bake.as_ref().is_some_and(|bake| bake.spot))
    }

    /// Instances, images, and their copies.
    fn made(&self) -> Vec<Statement> {
        let subnet = self.ec2.subnet.as_ref().map_or("subnet/*".to_owned(), |subnet| format!("subnet/{subnet}"));
        let groups = match &self.ec2.security_groups {
            none if none.is_empty() => vec!["security-group/*".to_owned()],
            some => some.iter().map(|group| format!("security-group/{group}")).collect(),
        };
        let used = ["image/*".to_owned(), "network-interface/*".to_owned(), subnet];
        let used = used.into_iter().chain(groups).map(|what| self.arn(&what));
        let request = self.is_spot().then_some("spot-instances-request/*");
        let run = ["instance/*", "volume/*"].into_iter().chain(request).map(|what| self.arn(what));
        let imaged = ["image/*", "snapshot/*"].map(|what| self.arn(what));
        // Their regions are bounded already: each of these calls needs another statement as well.
        let tagged = |statement: Statement| statement.when("Null", &format!("aws:RequestTag/{RUN}"), [false]);
        let makers = ["RunInstances", "CreateImage", "CopyImage"];
        let born = ["image/*", "instance/*", "network-interface/*", "snapshot/*", "volume/*"];
        let born = born.into_iter().chain(request).map(|what| self.arn(what));
        let mut made = vec![
            self.here(Statement::new("RunFrom", ["ec2:RunInstances"], used)),
            tagged(Statement::new("Run", ["ec2:RunInstances"], run)),
            tagged(Statement::new("Tag", ["ec2:CreateTags"], born)).when("StringEquals", "ec2:CreateAction", makers),
        ];
        if self.baked().next().is_some() {
            made.push(tagged(Statement::new("Image", ["ec2:CreateImage"], imaged)));
            made.push(self.here(Statement::anywhere("Copy", ["ec2:CopyImage"])));
        }
        made
    }

    /// Spot requests are among it even where no recipe says `spot`: one that did may have left some.
    fn changed(&self) -> Vec<Statement> {
        let own = ["image/*", "instance/*", "snapshot/*", "spot-instances-request/*", "volume/*"];
        let changed = self.baked().next().map(|_| CHANGED).into_iter().flatten();
        let own = self.here(Statement::new("Own", ENDED.into_iter().chain(changed), own.map(|what| self.arn(what))));
        vec![self.here(Statement::anywhere("Seen", SEEN)), own.when("Null", &format!("aws:ResourceTag/{RUN}"), [false])]
    }

    /// EC2 uses them in our name, and only for its own.
    fn keys(&self) -> Vec<Statement> {
        let outputs = self.outputs().flat_map(|ami| &ami.regions);
        let said = outputs.filter_map(|(region, output)| Some((region, output.kms_key.as_deref()?)));
        let keys: BTreeSet<_> = said.map(|(region, said)| key(said, region, &self.ec2.account)).collect();
        if keys.is_empty() {
            return Vec::new();
        }
        let services = self.regions.iter().map(|region| format!("ec2.{region}.amazonaws.com"));
        let grant = Statement::new("HostGrants", ["kms:CreateGrant"], keys.clone());
        vec![
            Statement::new("HostKeys", KEYS, keys).when("StringEquals", "kms:ViaService", services),
            grant.when("Bool", "kms:GrantIsForAWSResource", [true]),
        ]
    }

    /// Those that hold bases are public; those that the recipes put are the account's.
    fn parameters(&self, is_exact: bool) -> Vec<Statement> {
        let mut read = BTreeSet::new();
        let mut put = BTreeSet::new();
        for recipe in &self.recipes {
            for name in recipe.base.ssm.values() {
                let (account, name) = match (name.starts_with("/aws/"), is_exact) {
                    (true, true) => ("", name.as_str()),
                    (true, false) => ("", "/aws/service/*"),
                    (false, _) => (self.ec2.account.as_str(), name.as_str()),
                };
                read.insert(format!("arn:{}:ssm:{}:{account}:parameter{name}", self.partition, recipe.region));
            }
        }
        for recipe in self.baked() {
            let Some(name) = recipe.ami.as_ref().and_then(|ami| ami.ssm_parameter.as_ref()) else { continue };
            let more = if recipe.architectures.len() > 1 { "/*" } else { "" };
            let arn =
                |region| format!("arn:{}:ssm:{region}:{}:parameter{name}{more}", self.partition, self.ec2.account);
            put.extend(regions(recipe).map(arn));
        }
        let mut statements = Vec::new();
        if !read.is_empty() {
            statements.push(Statement::new("BaseParameters", ["ssm:GetParameter"], read));
        }
        if !put.is_empty() {
            statements.push(Statement::new("HostParameters", ["ssm:GetParameter", "ssm:PutParameter"], put));
        }
        statements
    }

    /// What is started by a launch template that names a parameter is in use, whosever template it is.
    fn resolved(&self) -> Option<Statement> {
        self.baked().next()?;
        let (partition, account) = (self.partition, &self.ec2.account);
        let all = [format!("{account}:parameter/*"), ":parameter/aws/service/*".to_owned()];
        let all = all.map(|rest| format!("arn:{partition}:ssm:*:{rest}"));
        Some(self.here(Statement::new(RESOLVED, ["ssm:GetParameter"], all)))
    }

    /// Templates are somebody's: only those with an id are known without a look.
    fn templates(&self) -> Vec<Statement> {
        let outputs = self.outputs().flat_map(|ami| ami.regions.values());
        let names: BTreeSet<&String> = outputs.flat_map(|output| output.launch_templates.values()).collect();
        if names.is_empty() {
            return Vec::new();
        }
        let id = |name: &&String| if name.starts_with("lt-") { (*name).clone() } else { "*".to_owned() };
        let arns = names.iter().map(|name| self.arn(&format!("launch-template/{}", id(name))));
        let moves = self.outputs().any(|ami| ami.move_default);
        let actions =
            ["ec2:CreateLaunchTemplateVersion"].into_iter().chain(moves.then_some("ec2:ModifyLaunchTemplate"));
        vec![self.here(Statement::new("Templates", actions, arns))]
    }

    fn profile(&self) -> Option<Statement> {
        self.ec2.instance_profile.as_ref()?;
        let roles = format!("arn:{}:iam::{}:role/*", self.partition, self.ec2.account);
        let service = if self.partition == "aws-cn" { "ec2.amazonaws.com.cn" } else { "ec2.amazonaws.com" };
        let pass = Statement::new("PassRole", ["iam:PassRole"], [roles]);
        Some(pass.when("StringEquals", "iam:PassedToService", [service]))
    }

    /// The role of spot instances is made with an account's first one.
    fn spot(&self) -> Option<Statement> {
        let service = self.is_spot().then_some("spot.amazonaws.com")?;
        let role = format!("arn:{}:iam::*:role/aws-service-role/{service}/*", self.partition);
        let role = Statement::new("SpotRole", ["iam:CreateServiceLinkedRole"], [role]);
        Some(role.when("StringEquals", "iam:AWSServiceName", [service]))
    }
}
