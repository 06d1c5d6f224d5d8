//! IAM, as far as the policies that elkbake prints go: whether one allows a call that the cloud saw.
//!
//! What AWS asks for is written down from its service authorization reference: some calls need several rights, each on
//! its own resources, with what is known of these as conditions.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::kitchen::cloud::{ACCOUNT, Asked};

type Tags = BTreeMap<String, String>;

/// A call, and the tags that the things in it had when it came.
#[derive(Clone)]
pub struct Seen {
    pub asked: Asked,
    pub tagged: BTreeMap<String, Tags>,
}

/// A right that a call needs.
#[derive(Debug)]
pub struct Need {
    action: String,
    resource: String,
    context: BTreeMap<String, String>,
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

    /// All rights that the call needs.
    pub fn needs(&self) -> Vec<Need> {
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
            "ec2:DeregisterImage" | "ec2:EnableImageDeprecation" | "ec2:ModifyImageAttribute" => plain("ImageId"),
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

fn request_tags<'t>(tags: impl IntoIterator<Item = (&'t String, &'t String)>) -> Vec<(String, String)> {
    tags.into_iter().map(|(tag, value)| (format!("aws:RequestTag/{tag}"), value.clone())).collect()
}

/// The rights of a call that no statement gives.
pub fn denied(statements: &[&Value], seen: &Seen) -> Vec<Need> {
    seen.needs().into_iter().filter(|need| !statements.iter().any(|statement| allows(statement, need))).collect()
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
