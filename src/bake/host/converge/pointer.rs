//! What points to an image: an SSM parameter, and launch templates.
//!
//! They are read at every push: an older key that is pushed again is what is wanted now.

use super::subject::Subject;
use crate::bake::host::fault::HostError;

pub(super) fn parameter(subject: &Subject<'_>, changed: &mut Vec<String>) -> Result<(), HostError> {
    let Subject { order, region, machine, desk, .. } = subject;
    let Some(name) = order.recipe.parameter_of(subject.architecture) else { return Ok(()) };
    let site = order.site(region);
    let was = desk.ec2.parameter(&site, &name, desk.tell)?;
    if was.as_ref() != Some(&machine.id) {
        desk.ec2.put_parameter(&site, &name, &machine.id, desk.tell)?;
        let was = was.map_or_else(String::new, |was| format!(", was {was}"));
        changed.push(format!("parameter {name} is {}{was}", machine.id));
    }
    Ok(())
}

pub(super) fn template(subject: &Subject<'_>, changed: &mut Vec<String>) -> Result<(), HostError> {
    let Subject { order, region, machine, desk, architecture } = subject;
    let Some(name) = order.recipe.template_of(region, *architecture) else { return Ok(()) };
    let site = order.site(region);
    let template = desk.ec2.template(&site, name, desk.tell)?;
    let template = template.ok_or_else(|| HostError::Misfit {
        subject: format!("launch template {name} in {region}"),
        message: "there is none: make it, or remove it from the recipe".to_owned(),
    })?;
    let mut version = template.latest;
    if template.latest_image.as_ref() != Some(&machine.id) {
        let description = order.image_name(*architecture);
        let wanted = format!("{} {version} {} {description}", template.id, machine.id);
        let token = order.token("version", *architecture, region, &wanted);
        version = desk.ec2.new_version(&site, &template, &machine.id, &description, &token, desk.tell)?;
        changed.push(format!("launch template {name} has version {version} with {}", machine.id));
    }
    let moves = order.recipe.ami.as_ref().is_some_and(|ami| ami.move_default);
    if moves && template.default != version {
        desk.ec2.set_default(&site, &template, version, desk.tell)?;
        changed.push(format!("launch template {name} uses version {version}, was {}", template.default));
    }
    Ok(())
}
