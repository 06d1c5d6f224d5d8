//! Who answers which call.

use super::call::{Answer, Call, refuse};
use super::world::World;
use super::{Sky, groups, images, instances, making, network, parameters, permissions, run, snapshots};
use super::{spot, sts, tags, templates, types, volumes};

/// Answers a call, after all that has happened until now.
pub fn answer(sky: &Sky, mut call: Call) -> Answer {
    let mut world = sky.world();
    world.settle(call.now);
    match call.service.as_str() {
        "ec2" => ec2(&mut world, &mut call),
        "sts" => sts::answer(&mut world, &mut call),
        "ssm" => parameters::answer(&mut world, &call),
        "autoscaling" => groups::answer(&mut world, &mut call),
        other => refuse("InvalidAction", format!("there is no service {other}")),
    }
}

fn ec2(world: &mut World, call: &mut Call) -> Answer {
    match call.action.as_str() {
        "CancelSpotInstanceRequests" => spot::cancel(world, call),
        "CopyImage" => making::copy(world, call),
        "CreateImage" => making::create(world, call),
        "CreateLaunchTemplate" => templates::create(world, call),
        "CreateLaunchTemplateVersion" => templates::create_version(world, call),
        "CreateTags" => tags::create(world, call),
        "DeleteSnapshot" => snapshots::delete(world, call),
        "DeleteTags" => tags::delete(world, call),
        "DeleteVolume" => volumes::delete(world, call),
        "DeregisterImage" => making::deregister(world, call),
        "DescribeImageAttribute" => permissions::image(world, call),
        "DescribeImages" => images::describe(world, call),
        "DescribeInstanceTypes" => types::describe(call),
        "DescribeInstances" => instances::describe(world, call),
        "DescribeLaunchTemplateVersions" => templates::describe_versions(world, call),
        "DescribeLaunchTemplates" => templates::describe(world, call),
        "DescribeSnapshotAttribute" => permissions::snapshot(world, call),
        "DescribeSnapshots" => snapshots::describe(world, call),
        "DescribeSpotInstanceRequests" => spot::describe(world, call),
        "DescribeVolumes" => volumes::describe(world, call),
        "DisableImageDeprecation" => images::undeprecate(world, call),
        "EnableImageDeprecation" => images::deprecate(world, call),
        "GetConsoleOutput" => instances::console(world, call),
        "GetEbsEncryptionByDefault" => volumes::encryption_by_default(world, call),
        "ModifyImageAttribute" => permissions::modify_image(world, call),
        "ModifyLaunchTemplate" => templates::modify(world, call),
        "ModifySnapshotAttribute" => permissions::modify_snapshot(world, call),
        "RunInstances" => run::run(world, call),
        "StopInstances" => instances::stop(world, call),
        "TerminateInstances" => instances::terminate(world, call),
        _ => network::answer(world, call),
    }
}
