//! Clock, journal, units, users, and the agent of `CloudWatch`.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::draft::{Draft, TuningError};
use super::tmpfiles::quoted;
use crate::recipe::{AmiRecipe, Host, HostUser};

/// Where a host finds Amazon's own time: it is one hop away, so that asking every 16 seconds costs nobody anything.
const AMAZON_TIME: [&str; 2] = ["169.254.169.123", "fd00:ec2::123"];

pub(super) fn write(draft: &mut Draft, ami: &AmiRecipe) -> Result<(), TuningError> {
    let mut units = BTreeMap::new();
    if let Some(host) = &ami.host {
        clock(draft, host)?;
        journal(draft, host)?;
        units.extend(host.disable.iter().map(|unit| (unit.as_str(), "disable")));
        units.extend(host.enable.iter().map(|unit| (unit.as_str(), "enable")));
    }
    if !ami.cloudwatch.is_empty() {
        let configuration = serde_json::Value::from_iter(ami.cloudwatch.clone());
        let path = "/opt/aws/amazon-cloudwatch-agent/etc/amazon-cloudwatch-agent.json";
        draft.text(path, format!("{configuration:#}\n"))?;
        units.insert("amazon-cloudwatch-agent.service", "enable");
    }
    if !units.is_empty() {
        let lines = units.iter().map(|(unit, verb)| format!("{verb} {unit}\n"));
        draft.text("/etc/elkbake/units", lines.collect::<String>())?;
    }
    users(draft, &ami.user)
}

fn clock(draft: &mut Draft, host: &Host) -> Result<(), TuningError> {
    if host.time_servers.is_empty() {
        return Ok(());
    }
    let line = |server: &String| {
        let often = if AMAZON_TIME.contains(&server.as_str()) { " minpoll 4 maxpoll 4" } else { "" };
        format!("server {server} iburst{often}\n")
    };
    draft.text("/etc/elkbake/time-servers", host.time_servers.iter().map(line).collect::<String>())
}

fn journal(draft: &mut Draft, host: &Host) -> Result<(), TuningError> {
    if host.journal.is_empty() {
        return Ok(());
    }
    let lines = host.journal.iter().map(|(key, value)| format!("{key}={value}\n"));
    draft.text("/etc/systemd/journald.conf.d/90-elkbake.conf", format!("[Journal]\n{}", lines.collect::<String>()))
}

fn users(draft: &mut Draft, users: &[HostUser]) -> Result<(), TuningError> {
    if users.is_empty() {
        return Ok(());
    }
    let mut text = String::new();
    for HostUser { name, uid, home, groups } in users {
        let home = home.as_ref().map_or_else(|| "-".to_owned(), |home| quoted(home.as_str()));
        let _ = writeln!(text, "u {name} {uid} - {home}");
        for group in groups {
            let _ = writeln!(text, "m {name} {group}");
        }
    }
    draft.text("/etc/sysusers.d/90-elkbake.conf", text)
}
