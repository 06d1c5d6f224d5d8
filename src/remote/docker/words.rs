//! A container, in the words of Docker's API.

use bollard::models::{
    ContainerCreateBody, HostConfig, HostConfigLogConfig, Mount as Mounted, MountType, ResourcesUlimits,
};

use crate::bake::port::{Confines, Container, RUN_LABEL};

/// The name of the machine inside; otherwise it would be the container's id, another one each time.
const HOSTNAME: &str = "elkbake";

pub(super) fn container(wanted: &Container<'_>, run: &str) -> ContainerCreateBody {
    let given = |list: &[String]| (!list.is_empty()).then(|| list.to_vec());
    let has_own_network = wanted.network != "host" && !wanted.network.starts_with("container:");
    let listens = wanted.confines.is_some_and(|confines| confines.listens);
    ContainerCreateBody {
        image: Some(wanted.image.to_owned()),
        hostname: has_own_network.then(|| HOSTNAME.to_owned()),
        cmd: given(wanted.command),
        env: given(wanted.env),
        user: wanted.user.map(str::to_owned),
        working_dir: wanted.workdir.map(ToString::to_string),
        attach_stdout: Some(true),
        attach_stderr: Some(true),
        attach_stdin: listens.then_some(true),
        open_stdin: listens.then_some(true),
        stdin_once: listens.then_some(true),
        // Where it is disabled altogether, nobody else can be in it.
        network_disabled: wanted.confines.is_none().then_some(wanted.network == "none"),
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
    let host = HostConfig {
        network_mode: Some(wanted.network.to_owned()),
        memory,
        // As much with swap as without: none.
        memory_swap: memory,
        mounts: (!wanted.mounts.is_empty()).then(|| mounts.collect()),
        // What it prints is read as it comes; the engine need not fill its disk with it.
        log_config: Some(HostConfigLogConfig { typ: Some("none".to_owned()), config: None }),
        ..Default::default()
    };
    match wanted.confines {
        Some(confines) => confined(host, confines),
        None => host,
    }
}

/// The same as a task definition wants it.
fn confined(host: HostConfig, said: &Confines) -> HostConfig {
    let ulimits = said.ulimits.iter().map(|(name, (soft, hard))| ResourcesUlimits {
        name: Some(name.clone()),
        soft: Some(*soft),
        hard: Some(*hard),
    });
    let fleeting = said.fleeting.iter().map(|path| (path.to_string(), "rw,exec,nosuid,nodev".to_owned()));
    // The machine's own name among them: Java gives up where nobody knows it.
    let names = said.names.iter().map(String::as_str).chain([HOSTNAME]).map(|name| format!("{name}:127.0.0.1"));
    HostConfig {
        ulimits: (!said.ulimits.is_empty()).then(|| ulimits.collect()),
        memory_reservation: said.reserved.and_then(|bytes| i64::try_from(bytes).ok()),
        cpu_shares: said.shares.map(i64::from),
        readonly_rootfs: said.read_only.then_some(true),
        tmpfs: (!said.fleeting.is_empty()).then(|| fleeting.collect()),
        sysctls: (!said.sysctls.is_empty()).then(|| said.sysctls.clone().into_iter().collect()),
        extra_hosts: (!said.names.is_empty()).then(|| names.collect()),
        ..host
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
            confines: None,
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

    #[test]
    fn a_container_of_a_task_gets_what_its_definition_says() {
        let confines = Confines {
            ulimits: [("nofile".to_owned(), (1, 2))].into(),
            reserved: Some(1 << 20),
            shares: Some(512),
            read_only: true,
            fleeting: vec!["/tmp".parse().unwrap()],
            sysctls: [("net.core.somaxconn".to_owned(), "9".to_owned())].into(),
            names: vec!["es".to_owned()],
            listens: true,
        };
        let wanted = Container {
            image: "i",
            command: &[],
            env: &[],
            user: None,
            workdir: None,
            network: "container:x",
            memory: None,
            mounts: &[],
            confines: Some(&confines),
        };
        assert_eq!(
            serde_json::to_value(container(&wanted, "r")).unwrap(),
            json!({
                "AttachStdin": true, "AttachStdout": true, "AttachStderr": true, "OpenStdin": true, "StdinOnce": true,
                "Image": "i", "Labels": { "elkbake.run": "r" },
                "HostConfig": {
                    "NetworkMode": "container:x", "LogConfig": { "Type": "none" }, "ReadonlyRootfs": true,
                    "Ulimits": [{ "Name": "nofile", "Soft": 1, "Hard": 2 }], "MemoryReservation": 1_048_576,
                    "CpuShares": 512, "Tmpfs": { "/tmp": "rw,exec,nosuid,nodev" },
                    "Sysctls": { "net.core.somaxconn": "9" }, "ExtraHosts": ["es:127.0.0.1", "elkbake:127.0.0.1"],
                },
            })
        );
    }
}
