//! Reading from the registry that others run: `docker-registry` of the CNCF distribution project.

use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::time::SystemTime;

use elkbake::bake::event::SILENT;
use elkbake::bake::port::{PortError, Registry};
use elkbake::digest::Digest;
use elkbake::name::Reference;
use elkbake::remote::Wire;
use elkbake::remote::config::WireConfig;
use elkbake::store::Store;
use serde_json::json;

use super::{Server, program};

/// A registry that keeps everything in a folder.
pub fn serve(program: &Path, folder: &Path) -> Server {
    serve_with(program, folder, "", "")
}

/// The same with more to say about who may come in, and in its section `http`.
pub fn serve_with(program: &Path, folder: &Path, auth: &str, http: &str) -> Server {
    super::serve(program, |command, port| {
        let config = folder.join("config.yml");
        // With a secret of its own, it knows its uploads again after it was started anew.
        let text = format!(
            "version: 0.1\nlog: {{ level: error }}\nstorage:\n  filesystem: {{ rootdirectory: {} }}\n{auth}http:\n  addr: \"127.0.0.1:{port}\"\n  secret: kitchen\n{http}",
            folder.join("storage").display()
        );
        std::fs::write(&config, text).unwrap();
        command.arg("serve").arg(&config);
    })
}

/// An OCI layout of one image with one layer.
fn layout(folder: &Path, layer: &[u8]) {
    let blobs = folder.join("blobs/sha256");
    std::fs::create_dir_all(&blobs).unwrap();
    let put = |bytes: &[u8]| {
        let digest = Digest::of(bytes);
        std::fs::File::create(blobs.join(digest.hex())).unwrap().write_all(bytes).unwrap();
        json!({ "digest": digest, "size": bytes.len() })
    };
    let descriptor = |kind: &str, bytes: &[u8]| {
        let mut descriptor = put(bytes);
        descriptor["mediaType"] = kind.into();
        descriptor
    };
    let config = json!({
        "architecture": "amd64", "os": "linux", "config": { "Labels": { "made-by": "test" } },
        "rootfs": { "type": "layers", "diff_ids": [Digest::of(layer)] },
    });
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": descriptor("application/vnd.oci.image.config.v1+json", config.to_string().as_bytes()),
        "layers": [descriptor("application/vnd.oci.image.layer.v1.tar", layer)],
    });
    let manifest = descriptor("application/vnd.oci.image.manifest.v1+json", manifest.to_string().as_bytes());
    let index = json!({ "schemaVersion": 2, "manifests": [manifest] });
    std::fs::write(folder.join("index.json"), index.to_string()).unwrap();
    std::fs::write(folder.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
}

fn copy(skopeo: &Path, from: &Path, to: &Reference, format: &str) {
    let status = Command::new(skopeo)
        .args(["--insecure-policy", "copy", "--quiet", "--dest-tls-verify=false", "--format", format])
        .arg(format!("oci:{}", from.display()))
        .arg(format!("docker://{to}"))
        .status()
        .unwrap();
    assert!(status.success());
}

#[test]
fn what_skopeo_has_pushed_is_read_back() {
    let Some(registry) = program(&["docker-registry", "registry"], "docker-registry") else { return };
    let Some(skopeo) = program(&["skopeo"], "skopeo") else { return };
    let folder = tempfile::tempdir().unwrap();
    let server = serve(&registry, folder.path());
    let mut tar = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_ustar();
    header.set_path("etc/kitchen").unwrap();
    header.set_size(100_000);
    header.set_cksum();
    tar.append(&header, &vec![7_u8; 100_000][..]).unwrap();
    layout(&folder.path().join("layout"), &tar.into_inner().unwrap());
    let wire = Wire::new(WireConfig::default()).unwrap();
    let store = Store::open(&folder.path().join("store"), SystemTime::UNIX_EPOCH).unwrap();

    for (format, kind) in [
        ("oci", "application/vnd.oci.image.manifest.v1+json"),
        ("v2s2", "application/vnd.docker.distribution.manifest.v2+json"),
    ] {
        let reference: Reference = format!("127.0.0.1:{}/elk/{format}:1", server.1).parse().unwrap();
        copy(&skopeo, &folder.path().join("layout"), &reference, format);
        let manifest = wire.manifest(&reference, SILENT).unwrap();
        assert_eq!(manifest.media_type, kind);
        assert_eq!(wire.manifest(&reference.at(manifest.digest), SILENT).unwrap(), manifest);
        let json: serde_json::Value = serde_json::from_slice(&manifest.bytes).unwrap();
        let layers = json["layers"].as_array().unwrap().iter();
        for descriptor in layers.chain([&json["config"]]) {
            let digest: Digest = descriptor["digest"].as_str().unwrap().parse().unwrap();
            let size = descriptor["size"].as_u64().unwrap();
            wire.blob(&reference, digest, size, &store, SILENT).unwrap();
            assert_eq!(store.size(&digest), Some(size));
        }
        let absent: Reference = format!("127.0.0.1:{}/elk/{format}:2", server.1).parse().unwrap();
        let error = wire.manifest(&absent, SILENT).unwrap_err();
        assert!(matches!(error, PortError::NotFound { .. }), "{error}");
        assert!(error.to_string().contains("MANIFEST_UNKNOWN"), "{error}");
    }
}
