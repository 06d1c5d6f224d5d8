//! The engines that a run turns to.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use tokio::runtime::{Builder, Runtime};

use super::address::Address;
use super::choose::{Chosen, EngineConfig};
use super::line::Line;
use super::speaker::{self, Speaker};
use super::way::Way;
use crate::bake::port::{Engine, Engines, PortError};
use crate::name::Platform;

/// Turns to container engines. Shared by all threads.
pub struct Docker {
    config: EngineConfig,
    /// Made when it is first needed: most runs turn to no engine.
    runtime: OnceLock<Result<Runtime, String>>,
    visits: AtomicU32,
}

impl Docker {
    /// Prepares, without opening any socket or file.
    #[must_use]
    pub fn new(config: EngineConfig) -> Self {
        Self { config, runtime: OnceLock::new(), visits: AtomicU32::new(1) }
    }

    fn runtime(&self) -> Result<&Runtime, PortError> {
        let made = self.runtime.get_or_init(|| {
            let runtime = Builder::new_multi_thread().worker_threads(1).thread_name("engine").enable_all().build();
            runtime.map_err(|error| error.to_string())
        });
        made.as_ref().map_err(|error| PortError::Docker {
            subject: "container engines".to_owned(),
            message: format!("cannot prepare for them: {error}"),
            help: "see how many threads and open files this user may have, with `ulimit -a`".to_owned(),
        })
    }

    fn line(&self, chosen: &Chosen) -> Result<Line, PortError> {
        let config = &self.config;
        let shown = chosen.address.to_string();
        let wrong = |message: String, help: &str| PortError::Docker {
            subject: format!("the engine at {shown}"),
            message,
            help: help.to_owned(),
        };
        let is_near = matches!(chosen.address, Address::Unix(_));
        if config.offline && !is_near {
            return Err(wrong(
                "it is not on this machine, and `--offline` forbids to go there".to_owned(),
                "leave `--offline` away, or name a socket of this machine",
            ));
        }
        let tls = match &config.certificates {
            Some(folder) if matches!(chosen.address, Address::Tcp { .. }) => {
                let help = "DOCKER_CERT_PATH names a folder with `ca.pem`, `cert.pem` and `key.pem`";
                Some(client_of(folder).map_err(|why| wrong(why, help))?)
            }
            _ => None,
        };
        let ssh = config.search_path.iter().map(|folder| folder.join("ssh")).find(|program| program.is_file());
        let way = Way::new(chosen.address.clone(), tls, ssh, config.timing.connect);
        Line::new(way, shown.clone(), config.timing, self.runtime()?.handle(), &config.interrupt)
    }
}

impl Engines for Docker {
    fn engine(&self, platform: &Platform) -> Result<Box<dyn Engine + '_>, PortError> {
        let chosen = self.config.choose(platform)?;
        let line = self.line(&chosen)?;
        let run = format!("{}-{}", self.config.run, self.visits.fetch_add(1, Ordering::Relaxed));
        let facts = speaker::greet(&line, &chosen.address.to_string(), &run)?;
        let there = &facts.platform;
        if !chosen.is_for_this && !there.accepts(&platform.architecture, platform.variant.as_deref()) {
            let message = format!("it runs {there}, and what is to run there is for {platform}");
            let help = format!(
                "name one that runs it, in elkbake.toml: `[engine.platform]` and `\"{platform}\" = \"ssh://USER@HOST\"`; \
                 or take the platform out of the recipe"
            );
            return Err(line.wrong(message, &help));
        }
        Ok(Box::new(Speaker::new(line, facts)))
    }
}

impl Drop for Docker {
    fn drop(&mut self) {
        // A look-up of a host name cannot be stopped, and need not be waited for.
        if let Some(Ok(runtime)) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Who we are by a certificate, and whom we believe: as Docker keeps both in a folder.
fn client_of(folder: &Path) -> Result<ClientConfig, String> {
    let file = |name: &str| folder.join(name);
    let wrong = |path: PathBuf| move |error: rustls::pki_types::pem::Error| format!("{}: {error}", path.display());
    let mut roots = RootCertStore::empty();
    for authority in certificates(&file("ca.pem")).map_err(wrong(file("ca.pem")))? {
        roots.add(authority).map_err(|error| format!("{}: {error}", file("ca.pem").display()))?;
    }
    let own = certificates(&file("cert.pem")).map_err(wrong(file("cert.pem")))?;
    let key = PrivateKeyDer::from_pem_file(file("key.pem")).map_err(wrong(file("key.pem")))?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| error.to_string())?.with_root_certificates(roots);
    builder.with_client_auth_cert(own, key).map_err(|error| format!("{}: {error}", file("key.pem").display()))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, rustls::pki_types::pem::Error> {
    CertificateDer::pem_file_iter(path)?.collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;
    use std::time::{Duration, Instant};

    use super::*;
    use crate::remote::docker::choose::{EngineTiming, Named};

    fn config(address: &str) -> EngineConfig {
        let named = Named { platform: None, address: address.to_owned(), by: "a test".to_owned() };
        let short = Duration::from_millis(200);
        let timing = EngineTiming { connect: short, answer: short, idle: short, work: short };
        EngineConfig { named: vec![named], timing, ..EngineConfig::default() }
    }

    fn told(config: EngineConfig) -> String {
        let docker = Docker::new(config);
        match docker.engine(&"linux/amd64".parse().unwrap()).err().unwrap() {
            PortError::Docker { subject, message, help } => format!("{subject}: {message}; {help}"),
            other => other.to_string(),
        }
    }

    #[test]
    fn an_engine_that_is_silent_is_not_waited_for_long() {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("docker.sock");
        let _silent = UnixListener::bind(&socket).unwrap();
        let begun = Instant::now();
        let error = told(config(socket.to_str().unwrap()));
        assert!(error.contains("nothing came for 400ms") && error.contains("`docker info`"), "{error}");
        let stopped = EngineConfig { timing: EngineTiming::default(), ..config(socket.to_str().unwrap()) };
        stopped.interrupt.request();
        assert_eq!(told(stopped), "interrupted");
        assert!(begun.elapsed() < Duration::from_secs(10));
    }

    #[test]
    fn what_stands_in_the_way_is_told() {
        let offline = EngineConfig { offline: true, ..config("ssh://me@far.invalid") };
        assert!(told(offline).contains("`--offline` forbids"));
        let no_ssh = told(config("ssh://me@far.invalid"));
        assert!(no_ssh.contains("`ssh` is not in the PATH"), "{no_ssh}");
        let folder = tempfile::tempdir().unwrap();
        let certificates = Some(folder.path().to_owned());
        let no_files = told(EngineConfig { certificates, ..config("tcp://far.invalid") });
        assert!(no_files.contains("ca.pem") && no_files.contains("DOCKER_CERT_PATH"), "{no_files}");
        let nobody = told(config("/nowhere/docker.sock"));
        assert!(
            nobody.starts_with("the engine at unix:///nowhere/docker.sock: ") && nobody.contains("start it"),
            "{nobody}"
        );
    }
}
