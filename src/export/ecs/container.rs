//! One container of a task.

use super::document::{
    Container, Dependency, HealthCheck, LogConfiguration, PortMapping, Secret, SystemControl, Ulimit,
};
use super::router::{self, is_router};
use super::storage::{Mounted, Storage, lasting, plain};
use super::wishes::{Mount, SECRETS, TaskWishes};
use crate::export::fault::ExportError;
use crate::name::RecipeName;
use crate::recipe::{NetworkMode, Product};
use crate::record::{Needs, Record};

/// What all containers of a task share.
pub(super) struct Scene<'s> {
    pub(super) target: &'s str,
    pub(super) wishes: &'s TaskWishes,
    pub(super) mode: Option<NetworkMode>,
    pub(super) router: Option<&'s RecipeName>,
    /// The folders of the host that are for this container.
    pub(super) mounts: Vec<&'s Mount>,
}

/// Ports of programs whose recipes say none: they are in the base image, which nobody records.
const PORTS: [(Product, &[&str]); 2] =
    [(Product::Elasticsearch, &["9200/tcp", "9300/tcp"]), (Product::Kibana, &["5601/tcp"])];

/// Fargate waits no longer.
const LONGEST_STOP: u32 = 120;

/// Settings of a container's own IPC namespace, as the kernel divides them.
const OF_IPC: [&str; 8] = [
    "kernel.msgmax",
    "kernel.msgmnb",
    "kernel.msgmni",
    "kernel.sem",
    "kernel.shmall",
    "kernel.shmmax",
    "kernel.shmmni",
    "kernel.shm_rmid_forced",
];

pub(super) fn container(
    scene: &Scene<'_>,
    (recipe, record): (&RecipeName, &Record),
    image: String,
    storage: &mut Storage,
    remarks: &mut Vec<String>,
) -> Result<Container, ExportError> {
    let needs = &record.needs;
    memory(recipe, needs)?;
    let mounted = if scene.wishes.fargate {
        // All that is written goes to the task's own disk as it is, and volumes there belong to root.
        let lost = |(path, _)| format!("{recipe}: {path} goes when the task goes: Fargate has no hosts to keep it");
        remarks.extend(lasting(record).map(lost));
        Mounted::default()
    } else {
        storage.mount(recipe, record, &scene.mounts)
    };
    let routes = is_router(record);
    let router = scene.router.filter(|router| *router != recipe);
    let depends = |router: &RecipeName| Dependency { container_name: plain(router.as_str()), condition: "START" };
    Ok(Container {
        name: plain(recipe.as_str()),
        image,
        essential: true,
        // It makes the socket that the others write to.
        user: routes.then_some("0"),
        cpu: needs.cpu,
        memory: needs.memory,
        memory_reservation: needs.memory_reservation,
        port_mappings: ports(scene, record),
        secrets: secrets(scene, recipe, needs),
        health_check: health_check(recipe, needs)?,
        stop_timeout: stop_timeout(scene, recipe, needs, remarks),
        ulimits: ulimits(scene, recipe, needs, remarks),
        system_controls: system_controls(scene, recipe, needs, remarks)?,
        readonly_root_filesystem: mounted.read_only,
        mount_points: mounted.points,
        linux_parameters: mounted.linux,
        depends_on: router.map(depends).into_iter().collect(),
        log_configuration: router.map(|_| LogConfiguration { log_driver: "awsfirelens" }),
        firelens_configuration: routes.then(|| router::configuration(recipe, record, remarks)),
    })
}

fn refused(recipe: &RecipeName, what: String, help: &str) -> ExportError {
    ExportError::Refused { recipe: recipe.clone(), what, help: help.to_owned() }
}

fn memory(recipe: &RecipeName, needs: &Needs) -> Result<(), ExportError> {
    match (needs.memory, needs.memory_reservation) {
        (Some(limit), Some(reserved)) if reserved > limit => {
            let what = format!("{reserved} MiB are reserved, of {limit} MiB that it may have");
            Err(refused(recipe, what, "correct `memory_reservation` under [runtime], and push it again"))
        }
        _ => Ok(()),
    }
}

fn ports(scene: &Scene<'_>, record: &Record) -> Vec<PortMapping> {
    let usual = PORTS.iter().find(|(product, _)| record.product == Some(*product)).map(|(_, ports)| *ports);
    let said: Vec<&str> = match &record.needs.ports {
        ports if ports.is_empty() => usual.unwrap_or_default().to_vec(),
        ports => ports.iter().map(String::as_str).collect(),
    };
    let mapping = |port: &str| {
        let (number, protocol) = port.split_once('/').unwrap_or((port, "tcp"));
        let container_port = number.parse().ok()?;
        let host_port = match scene.mode {
            Some(NetworkMode::Awsvpc) => None,
            Some(NetworkMode::Host) => Some(container_port),
            // Nodes find each other by the addresses of their hosts, and by no other port than the one they know.
            _ if record.product == Some(Product::Elasticsearch) => Some(container_port),
            // Any port that is free.
            _ => Some(0),
        };
        let protocol = if protocol == "udp" { "udp" } else { "tcp" };
        Some(PortMapping { container_port, host_port, protocol })
    };
    said.into_iter().filter_map(mapping).collect()
}

fn secrets(scene: &Scene<'_>, recipe: &RecipeName, needs: &Needs) -> Vec<Secret> {
    let scheme = scene.wishes.secrets.as_deref().unwrap_or(SECRETS);
    let scheme = scheme.replace("{target}", scene.target).replace("{recipe}", recipe.as_str());
    let secret = |name: &String| Secret { name: name.clone(), value_from: scheme.replace("{name}", name) };
    needs.secrets.iter().map(secret).collect()
}

fn health_check(recipe: &RecipeName, needs: &Needs) -> Result<Option<HealthCheck>, ExportError> {
    let Some(check) = &needs.health_check else { return Ok(None) };
    for (what, value, least, most) in [
        ("interval", check.interval, 5, 300),
        ("timeout", check.timeout, 2, 60),
        ("retries", check.retries, 1, 10),
        ("start_period", check.start_period, 0, 300),
    ] {
        if !(least..=most).contains(&value) {
            let message = format!("`{what}` of its health check is {value}, and ECS takes {least} to {most}");
            return Err(refused(recipe, message, "correct it under [runtime.health_check], and push it again"));
        }
    }
    Ok(Some(HealthCheck {
        command: check.command.clone(),
        interval: check.interval,
        timeout: check.timeout,
        retries: check.retries,
        start_period: Some(check.start_period).filter(|seconds| *seconds > 0),
    }))
}

fn stop_timeout(scene: &Scene<'_>, recipe: &RecipeName, needs: &Needs, remarks: &mut Vec<String>) -> Option<u32> {
    match needs.stop_timeout {
        Some(seconds) if scene.wishes.fargate && seconds > LONGEST_STOP => {
            remarks.push(format!("{recipe} would need {seconds} s to stop, and Fargate gives {LONGEST_STOP}"));
            Some(LONGEST_STOP)
        }
        said => said,
    }
}

fn ulimits(scene: &Scene<'_>, recipe: &RecipeName, needs: &Needs, remarks: &mut Vec<String>) -> Vec<Ulimit> {
    let (said, lost): (Vec<_>, Vec<_>) =
        needs.ulimits.iter().partition(|(name, _)| !scene.wishes.fargate || name.as_str() == "nofile");
    for (name, _) in lost {
        remarks.push(format!("{recipe}: the limit {name} is left out: Fargate lets a task set nofile only"));
    }
    let limit = |(name, limit): (&String, &crate::record::Ulimit)| Ulimit {
        name: name.clone(),
        soft_limit: limit.soft,
        hard_limit: limit.hard,
    };
    said.into_iter().map(limit).collect()
}

fn system_controls(
    scene: &Scene<'_>,
    recipe: &RecipeName,
    needs: &Needs,
    remarks: &mut Vec<String>,
) -> Result<Vec<SystemControl>, ExportError> {
    let mut controls = Vec::new();
    for (namespace, value) in &needs.sysctls {
        let of_network = namespace.starts_with("net.");
        if !of_network && !namespace.starts_with("fs.mqueue.") && !OF_IPC.contains(&namespace.as_str()) {
            let what = format!("{namespace} is the host's, and no container can have one of its own");
            return Err(refused(recipe, what, "say it under [sysctl] of the host's recipe"));
        }
        if of_network && scene.mode == Some(NetworkMode::Host) {
            remarks.push(format!(
                "{recipe}: {namespace} is left out: in network mode host the host's counts, which a file in etc/sysctl.d of its recipe says"
            ));
            continue;
        }
        controls.push(SystemControl { namespace: namespace.clone(), value: value.clone() });
    }
    Ok(controls)
}
