//! Instances, what they print, and who starts them.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::Client;
use crate::kitchen::cloud::Guest;

#[test]
fn what_an_order_may_say_is_checked() {
    let client = Client::new();
    let base = client.amazon.base(&client.region, "x86_64");
    let run = |more: &str| client.ec2("RunInstances", &format!("ImageId={base} MinCount=1 MaxCount=1 {more}"));
    for (more, code, about) in [
        ("InstanceType=m9.huge", "InvalidParameterValue", "m9.huge"),
        ("InstanceType=m7g.large", "InvalidParameterValue", "does not match the architecture 'x86_64'"),
        ("InstanceType=m6i.large SubnetId=subnet-1", "InvalidSubnetID.NotFound", "subnet-1"),
        ("InstanceType=m6i.large SecurityGroupId.1=sg-1", "InvalidGroup.NotFound", "sg-1"),
        ("InstanceType=m6i.large KeyName=mine", "InvalidKeyPair.NotFound", "mine"),
        (
            "InstanceType=m6i.large IamInstanceProfile.Name=host",
            "InvalidParameterValue",
            "Invalid IAM Instance Profile name",
        ),
        ("InstanceType=m6i.large UserData=%%%", "InvalidUserData.Malformed", "BASE64"),
        ("InstanceType=m6i.large MetadataOptions.HttpTokens=must", "InvalidParameterValue", "must"),
        ("InstanceType=m6i.large MetadataOptions.Tokens=required", "UnknownParameter", "MetadataOptions.Tokens"),
        ("InstanceType=m6i.large TagSpecification.1.ResourceType=image", "InvalidParameterValue", "image"),
        (
            "InstanceType=m6i.large TagSpecification.1.ResourceType=instance TagSpecification.1.Tag.1.Key=aws:x",
            "InvalidParameterValue",
            "aws:",
        ),
        ("InstanceType=m6i.large DryRun=true", "DryRunOperation", "would have succeeded"),
    ] {
        run(more).refused(code, about);
    }
    let data = |size: usize| {
        let data = STANDARD.encode(vec![b'x'; size]);
        run(&format!("InstanceType=m6i.large UserData={data}"))
    };
    data(16_384).fine();
    data(16_385).refused("InvalidParameterValue", "16384 bytes");
    client.amazon.profile("host");
    client.amazon.network("eu-west-1", "subnet-1");
    let more = "InstanceType=m6i.large SubnetId=subnet-1 MetadataOptions.HttpTokens=required \
                IamInstanceProfile.Arn=arn:aws:iam::123456789012:instance-profile/host";
    assert_eq!(run(more).fine().get("httpTokens"), "required");
}

#[test]
fn a_token_and_an_order_belong_together() {
    let client = Client::new();
    let id = client.run("ClientToken=t");
    assert_eq!(client.run("ClientToken=t"), id);
    let base = client.amazon.base(&client.region, "x86_64");
    let other = format!("ImageId={base} InstanceType=c5.large MinCount=1 MaxCount=1 ClientToken=t");
    client.ec2("RunInstances", &other).refused("IdempotentParameterMismatch", "inconsistent");
    assert_ne!(client.run("ClientToken=u"), id);
    // It stays the token of an instance that has ended.
    client.ec2("TerminateInstances", &format!("InstanceId.1={id}")).fine();
    client.wait("DescribeInstances", &format!("InstanceId.1={id}"), "<name>terminated");
    assert_eq!(client.run("ClientToken=t"), id);
}

#[test]
fn an_instance_lives_and_ends_as_planned() {
    let client = Client::new();
    client.amazon.guest(|boot| {
        assert_eq!((boot.architecture.as_str(), boot.is_stock), ("x86_64", true));
        assert_eq!((boot.region.as_str(), boot.account.as_str(), boot.is_spot), ("eu-west-1", "123456789012", false));
        assert_eq!((boot.user_data.as_slice(), boot.tags["k"].as_str()), (&b"hello"[..], "v"));
        Guest::stops().after(3_600_000).says("first").says_at(25, "last").says_at(7_200_000, "never")
    });
    let tags =
        "TagSpecification.1.ResourceType=instance TagSpecification.1.Tag.1.Key=k TagSpecification.1.Tag.1.Value=v";
    let id = client.run(&format!("{tags} UserData={}", STANDARD.encode("hello")));
    let of = format!("InstanceId={id}");
    client.wait("DescribeInstances", &format!("InstanceId.1={id}"), "<name>running</name>");
    client.ec2("CreateImage", &format!("{of} Name=abc NoReboot=true")).fine();
    client.wait("GetConsoleOutput", &format!("{of} Latest=true"), &STANDARD.encode("first\r\nlast\r\n"));
    client.amazon.hasten(Duration::ZERO);
    client.wait("DescribeInstances", &format!("InstanceId.1={id}"), "<name>stopped</name>");
    let output = client.ec2("GetConsoleOutput", &format!("{of} Latest=true")).get("output");
    let output = STANDARD.decode(output).unwrap();
    assert_eq!(String::from_utf8(output).unwrap(), "first\r\nlast\r\n");
    client.ec2("StopInstances", &format!("InstanceId.1={id}")).fine();
    client
        .ec2("TerminateInstances", &format!("InstanceId.1={id} InstanceId.2=i-0f"))
        .refused("InvalidInstanceID.NotFound", "i-0f");
    client.ec2("TerminateInstances", &format!("InstanceId.1={id}")).fine();
    client.ec2("TerminateInstances", &format!("InstanceId.1={id}")).fine();
    let said = client.wait("DescribeInstances", "Filter.1.Name=instance-state-name Filter.1.Value.1=term*", &id);
    assert!(said.has("Client.UserInitiatedShutdown"));
}

#[test]
fn a_console_is_late_and_short_on_old_machines() {
    let client = Client::new();
    client.amazon.guest(|_| Guest::stays().says("hello").says_at(40, "later"));
    client.amazon.pace(|pace| pace.console = Duration::from_secs(3600));
    let id = client.run("");
    client.wait("DescribeInstances", &format!("InstanceId.1={id}"), "<name>running</name>");
    assert_eq!(client.ec2("GetConsoleOutput", &format!("InstanceId={id} Latest=true")).fine().count("output"), 0);
    client.amazon.pace(|pace| pace.console = Duration::from_millis(20));
    client.wait("GetConsoleOutput", &format!("InstanceId={id} Latest=true"), "aGVsbG8NCmxhdGVyDQo=");
    // Not the latest: what was there soon after it began.
    assert_eq!(client.ec2("GetConsoleOutput", &format!("InstanceId={id}")).get("output"), "aGVsbG8NCg==");
    let base = client.amazon.base(&client.region, "x86_64");
    let old = client.ec2("RunInstances", &format!("ImageId={base} InstanceType=m4.large MinCount=1 MaxCount=1"));
    let of = format!("InstanceId={} Latest=true", old.fine().get("instanceId"));
    client.ec2("GetConsoleOutput", &of).refused("UnsupportedOperation", "latest");
}

#[test]
fn spot_instances_have_rules_of_their_own() {
    let client = Client::new();
    let base = client.amazon.base(&client.region, "x86_64");
    let run = |more: &str| {
        let spot = "InstanceMarketOptions.MarketType=spot InstanceMarketOptions.SpotOptions";
        client.ec2(
            "RunInstances",
            &format!("ImageId={base} InstanceType=m6i.large MinCount=1 MaxCount=1 {}", more.replace('%', spot)),
        )
    };
    run("InstanceInitiatedShutdownBehavior=stop %.SpotInstanceType=one-time")
        .refused("InvalidParameterCombination", "one-time");
    run("%.InstanceInterruptionBehavior=stop").refused("InvalidParameterCombination", "'stop'");
    run("%.ValidUntil=2030-01-01T00:00:00Z").refused("InvalidParameterCombination", "validUntil");

    client.amazon.guest(|_| Guest::stops().after(1));
    let once = run("%.SpotInstanceType=one-time").fine();
    let id = once.get("instanceId");
    assert_eq!(once.get("instanceLifecycle"), "spot");
    client.ec2("StopInstances", &format!("InstanceId.1={id}")).refused("UnsupportedOperation", "one-time");
    client.wait("DescribeInstances", &format!("InstanceId.1={id}"), "<name>terminated</name>");
    assert_eq!(client.amazon.left(), [""; 0]);

    // One that stops has a request that goes on until it is taken back.
    let more = "InstanceInitiatedShutdownBehavior=stop %.SpotInstanceType=persistent";
    let said = run(&format!("{more} InstanceMarketOptions.SpotOptions.InstanceInterruptionBehavior=stop")).fine();
    let (id, request) = (said.get("instanceId"), said.get("spotInstanceRequestId"));
    client.wait("DescribeInstances", &format!("InstanceId.1={id}"), "<name>stopped</name>");
    client.ec2("TerminateInstances", &format!("InstanceId.1={id}")).fine();
    client.wait("DescribeInstances", &format!("InstanceId.1={id}"), "<name>terminated</name>");
    assert_eq!(client.amazon.left(), [format!("eu-west-1: request {request} open ")]);
    client.ec2("DescribeSpotInstanceRequests", "Filter.1.Name=state Filter.1.Value.1=open").fine().get("state");
    client.ec2("CancelSpotInstanceRequests", &format!("SpotInstanceRequestId.1={request}")).fine();
    assert_eq!(client.amazon.left(), [""; 0]);

    client.amazon.guest(|_| Guest::taken(1));
    let id = run("%.SpotInstanceType=one-time").fine().get("instanceId");
    client.wait("DescribeInstances", &format!("InstanceId.1={id}"), "Server.SpotInstanceTermination");
}

#[test]
fn instance_types_are_told_of() {
    let client = Client::new();
    let said = client.ec2("DescribeInstanceTypes", "InstanceType.1=i3en.6xlarge InstanceType.2=m7g.large").fine();
    assert_eq!(
        (said.count("instanceType"), said.get("sizeInGB").as_str(), said.get("count").as_str()),
        (2, "7500", "2")
    );
    client.ec2("DescribeInstanceTypes", "InstanceType.1=m9.huge").refused("InvalidInstanceType", "m9.huge");
    let arm = "Filter.1.Name=processor-info.supported-architecture Filter.1.Value.1=arm64";
    assert!(!client.ec2("DescribeInstanceTypes", arm).has("x86_64"));
}

#[test]
fn a_role_is_another_account() {
    let mut client = Client::new();
    client.amazon.ask_for("secret");
    let role = "RoleArn=arn:aws:iam::111122223333:role/bake RoleSessionName=elkbake";
    client.form("sts", "2011-06-15", "AssumeRole", role).refused("AccessDenied", "sts:AssumeRole");
    let said = client.form("sts", "2011-06-15", "AssumeRole", &format!("{role} ExternalId=secret")).fine();
    let key = said.get("AccessKeyId");
    let who = client.with(&key, |there| there.form("sts", "2011-06-15", "GetCallerIdentity", ""));
    assert_eq!(who.get("Account"), "111122223333");
    let id = client.run("");
    let there = client.with(&key, |there| there.ec2("DescribeInstances", &format!("InstanceId.1={id}")));
    there.refused("InvalidInstanceID.NotFound", &id);
    client.amazon.keys_of("AKIDOTHER", "444455556666");
    let who = client.with("AKIDOTHER", |there| there.form("sts", "2011-06-15", "GetCallerIdentity", ""));
    assert_eq!(who.get("Account"), "444455556666");
}
