//! Docker's `config.json`: which credentials, or which program that knows them, belong to a registry.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::name::Registry;
use crate::remote::secret::{Login, Secret};

/// The name under which Docker keeps the credentials of Docker Hub.
pub(super) const DOCKER_HUB_KEY: &str = "https://index.docker.io/v1/";

/// What a registry may ask us to show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Proof {
    /// A name and a password.
    Login(Login),
    /// A long-lived token that is exchanged for short-lived ones.
    Identity(Secret),
    /// A token that is shown as it is.
    Bearer(Secret),
}

/// The file.
#[derive(Default)]
pub(super) struct DockerConfig {
    path: PathBuf,
    json: Value,
}

impl DockerConfig {
    /// Reads the file; one that is not there is an empty one. An error repeats nothing of the content.
    pub(super) fn load(path: &Path) -> Result<Self, String> {
        let bytes = match std::fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(format!("cannot read {}: {error}", path.display())),
        };
        let json: Value = serde_json::from_slice(&bytes).map_err(|error| {
            format!("{}:{}:{} is no JSON: correct it, or log in anew", path.display(), error.line(), error.column())
        })?;
        Ok(Self { path: path.to_owned(), json })
    }

    /// The program that knows a registry's credentials: the `X` of `docker-credential-X`.
    pub(super) fn program(&self, registry: &Registry) -> Option<&str> {
        let of_host = self.json.get("credHelpers").and_then(Value::as_object).and_then(|programs| {
            let (_, program) = programs.iter().find(|(key, _)| is_for(key, registry))?;
            program.as_str()
        });
        let of_all = || self.json.get("credsStore").and_then(Value::as_str);
        of_host.or_else(of_all).filter(|program| !program.is_empty())
    }

    /// The credentials that stand in the file itself.
    pub(super) fn proof(&self, registry: &Registry) -> Result<Option<Proof>, String> {
        let Some(entries) = self.json.get("auths").and_then(Value::as_object) else { return Ok(None) };
        // The exact name before those that only mean the same.
        let exact = entries.get_key_value(registry.as_str());
        let Some((key, entry)) = exact.or_else(|| entries.iter().find(|(key, _)| is_for(key, registry))) else {
            return Ok(None);
        };
        let wrong =
            || format!("{}: the entry `{key}` under `auths` cannot be read: log in to it anew", self.path.display());
        let text = |field| entry.get(field).and_then(Value::as_str).filter(|text: &&str| !text.is_empty());
        if let Some(token) = text("identitytoken") {
            return Ok(Some(Proof::Identity(Secret::new(token))));
        }
        if let Some(token) = text("registrytoken") {
            return Ok(Some(Proof::Bearer(Secret::new(token))));
        }
        if let Some(auth) = text("auth") {
            let bytes = STANDARD.decode(auth.trim()).map_err(|_| wrong())?;
            let pair = String::from_utf8(bytes).map_err(|_| wrong())?;
            let (user, password) = pair.split_once(':').ok_or_else(wrong)?;
            return Ok(Some(login(user, password.trim_end_matches('\0'))));
        }
        Ok(text("username").zip(text("password")).map(|(user, password)| login(user, password)))
    }
}

/// A login, or the token that is written as one.
pub(super) fn login(user: &str, password: &str) -> Proof {
    if user == "<token>" {
        Proof::Identity(Secret::new(password))
    } else {
        Proof::Login(Login { user: user.to_owned(), password: Secret::new(password) })
    }
}

/// Whether a key of the file, a host with or without a scheme and a path, means a registry.
fn is_for(key: &str, registry: &Registry) -> bool {
    let host = key.strip_prefix("https://").or_else(|| key.strip_prefix("http://")).unwrap_or(key);
    let host = host.split('/').next().unwrap_or_default();
    let is_hub = matches!(host, "docker.io" | "index.docker.io" | "registry-1.docker.io");
    host.eq_ignore_ascii_case(registry.as_str()) || (is_hub && registry.as_str() == "docker.io")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn config(json: &str) -> DockerConfig {
        DockerConfig { path: "config.json".into(), json: serde_json::from_str(json).unwrap() }
    }

    fn host(text: &str) -> Registry {
        text.parse().unwrap()
    }

    #[test]
    fn logins_are_found_under_all_names_of_a_registry() {
        let config = config(
            r#"{"auths": {
                "https://index.docker.io/v1/": {"auth": "bWU6aHVudGVyMg=="},
                "https://a.b/v2/": {"username": "you", "password": "x"},
                "c.d": {"auth": "", "identitytoken": "id"},
                "e.f": {"auth": "PHRva2VuPjppZA=="},
                "g.h": {"registrytoken": "t"},
                "i.j": {"auth": "!"},
                "k.l": {"auth": "bWU="},
                "m.n:5000": {"auth": "bWU6YTpi"},
                "o.p": {}
            }}"#,
        );
        let proof = |registry: &str| config.proof(&host(registry));
        assert_eq!(proof("docker.io"), Ok(Some(login("me", "hunter2"))));
        assert_eq!(proof("a.b"), Ok(Some(login("you", "x"))));
        assert_eq!(proof("c.d"), Ok(Some(Proof::Identity(Secret::new("id")))));
        assert_eq!(proof("e.f"), Ok(Some(Proof::Identity(Secret::new("id")))));
        assert_eq!(proof("g.h"), Ok(Some(Proof::Bearer(Secret::new("t")))));
        assert_eq!(proof("m.n:5000"), Ok(Some(login("me", "a:b"))));
        for nothing in ["m.n", "o.p", "b", "index.docker.io.evil"] {
            assert_eq!(proof(nothing), Ok(None), "{nothing}");
        }
        for wrong in ["i.j", "k.l"] {
            assert!(proof(wrong).unwrap_err().contains(wrong));
        }
    }

    #[test]
    fn a_program_for_one_host_goes_before_the_one_for_all() {
        let config = config(r#"{"credsStore": "pass", "credHelpers": {"a.b": "ecr-login"}}"#);
        assert_eq!(config.program(&host("a.b")), Some("ecr-login"));
        assert_eq!(config.program(&host("c.d")), Some("pass"));
        assert_eq!(DockerConfig::default().program(&host("a.b")), None);
    }

    #[test]
    fn an_error_repeats_nothing_of_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.json");
        std::fs::write(&path, "{\"auths\": {\"a\": hunter2").unwrap();
        let error = DockerConfig::load(&path).err().unwrap();
        assert!(error.contains("config.json:1:") && !error.contains("hunter2"), "{error}");
        assert!(DockerConfig::load(&folder.path().join("none")).is_ok());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn no_entry_panics(auth: String, key: String) {
            let json = serde_json::json!({ "auths": { &key: { "auth": auth }, "a.b": { "auth": STANDARD.encode(&auth) } } });
            let config = DockerConfig { path: PathBuf::new(), json };
            let _ = config.proof(&host("a.b"));
            let _ = is_for(&key, &host("a.b"));
        }
    }
}
