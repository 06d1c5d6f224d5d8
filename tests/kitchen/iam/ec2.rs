//! What calls of EC2, and of SSM and STS beside it, need.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use super::{Call, Need, Tags, key, request_tags};
use crate::kitchen::cloud::{ACCOUNT, Amazon, Asked};

/// A call, and the tags that the things in it had when it came.
struct Seen {
    asked: Asked,
    tagged: BTreeMap<String, Tags>,
}

/// What was noted of a cloud's calls.
pub struct Watch(Arc<Mutex<Vec<Seen>>>);

impl Watch {
    /// All of them so far, with what they need.
    pub fn calls(&self) -> Vec<Call> {
        let seen = self.0.lock().unwrap();
        let what = |asked: &Asked| format!("{} in {}: {:?}", asked.action, asked.region, asked.fields);
        seen.iter().map(|one| Call { what: what(&one.asked), needs: one.needs() }).collect()
    }
}

/// Notes every call from now on. What it needs depends on the tags that things have when it comes.
pub fn watched(amazon: Amazon) -> (Arc<Amazon>, Watch) {
    let (amazon, noted) = (Arc::new(amazon), Arc::new(Mutex::new(Vec::new())));
    let (cloud, calls) = (Arc::downgrade(&amazon), Arc::clone(&noted));
    amazon.watch(move |asked| {
        let tagged = cloud.upgrade()?.world(|world| {
            let images = world.images.iter().map(|(id, one)| (id.clone(), one.tags.clone()));
            let snapshots = world.snapshots.iter().map(|(id, one)| (id.clone(), one.tags.clone()));
            let volumes = world.volumes.iter().map(|(id, one)| (id.clone(), one.tags.clone()));
            let instances = world.instances.iter().map(|(id, one)| (id.clone(), one.tags.clone()));
            let requests = world.requests.iter().map(|(id, one)| (id.clone(), one.tags.clone()));
            let all = images.chain(snapshots).chain(volumes).chain(instances).chain(requests);
            all.map(|(id, tags)| (id, tags.into_iter().collect())).collect::<BTreeMap<_, _>>()
        });
        calls.lock().unwrap().push(Seen { asked: asked.clone(), tagged });
        None
    });
    (amazon, Watch(noted))
}

impl Seen {
    fn field(&self, name: &str) -> &str {
        self.asked.fields.get(name).map_or("", String::as_str)
    }

    /// All values of a list, and of lists in it.
    fn values(&self, begins: &str, ends: &str) -> Vec<&str> {
        let fields = self.asked.fields.iter();
        let named = fields.filter(|(name, _)| name.starts_with(begins) && name.ends_with(ends));
        named.map(|(_, value)| value.as_str()).collect()
    }

    fn arn(&self, id: &str) -> String {
        let (kind, account) = match id.split_once('-').map_or(id, |(kind, _)| kind) {
            "ami" => ("image", ""),
            "snap" => ("snapshot", ""),
            "vol" => ("volume", ACCOUNT),
            "i" => ("instance", ACCOUNT),
            "sir" => ("spot-instances-request", ACCOUNT),
            "subnet" => ("subnet", ACCOUNT),
            "sg" => ("security-group", ACCOUNT),
            "lt" => ("launch-template", ACCOUNT),
            other => panic!("nobody knows what {other} is"),
        };
        format!("arn:aws:ec2:{}:{account}:{kind}/{id}", self.asked.region)
    }

    /// Something that is made by the call, and has no id yet.
    fn any(&self, kind: &str) -> String {
        let account = if ["image", "snapshot"].contains(&kind) { "" } else { ACCOUNT };
        format!("arn:aws:ec2:{}:{account}:{kind}/*", self.asked.region)
    }

    /// The tags that are asked for, by kind of thing.
    fn asked_tags(&self) -> BTreeMap<String, Tags> {
        let mut all = BTreeMap::new();
        for n in 1.. {
            let begins = format!("TagSpecification.{n}.");
            let Some(kind) = self.asked.fields.get(&format!("{begins}ResourceType")) else { break };
            all.insert(kind.clone(), self.pairs(&format!("{begins}Tag.")));
        }
        all
    }

    fn pairs(&self, begins: &str) -> Tags {
        let key =
            |name: &String| name.strip_prefix(begins).and_then(|rest| rest.strip_suffix(".Key")).map(str::to_owned);
        let fields = self.asked.fields.iter();
        let named = fields.filter_map(|(name, tag)| Some((tag.clone(), key(name)?)));
        named.map(|(tag, n)| (tag, self.field(&format!("{begins}{n}.Value")).to_owned())).collect()
    }

    fn need(&self, action: &str, resource: String, more: &[(String, String)]) -> Need {
        let region = ("aws:RequestedRegion".to_owned(), self.asked.region.clone());
        Need { action: action.to_owned(), resource, context: more.iter().cloned().chain([region]).collect() }
    }

    /// Of something that is there.
    fn there(&self, action: &str, id: &str, more: &[(String, String)]) -> Need {
        let tags = self.tagged.get(id).into_iter().flatten();
        let tags = tags.map(|(tag, value)| (format!("aws:ResourceTag/{tag}"), value.clone()));
        self.need(action, self.arn(id), &tags.chain(more.iter().cloned()).collect::<Vec<_>>())
    }

    /// What a call needs that makes things: each with its tags, and the right to tag it.
    fn made(&self, kinds: &[&str]) -> Vec<Need> {
        let (action, asked) = (format!("ec2:{}", self.asked.action), self.asked_tags());
        let mut needs = Vec::new();
        for kind in kinds {
            let tags = request_tags(asked.get(*kind).into_iter().flatten());
            needs.push(self.need(&action, self.any(kind), &tags));
        }
        for (kind, tags) in &asked {
            let by = [("ec2:CreateAction".to_owned(), self.asked.action.clone())];
            let context: Vec<_> = request_tags(tags).into_iter().chain(by).collect();
            needs.push(self.need("ec2:CreateTags", self.any(kind), &context));
        }
        needs
    }

    /// The rights on keys that are named: EC2 uses them in our name, through grants and at once.
    fn keyed(&self) -> Vec<Need> {
        const USED: [&str; 6] = [
            "kms:CreateGrant",
            "kms:Decrypt",
            "kms:DescribeKey",
            "kms:GenerateDataKeyWithoutPlaintext",
            "kms:ReEncryptFrom",
            "kms:ReEncryptTo",
        ];
        let region = &self.asked.region;
        let through = ("kms:ViaService".to_owned(), format!("ec2.{region}.amazonaws.com"));
        let granted = ("kms:GrantIsForAWSResource".to_owned(), "true".to_owned());
        let of_one = |said: &str| {
            USED.map(|action| {
                let is_grant = action == "kms:CreateGrant";
                let more: Vec<_> = std::iter::once(&through).chain(is_grant.then_some(&granted)).cloned().collect();
                self.need(action, key(said, region, ACCOUNT), &more)
            })
        };
        self.values("", "KmsKeyId").into_iter().flat_map(of_one).collect()
    }

    /// All rights that the call needs.
    fn needs(&self) -> Vec<Need> {
        let mut needs = self.keyed();
        needs.extend(self.of_action());
        needs
    }

    fn of_action(&self) -> Vec<Need> {
        let action = format!("{}:{}", self.asked.service, self.asked.action);
        let plain = |field: &str| vec![self.there(&action, self.field(field), &[])];
        match action.as_str() {
            // AWS allows it to everybody.
            "sts:GetCallerIdentity" => Vec::new(),
            "ec2:RunInstances" => self.started(),
            "ec2:CreateImage" => {
                let mut needs = self.made(&["image", "snapshot"]);
                needs.extend(plain("InstanceId"));
                needs
            }
            "ec2:CopyImage" => self.made(&["image"]),
            "ec2:CreateTags" => {
                let tags = request_tags(&self.pairs("Tag."));
                self.values("ResourceId.", "").into_iter().map(|id| self.there(&action, id, &tags)).collect()
            }
            "ec2:TerminateInstances" => {
                self.values("InstanceId.", "").into_iter().map(|id| self.there(&action, id, &[])).collect()
            }
            "ec2:CancelSpotInstanceRequests" => {
                self.values("SpotInstanceRequestId.", "").into_iter().map(|id| self.there(&action, id, &[])).collect()
            }
            "ec2:GetConsoleOutput" => plain("InstanceId"),
            "ec2:DeregisterImage"
            | "ec2:DisableImageDeprecation"
            | "ec2:EnableImageDeprecation"
            | "ec2:ModifyImageAttribute" => plain("ImageId"),
            "ec2:DeleteSnapshot" | "ec2:ModifySnapshotAttribute" => plain("SnapshotId"),
            "ec2:DeleteVolume" => plain("VolumeId"),
            "ec2:CreateLaunchTemplateVersion" | "ec2:ModifyLaunchTemplate" => plain("LaunchTemplateId"),
            "ssm:GetParameter" | "ssm:PutParameter" => {
                let name = self.field("Name");
                let account = if name.starts_with("/aws/") { "" } else { ACCOUNT };
                vec![self.need(&action, format!("arn:aws:ssm:{}:{account}:parameter{name}", self.asked.region), &[])]
            }
            _ if self.asked.action.starts_with("Describe") => vec![self.need(&action, "*".to_owned(), &[])],
            other => panic!("nobody knows what {other} needs"),
        }
    }

    fn started(&self) -> Vec<Need> {
        let is_spot = !self.field("InstanceMarketOptions.MarketType").is_empty();
        let request = is_spot.then_some("spot-instances-request");
        let kinds: Vec<_> = ["instance", "volume"].into_iter().chain(request).collect();
        let mut needs = self.made(&kinds);
        let used = |id: &str| self.there("ec2:RunInstances", id, &[]);
        needs.push(used(self.field("ImageId")));
        needs.push(self.need("ec2:RunInstances", self.any("network-interface"), &[]));
        // Where none is named, EC2 takes one of the default network, and asks for it all the same.
        for (kind, named) in [("subnet", "SubnetId"), ("security-group", "SecurityGroupId.")] {
            let ids: Vec<_> = self.asked.fields.iter().filter(|(name, _)| name.contains(named)).collect();
            if ids.is_empty() {
                needs.push(self.need("ec2:RunInstances", self.any(kind), &[]));
            }
            needs.extend(ids.iter().map(|(_, id)| used(id)));
        }
        if !self.field("IamInstanceProfile.Name").is_empty() || !self.field("IamInstanceProfile.Arn").is_empty() {
            let service = [("iam:PassedToService".to_owned(), "ec2.amazonaws.com".to_owned())];
            needs.push(self.need("iam:PassRole", format!("arn:aws:iam::{ACCOUNT}:role/of-the-profile"), &service));
        }
        needs
    }
}
