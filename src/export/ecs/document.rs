//! The part of ECS's model that is written, in the order in which people read it. What is empty is not there.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::recipe::NetworkMode;

/// The input of `RegisterTaskDefinition`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Definition {
    pub(super) family: String,
    pub(super) requires_compatibilities: Vec<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) network_mode: Option<NetworkMode>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) runtime_platform: Option<RuntimePlatform>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) cpu: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) memory: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) execution_role_arn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) task_role_arn: Option<String>,
    pub(super) container_definitions: Vec<Container>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) volumes: Vec<Volume>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RuntimePlatform {
    pub(super) operating_system_family: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) cpu_architecture: Option<&'static str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Container {
    pub(super) name: String,
    pub(super) image: String,
    pub(super) essential: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) user: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) cpu: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) memory: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) memory_reservation: Option<u32>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) port_mappings: Vec<PortMapping>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) secrets: Vec<Secret>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) health_check: Option<HealthCheck>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) stop_timeout: Option<u32>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) ulimits: Vec<Ulimit>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) system_controls: Vec<SystemControl>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) readonly_root_filesystem: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) mount_points: Vec<MountPoint>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) linux_parameters: Option<LinuxParameters>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) depends_on: Vec<Dependency>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) log_configuration: Option<LogConfiguration>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) firelens_configuration: Option<Firelens>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PortMapping {
    pub(super) container_port: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) host_port: Option<u16>,
    pub(super) protocol: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Secret {
    pub(super) name: String,
    pub(super) value_from: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct HealthCheck {
    pub(super) command: Vec<String>,
    pub(super) interval: u16,
    pub(super) timeout: u16,
    pub(super) retries: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) start_period: Option<u16>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Ulimit {
    pub(super) name: String,
    pub(super) soft_limit: i64,
    pub(super) hard_limit: i64,
}

#[derive(Serialize)]
pub(super) struct SystemControl {
    pub(super) namespace: String,
    pub(super) value: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct MountPoint {
    pub(super) source_volume: String,
    pub(super) container_path: String,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) read_only: bool,
}

#[derive(Serialize)]
pub(super) struct LinuxParameters {
    pub(super) tmpfs: Vec<Tmpfs>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Tmpfs {
    pub(super) container_path: String,
    pub(super) size: u32,
    pub(super) mount_options: &'static [&'static str],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Dependency {
    pub(super) container_name: String,
    pub(super) condition: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct LogConfiguration {
    pub(super) log_driver: &'static str,
}

#[derive(Serialize)]
pub(super) struct Firelens {
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) options: BTreeMap<&'static str, String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Volume {
    pub(super) name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) host: Option<HostFolder>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) docker_volume_configuration: Option<DockerVolume>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct HostFolder {
    pub(super) source_path: String,
}

#[derive(Serialize)]
pub(super) struct DockerVolume {
    pub(super) scope: &'static str,
    pub(super) driver: &'static str,
}
