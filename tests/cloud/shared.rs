//! What others may use, and what uses images.

use serde_json::json;

use super::Client;

#[test]
fn images_are_shared_with_accounts_organisations_and_units() {
    let mut client = Client::new();
    let id = client.image("abc", "");
    let modify = |client: &Client, more: &str| client.ec2("ModifyImageAttribute", &format!("ImageId={id} {more}"));
    let (organization, unit) = (
        "arn:aws:organizations::123456789012:organization/o-abcdefghij",
        "arn:aws:organizations::123456789012:ou/o-abcdefghij/ou-abcd-abcdefgh",
    );
    let add = format!(
        "LaunchPermission.Add.1.UserId=111122223333 LaunchPermission.Add.2.OrganizationArn={organization} \
         LaunchPermission.Add.3.OrganizationalUnitArn={unit}"
    );
    modify(&client, &add).fine();
    modify(&client, &add).fine();
    let describe = format!("ImageId={id} Attribute=launchPermission");
    let said = client.ec2("DescribeImageAttribute", &describe);
    assert_eq!((said.count("userId"), said.count("organizationArn"), said.count("organizationalUnitArn")), (1, 1, 1));
    for (more, code) in [
        ("LaunchPermission.Add.1.UserId=me", "InvalidAMIAttributeItemValue"),
        ("LaunchPermission.Add.1.OrganizationArn=o-abcdefghij", "InvalidParameterValue"),
        ("LaunchPermission.Add.1.Group=some", "InvalidUserGroup"),
        ("Attribute=launchPermission OperationType=add", "InvalidParameterCombination"),
        ("ImdsSupport.Value=v1.0", "InvalidParameterValue"),
        ("", "InvalidParameterCombination"),
    ] {
        modify(&client, more).refused(code, "");
    }
    // The other account sees it, and may not change it.
    client.amazon.keys_of("AKIDOTHER", "111122223333");
    client.with("AKIDOTHER", |there| {
        assert_eq!(there.ec2("DescribeImages", "ExecutableBy.1=self").get("imageId"), id);
        modify(there, "ImdsSupport.Value=v2.0").refused("AuthFailure", &id);
    });
    modify(&client, "Attribute=launchPermission OperationType=remove UserId.1=111122223333").fine();
    client.with("AKIDOTHER", |there| {
        there.ec2("DescribeImages", &format!("ImageId.1={id}")).refused("InvalidAMIID.NotFound", &id);
    });
    let snapshot = client.available(&id).get("snapshotId");
    let share = format!("SnapshotId={snapshot} CreateVolumePermission.Add.1.UserId=111122223333");
    client.ec2("ModifySnapshotAttribute", &share).fine();
    client
        .ec2("ModifySnapshotAttribute", &share.replace("Add.1.UserId", "Add.1.OrganizationArn"))
        .refused("MissingParameter", "UserId");
    let said =
        client.ec2("DescribeSnapshotAttribute", &format!("SnapshotId={snapshot} Attribute=createVolumePermission"));
    assert_eq!(said.get("userId"), "111122223333");
}

#[test]
fn what_ec2s_own_key_encrypts_is_shared_with_nobody() {
    let client = Client::new();
    let key = client.amazon.key("eu-west-1", "elk");
    let root = "BlockDeviceMapping.1.DeviceName=/dev/xvda BlockDeviceMapping.1.Ebs.Encrypted=true";
    for (more, is_shared) in
        [(root.to_owned(), false), (format!("{root} BlockDeviceMapping.1.Ebs.KmsKeyId={key}"), true)]
    {
        let instance = client.stopped(&more);
        let create = format!("InstanceId={instance} Name=shared-{is_shared}");
        let id = client.ec2("CreateImage", &create).fine().get("imageId");
        let snapshot = client.available(&id).get("snapshotId");
        let image = format!("ImageId={id} LaunchPermission.Add.1.UserId=111122223333");
        let image = client.ec2("ModifyImageAttribute", &image);
        let snapshot = format!("SnapshotId={snapshot} CreateVolumePermission.Add.1.UserId=111122223333");
        let snapshot = client.ec2("ModifySnapshotAttribute", &snapshot);
        if is_shared {
            image.fine();
            snapshot.fine();
        } else {
            image.refused("InvalidParameter", "AWS Managed CMK");
            snapshot.refused("OperationNotPermitted", "EBS default key");
        }
    }
}

#[test]
fn tags_have_limits() {
    let client = Client::new();
    let id = client.image("abc", "");
    let tag = |more: &str| client.ec2("CreateTags", &format!("ResourceId.1={id} {more}"));
    tag("Tag.1.Key=a Tag.1.Value=b Tag.2.Key=c").fine();
    tag(&format!("Tag.1.Key={}", "k".repeat(128))).refused("InvalidParameterValue", "127");
    tag(&format!("Tag.1.Key=a Tag.1.Value={}", "v".repeat(257))).refused("InvalidParameterValue", "256");
    tag("Tag.1.Key=AWS:x").refused("InvalidParameterValue", "aws:");
    tag("Tag.1.Key=a Tag.2.Key=a").refused("InvalidParameterValue", "Duplicate");
    let many: String = (1..=49).map(|number| format!("Tag.{number}.Key=k{number} ")).collect();
    tag(&many).refused("TagLimitExceeded", "51");
    tag("ResourceId.2=snap-0f Tag.1.Key=never").refused("InvalidSnapshot.NotFound", "snap-0f");
    let said =
        client.ec2("DescribeImages", "Filter.1.Name=tag-key Filter.1.Value.1=c Filter.2.Name=tag:a Filter.2.Value.1=?");
    assert_eq!((said.get("imageId"), said.count("key")), (id.clone(), 2));
    client.ec2("DeleteTags", &format!("ResourceId.1={id} Tag.1.Key=a Tag.1.Value=x Tag.2.Key=c")).fine();
    assert_eq!(client.available(&id).count("key"), 1);
}

#[test]
fn a_launch_template_has_versions() {
    let client = Client::new();
    let lt = client.amazon.template("eu-west-1", "hosts", "ami-0f");
    let create = format!("LaunchTemplateId={lt} SourceVersion=1 LaunchTemplateData.ImageId=ami-0e ClientToken=t");
    assert_eq!(client.ec2("CreateLaunchTemplateVersion", &create).fine().get("versionNumber"), "2");
    assert_eq!(client.ec2("CreateLaunchTemplateVersion", &create).fine().get("versionNumber"), "2");
    let versions = "LaunchTemplateName=hosts LaunchTemplateVersion.1=$Latest LaunchTemplateVersion.2=$Default";
    let said = client.ec2("DescribeLaunchTemplateVersions", versions).fine();
    assert!(said.has("<imageId>ami-0e") && said.has("<imageId>ami-0f") && said.count("instanceType") == 2, "{said:?}");
    client.ec2("ModifyLaunchTemplate", &format!("LaunchTemplateId={lt} SetDefaultVersion=2")).fine();
    let said = client.ec2("DescribeLaunchTemplates", "LaunchTemplateName.1=hosts").fine();
    assert_eq!((said.get("defaultVersionNumber").as_str(), said.get("latestVersionNumber").as_str()), ("2", "2"));
    let said = client
        .ec2("DescribeLaunchTemplateVersions", "LaunchTemplateVersion.1=$Latest LaunchTemplateVersion.2=$Default");
    assert_eq!(said.count("versionNumber"), 1);
    client
        .ec2("DescribeLaunchTemplates", "LaunchTemplateName.1=none")
        .refused("InvalidLaunchTemplateName.NotFoundException", "none");
    client
        .ec2("DescribeLaunchTemplates", "LaunchTemplateId.1=lt-0f")
        .refused("InvalidLaunchTemplateId.NotFound", "lt-0f");
    client
        .ec2("ModifyLaunchTemplate", &format!("LaunchTemplateId={lt} SetDefaultVersion=3"))
        .refused("InvalidLaunchTemplateId.VersionNotFound", "3");
    client
        .ec2("CreateLaunchTemplate", "LaunchTemplateName=hosts LaunchTemplateData.ImageId=ami-0f")
        .refused("InvalidLaunchTemplateName.AlreadyExistsException", "");
}

#[test]
fn auto_scaling_tells_what_it_starts() {
    let client = Client::new();
    for number in 0..60 {
        let name = format!("group-{number}");
        let answer = json!({ "AutoScalingGroupName": name, "LaunchConfigurationName": "old", "Instances": [] });
        client.amazon.group("eu-west-1", &name, answer);
    }
    client.amazon.configuration("eu-west-1", "old", "ami-0d");
    let ask = |action: &str, more: &str| client.form("autoscaling", "2011-01-01", action, more);
    let first = ask("DescribeAutoScalingGroups", "").fine();
    assert_eq!(first.count("AutoScalingGroupName"), 50);
    let rest = ask("DescribeAutoScalingGroups", &format!("NextToken={} MaxRecords=100", first.get("NextToken")));
    assert_eq!((rest.count("AutoScalingGroupName"), rest.count("NextToken")), (10, 0));
    let said = ask("DescribeLaunchConfigurations", "LaunchConfigurationNames.member.1=old");
    assert_eq!(said.get("ImageId"), "ami-0d");
    ask("DescribeLaunchConfigurations", "LaunchConfigurationNames.1=old")
        .refused("UnknownParameter", "LaunchConfigurationNames.1");
    ask("DescribeAutoScalingGroups", "MaxRecords=101").refused("ValidationError", "100");
}

#[test]
fn a_parameter_of_images_is_checked_later() {
    let client = Client::new();
    let id = client.image("abc", "");
    let put = |name: &str, value: &str, more: &str| {
        let body = format!(
            "{{\"Name\":\"{name}\",\"Value\":\"{value}\",\"Type\":\"String\",\"DataType\":\"aws:ec2:image\"{more}}}"
        );
        client.ssm("PutParameter", &body)
    };
    assert!(put("/elk/host", &id, "").fine().has("\"Version\":1"));
    assert!(put("/elk/host", &id, "").has("ParameterAlreadyExists"));
    assert!(put("/elk/host", &id, ",\"Overwrite\":true").fine().has("\"Version\":2"));
    put("/elk/wrong", "ami-0123", "").fine();
    let begun = std::time::Instant::now();
    while client.amazon.parameter("eu-west-1", "/elk/wrong").is_some() {
        assert!(begun.elapsed().as_secs() < 60, "it is never checked");
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    assert_eq!(client.amazon.parameter("eu-west-1", "/elk/host"), Some(id.clone()));
    assert!(put("/elk/host", "latest", ",\"Overwrite\":true").has("ValidationException"));
    assert!(put("/aws/host", &id, "").has("reserved"));
    assert!(put("elk/host", &id, "").has("ValidationException"));
    assert!(put("/elk/x", &id, ",\"Overwrites\":true").has("Unexpected field Overwrites"));
    let tags = ",\"Tags\":[{\"Key\":\"a\",\"Value\":\"b\"}]";
    assert!(put("/elk/host", &id, &format!(",\"Overwrite\":true{tags}")).has("can't be used together"));
    put("/elk/tagged", &id, tags).fine();
    assert!(client.ssm("GetParameter", "{\"Name\":\"/elk/host\"}").fine().has(&id));
    assert!(client.ssm("GetParameter", "{\"Name\":\"/elk/none\"}").has("ParameterNotFound"));
    let said = client.ssm("GetParameters", "{\"Names\":[\"/elk/host\",\"/elk/none\"]}").fine();
    assert!(said.has(&id) && said.has("\"InvalidParameters\":[\"/elk/none\"]"), "{said:?}");
    client.ssm("DeleteParameter", "{\"Name\":\"/elk/host\"}").fine();
    assert_eq!(client.amazon.parameter("eu-west-1", "/elk/host"), None);
}
