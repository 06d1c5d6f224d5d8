//! The settings of the ECS agent: which there are, and what it takes for each.

use super::rules::{AGENT_KEY, AGENT_VALUE, BACKEND_HOST, CLUSTER_BAKED};
use crate::product::subject::{Found, Place, Scene};
use crate::recipe::AmiRecipe;

/// What the agent reads of a value.
#[derive(Clone, Copy)]
enum Form {
    /// Go's durations: `90s`, `1h30m`.
    Duration,
    Flag,
    Number,
    Texts,
    Numbers,
    Table,
    OneOf(&'static [&'static str]),
    Text,
}

use Form::{Duration, Flag, Number, Numbers, OneOf, Table, Text, Texts};

const LEVELS: &[&str] = &["crit", "error", "warn", "info", "debug", "none"];

const DRIVERS: &[&str] = &["awslogs", "fluentd", "gelf", "json-file", "journald", "logentries", "syslog", "splunk"];

/// Every setting of the agent and its starter on Linux, as their documentation and source of 2026 have them, and the proxy.
const KEYS: &[(&str, Form)] = &[
    ("ECS_AGENT_APPARMOR_PROFILE", Text),
    ("ECS_AGENT_HEALTHCHECK_HOST", Text),
    ("ECS_AGENT_LABELS", Table),
    ("ECS_AGENT_PID_NAMESPACE_HOST", Flag),
    ("ECS_AGENT_RUN_PRIVILEGED", Flag),
    ("ECS_ALLOW_OFFHOST_INTROSPECTION_ACCESS", Flag),
    ("ECS_ALTERNATE_CREDENTIAL_PROFILE", Text),
    ("ECS_APPARMOR_CAPABLE", Flag),
    ("ECS_AUDIT_LOGFILE", Text),
    ("ECS_AUDIT_LOGFILE_DISABLED", Flag),
    ("ECS_AVAILABLE_LOGGING_DRIVERS", Texts),
    ("ECS_AWSVPC_ADDITIONAL_LOCAL_ROUTES", Texts),
    ("ECS_AWSVPC_BLOCK_IMDS", Flag),
    ("ECS_BACKEND_HOST", Text),
    ("ECS_CGROUP_CPU_PERIOD", Duration),
    ("ECS_CGROUP_PATH", Text),
    ("ECS_CHECKPOINT", Flag),
    ("ECS_CLUSTER", Text),
    ("ECS_CNI_PLUGINS_PATH", Text),
    ("ECS_CONTAINER_CREATE_TIMEOUT", Duration),
    ("ECS_CONTAINER_INSTANCE_PROPAGATE_TAGS_FROM", OneOf(&["none", "ec2_instance"])),
    ("ECS_CONTAINER_INSTANCE_TAGS", Table),
    ("ECS_CONTAINER_START_TIMEOUT", Duration),
    ("ECS_CONTAINER_STOP_TIMEOUT", Duration),
    ("ECS_DATADIR", Text),
    ("ECS_DETAILED_OS_FAMILY", Text),
    ("ECS_DISABLE_DOCKER_HEALTH_CHECK", Flag),
    ("ECS_DISABLE_IMAGE_CLEANUP", Flag),
    ("ECS_DISABLE_METRICS", Flag),
    ("ECS_DISABLE_PRIVILEGED", Flag),
    ("ECS_DISABLE_TASK_METADATA_AZ", Flag),
    ("ECS_DYNAMIC_HOST_PORT_RANGE", Text),
    ("ECS_EBSTA_SUPPORTED", Flag),
    ("ECS_ENABLE_AWSLOGS_EXECUTIONROLE_OVERRIDE", Flag),
    ("ECS_ENABLE_CONTAINER_METADATA", Flag),
    ("ECS_ENABLE_FIRELENS_ASYNC", Flag),
    ("ECS_ENABLE_GPU_SUPPORT", Flag),
    ("ECS_ENABLE_HIGH_DENSITY_ENI", Flag),
    ("ECS_ENABLE_INF_SUPPORT", Flag),
    ("ECS_ENABLE_PROMETHEUS_METRICS", Flag),
    ("ECS_ENABLE_RUNTIME_STATS", Flag),
    ("ECS_ENABLE_SPOT_INSTANCE_DRAINING", Flag),
    ("ECS_ENABLE_TASK_CPU_MEM_LIMIT", Flag),
    ("ECS_ENABLE_TASK_ENI", Flag),
    ("ECS_ENABLE_TASK_IAM_ROLE", Flag),
    ("ECS_ENABLE_TASK_IAM_ROLE_NETWORK_HOST", Flag),
    ("ECS_ENABLE_UNTRACKED_IMAGE_CLEANUP", Flag),
    ("ECS_ENGINE_AUTH_DATA", Table),
    ("ECS_ENGINE_AUTH_TYPE", OneOf(&["docker", "dockercfg"])),
    ("ECS_ENGINE_TASK_CLEANUP_WAIT_DURATION", Duration),
    ("ECS_ENGINE_TASK_CLEANUP_WAIT_DURATION_JITTER", Duration),
    ("ECS_EXCLUDE_IPV6_PORTBINDING", Flag),
    ("ECS_EXCLUDE_UNTRACKED_IMAGE", Text),
    ("ECS_FSX_WINDOWS_FILE_SERVER_SUPPORTED", Flag),
    ("ECS_GMSA_SUPPORTED", Flag),
    ("ECS_HOST_DATA_DIR", Text),
    ("ECS_IMAGE_CLEANUP_INTERVAL", Duration),
    ("ECS_IMAGE_MINIMUM_CLEANUP_AGE", Duration),
    ("ECS_IMAGE_PULL_BEHAVIOR", OneOf(&["default", "always", "once", "prefer-cached"])),
    ("ECS_IMAGE_PULL_INACTIVITY_TIMEOUT", Duration),
    ("ECS_IMAGE_PULL_TIMEOUT", Duration),
    ("ECS_INIT_DOCKER_LOG_FILE_NUM", Number),
    ("ECS_INIT_DOCKER_LOG_FILE_SIZE", Text),
    ("ECS_INSTANCE_ATTRIBUTES", Table),
    ("ECS_INSTANCE_IP_COMPATIBILITY", OneOf(&["ipv4", "ipv6"])),
    ("ECS_LOGFILE", Text),
    ("ECS_LOGLEVEL", OneOf(LEVELS)),
    ("ECS_LOGLEVEL_ON_INSTANCE", OneOf(LEVELS)),
    ("ECS_LOG_DRIVER", OneOf(DRIVERS)),
    ("ECS_LOG_MAX_FILE_SIZE_MB", Number),
    ("ECS_LOG_MAX_ROLL_COUNT", Number),
    ("ECS_LOG_OPTS", Table),
    ("ECS_LOG_OUTPUT_FORMAT", OneOf(&["logfmt", "json"])),
    ("ECS_LOG_ROLLOVER_TYPE", OneOf(&["size", "hourly"])),
    ("ECS_MANIFEST_PULL_TIMEOUT", Duration),
    ("ECS_NUM_IMAGES_DELETE_PER_CYCLE", Number),
    ("ECS_NVIDIA_RUNTIME", Text),
    ("ECS_OFFHOST_INTROSPECTION_INTERFACE_NAME", Text),
    ("ECS_PAUSE_LABELS", Table),
    ("ECS_POLLING_METRICS_WAIT_DURATION", Duration),
    ("ECS_POLL_METRICS", Flag),
    ("ECS_PROPAGATE_TASK_MEMORY_LIMIT_CGROUPV2", Flag),
    ("ECS_PULL_DEPENDENT_CONTAINERS_UPFRONT", Flag),
    ("ECS_RESERVED_MEMORY", Number),
    ("ECS_RESERVED_PORTS", Numbers),
    ("ECS_RESERVED_PORTS_UDP", Numbers),
    ("ECS_SELINUX_CAPABLE", Flag),
    ("ECS_SHARED_VOLUME_MATCH_FULL_CONFIG", Flag),
    ("ECS_SKIP_LOCALHOST_TRAFFIC_FILTER", Flag),
    ("ECS_TASK_METADATA_RPS_LIMIT", Text),
    ("ECS_TASK_PIDS_LIMIT", Number),
    ("ECS_UPDATES_ENABLED", Flag),
    ("ECS_VOLUME_PLUGIN_CAPABILITIES", Texts),
    ("ECS_WARM_POOLS_CHECK", Flag),
    ("HTTP_PROXY", Text),
    ("NO_PROXY", Text),
];

pub(super) fn check(scene: &Scene<'_>, ami: &AmiRecipe, found: &mut Found) {
    for (key, value) in &ami.ecs {
        let place = || scene.key(&format!("ecs.{key}"));
        told(key, place(), found);
        if let Some(why) = misread(value) {
            found.add(&AGENT_VALUE, place(), format!("`{key}` {why}"));
        }
        match KEYS.iter().find(|(name, _)| name == key) {
            Some((_, form)) => {
                if let Some(wanted) = wrong(*form, value) {
                    found.add(&AGENT_VALUE, place(), format!("`{key}` is `{value}`: it is {wanted}"));
                }
            }
            None => found.add(&AGENT_KEY, place(), format!("`{key}`")),
        }
    }
    for file in &scene.files {
        for (number, line) in file.live_lines() {
            for key in ["ECS_BACKEND_HOST", "ECS_CLUSTER"] {
                let set = line.find(key).is_some_and(|at| line[at + key.len()..].starts_with('='));
                if set {
                    told(key, file.place(number), found);
                }
            }
        }
    }
}

fn told(key: &str, place: Place, found: &mut Found) {
    match key {
        "ECS_BACKEND_HOST" => found.add(&BACKEND_HOST, place, "`ECS_BACKEND_HOST` is set"),
        "ECS_CLUSTER" => found.add(&CLUSTER_BAKED, place, "`ECS_CLUSTER` is set"),
        _ => {}
    }
}

/// What the file has two readers for, who differ: systemd takes quotes and backslashes away, and the agent's starter hands
/// on what stands behind the `=`.
fn misread(value: &str) -> Option<&'static str> {
    if value.trim() != value {
        Some("begins or ends with white space, which is lost")
    } else if value.starts_with(['"', '\'']) {
        Some("is in quotes, which become part of the value: leave them out")
    } else if value.contains('\\') {
        Some("has a backslash, which is lost")
    } else {
        None
    }
}

/// What a value should be and is not.
fn wrong(form: Form, value: &str) -> Option<String> {
    let json = || serde_json::from_str::<serde_json::Value>(value).ok();
    let list = |of: fn(&serde_json::Value) -> bool| json().and_then(|json| Some(json.as_array()?.iter().all(of)));
    let (right, wanted) = match form {
        Text => (true, String::new()),
        Duration => (is_duration(value), "a duration, as in `90s` or `1h30m`".to_owned()),
        Flag => (matches!(value, "true" | "false"), "`true` or `false`".to_owned()),
        Number => (value.parse::<u32>().is_ok(), "a whole number".to_owned()),
        Texts => (list(serde_json::Value::is_string) == Some(true), "a list, as in `[\"json-file\"]`".to_owned()),
        Numbers => (list(serde_json::Value::is_u64) == Some(true), "a list of numbers, as in `[22, 8080]`".to_owned()),
        Table => {
            (json().is_some_and(|json| json.is_object()), "a JSON object, as in `{\"stack\":\"prod\"}`".to_owned())
        }
        OneOf(words) => (words.contains(&value), format!("one of {}", words.join(", "))),
    };
    (!right).then_some(wanted)
}

/// Whether Go's `ParseDuration` takes it.
fn is_duration(text: &str) -> bool {
    const UNITS: [&str; 7] = ["ns", "us", "µs", "ms", "s", "m", "h"];
    let mut rest = text;
    while !rest.is_empty() {
        let number = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.').len();
        if number == 0 || rest[..number].parse::<f64>().is_err() {
            return false;
        }
        rest = &rest[number..];
        let unit = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        if !UNITS.contains(&&rest[..unit]) {
            return false;
        }
        rest = &rest[unit..];
    }
    !text.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_those_of_go() {
        for right in ["120s", "1h30m", "1.5h", "100ms", "0s"] {
            assert!(is_duration(right), "{right}");
        }
        for wrong in ["", "120", "s", "2 m", "1d", "1h30", "-5s", "1..5s", "10min"] {
            assert!(!is_duration(wrong), "{wrong}");
        }
    }

    #[test]
    fn every_form_takes_what_the_agent_takes() {
        let right = [
            (Flag, "true"),
            (Number, "1024"),
            (Texts, "[\"json-file\",\"awslogs\"]"),
            (Texts, "[]"),
            (Numbers, "[22, 80]"),
            (Table, "{\"stack\": \"prod\"}"),
            (OneOf(LEVELS), "debug"),
            (Text, "anything, at all"),
        ];
        for (form, value) in right {
            assert_eq!(wrong(form, value), None, "{value}");
        }
        let others = [
            (Flag, "yes"),
            (Number, "1g"),
            (Texts, "json-file"),
            (Texts, "[1]"),
            (Numbers, "[\"22\"]"),
            (Table, "stack=prod"),
            (OneOf(LEVELS), "verbose"),
        ];
        for (form, value) in others {
            assert!(wrong(form, value).is_some(), "{value}");
        }
    }

    #[test]
    fn no_setting_is_listed_twice() {
        let mut names: Vec<_> = KEYS.iter().map(|(name, _)| name).collect();
        let all = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), all);
    }
}
