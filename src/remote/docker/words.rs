//! A container, in the words of Docker's API.

use bollard::models::{ContainerCreateBody, HostConfig, HostConfigLogConfig, Mount as Mounted, MountType};

use crate::bake::port::{Container, RUN_LABEL};

/// The name of the machine inside; otherwise it would be the container's id, another one each time.
const HOSTNAME: &str = "elkbake";

pub(super) fn container(wanted: &Container<'_>, run: &str) -> ContainerCreateBody {
    let given = |list: &[String]| (!list.is_empty()).then(|| list.to_vec());
    let has_own_network = wanted.network != "host";
    ContainerCreateBody {
        image: Some(wanted.image.to_owned()),
        hostname: has_own_network.then(|| HOSTNAME.to_owned()),
        cmd: given(wanted.command),
        env: given(wanted.env),
        user: wanted.user.map(str::to_owned),
        working_dir: wanted.workdir.map(ToString::to_string),
        attach_stdout: Some(true),
        attach_stderr: Some(true),
        network_disabled: Some(wanted.network == "none"),
        labels: Some([(RUN_LABEL.to_owned(), run.to_owned())].into_iter().collect()),
        host_config: Some(host_config(wanted)),
        ..Default::default()
    }
}

fn host_config(wanted: &Container<'_>) -> HostConfig {
    let memory = wanted.memory.and_then(|bytes| i64::try_from(bytes).ok());
    let mounts = wanted.mounts.iter().map(|mount| Mounted {
        typ: Some(MountType::VOLUME),
        source: Some(mount.volume.to_owned()),
        target: Some(mount.at.to_string()),
        read_only: Some(!mount.writable),
        ..Default::default()
    });
    HostConfig {
        network_mode: Some(wanted.network.to_owned()),
        memory,
        // As much with swap as without: none.
        memory_swap: memory,
        mounts: (!wanted.mounts.is_empty()).then(|| mounts.collect()),
        // What it prints is read as it comes; the engine need not fill its disk with it.
        log_config: Some(HostConfigLogConfig { typ: Some("none".to_owned()), config: None }),
        ..Default::default()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::bake::port::Mount;

    #[test]
    fn a_container_is_told_no_more_than_what_it_needs() {
        let at = "/mnt/pack".parse().unwrap();
        let command = ["run".to_owned()];
        let wanted = Container {
            image: "i",
            command: &command,
            env: &[],
            user: Some("1000"),
            workdir: None,
            network: "none",
            memory: Some(64 << 20),
            mounts: &[Mount { volume: "v", at: &at, writable: false }],
        };
        let said = serde_json::to_value(container(&wanted, "r")).unwrap();
        assert_eq!(
            said,
            json!({
                "Hostname": "elkbake", "User": "1000", "AttachStdout": true, "AttachStderr": true, "Cmd": ["run"],
                "Image": "i", "NetworkDisabled": true, "Labels": { "elkbake.run": "r" },
                "HostConfig": {
                    "Memory": 67_108_864, "MemorySwap": 67_108_864, "NetworkMode": "none",
                    "LogConfig": { "Type": "none" },
                    "Mounts": [{ "Type": "volume", "Source": "v", "Target": "/mnt/pack", "ReadOnly": true }],
                },
            })
        );
        let host = Container { network: "host", memory: None, mounts: &[], ..wanted };
        let said = serde_json::to_value(container(&host, "r")).unwrap();
        assert_eq!((&said["Hostname"], &said["HostConfig"]["Mounts"]), (&json!(null), &json!(null)));
    }
}
