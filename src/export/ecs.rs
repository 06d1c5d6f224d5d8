//! The input of `aws ecs register-task-definition --cli-input-json`.

mod container;
mod document;
mod room;
mod router;
mod storage;
mod wishes;

use super::choice::Choice;
use super::fault::ExportError;
use crate::name::{Platform, RecipeName};
use crate::recipe::NetworkMode;
use crate::record::Record;

use container::{Scene, container};
use document::{Container, RuntimePlatform};
use storage::{Storage, writes};

pub use document::Definition;
pub use wishes::{Mount, MountError, TaskWishes};

/// What stands where a person has to say something, and nowhere else.
const FILL_IN_EXECUTION_ROLE: &str = "FILL-IN-EXECUTION-ROLE-ARN";

/// A task definition, and what a person should know about it.
pub struct Task {
    /// The document.
    pub definition: Definition,
    /// What could not be said in it, or has to be filled in.
    pub remarks: Vec<String>,
}

/// A task that runs the chosen images. The first is the main one: the task is called like it.
///
/// # Errors
/// When the images cannot run in one task, or ECS would refuse what is recorded of them.
pub fn task(choice: &Choice<'_>, wishes: &TaskWishes) -> Result<Task, ExportError> {
    let images = images(choice)?;
    let mut remarks = Vec::new();
    let mode = network_mode(&images, wishes, &mut remarks)?;
    let router = router::of(&images)?;
    let mut storage = Storage::default();
    let mut containers: Vec<Container> = Vec::new();
    for (at, (recipe, record)) in images.iter().enumerate() {
        let image = choice.pulled(recipe, record, "ECS")?;
        let scene = Scene { target: choice.target, wishes, mode, router, mounts: mounts(&images, at, wishes) };
        let made = container(&scene, (recipe, record), image, &mut storage, &mut remarks)?;
        if let Some(other) = containers.iter().position(|other| other.name == made.name) {
            let (a, b) = (images[other].0.clone(), (*recipe).clone());
            return Err(ExportError::Clash { a, b, name: made.name });
        }
        containers.push(made);
    }
    let room = room::of(&images, wishes)?;
    let needs_role = wishes.fargate || containers.iter().any(|container| !container.secrets.is_empty());
    let execution_role_arn = match &wishes.execution_role {
        Some(role) => Some(role.clone()),
        None if needs_role => {
            let why = if wishes.fargate { "pulls the images" } else { "reads the secrets" };
            remarks.push(format!(
                "executionRoleArn is {FILL_IN_EXECUTION_ROLE}: say --execution-role ARN, the role that {why}"
            ));
            Some(FILL_IN_EXECUTION_ROLE.to_owned())
        }
        None => None,
    };
    let family = containers.first().map(|container| container.name.clone()).unwrap_or_default();
    let definition = Definition {
        family,
        requires_compatibilities: vec![if wishes.fargate { "FARGATE" } else { "EC2" }],
        network_mode: mode,
        runtime_platform: Some(runtime_platform(&images, wishes, &mut remarks)?),
        cpu: room.cpu.map(|cpu| cpu.to_string()),
        memory: room.memory.map(|memory| memory.to_string()),
        execution_role_arn,
        task_role_arn: wishes.task_role.clone(),
        container_definitions: containers,
        volumes: storage.volumes,
    };
    Ok(Task { definition, remarks })
}

/// The images that run together.
fn images<'m>(choice: &Choice<'m>) -> Result<Vec<(&'m RecipeName, &'m Record)>, ExportError> {
    let images: Vec<_> = choice.images().collect();
    // A host that was named was meant; one that is merely there was not.
    if let Some((host, _)) = choice.hosts().next().filter(|_| choice.is_named || images.is_empty()) {
        return Err(ExportError::Host { recipe: host.clone() });
    }
    if !choice.is_named && images.len() > 1 {
        let known = images.iter().map(|(recipe, _)| (*recipe).clone()).collect();
        return Err(ExportError::WhichTask { target: choice.target.to_owned(), known });
    }
    Ok(images)
}

/// The folders of the host that are for one of the images: for the one that writes there, or else for the main one.
fn mounts<'w>(images: &[(&RecipeName, &Record)], of: usize, wishes: &'w TaskWishes) -> Vec<&'w Mount> {
    let owner = |mount: &Mount| images.iter().position(|(_, record)| writes(record, &mount.path));
    wishes.mounts.iter().filter(|mount| owner(mount).unwrap_or(0) == of).collect()
}

/// The one network mode that all agree to.
fn network_mode(
    images: &[(&RecipeName, &Record)],
    wishes: &TaskWishes,
    remarks: &mut Vec<String>,
) -> Result<Option<NetworkMode>, ExportError> {
    let mut said: Option<(&RecipeName, NetworkMode)> = None;
    for (recipe, record) in images {
        let Some(mode) = record.needs.network_mode else { continue };
        if wishes.fargate && mode != NetworkMode::Awsvpc {
            remarks.push(format!("{recipe} was made for network mode {mode}, and Fargate has awsvpc only"));
        }
        match said {
            Some((other, known)) if known != mode && !wishes.fargate => {
                let why = format!("the one is for network mode {known}, the other for {mode}");
                return Err(ExportError::Apart { a: other.clone(), b: (*recipe).clone(), why });
            }
            _ => said = Some((recipe, mode)),
        }
    }
    Ok(if wishes.fargate { Some(NetworkMode::Awsvpc) } else { said.map(|(_, mode)| mode) })
}

/// ECS's name for a processor.
fn processor(platform: &Platform) -> Option<&'static str> {
    match platform {
        one if one.accepts("amd64", None) => Some("X86_64"),
        one if one.accepts("arm64", None) => Some("ARM64"),
        _ => None,
    }
}

/// What the task can run on. Where that is more than one processor, EC2 is left to choose by where there is room, and
/// Fargate is told one.
fn runtime_platform(
    images: &[(&RecipeName, &Record)],
    wishes: &TaskWishes,
    remarks: &mut Vec<String>,
) -> Result<RuntimePlatform, ExportError> {
    let mut common = vec!["X86_64", "ARM64"];
    let mut before: Option<&RecipeName> = None;
    for (recipe, record) in images {
        let known: Vec<Platform> = record.platforms.iter().map(|one| one.name.clone()).collect();
        let names: Vec<_> = known.iter().filter_map(processor).collect();
        if let Some(platform) =
            wishes.platform.as_ref().filter(|wish| processor(wish).is_none_or(|one| !names.contains(&one)))
        {
            return Err(ExportError::Platform { recipe: (*recipe).clone(), platform: platform.clone(), known });
        }
        common.retain(|name| names.contains(name));
        match before {
            _ if !common.is_empty() => before = Some(recipe),
            Some(other) => {
                let why = "there is no processor that both are for".to_owned();
                return Err(ExportError::Apart { a: other.clone(), b: (*recipe).clone(), why });
            }
            None => {
                let what = "it is for no platform that ECS runs, linux/amd64 or linux/arm64".to_owned();
                let help = "say one of them under `platforms` of its recipe, and push it again".to_owned();
                return Err(ExportError::Refused { recipe: (*recipe).clone(), what, help });
            }
        }
    }
    let cpu_architecture = match (&wishes.platform, &common[..]) {
        (Some(platform), _) => processor(platform),
        (None, [only]) => Some(*only),
        (None, _) if wishes.fargate => {
            remarks.push("cpuArchitecture is X86_64: --platform linux/arm64 says otherwise".to_owned());
            Some("X86_64")
        }
        (None, _) => None,
    };
    Ok(RuntimePlatform { operating_system_family: "LINUX", cpu_architecture })
}
