//! What is said of volumes.

use super::Client;

/// Starts an instance with a second disk of which this is said, parted by spaces.
fn with(client: &Client, said: &str) -> super::Said {
    let base = client.amazon.base(&client.region, "x86_64");
    let disk: String = said.split(' ').map(|one| format!(" BlockDeviceMapping.1.Ebs.{one}")).collect();
    let params = format!(
        "ImageId={base} InstanceType=m6i.large MinCount=1 MaxCount=1 BlockDeviceMapping.1.DeviceName=/dev/xvdf{disk}"
    );
    client.ec2("RunInstances", &params)
}

#[test]
fn what_ec2_takes_is_taken() {
    let client = Client::new();
    for said in [
        "VolumeSize=1",
        "VolumeType=gp3 VolumeSize=1 Iops=3000",
        "VolumeType=gp3 VolumeSize=200 Iops=80000 Throughput=2000",
        "VolumeType=gp3 VolumeSize=100 Iops=4000 Throughput=1000",
        "VolumeType=io1 VolumeSize=100 Iops=5000",
        "VolumeType=io2 VolumeSize=65536 Iops=256000 Encrypted=true KmsKeyId=alias/aws/ebs",
        "VolumeType=st1 VolumeSize=125",
    ] {
        with(&client, said).fine();
    }
}

#[test]
fn what_ec2_refuses_is_refused_in_its_words() {
    let client = Client::new();
    for (said, code, about) in [
        ("VolumeType=gp3", "MissingParameter", "size or snapshotId"),
        ("VolumeType=gp9 VolumeSize=1", "InvalidParameterValue", "gp9"),
        ("VolumeType=gp3 VolumeSize=0", "InvalidParameterValue", "minimum is 1GiB"),
        ("VolumeType=gp3 VolumeSize=65537", "InvalidParameterValue", "maximum is 65536GiB"),
        ("VolumeType=gp3 VolumeSize=100 Iops=2999", "InvalidParameterValue", "minimum is 3000"),
        ("VolumeType=gp3 VolumeSize=7 Iops=3501", "InvalidParameterValue", "maximum is 500.0"),
        ("VolumeType=gp3 VolumeSize=100 Throughput=751", "InvalidParameterValue", "maximum is 0.25"),
        ("VolumeType=gp3 VolumeSize=100 Throughput=124", "InvalidParameterValue", "125 and 2000"),
        ("VolumeType=gp2 VolumeSize=100 Iops=300", "InvalidParameterCombination", "iops is not supported for gp2"),
        ("VolumeType=io2 VolumeSize=100 Throughput=125 Iops=100", "InvalidParameterCombination", "throughput"),
        ("VolumeType=io2 VolumeSize=100", "MissingParameter", "iops must be specified for io2"),
        ("VolumeType=io2 VolumeSize=4 Iops=4001", "InvalidParameterValue", "maximum is 1000.0"),
        ("VolumeType=io2 VolumeSize=3 Iops=100", "InvalidParameterValue", "minimum is 4GiB"),
        ("VolumeType=io1 VolumeSize=10 Iops=501", "InvalidParameterValue", "maximum is 50.0"),
        ("VolumeType=sc1 VolumeSize=124", "InvalidParameterValue", "minimum is 125GiB"),
        ("VolumeSize=1 KmsKeyId=alias/aws/ebs", "InvalidParameterDependency", "Encrypted"),
        ("SnapshotId=snap-0f", "InvalidSnapshot.NotFound", "snap-0f"),
        ("VolumeSize=1 Size=1", "UnknownParameter", "BlockDeviceMapping.1.Ebs.Size"),
        ("VolumeSize=1 Encrypted=yes", "InvalidParameterValue", "boolean"),
    ] {
        with(&client, said).refused(code, about);
    }
    assert_eq!(client.amazon.left(), [""; 0]);
}

#[test]
fn the_root_disk_is_changed_within_limits() {
    let client = Client::new();
    let base = client.amazon.base(&client.region, "x86_64");
    let run = |more: &str| {
        client.ec2("RunInstances", &format!("ImageId={base} InstanceType=m6i.large MinCount=1 MaxCount=1 {more}"))
    };
    let root = "BlockDeviceMapping.1.DeviceName=/dev/xvda BlockDeviceMapping.1";
    run(&format!("{root}.Ebs.VolumeSize=29")).refused("InvalidBlockDeviceMapping", "smaller than snapshot");
    run(&format!("{root}.NoDevice=")).refused("InvalidBlockDeviceMapping", "/dev/xvda");
    run(&format!("{root}.VirtualName=ephemeral0")).refused("InvalidBlockDeviceMapping", "/dev/xvda");
    run(&format!("{root}.Ebs.VolumeType=st1 {root}.Ebs.VolumeSize=125").replacen(
        "st1 BlockDeviceMapping.1.DeviceName=/dev/xvda",
        "st1",
        1,
    ))
    .refused("InvalidParameterValue", "boot");
    run("BlockDeviceMapping.1.DeviceName=disk BlockDeviceMapping.1.Ebs.VolumeSize=1")
        .refused("InvalidParameterValue", "not a valid EBS device name");
    run("BlockDeviceMapping.2.DeviceName=/dev/sdf BlockDeviceMapping.2.Ebs.VolumeSize=1")
        .refused("InvalidParameterValue", "out of line");
    run("BlockDeviceMapping.1.DeviceName=/dev/sdf").refused("InvalidBlockDeviceMapping", "/dev/sdf");
    let id = run(&format!("{root}.Ebs.Encrypted=true")).fine().get("instanceId");
    let volume = client.ec2("DescribeVolumes", &format!("Filter.1.Name=attachment.instance-id Filter.1.Value.1={id}"));
    assert_eq!((volume.get("size").as_str(), volume.get("encrypted").as_str()), ("30", "true"));
    assert!(volume.get("kmsKeyId").starts_with("arn:aws:kms:eu-west-1:123456789012:key/"), "{volume:?}");
}

#[test]
fn a_volume_stays_where_it_was_told_to() {
    let client = Client::new();
    let disk = "BlockDeviceMapping.1.DeviceName=/dev/sdf BlockDeviceMapping.1.Ebs.VolumeSize=1 \
                BlockDeviceMapping.1.Ebs.DeleteOnTermination=false";
    let tags = "TagSpecification.1.ResourceType=volume TagSpecification.1.Tag.1.Key=k TagSpecification.1.Tag.1.Value=v";
    let id = client.run(&format!("{disk} {tags}"));
    let by_tag = "Filter.1.Name=tag:k Filter.1.Value.1=v";
    assert_eq!(client.ec2("DescribeVolumes", by_tag).count("size"), 2);
    let volume =
        client.ec2("DescribeVolumes", &format!("{by_tag} Filter.2.Name=size Filter.2.Value.1=1")).get("volumeId");
    client.ec2("DeleteVolume", &format!("VolumeId={volume}")).refused("VolumeInUse", &id);
    client.ec2("TerminateInstances", &format!("InstanceId.1={id}")).fine();
    client.wait("DescribeInstances", &format!("InstanceId.1={id}"), "<name>terminated");
    assert_eq!(client.amazon.left(), [format!("eu-west-1: volume {volume} available ")]);
    client.ec2("DeleteVolume", &format!("VolumeId={volume}")).fine();
    client.ec2("DeleteVolume", &format!("VolumeId={volume}")).refused("InvalidVolume.NotFound", &volume);
}

#[test]
fn a_key_that_is_not_there_is_noticed_late() {
    let client = Client::new();
    let there = client.amazon.key("us-east-1", "there");
    let key = client.amazon.key("eu-west-1", "elk");
    for (named, state) in [
        (key.as_str(), "running"),
        ("alias/elk", "running"),
        (key.rsplit('/').next().unwrap(), "running"),
        (there.as_str(), "terminated"),
        ("alias/there", "terminated"),
    ] {
        let said = format!("VolumeSize=1 Encrypted=true KmsKeyId={named}");
        let id = with(&client, &said).fine().get("instanceId");
        let said = client.wait("DescribeInstances", &format!("InstanceId.1={id}"), &format!("<name>{state}</name>"));
        assert_eq!(said.has("Client.InvalidKMSKey.InvalidState"), state == "terminated", "{said:?}");
    }
    client.amazon.encrypts("eu-west-1");
    assert_eq!(client.ec2("GetEbsEncryptionByDefault", "").get("ebsEncryptionByDefault"), "true");
    let id = with(&client, "VolumeSize=1").fine().get("instanceId");
    let filter = format!("Filter.1.Name=attachment.instance-id Filter.1.Value.1={id}");
    assert!(!client.ec2("DescribeVolumes", &filter).has("<encrypted>false"));
}
