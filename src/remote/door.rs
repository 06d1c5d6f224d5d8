//! Where an image's parts are asked for.

use hyper::Uri;

use crate::name::{Registry, Repository};

/// One repository at one registry, after mirrors.
pub(super) struct Door {
    /// What people call the thing, with the mirror where there is one.
    pub(super) subject: String,
    pub(super) registry: Registry,
    pub(super) repository: Repository,
    /// Spoken to without TLS.
    pub(super) plain: bool,
}

impl Door {
    /// The address of a part: `manifests/TAG`, `blobs/DIGEST`.
    pub(super) fn address(&self, part: &str) -> Option<Uri> {
        // Docker Hub's name is not its host.
        let host = if self.is_docker_hub() { "registry-1.docker.io" } else { self.registry.as_str() };
        let scheme = if self.plain { "http" } else { "https" };
        format!("{scheme}://{host}/v2/{}/{part}", self.repository).parse().ok()
    }

    /// Whether this is the registry of which the credentials are kept under an old name.
    pub(super) fn is_docker_hub(&self) -> bool {
        self.registry.as_str() == "docker.io"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_registry_has_its_address() {
        for (registry, plain, expected) in [
            ("docker.io", false, "https://registry-1.docker.io/v2/a/b/manifests/t"),
            ("localhost:5000", true, "http://localhost:5000/v2/a/b/manifests/t"),
            ("[::1]:5000", true, "http://[::1]:5000/v2/a/b/manifests/t"),
            ("docker.elastic.co", false, "https://docker.elastic.co/v2/a/b/manifests/t"),
        ] {
            let door = Door {
                subject: String::new(),
                registry: registry.parse().unwrap(),
                repository: "a/b".parse().unwrap(),
                plain,
            };
            assert_eq!(door.address("manifests/t").unwrap(), expected);
        }
    }
}
