//! Where an image's parts are asked for.

use hyper::Uri;

use crate::bake::port::PortError;
use crate::name::{Registry, Repository};
use crate::remote::address::same_server;

/// What is to be done in a repository, which a token has to allow.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Purpose {
    Read,
    Write,
    /// Writing, with blobs out of another repository of the same registry.
    Mount(Repository),
}

/// One repository at one registry, after mirrors.
pub(super) struct Door {
    /// What people call the thing, with the mirror where there is one.
    pub(super) subject: String,
    pub(super) registry: Registry,
    pub(super) repository: Repository,
    /// Spoken to without TLS.
    pub(super) plain: bool,
    pub(super) purpose: Purpose,
}

impl Door {
    /// The address of a part: `manifests/TAG`, `blobs/DIGEST`.
    pub(super) fn address(&self, part: &str) -> Option<Uri> {
        // Docker Hub's name is not its host.
        let host = if self.is_docker_hub() { "registry-1.docker.io" } else { self.registry.as_str() };
        let scheme = if self.plain { "http" } else { "https" };
        format!("{scheme}://{host}/v2/{}/{part}", self.repository).parse().ok()
    }

    /// The address of a part, or why it has none.
    pub(super) fn part(&self, part: &str) -> Result<Uri, PortError> {
        self.address(part).ok_or_else(|| PortError::Wrong {
            subject: self.subject.clone(),
            message: "its address is too long".to_owned(),
        })
    }

    /// Whether an address is at the registry itself, to which alone it is shown who we are.
    pub(super) fn is_at(&self, url: &Uri) -> bool {
        self.address("").is_some_and(|here| same_server(&here, url))
    }

    /// What a token has to allow.
    pub(super) fn scopes(&self) -> Vec<String> {
        let own = |actions| format!("repository:{}:{actions}", self.repository);
        match &self.purpose {
            Purpose::Read => vec![own("pull")],
            Purpose::Write => vec![own("pull,push")],
            Purpose::Mount(from) => vec![own("pull,push"), format!("repository:{from}:pull")],
        }
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
                purpose: Purpose::Read,
            };
            assert_eq!(door.address("manifests/t").unwrap(), expected);
        }
    }
}
