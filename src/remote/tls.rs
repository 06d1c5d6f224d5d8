//! Whom to believe that they are who they say.

use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

/// A configuration that believes nobody: for connections that are plain, on machines without certificates.
pub(super) fn believe_nobody() -> Result<ClientConfig, String> {
    config(RootCertStore::empty())
}

/// A configuration that believes the system's authorities, and those in a file.
pub(super) fn believe_system(extra: Option<&Path>) -> Result<ClientConfig, String> {
    let system = rustls_native_certs::load_native_certs();
    let errors: Vec<String> = system.errors.iter().map(ToString::to_string).collect();
    believe(system.certs, &errors, extra)
}

fn believe(
    system: Vec<CertificateDer<'static>>,
    errors: &[String],
    extra: Option<&Path>,
) -> Result<ClientConfig, String> {
    let mut roots = RootCertStore::empty();
    // Some systems hold certificates that are too old to be read, beside those that matter.
    roots.add_parsable_certificates(system);
    if let Some(path) = extra {
        add_file(&mut roots, path)?;
    }
    if roots.is_empty() {
        let detail = if errors.is_empty() { String::new() } else { format!(" ({})", errors.join("; ")) };
        return Err(format!(
            "this machine has no certificates of authorities{detail}: install the package `ca-certificates`, \
             or let SSL_CERT_FILE name a file of them"
        ));
    }
    config(roots)
}

fn add_file(roots: &mut RootCertStore, path: &Path) -> Result<(), String> {
    let wrong = |why: String| format!("{}: {why}", path.display());
    let bytes = std::fs::read(path).map_err(|error| wrong(error.to_string()))?;
    let mut found = false;
    for certificate in CertificateDer::pem_slice_iter(&bytes) {
        let certificate = certificate.map_err(|error| wrong(format!("is no PEM file ({error})")))?;
        roots.add(certificate).map_err(|error| wrong(format!("has a certificate that is none ({error})")))?;
        found = true;
    }
    if found { Ok(()) } else { Err(wrong("has no certificate in it; a PEM file was expected".to_owned())) }
}

fn config(roots: RootCertStore) -> Result<ClientConfig, String> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| error.to_string())?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_without_certificates_is_told_what_to_install() {
        let error = believe(Vec::new(), &["no such folder".to_owned()], None).unwrap_err();
        assert!(error.contains("ca-certificates") && error.contains("no such folder"), "{error}");
    }

    #[test]
    fn a_file_without_certificates_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.pem");
        for content in ["", "hello", "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n"] {
            std::fs::write(&path, content).unwrap();
            let error = add_file(&mut RootCertStore::empty(), &path).unwrap_err();
            assert!(error.contains("ca.pem"), "{error}");
        }
        assert!(add_file(&mut RootCertStore::empty(), &folder.path().join("none")).is_err());
    }
}
