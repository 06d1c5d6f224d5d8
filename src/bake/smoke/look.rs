//! Looking at a container: whether it is ready, and whether something holds.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::time::Duration;

use serde_json::Value;

use super::http::{Question, begin, parts};
use super::log::Log;
use super::probe::Net;
use crate::bake::port::{Engine, PortError};
use crate::name::ImagePath;
use crate::recipe::{Expect, ImageRecipe, Product, Ready};
use crate::record::HealthCheck;
use crate::tree::{Mode, Owner};

/// What does not hold, in words; an error where nobody can tell.
pub(super) type Seen = Result<Result<(), String>, PortError>;

/// A container that runs, and all that it is looked at with.
#[derive(Clone, Copy)]
pub(super) struct Look<'l, 'e> {
    pub(super) engine: &'l dyn Engine,
    pub(super) net: &'l Net<'e>,
    pub(super) log: &'l Log,
    pub(super) id: &'l str,
    pub(super) env: &'l BTreeMap<String, String>,
    pub(super) recipe: &'l ImageRecipe,
}

/// It has nothing to wait for.
const STAT: Duration = Duration::from_secs(30);

/// A tar header.
const BLOCK: usize = 512;

impl Look<'_, '_> {
    /// Whether it is ready but for its end, which is no matter of looking.
    pub(super) fn ready(&self, ready: &Ready) -> Seen {
        if let Some(text) = ready.log.as_ref().filter(|text| !self.log.says(text)) {
            return Ok(Err(format!("its log does not say `{text}`")));
        }
        if let Some(port) = ready.tcp
            && !self.net.is_open(port)?
        {
            return Ok(Err(format!("nobody takes connections at port {port}")));
        }
        let Some(url) = &ready.http else { return Ok(Ok(())) };
        let (host, port, path) = parts(url);
        let login = self.login(ready.login.as_deref());
        let question = Question { host, port, path, status: ready.status, contains: None, json: &ready.json, login };
        Ok(question.ask(self.net)?.map(drop).map_err(|why| format!("{url}: {why}")))
    }

    /// Whether the health check of its task definition succeeds.
    pub(super) fn healthy(&self, check: &HealthCheck) -> Seen {
        let command = match check.command.split_first() {
            Some((how, rest)) if how == "CMD-SHELL" => {
                vec!["/bin/sh".to_owned(), "-c".to_owned(), rest.join(" ")]
            }
            Some((_, rest)) => rest.to_vec(),
            None => return Ok(Ok(())),
        };
        self.command(&command, None, Duration::from_secs(check.timeout.into()))
    }

    /// Whether something holds.
    pub(super) fn expected(&self, expect: &Expect, limit: Duration) -> Seen {
        let login = self.login(expect.login.as_deref());
        let none = BTreeMap::new();
        if let Some(url) = &expect.http {
            let (host, port, path) = parts(url);
            let (status, contains) = (expect.status.unwrap_or(200), expect.contains.as_deref());
            let question = Question { host, port, path, status, contains, json: &expect.json, login };
            return Ok(question.ask(self.net)?.map(drop));
        }
        if let Some(plugin) = &expect.plugin {
            let (port, path) = match self.recipe.product {
                Product::Logstash => (9600, "/_node/plugins"),
                _ => (9200, "/_nodes/plugins"),
            };
            let question = Question { host: "localhost", port, path, status: 200, contains: None, json: &none, login };
            return Ok(question.ask(self.net)?.and_then(|answer| loaded(plugin, &answer.body)));
        }
        match &expect.file {
            Some(path) => self.file(path, expect.mode, expect.owner),
            None => self.command(&expect.command, expect.contains.as_deref(), limit),
        }
    }

    fn command(&self, command: &[String], contains: Option<&str>, limit: Duration) -> Seen {
        let Some(said) = self.engine.exec(self.id, command, limit)? else {
            return Ok(Err(format!("it has not ended after {} s", limit.as_secs())));
        };
        let text = begin(&said.text);
        Ok(match (said.code, contains) {
            (0, Some(wanted)) if !said.text.contains(wanted) => Err(format!("it does not print `{wanted}`{text}")),
            (0, _) => Ok(()),
            (code, _) => Err(format!("it ends with exit code {code}{text}")),
        })
    }

    fn file(&self, path: &ImagePath, mode: Option<Mode>, owner: Option<Owner>) -> Seen {
        let Some(mut tar) = self.engine.fetch(self.id, path)? else { return Ok(Err("it is not there".to_owned())) };
        let mut block = [0; BLOCK];
        let wrong =
            |what: &str| PortError::Wrong { subject: path.to_string(), message: format!("the engine sends {what}") };
        tar.read_exact(&mut block).map_err(|_| wrong("nothing of this file"))?;
        let header = tar::Header::from_byte_slice(&block);
        let bits = header.mode().map_err(|_| wrong("no header of this file"))?;
        let there = Mode::new(u16::try_from(bits & 0o7777).unwrap_or_default());
        if let Some(mode) = mode.filter(|mode| *mode != there) {
            return Ok(Err(format!("its mode is {there}, not {mode}")));
        }
        let Some(owner) = owner else { return Ok(Ok(())) };
        let id = |id: std::io::Result<u64>| id.ok().and_then(|id| u32::try_from(id).ok()).unwrap_or(u32::MAX);
        let its = if self.engine.facts().tells_owners {
            Some(Owner { uid: id(header.uid()), gid: id(header.gid()) })
        } else {
            self.owner(path)?
        };
        Ok(match its {
            Some(its) if its == owner => Ok(()),
            Some(its) => Err(format!("its owner is {its}, not {owner}")),
            None => Err("this engine does not tell its owner, and no `stat` in the container does".to_owned()),
        })
    }

    /// The owner of a path, by a program of the container itself.
    fn owner(&self, path: &ImagePath) -> Result<Option<Owner>, PortError> {
        let command = ["stat", "-c", "%u:%g", "--", path.as_str()].map(str::to_owned);
        match self.engine.exec(self.id, &command, STAT) {
            Ok(Some(said)) if said.code == 0 => Ok(said.text.trim().parse().ok()),
            // An engine's word for a program that is not there, or a container that has ended.
            Ok(_) | Err(PortError::Docker { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// `NAME:PASSWORD`, of a name and the variable that the password is in.
    fn login(&self, said: Option<&str>) -> Option<String> {
        let (name, variable) = said?.split_once(':')?;
        Some(format!("{name}:{}", self.env.get(variable).map_or("", String::as_str)))
    }
}

/// Whether every node says that it has loaded a plugin.
fn loaded(plugin: &str, body: &str) -> Result<(), String> {
    let document: Value =
        serde_json::from_str(body).map_err(|_| format!("the answer is no JSON document{}", begin(body)))?;
    let nodes: Vec<&Value> = match document.get("nodes").and_then(Value::as_object) {
        Some(nodes) => nodes.values().collect(),
        None => vec![&document],
    };
    let names = |node: &Value| -> Vec<String> {
        let plugins = node["plugins"].as_array().into_iter().flatten();
        plugins.filter_map(|plugin| plugin["name"].as_str().map(str::to_owned)).collect()
    };
    match nodes.iter().map(|node| names(node)).find(|names| !names.iter().any(|name| name == plugin)) {
        None if !nodes.is_empty() => Ok(()),
        found => {
            let there = found.unwrap_or_default().join(", ");
            Err(format!("it is not loaded; these are: {there}"))
        }
    }
}

/// What something that is expected is called.
pub(super) fn name_of(expect: &Expect) -> String {
    match (&expect.http, &expect.plugin, &expect.file) {
        (Some(url), ..) => format!("http {url}"),
        (_, Some(plugin), _) => format!("plugin {plugin}"),
        (.., Some(file)) => format!("file {file}"),
        _ => format!("command {}", expect.command.join(" ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_node_has_to_have_a_plugin() {
        let node = |names: &[&str]| {
            let plugins: Vec<_> = names.iter().map(|name| serde_json::json!({ "name": name })).collect();
            serde_json::json!({ "plugins": plugins })
        };
        let both = serde_json::json!({ "nodes": { "a": node(&["icu", "ec2"]), "b": node(&["icu"]) } }).to_string();
        assert_eq!(loaded("icu", &both), Ok(()));
        assert_eq!(loaded("ec2", &both).unwrap_err(), "it is not loaded; these are: icu");
        assert_eq!(loaded("sqs", &node(&["sqs"]).to_string()), Ok(()), "as Logstash says it");
        assert!(loaded("icu", "{\"nodes\":{}}").is_err() && loaded("icu", "no").is_err());
    }
}
