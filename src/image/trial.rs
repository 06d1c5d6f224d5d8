//! An image for one step only, which an engine runs a command in.

use serde_json::{Map, Value, json};

use super::oci::OciError;
use crate::digest::Digest;
use crate::name::Platform;

/// What of a base's configuration has its say in how a command runs. Not its volumes: what is written to them is in no
/// layer; not what it starts, and not how it is found to be healthy.
const WANTED: [&str; 3] = ["Env", "User", "WorkingDir"];

/// The configuration of such an image, with a label by which it is found again.
///
/// # Errors
/// When the base's configuration is none.
pub fn configuration(
    base: Option<&[u8]>,
    platform: &Platform,
    diff_ids: &[Digest],
    label: (&str, &str),
) -> Result<Vec<u8>, OciError> {
    let said: Map<String, Value> = match base {
        Some(bytes) => serde_json::from_slice(bytes)
            .map_err(|error| OciError::Json { kind: "OCI configuration", message: error.to_string() })?,
        None => Map::new(),
    };
    let mut config = Map::new();
    for key in WANTED {
        let value = said.get("config").and_then(|config| config.get(key)).filter(|value| !value.is_null());
        config.extend(value.map(|value| (key.to_owned(), value.clone())));
    }
    config.insert("Labels".to_owned(), json!({ label.0: label.1 }));
    let mut document = json!({
        "architecture": platform.architecture,
        "os": Platform::OS,
        "created": "1980-01-01T00:00:01Z",
        "config": config,
        "rootfs": { "type": "layers", "diff_ids": diff_ids },
    });
    if let Some(variant) = &platform.variant {
        document["variant"] = json!(variant);
    }
    Ok(document.to_string().into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_decides_how_a_command_runs_is_taken_over() {
        let base = json!({
            "architecture": "amd64", "os": "linux", "history": [{}],
            "config": {
                "Env": ["A=1"], "User": "1000", "WorkingDir": null, "Volumes": { "/data": {} }, "Entrypoint": ["x"],
                "Healthcheck": { "Test": ["CMD", "x"] }, "OnBuild": ["RUN x"], "Labels": { "a": "b" },
            },
        });
        let arm: Platform = "linux/arm/v7".parse().unwrap();
        let made = configuration(Some(base.to_string().as_bytes()), &arm, &[Digest::of(b"l")], ("k", "v")).unwrap();
        let made: Value = serde_json::from_slice(&made).unwrap();
        assert_eq!(made["config"], json!({ "Env": ["A=1"], "User": "1000", "Labels": { "k": "v" } }));
        assert_eq!((&made["variant"], &made["history"]), (&json!("v7"), &Value::Null));
        assert_eq!(made["rootfs"]["diff_ids"], json!([Digest::of(b"l")]));
        let made = configuration(None, &arm, &[], ("k", "v")).unwrap();
        assert!(serde_json::from_slice::<Value>(&made).unwrap()["config"]["Env"].is_null());
        assert!(configuration(Some(b"{"), &arm, &[], ("k", "v")).is_err());
    }
}
