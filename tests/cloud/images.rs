//! Images and their snapshots.

use std::time::Duration;

use super::{Client, OTHER};

#[test]
fn an_image_has_a_name_of_its_own() {
    let client = Client::new();
    let instance = client.stopped("");
    let create = |name: &str| client.ec2("CreateImage", &format!("InstanceId={instance} Name={name}"));
    for name in ["ab", &"x".repeat(129), "a:b", "a\"b", "ä-b"] {
        create(name).refused("InvalidAMIName.Malformed", "3 and 128");
    }
    let id = create("ecs-host-1~(x)-[y]_'z'@/.").fine().get("imageId");
    create("ecs-host-1~(x)-[y]_'z'@/.").refused("InvalidAMIName.Duplicate", &id);
    let filter = "Owner.1=self Filter.1.Name=name Filter.1.Value.1=ecs-host-1*";
    assert!(client.ec2("DescribeImages", filter).has(&id));
    client.ec2("DeregisterImage", &format!("ImageId={id}")).fine();
    create("ecs-host-1~(x)-[y]_'z'@/.").fine();
}

#[test]
fn an_image_is_pending_for_a_while() {
    let client = Client::new();
    let instance = client.stopped("");
    client.amazon.pace(|pace| pace.image = Duration::from_secs(3600));
    let tags = "TagSpecification.1.ResourceType=image TagSpecification.1.Tag.1.Key=k TagSpecification.1.Tag.1.Value=v \
                TagSpecification.2.ResourceType=snapshot TagSpecification.2.Tag.1.Key=s TagSpecification.2.Tag.1.Value=t";
    let id = client.ec2("CreateImage", &format!("InstanceId={instance} Name=abc {tags}")).fine().get("imageId");
    let said = client.ec2("DescribeImages", &format!("ImageId.1={id}"));
    assert_eq!((said.get("imageState").as_str(), said.count("snapshotId")), ("pending", 0));
    // Its snapshots can be found already.
    let said = client.ec2("DescribeSnapshots", "Filter.1.Name=tag:s Filter.1.Value.1=t");
    assert!(said.has(&format!("Created by CreateImage({instance}) for {id}")), "{said:?}");
    client.ec2("CopyImage", &copy(&id, "abcd", "")).refused("InvalidAMIID.Unavailable", &id);
    client
        .ec2("RunInstances", &format!("ImageId={id} InstanceType=m6i.large MinCount=1 MaxCount=1"))
        .refused("InvalidAMIID.Unavailable", &id);
    client.amazon.hasten(Duration::from_millis(20));
    let said = client.available(&id);
    assert_eq!((said.count("snapshotId"), said.get("sourceInstanceId")), (1, instance.clone()));
    assert_eq!((said.get("bootMode"), said.get("imdsSupport")), ("uefi-preferred".to_owned(), "v2.0".to_owned()));
    client.ec2("TerminateInstances", &format!("InstanceId.1={instance}")).fine();
    client.wait("DescribeInstances", &format!("InstanceId.1={instance}"), "<name>terminated");
    assert_eq!(client.amazon.left(), [""; 0]);
    assert_eq!(client.amazon.inventory()["eu-west-1"].len(), 2);
}

/// The parameters of a copy.
fn copy(image: &str, name: &str, more: &str) -> String {
    format!("SourceImageId={image} SourceRegion=eu-west-1 Name={name} {more}")
}

#[test]
fn what_is_running_or_on_its_way_makes_no_image() {
    let client = Client::new();
    client.amazon.pace(|pace| pace.boot = Duration::from_secs(3600));
    let id = client.run("");
    client.ec2("CreateImage", &format!("InstanceId={id} Name=abc")).refused("IncorrectInstanceState", &id);
    client.ec2("CreateImage", "InstanceId=i-0f Name=abc").refused("InvalidInstanceID.NotFound", "i-0f");
    client.ec2("CreateImage", &format!("InstanceId={id}")).refused("MissingParameter", "Name");
    client.ec2("TerminateInstances", &format!("InstanceId.1={id}")).fine();
    client.ec2("CreateImage", &format!("InstanceId={id} Name=abc")).refused("IncorrectInstanceState", &id);
}

#[test]
fn the_disks_of_an_image_are_those_of_the_instance_and_new_ones() {
    let client = Client::new();
    let instance = client.stopped("");
    let create = |more: &str| client.ec2("CreateImage", &format!("InstanceId={instance} Name=abc {more}"));
    let root = "BlockDeviceMapping.1.DeviceName=/dev/xvda";
    create(&format!("{root} BlockDeviceMapping.1.Ebs.Encrypted=true"))
        .refused("InvalidBlockDeviceMapping", "Encrypted flag");
    create(&format!("{root} BlockDeviceMapping.1.Ebs.VolumeSize=40")).refused("InvalidBlockDeviceMapping", "/dev/xvda");
    create(&format!("{root} BlockDeviceMapping.1.NoDevice=")).refused("InvalidBlockDeviceMapping", "/dev/xvda");
    let data = "BlockDeviceMapping.2.DeviceName=/dev/xvdf BlockDeviceMapping.2.Ebs.VolumeSize=100 \
                BlockDeviceMapping.2.Ebs.VolumeType=io2 BlockDeviceMapping.2.Ebs.Iops=4000 \
                BlockDeviceMapping.2.Ebs.Encrypted=true BlockDeviceMapping.3.DeviceName=/dev/xvdg \
                BlockDeviceMapping.3.VirtualName=ephemeral0";
    let id = create(&format!("{root} BlockDeviceMapping.1.Ebs.DeleteOnTermination=false {data}")).fine().get("imageId");
    let said = client.available(&id);
    assert_eq!((said.count("deviceName"), said.count("snapshotId"), said.count("virtualName")), (3, 1, 1));
    assert!(said.has("<iops>4000</iops>") && said.has("<deleteOnTermination>false"), "{said:?}");
    // And an instance of it has them, with a new disk of that kind.
    let run = format!("ImageId={id} InstanceType=m6i.large MinCount=1 MaxCount=1");
    let made = client.ec2("RunInstances", &run).fine().get("instanceId");
    let filter = format!("Filter.1.Name=attachment.instance-id Filter.1.Value.1={made}");
    let said = client.ec2("DescribeVolumes", &filter);
    assert_eq!((said.count("size"), said.has("<size>100</size>")), (2, true), "{said:?}");
}

#[test]
fn a_copy_is_made_in_the_region_that_is_asked() {
    let mut client = Client::new();
    let id = client.image("abc", "TagSpecification.1.ResourceType=image TagSpecification.1.Tag.1.Key=k");
    let key = client.amazon.key(OTHER, "elk");
    let more = format!("Encrypted=true KmsKeyId={key} ClientToken=t CopyImageTags=true");
    let copied = client.there(OTHER, |there| {
        there
            .ec2("CopyImage", &copy(&id, "abc", "Encrypted=false KmsKeyId=x"))
            .refused("InvalidParameterDependency", "Encrypted");
        there.ec2("CopyImage", &copy("ami-0f", "abc", "")).refused("InvalidAMIID.NotFound", "ami-0f");
        let copied = there.ec2("CopyImage", &copy(&id, "abc", &more)).fine().get("imageId");
        assert_eq!(there.ec2("CopyImage", &copy(&id, "abc", &more)).fine().get("imageId"), copied);
        there.ec2("CopyImage", &copy(&id, "abd", &more)).refused("IdempotentParameterMismatch", "inconsistent");
        there.ec2("CopyImage", &copy(&id, "abc", "")).refused("InvalidAMIName.Duplicate", &copied);
        let said = there.available(&copied);
        assert_eq!((said.get("sourceImageId"), said.get("sourceImageRegion")), (id.clone(), "eu-west-1".to_owned()));
        assert!(said.has("<encrypted>true") && said.has("<key>k</key>"), "{said:?}");
        let snapshot = said.get("snapshotId");
        assert_eq!(there.ec2("DescribeSnapshots", &format!("SnapshotId.1={snapshot}")).get("kmsKeyId"), key);
        // What is encrypted stays so.
        let again = format!("SourceImageId={copied} SourceRegion={OTHER} Name=again");
        there
            .ec2("CopyImage", &format!("{again} Encrypted=false"))
            .refused("InvalidParameterCombination", "unencrypted");
        let again = there.ec2("CopyImage", &again).fine().get("imageId");
        assert!(there.available(&again).has("<encrypted>true"));
        copied
    });
    client.ec2("DescribeImages", &format!("ImageId.1={copied}")).refused("InvalidAMIID.NotFound", &copied);
}

#[test]
fn a_copy_with_a_key_that_is_not_there_fails_later() {
    let client = Client::new();
    let id = client.image("abc", "");
    client.amazon.key(OTHER, "elk");
    let failed = client.ec2("CopyImage", &copy(&id, "abd", "Encrypted=true KmsKeyId=alias/elk")).fine().get("imageId");
    let said = client.wait("DescribeImages", &format!("ImageId.1={failed}"), "<imageState>failed");
    assert!(said.has("Given key ID is not accessible"), "{said:?}");
    let snapshot = said.get("snapshotId");
    assert_eq!(client.ec2("DescribeSnapshots", &format!("SnapshotId.1={snapshot}")).get("status"), "error");
    assert_eq!(client.amazon.left().len(), 2);
    client.ec2("DeregisterImage", &format!("ImageId={failed}")).fine();
    client.ec2("DeleteSnapshot", &format!("SnapshotId={snapshot}")).fine();
    assert_eq!(client.amazon.left(), [""; 0]);
}

#[test]
fn snapshots_of_images_are_in_use() {
    let client = Client::new();
    let id = client.image("abc", "");
    let snapshot = client.available(&id).get("snapshotId");
    let delete = || client.ec2("DeleteSnapshot", &format!("SnapshotId={snapshot}"));
    delete().refused("InvalidSnapshot.InUse", &id);
    client.ec2("DeregisterImage", &format!("ImageId={id}")).fine();
    client.ec2("DeregisterImage", &format!("ImageId={id}")).refused("InvalidAMIID.NotFound", &id);
    assert_eq!(client.amazon.left().len(), 1);
    delete().fine();
    delete().refused("InvalidSnapshot.NotFound", &snapshot);
    let base = client.amazon.base(&client.region, "x86_64");
    client.ec2("DeregisterImage", &format!("ImageId={base}")).refused("AuthFailure", &base);
}

#[test]
fn images_are_found_by_what_they_are() {
    let client = Client::new();
    let own = client.image("mine-1", "");
    let find = |more: &str| client.ec2("DescribeImages", more).fine().count("imageId");
    assert_eq!((find("Owner.1=self"), find("Owner.1=123456789012"), find("Owner.1=aws-marketplace")), (1, 1, 0));
    assert_eq!((find("Owner.1=amazon"), find("Owner.1=amazon IncludeDeprecated=true")), (4, 8));
    let ecs = "Owner.1=amazon Filter.1.Name=name Filter.1.Value.1=al2023-ami-ecs-hvm-*";
    assert_eq!(find(&format!("{ecs} Filter.2.Name=architecture Filter.2.Value.1=arm64")), 1);
    assert_eq!(find(&format!("ImageId.1={own} Filter.1.Name=state Filter.1.Value.1=pending")), 0);
    client
        .ec2("DescribeImages", "Filter.1.Name=nam Filter.1.Value.1=x")
        .refused("InvalidParameterValue", "'nam' is invalid");
    client.ec2("DescribeImages", "Filter.1.Name=name").refused("InvalidParameterValue", "no value");
    client.ec2("DescribeImages", "ImageIds.1=ami-1").refused("UnknownParameter", "ImageIds.1");
    client.ec2("DescribeImages", "ImageId.1=my-image").refused("InvalidAMIID.Malformed", "my-image");

    let first = client.ec2("DescribeImages", "MaxResults=3 IncludeDeprecated=true");
    assert_eq!(first.count("imageId"), 3);
    let rest = format!("MaxResults=1000 IncludeDeprecated=true NextToken={}", first.get("nextToken"));
    assert_eq!(client.ec2("DescribeImages", &rest).count("imageId"), 6);
    client
        .ec2("DescribeImages", &format!("MaxResults=5 ImageId.1={own}"))
        .refused("InvalidParameterCombination", "maxResults");
    client.ec2("DescribeInstances", "MaxResults=4").refused("InvalidParameterValue", "between 5 and 1000");
}

#[test]
fn an_image_gets_old_at_a_minute() {
    let client = Client::new();
    let id = client.image("abc", "");
    let deprecate = |at: &str| client.ec2("EnableImageDeprecation", &format!("ImageId={id} DeprecateAt={at}"));
    deprecate("2034-05-06T07:08:09Z").fine();
    assert_eq!(client.available(&id).get("deprecationTime"), "2034-05-06T07:08:00.000Z");
    deprecate("2034-05-06").refused("InvalidParameterValue", "2034-05-06");
    deprecate("2020-01-01T00:00:00Z").refused("InvalidParameterValue", "past");
    deprecate("2099-01-01T00:00:00Z").refused("InvalidParameterValue", "10 years");
    client.ec2("DisableImageDeprecation", &format!("ImageId={id}")).fine();
    assert_eq!(client.available(&id).count("deprecationTime"), 0);
}
