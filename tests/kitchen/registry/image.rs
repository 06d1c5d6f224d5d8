//! Small valid images, of OCI's and of Docker's kind.

use std::io::Write;

use elkbake::digest::Digest;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

use super::Registry;

/// An image that the registry holds.
pub struct Image {
    /// In which repository.
    pub repository: String,
    /// Of the index.
    pub digest: Digest,
    /// Of each platform's manifest, in the order asked for.
    pub manifests: Vec<Digest>,
    /// Of each platform's configuration.
    pub configs: Vec<Digest>,
    /// Of each platform's only layer, with its size.
    pub layers: Vec<(Digest, u64)>,
}

impl Image {
    /// The path of a platform's layer.
    pub fn blob_path(&self, platform: usize) -> String {
        format!("/v2/{}/blobs/{}", self.repository, self.layers[platform].0)
    }
}

/// The words of one kind of image.
struct Words {
    index: &'static str,
    manifest: &'static str,
    config: &'static str,
    layer: &'static str,
}

const OCI: Words = Words {
    index: "application/vnd.oci.image.index.v1+json",
    manifest: "application/vnd.oci.image.manifest.v1+json",
    config: "application/vnd.oci.image.config.v1+json",
    layer: "application/vnd.oci.image.layer.v1.tar+gzip",
};

const DOCKER: Words = Words {
    index: "application/vnd.docker.distribution.manifest.list.v2+json",
    manifest: "application/vnd.docker.distribution.manifest.v2+json",
    config: "application/vnd.docker.container.image.v1+json",
    layer: "application/vnd.docker.image.rootfs.diff.tar.gzip",
};

impl Registry {
    /// Holds an image for some platforms, as OCI writes it.
    pub fn image(&self, repository: &str, tag: &str, platforms: &[&str]) -> Image {
        self.image_of(&OCI, repository, tag, platforms, None)
    }

    /// Holds an image with the same files on all its platforms.
    pub fn image_of_tar(&self, repository: &str, tag: &str, platforms: &[&str], tar: &[u8]) -> Image {
        self.image_of(&OCI, repository, tag, platforms, Some(tar))
    }

    /// Holds an image for some platforms, as Docker writes it (schema 2).
    pub fn docker_image(&self, repository: &str, tag: &str, platforms: &[&str]) -> Image {
        self.image_of(&DOCKER, repository, tag, platforms, None)
    }

    fn image_of(&self, words: &Words, repository: &str, tag: &str, platforms: &[&str], tar: Option<&[u8]>) -> Image {
        let mut image = Image {
            repository: repository.to_owned(),
            digest: Digest::of(b""),
            manifests: Vec::new(),
            configs: Vec::new(),
            layers: Vec::new(),
        };
        let mut entries: Vec<Value> = Vec::new();
        for platform in platforms {
            let (os, architecture) = platform.split_once('/').expect("OS/ARCHITECTURE");
            let note = || note(&format!("{repository}:{tag} for {platform}\n"));
            let (layer, diff) = layer(&tar.map_or_else(note, <[u8]>::to_vec));
            let config = config(os, architecture, repository, tag, diff);
            let manifest = json!({
                "schemaVersion": 2,
                "mediaType": words.manifest,
                "config": { "mediaType": words.config, "digest": self.blob_in(repository, &config), "size": config.len() },
                "layers": [{ "mediaType": words.layer, "digest": self.blob_in(repository, &layer), "size": layer.len() }],
            });
            let manifest = manifest.to_string().into_bytes();
            let digest = self.manifest(repository, None, words.manifest, &manifest);
            entries.push(json!({
                "mediaType": words.manifest,
                "digest": digest,
                "size": manifest.len(),
                "platform": { "os": os, "architecture": architecture },
            }));
            image.manifests.push(digest);
            image.configs.push(Digest::of(&config));
            image.layers.push((Digest::of(&layer), layer.len() as u64));
        }
        let index = json!({ "schemaVersion": 2, "mediaType": words.index, "manifests": entries });
        image.digest = self.manifest(repository, Some(tag), words.index, index.to_string().as_bytes());
        image
    }
}

/// What an Elastic image says of itself.
fn config(os: &str, architecture: &str, repository: &str, version: &str, diff: Digest) -> Vec<u8> {
    let config = json!({
        "architecture": architecture,
        "os": os,
        "created": "2026-01-02T03:04:05Z",
        "config": {
            "User": "1000:0",
            "Env": ["PATH=/usr/bin:/bin", "ELASTIC_CONTAINER=true"],
            "Entrypoint": ["/bin/tini", "--", "/usr/local/bin/docker-entrypoint.sh"],
            "WorkingDir": "/usr/share/elasticsearch",
            "Labels": {
                "org.opencontainers.image.version": version,
                "org.opencontainers.image.title": repository,
            },
        },
        "rootfs": { "type": "layers", "diff_ids": [diff] },
        "history": [{ "created": "2026-01-02T03:04:05Z", "created_by": "kitchen" }],
    });
    config.to_string().into_bytes()
}

/// A tar of one file.
fn note(content: &str) -> Vec<u8> {
    let mut header = tar::Header::new_ustar();
    header.set_path("etc/kitchen").expect("a short path");
    header.set_size(content.len() as u64);
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_cksum();
    let mut builder = tar::Builder::new(Vec::new());
    builder.append(&header, content.as_bytes()).expect("memory");
    builder.into_inner().expect("memory")
}

/// A layer, and the digest of its tar.
fn layer(tar: &[u8]) -> (Vec<u8>, Digest) {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(tar).expect("memory");
    (gzip.finish().expect("memory"), Digest::of(tar))
}
