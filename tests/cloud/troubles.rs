//! What goes wrong on the way.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::{Client, OTHER, REGION};
use crate::kitchen::cloud::Trouble;

const FORM: &str = "Content-Type: application/x-www-form-urlencoded";
const REGIONS: &str = "Action=DescribeRegions&Version=2016-11-15";

#[test]
fn calls_go_wrong_as_planned() {
    let client = Client::new();
    client.amazon.fault("DescribeRegions", 1, Trouble::Nothing);
    client.amazon.fault("DescribeRegions", 1, Trouble::Error("InternalError"));
    client.amazon.fault("DescribeRegions", 1, Trouble::Status(503));
    client.ec2("DescribeRegions", "").fine();
    let said = client.ec2("DescribeRegions", "");
    assert_eq!((said.status, said.get("Code").as_str()), (500, "InternalError"));
    assert_eq!(client.ec2("DescribeRegions", "").status, 503);
    client.amazon.fault("DescribeRegions", 1, Trouble::HangUp);
    client.amazon.fault("DescribeRegions", 1, Trouble::Cut(40));
    assert!(client.send("ec2", FORM, REGIONS).is_none());
    assert!(client.send("ec2", FORM, REGIONS).is_none());
    let before = Instant::now();
    client.amazon.slow("DescribeRegions", Duration::from_millis(40));
    client.ec2("DescribeRegions", "").fine();
    assert!(before.elapsed() >= Duration::from_millis(40));
}

#[test]
fn an_answer_that_is_lost_was_given() {
    let client = Client::new();
    client.amazon.fault("CreateKeyPair", 1, Trouble::Lost);
    let body = "Action=CreateKeyPair&Version=2016-11-15&KeyName=mine";
    assert!(client.send("ec2", FORM, body).is_none());
    client.ec2("CreateKeyPair", "KeyName=mine").refused("InvalidKeyPair.Duplicate", "mine");
    assert_eq!(client.amazon.left(), ["eu-west-1: key-pair mine there mine"]);
    client.ec2("DeleteKeyPair", "KeyName=mine").fine();
}

#[test]
fn who_watches_sees_every_call_before_it_is_done() {
    let client = Client::new();
    let seen = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&seen);
    client.amazon.watch(move |asked| {
        count.store(asked.number, Ordering::Relaxed);
        (asked.number == 2).then_some(Trouble::Error("RequestLimitExceeded"))
    });
    client.ec2("DescribeRegions", "").fine();
    assert_eq!(client.ec2("DescribeRegions", "").status, 503);
    client.ssm("GetParameter", "{\"Name\":\"/a\"}");
    assert_eq!(seen.load(Ordering::Relaxed), 3);
    let calls = client.amazon.calls();
    let told: Vec<_> = calls.iter().map(|one| (one.number, one.service.as_str(), one.action.as_str())).collect();
    assert_eq!(told, [(1, "ec2", "DescribeRegions"), (2, "ec2", "DescribeRegions"), (3, "ssm", "GetParameter")]);
    assert_eq!(calls[2].fields["Name"], "/a");
    client.amazon.forget();
    assert_eq!(client.amazon.asked("GetParameter"), 0);
}

#[test]
fn who_calls_too_often_is_told_so() {
    let mut client = Client::new();
    // As if no time went by between the calls.
    client.amazon.limit("DescribeRegions", 0, 2);
    client.amazon.limit("GetParameter", 0, 1);
    client.ec2("DescribeRegions", "").fine();
    client.ec2("DescribeRegions", "").fine();
    client.ec2("DescribeRegions", "").refused("RequestLimitExceeded", "limit");
    client.there(OTHER, |there| there.ec2("DescribeRegions", "")).fine();
    client.ssm("GetParameter", "{\"Name\":\"/a\"}");
    assert!(client.ssm("GetParameter", "{\"Name\":\"/a\"}").has("ThrottlingException"));
    assert_eq!(client.amazon.throttled(), 2);
}

#[test]
fn a_missing_permission_is_named_as_aws_names_it() {
    let client = Client::new();
    client.amazon.deny("ec2:CreateImage");
    client.amazon.deny("ssm:GetParameter");
    let instance = client.stopped("");
    client
        .ec2("CreateImage", &format!("InstanceId={instance} Name=abc"))
        .refused("UnauthorizedOperation", "ec2:CreateImage");
    assert!(client.ssm("GetParameter", "{\"Name\":\"/a\"}").has("AccessDeniedException"));
}

#[test]
fn what_is_new_is_found_a_little_later() {
    let client = Client::new();
    client.amazon.pace(|pace| pace.unseen_calls = 2);
    let id = client.run("");
    let of = format!("InstanceId.1={id}");
    client.ec2("DescribeInstances", &of).refused("InvalidInstanceID.NotFound", &id);
    client.ec2("CreateTags", &format!("ResourceId.1={id} Tag.1.Key=a")).refused("InvalidInstanceID.NotFound", &id);
    client.ec2("DescribeInstances", &of).fine();
    client.amazon.pace(|pace| (pace.unseen_calls, pace.unseen) = (0, Duration::from_secs(3600)));
    let id = client.run("");
    assert!(!client.ec2("DescribeInstances", "").has(&id));
    client.amazon.hasten(Duration::from_millis(20));
    client.wait("DescribeInstances", "", &id);
}

#[test]
fn what_is_no_call_is_refused() {
    let mut client = Client::new();
    client.ec2("DescribeEverything", "").refused("InvalidAction", "DescribeEverything");
    client.form("ec2", "2015-01-01", "DescribeRegions", "").refused("NoSuchVersion", "2015-01-01");
    client.form("iam", "2011-06-15", "GetUser", "").refused("InvalidAction", "iam");
    client.there("mars-1", |there| there.ec2("DescribeRegions", "")).refused("AuthFailure", "mars-1");
    assert!(client.ssm("DescribeEverything", "{}").has("UnknownOperationException"));
    assert!(client.ssm("GetParameter", "no json").has("SerializationException"));
    let said = client.send("ec2", FORM, &format!("{REGIONS}&RegionName.1=%ff")).unwrap();
    said.refused("MalformedQueryString", "%ff");
    let said = client.send("ec2", FORM, &format!("{REGIONS}&DryRun=true&DryRun=true")).unwrap();
    said.refused("InvalidParameterCombination", "DryRun");
    let said = client.send("ec2", "Content-Type: text/plain", REGIONS).unwrap();
    said.refused("InvalidRequest", "text/plain");
    assert_eq!(client.region, REGION);
}

#[test]
fn a_network_is_made_and_taken_down() {
    let client = Client::new();
    let group = client.ec2("CreateSecurityGroup", "GroupName=g GroupDescription=d").fine().get("groupId");
    let open = "IpPermissions.1.IpProtocol=tcp IpPermissions.1.FromPort=22 IpPermissions.1.ToPort=22 \
                IpPermissions.1.IpRanges.1.CidrIp=0.0.0.0/0";
    client.ec2("AuthorizeSecurityGroupIngress", &format!("GroupId={group} {open}")).fine();
    let id = client.run(&format!("SecurityGroupId.1={group}"));
    client.ec2("DeleteSecurityGroup", &format!("GroupId={group}")).refused("DependencyViolation", &group);
    client.ec2("TerminateInstances", &format!("InstanceId.1={id}")).fine();
    client.wait("DescribeInstances", &format!("InstanceId.1={id}"), "<name>terminated");
    client.ec2("DescribeSecurityGroups", &format!("GroupId.1={group}")).fine();
    client.ec2("DeleteSecurityGroup", &format!("GroupId={group}")).fine();
    client.ec2("DescribeSubnets", "").fine();
    client.ec2("DescribeVpcs", "").fine();
    assert_eq!(client.amazon.left(), [""; 0]);
}
