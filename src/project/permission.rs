//! What a target's role has to be let do in AWS: the one list of all actions that elkbake calls, and of those that AWS
//! asks for beside them.

use Need::{
    Deprecate, Host, HostKey, HostParameter, Image, ImageParameter, InstanceProfile, LaunchTemplate, Provision, Prune,
    PublicParameter, Regions, Replication, RepositoryKey, Share, Spot, Sweep, Test,
};
use On::{Anything, Key, NetworkInterface, Parameter, Repository, Role, SecurityGroup, Snapshot, Subnet, Volume};

/// What somebody wants elkbake to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Need {
    /// Push images to ECR.
    Image,
    /// Make repositories there, and set them as a target declares.
    Provision,
    /// Declare replication.
    Replication,
    /// Make repositories that a key of the account encrypts.
    RepositoryKey,
    /// Put images' references into SSM parameters.
    ImageParameter,
    /// Make AMIs, and take half-made ones away.
    Host,
    /// The same from a spot instance.
    Spot,
    /// With an instance profile.
    InstanceProfile,
    /// Encrypted with a key of the account.
    HostKey,
    /// From a base that a public SSM parameter names.
    PublicParameter,
    /// Copy them to other regions.
    Regions,
    /// Share them with others.
    Share,
    /// Have them marked as deprecated one day.
    Deprecate,
    /// Put their ids into SSM parameters.
    HostParameter,
    /// Make versions of launch templates for them.
    LaunchTemplate,
    /// Boot them, to see that they work.
    Test,
    /// Remove old ones.
    Prune,
    /// Find and remove what killed runs have left.
    Sweep,
}

/// What an action is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum On {
    /// AWS knows no narrower bounds for it.
    Anything,
    /// Images in EC2.
    Image,
    /// Instances.
    Instance,
    /// Volumes.
    Volume,
    /// Snapshots.
    Snapshot,
    /// Network interfaces.
    NetworkInterface,
    /// Subnets.
    Subnet,
    /// Security groups.
    SecurityGroup,
    /// Spot requests.
    SpotRequest,
    /// Launch templates.
    LaunchTemplate,
    /// SSM parameters of the account.
    Parameter,
    /// SSM parameters that AWS publishes.
    PublicParameter,
    /// Repositories in ECR.
    Repository,
    /// Roles.
    Role,
    /// Keys of KMS.
    Key,
}

/// An action that has to be allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Permission {
    /// As a policy names it: `ec2:RunInstances`.
    pub action: &'static str,
    /// What it is about: all of these kinds, in one call.
    pub on: &'static [On],
    /// For what it is needed; nobody has to be allowed what is needed for nothing.
    pub needs: &'static [Need],
    /// Whether it is only ever done to what bears elkbake's tags, so that a policy may say so.
    pub own: bool,
    /// Whether elkbake calls it by this name. What it does not, AWS asks for with another call, or it is a registry's.
    pub called: bool,
    /// What it is done for.
    pub why: &'static str,
}

impl On {
    /// All things of the kind, as a policy names them.
    #[must_use]
    pub fn arn(self, partition: &str, region: &str, account: &str) -> String {
        let (service, region, account, rest) = match self {
            Self::Anything => return "*".to_owned(),
            // Images and snapshots are of no account, so that they can be shared.
            Self::Image => ("ec2", region, "", "image/*"),
            Snapshot => ("ec2", region, "", "snapshot/*"),
            Self::Instance => ("ec2", region, account, "instance/*"),
            Volume => ("ec2", region, account, "volume/*"),
            NetworkInterface => ("ec2", region, account, "network-interface/*"),
            Subnet => ("ec2", region, account, "subnet/*"),
            SecurityGroup => ("ec2", region, account, "security-group/*"),
            Self::SpotRequest => ("ec2", region, account, "spot-instances-request/*"),
            Self::LaunchTemplate => ("ec2", region, account, "launch-template/*"),
            Parameter => ("ssm", region, account, "parameter/*"),
            Self::PublicParameter => ("ssm", region, "", "parameter/aws/*"),
            Repository => ("ecr", region, account, "repository/*"),
            Role => ("iam", "", account, "role/*"),
            Key => ("kms", region, account, "key/*"),
        };
        format!("arn:{partition}:{service}:{region}:{account}:{rest}")
    }
}

impl Permission {
    const fn own(self) -> Self {
        Self { own: true, ..self }
    }

    const fn uncalled(self) -> Self {
        Self { called: false, ..self }
    }
}

const fn allow(action: &'static str, on: &'static [On], needs: &'static [Need], why: &'static str) -> Permission {
    Permission { action, on, needs, own: false, called: true, why }
}

/// All of them, by service and name.
pub const PERMISSIONS: &[Permission] = &[
    allow(
        "autoscaling:DescribeAutoScalingGroups",
        &[Anything],
        &[Prune, Sweep],
        "what groups start from is never removed",
    ),
    allow(
        "autoscaling:DescribeLaunchConfigurations",
        &[Anything],
        &[Prune, Sweep],
        "what groups start from is never removed",
    ),
    allow(
        "ec2:CancelSpotInstanceRequests",
        &[On::SpotRequest],
        &[Spot, Sweep],
        "otherwise EC2 starts another instance in the place of one that has ended",
    ),
    allow("ec2:CopyImage", &[On::Image, Snapshot], &[Regions], "brings AMIs to the other regions"),
    allow("ec2:CreateImage", &[On::Image, On::Instance, Snapshot], &[Host], "makes the AMI of the instance"),
    allow(
        "ec2:CreateLaunchTemplateVersion",
        &[On::LaunchTemplate],
        &[LaunchTemplate],
        "makes a version that starts the AMI",
    ),
    allow(
        "ec2:CreateTags",
        &[On::Image, On::Instance, NetworkInterface, Snapshot, On::SpotRequest, Volume],
        &[Host, Test],
        "all that is made says by tags what it is, and is found by them",
    ),
    allow("ec2:DeleteSnapshot", &[Snapshot], &[Host, Prune, Sweep], "removes what lies under an AMI that is gone")
        .own(),
    allow("ec2:DeleteVolume", &[Volume], &[Sweep], "removes volumes that a killed run has left").own(),
    allow("ec2:DeregisterImage", &[On::Image], &[Host, Prune, Sweep], "removes half-made and old AMIs").own(),
    allow("ec2:DescribeImageAttribute", &[Anything], &[Share], "who may start the AMI already"),
    allow("ec2:DescribeImages", &[Anything], &[Host, Test, Prune, Sweep], "finds the base, and what is made already"),
    allow("ec2:DescribeInstanceTypes", &[Anything], &[Host], "what the instance types can carry"),
    allow(
        "ec2:DescribeInstances",
        &[Anything],
        &[Host, Test, Prune, Sweep],
        "waits for instances, and finds them again",
    ),
    allow(
        "ec2:DescribeLaunchTemplateVersions",
        &[Anything],
        &[LaunchTemplate, Prune, Sweep],
        "which AMIs launch templates name",
    ),
    allow("ec2:DescribeLaunchTemplates", &[Anything], &[LaunchTemplate], "finds the launch template"),
    allow("ec2:DescribeSnapshotAttribute", &[Anything], &[Share], "who may read the snapshot already"),
    allow("ec2:DescribeSnapshots", &[Anything], &[Host, Prune, Sweep], "finds what lies under AMIs"),
    allow("ec2:DescribeSpotInstanceRequests", &[Anything], &[Sweep], "finds requests that would start instances again"),
    allow("ec2:DescribeVolumes", &[Anything], &[Sweep], "finds volumes that a killed run has left"),
    // Who does not say `deprecate_after` any more has to be able to take it back.
    allow("ec2:DisableImageDeprecation", &[On::Image], &[Host], "takes back the day of deprecation").own(),
    allow("ec2:EnableImageDeprecation", &[On::Image], &[Deprecate], "sets the day of deprecation").own(),
    allow("ec2:GetConsoleOutput", &[On::Instance], &[Host, Test], "reads what the host says of itself").own(),
    allow("ec2:ModifyImageAttribute", &[On::Image], &[Host, Share], "demands IMDSv2, and shares the AMI").own(),
    allow(
        "ec2:ModifyLaunchTemplate",
        &[On::LaunchTemplate],
        &[LaunchTemplate],
        "moves the default version, where asked",
    ),
    allow("ec2:ModifySnapshotAttribute", &[Snapshot], &[Share], "shares what lies under the AMI").own(),
    allow(
        "ec2:RunInstances",
        &[On::Image, On::Instance, NetworkInterface, SecurityGroup, On::SpotRequest, Subnet, Volume],
        &[Host, Test],
        "starts the instance that is made into an AMI, or tests it",
    ),
    allow("ec2:TerminateInstances", &[On::Instance], &[Host, Test, Sweep], "ends it").own(),
    allow("ecr:BatchCheckLayerAvailability", &[Repository], &[Image], "which layers are there"),
    allow("ecr:BatchGetImage", &[Repository], &[Image], "reads what has a tag already").uncalled(),
    allow("ecr:CompleteLayerUpload", &[Repository], &[Image], "sends layers"),
    allow("ecr:CreateRepository", &[Repository], &[Provision], "makes repositories that are missing"),
    allow("ecr:DeleteLifecyclePolicy", &[Repository], &[Provision], "where a target does not say `keep` any more"),
    allow("ecr:DeleteRepositoryPolicy", &[Repository], &[Provision], "where a target has no `readers` any more"),
    allow("ecr:DescribeRegistry", &[Anything], &[Replication], "how the registry replicates"),
    allow("ecr:DescribeRepositories", &[Repository], &[Image, Provision], "how repositories are set"),
    allow("ecr:GetAuthorizationToken", &[Anything], &[Image], "logs in to the registry"),
    allow("ecr:GetDownloadUrlForLayer", &[Repository], &[Image], "reads layers of bases").uncalled(),
    allow("ecr:GetLifecyclePolicy", &[Repository], &[Provision], "how many images are kept"),
    allow("ecr:GetRepositoryPolicy", &[Repository], &[Provision], "who may read"),
    allow("ecr:InitiateLayerUpload", &[Repository], &[Image], "sends layers"),
    allow("ecr:ListTagsForResource", &[Repository], &[Provision], "the repository's tags"),
    allow("ecr:PutImage", &[Repository], &[Image], "puts the image under its tag").uncalled(),
    allow("ecr:PutImageScanningConfiguration", &[Repository], &[Provision], "sets scans on push"),
    allow("ecr:PutImageTagMutability", &[Repository], &[Provision], "sets which tags are never moved"),
    allow("ecr:PutLifecyclePolicy", &[Repository], &[Provision], "sets how many images are kept"),
    allow("ecr:PutReplicationConfiguration", &[Anything], &[Replication], "sets how the registry replicates"),
    allow("ecr:SetRepositoryPolicy", &[Repository], &[Provision], "sets who may read"),
    allow("ecr:TagResource", &[Repository], &[Provision], "sets the repository's tags"),
    allow("ecr:UploadLayerPart", &[Repository], &[Image], "sends layers"),
    allow(
        "iam:CreateServiceLinkedRole",
        &[Role],
        &[Spot, Replication],
        "AWS makes its own role for spot instances and for replication once in an account",
    )
    .uncalled(),
    allow("iam:PassRole", &[Role], &[InstanceProfile], "gives the instance the role of its profile").uncalled(),
    allow("kms:CreateGrant", &[Key], &[HostKey, RepositoryKey], "lets EC2 and ECR use the key").uncalled(),
    allow("kms:Decrypt", &[Key], &[HostKey], "reads encrypted snapshots, to copy them").uncalled(),
    allow("kms:DescribeKey", &[Key], &[HostKey, RepositoryKey], "whether the key is there").uncalled(),
    allow("kms:GenerateDataKeyWithoutPlaintext", &[Key], &[HostKey], "encrypts volumes and snapshots").uncalled(),
    allow("kms:ReEncryptFrom", &[Key], &[HostKey], "copies snapshots from key to key").uncalled(),
    allow("kms:ReEncryptTo", &[Key], &[HostKey], "copies snapshots from key to key").uncalled(),
    allow(
        "ssm:GetParameter",
        &[Parameter, On::PublicParameter],
        &[HostParameter, PublicParameter, Prune, Sweep],
        "what parameters name: the base, what is published, what launch templates start from",
    ),
    allow("ssm:PutParameter", &[Parameter], &[ImageParameter, HostParameter], "publishes references and ids"),
    // AWS allows it to everybody.
    allow("sts:GetCallerIdentity", &[Anything], &[], "whose credentials these are"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_in_order_and_says_everything() {
        let names: Vec<&str> = PERMISSIONS.iter().map(|one| one.action).collect();
        assert!(names.is_sorted() && names.windows(2).all(|two| two[0] != two[1]), "{names:?}");
        for one in PERMISSIONS {
            assert!(!one.on.is_empty() && !one.why.is_empty(), "{}", one.action);
            // A condition on tags holds for what has tags.
            assert!(!one.own || !one.on.contains(&Anything), "{}", one.action);
        }
    }

    #[test]
    fn things_are_named_as_policies_name_them() {
        let arn = |on: On| on.arn("aws-cn", "cn-north-1", "123456789012");
        assert_eq!(arn(Anything), "*");
        assert_eq!(arn(On::Image), "arn:aws-cn:ec2:cn-north-1::image/*");
        assert_eq!(arn(On::Instance), "arn:aws-cn:ec2:cn-north-1:123456789012:instance/*");
        assert_eq!(arn(Role), "arn:aws-cn:iam::123456789012:role/*");
        assert_eq!(arn(On::PublicParameter), "arn:aws-cn:ssm:cn-north-1::parameter/aws/*");
    }
}
