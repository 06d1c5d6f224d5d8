//! From a base's configuration and layers to the documents of an image.
//!
//! Written once, with sorted keys and without blanks: the bytes that are hashed are the bytes that are sent. The JSON
//! values keep their keys in a `BTreeMap`; what a base says that nobody here knows is passed on as it is.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::oci::{Descriptor, OciError};
use crate::digest::Digest;
use crate::moment::Moment;
use crate::name::Platform;
use crate::recipe::Config;

const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";

/// What an OCI configuration may say at its top; Docker adds what it remembers of the machine it was built on.
const KNOWN: [&str; 10] =
    ["architecture", "author", "config", "created", "history", "os", "os.features", "os.version", "rootfs", "variant"];

/// A layer of the image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Its compressed bytes.
    pub descriptor: Descriptor,
    /// The tar stream inside.
    pub diff_id: Digest,
    /// What made it; `None` for a layer of the base, whose history is the base's.
    pub made_by: Option<String>,
}

/// What an image is put together from.
#[derive(Clone, Copy, Debug)]
pub struct Parts<'a> {
    /// The platform.
    pub platform: &'a Platform,
    /// The configuration of the base, where it has one.
    pub base: Option<&'a [u8]>,
    /// What the recipe changes in it.
    pub config: Option<&'a Config>,
    /// All layers, from the bottom up.
    pub layers: &'a [Part],
    /// When the image counts as made.
    pub created: Moment,
    /// What the manifest says beside.
    pub annotations: &'a BTreeMap<String, String>,
}

/// A document, ready to be stored and sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// How others point to it.
    pub descriptor: Descriptor,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// The documents of an image on one platform.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Documents {
    /// Its configuration.
    pub config: Written,
    /// Its manifest.
    pub manifest: Written,
}

/// Puts an image together.
///
/// # Errors
/// When the base's configuration is none.
pub fn image(parts: Parts<'_>) -> Result<Documents, OciError> {
    let config = written(CONFIG, &configuration(parts)?);
    let layers: Vec<_> = parts.layers.iter().map(|part| pointer(&part.descriptor)).collect();
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": pointer(&config.descriptor),
        "layers": layers,
        "annotations": parts.annotations,
    });
    Ok(Documents { config, manifest: written(MANIFEST, &manifest) })
}

/// Puts the images of several platforms under one name.
#[must_use]
pub fn index<'i>(
    images: impl IntoIterator<Item = (&'i Platform, &'i Descriptor)>,
    annotations: &BTreeMap<String, String>,
) -> Written {
    let entry = |(platform, descriptor): (&Platform, &Descriptor)| {
        let mut entry = pointer(descriptor);
        let mut on = json!({ "os": Platform::OS, "architecture": platform.architecture });
        if let Some(variant) = &platform.variant {
            on["variant"] = json!(variant);
        }
        entry["platform"] = on;
        entry
    };
    let manifests: Vec<_> = images.into_iter().map(entry).collect();
    let index = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": manifests, "annotations": annotations });
    written(INDEX, &index)
}

fn written(media_type: &str, document: &Value) -> Written {
    let bytes = document.to_string().into_bytes();
    let (digest, size) = (Digest::of(&bytes), bytes.len() as u64);
    Written { descriptor: Descriptor { digest, size, media_type: media_type.to_owned() }, bytes }
}

fn pointer(to: &Descriptor) -> Value {
    json!({ "mediaType": oci_type(&to.media_type), "digest": to.digest, "size": to.size })
}

/// Docker's layers are OCI's under another name.
fn oci_type(media_type: &str) -> &str {
    match media_type {
        "application/vnd.docker.image.rootfs.diff.tar" => "application/vnd.oci.image.layer.v1.tar",
        "application/vnd.docker.image.rootfs.diff.tar.gzip" => "application/vnd.oci.image.layer.v1.tar+gzip",
        "application/vnd.docker.image.rootfs.diff.tar.zstd" => "application/vnd.oci.image.layer.v1.tar+zstd",
        other => other,
    }
}

fn configuration(parts: Parts<'_>) -> Result<Value, OciError> {
    let wrong = |message: String| OciError::Json { kind: "OCI configuration", message };
    let mut document: Map<String, Value> = match parts.base {
        Some(bytes) => serde_json::from_slice(bytes).map_err(|error| wrong(error.to_string()))?,
        None => Map::new(),
    };
    document.retain(|key, _| KNOWN.contains(&key.as_str()));
    let mut runtime = match document.remove("config") {
        Some(Value::Object(runtime)) => runtime,
        None | Some(Value::Null) => Map::new(),
        Some(_) => return Err(wrong("`config` is no object".to_owned())),
    };
    if let Some(config) = parts.config {
        change(&mut runtime, config);
    }
    let created = parts.created.to_string();
    let diff_ids: Vec<_> = parts.layers.iter().map(|part| part.diff_id).collect();
    let mut history = match document.remove("history") {
        Some(Value::Array(history)) => history,
        _ => Vec::new(),
    };
    add_history(&mut history, parts, &created);
    document.insert("architecture".to_owned(), json!(parts.platform.architecture));
    document.insert("os".to_owned(), json!(Platform::OS));
    if let Some(variant) = &parts.platform.variant {
        document.insert("variant".to_owned(), json!(variant));
    }
    document.insert("config".to_owned(), Value::Object(runtime));
    document.insert("created".to_owned(), json!(created));
    document.insert("history".to_owned(), Value::Array(history));
    document.insert("rootfs".to_owned(), json!({ "type": "layers", "diff_ids": diff_ids }));
    Ok(Value::Object(document))
}

/// One line for each layer, after those of the base: engines count them.
fn add_history(history: &mut Vec<Value>, parts: Parts<'_>, created: &str) {
    let is_layer = |line: &&Value| line.get("empty_layer") != Some(&Value::Bool(true));
    let known = history.iter().filter(is_layer).count();
    let of_base = parts.layers.iter().filter(|part| part.made_by.is_none()).count();
    for _ in known..of_base {
        history.push(json!({ "created": created, "created_by": "base" }));
    }
    for made_by in parts.layers.iter().filter_map(|part| part.made_by.as_ref()) {
        history.push(json!({ "created": created, "created_by": format!("elkbake: {made_by}") }));
    }
    if parts.config.is_some() {
        history.push(json!({ "created": created, "created_by": "elkbake: config", "empty_layer": true }));
    }
}

/// What the recipe says takes the place of what the base says; what it does not speak of stays.
fn change(runtime: &mut Map<String, Value>, config: &Config) {
    let mut set = |key: &str, value: Option<Value>| {
        if let Some(value) = value {
            runtime.insert(key.to_owned(), value);
        }
    };
    set("Entrypoint", config.entrypoint.as_ref().map(|list| json!(list)));
    set("Cmd", config.cmd.as_ref().map(|list| json!(list)));
    set("User", config.user.as_ref().map(|user| json!(user)));
    set("WorkingDir", config.workdir.as_ref().map(|path| json!(path.as_str())));
    set("StopSignal", config.stop_signal.as_ref().map(|signal| json!(signal)));
    let empty = || json!({});
    add(runtime, "Labels", config.labels.iter().map(|(name, value)| (name.clone(), json!(value))));
    add(runtime, "ExposedPorts", config.ports.iter().map(|port| (port.clone(), empty())));
    add(runtime, "Volumes", config.volumes.iter().map(|path| (path.to_string(), empty())));
    if !config.env.is_empty() || !config.env_remove.is_empty() {
        let lines = match runtime.get("Env") {
            Some(Value::Array(lines)) => lines.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            _ => Vec::new(),
        };
        runtime.insert("Env".to_owned(), json!(environment(lines, config)));
    }
}

fn add(runtime: &mut Map<String, Value>, key: &str, pairs: impl Iterator<Item = (String, Value)>) {
    let mut pairs = pairs.peekable();
    if pairs.peek().is_none() {
        return;
    }
    match runtime.get_mut(key) {
        Some(Value::Object(there)) => there.extend(pairs),
        _ => drop(runtime.insert(key.to_owned(), Value::Object(pairs.collect()))),
    }
}

/// Changed variables keep their places, new ones come after them in the order of their names.
fn environment(lines: Vec<String>, config: &Config) -> Vec<String> {
    let name = |line: &str| line.split('=').next().unwrap_or_default().to_owned();
    let mut new = config.env.clone();
    let mut env: Vec<String> = Vec::new();
    for line in lines.into_iter().filter(|line| !config.env_remove.contains(&name(line))) {
        env.push(match new.remove(&name(&line)) {
            Some(value) => format!("{}={value}", name(&line)),
            None => line,
        });
    }
    env.extend(new.iter().map(|(name, value)| format!("{name}={value}")));
    env
}

#[cfg(test)]
mod tests;
