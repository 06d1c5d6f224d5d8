//! Manifests and indexes, from JSON fields to checked types.

use std::collections::BTreeMap;

use super::document::{
    CONFIG_TYPES, Descriptor, INDEX_TYPES, Index, IndexEntry, IndexPlatform, LAYER_TYPES, MANIFEST_TYPES, MOST_ENTRIES,
    MOST_LAYERS, Manifest, OciError, REF_NAME, shorten,
};

#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawManifest {
    schema_version: u64,
    media_type: Option<String>,
    config: RawDescriptor,
    layers: Vec<RawDescriptor>,
    annotations: Option<BTreeMap<String, String>>,
    manifests: Option<serde::de::IgnoredAny>,
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawIndex {
    schema_version: u64,
    media_type: Option<String>,
    manifests: Vec<RawDescriptor>,
    layers: Option<serde::de::IgnoredAny>,
    config: Option<serde::de::IgnoredAny>,
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawDescriptor {
    // As text, because what has another algorithm (an attestation, say) may be none of our business.
    digest: String,
    size: u64,
    media_type: String,
    platform: Option<RawPlatform>,
    annotations: Option<BTreeMap<String, String>>,
}

#[derive(serde::Deserialize)]
struct RawPlatform {
    os: String,
    architecture: String,
    variant: Option<String>,
}

pub(super) fn json<'b, T: serde::Deserialize<'b>>(kind: &'static str, bytes: &'b [u8]) -> Result<T, OciError> {
    let fail = |message: &str| Err(OciError::Json { kind, message: shorten_error(message) });
    match bytes.iter().find(|c| !c.is_ascii_whitespace()) {
        // serde would take an array for a struct.
        Some(b'{') => serde_json::from_slice(bytes).or_else(|error| fail(&error.to_string())),
        Some(b'<') => fail("it is HTML or XML, as a proxy or a login page answers"),
        Some(_) => fail("it is no JSON object"),
        None => fail("it is empty"),
    }
}

/// serde quotes what it dislikes in full, and its place stands at the end.
fn shorten_error(message: &str) -> String {
    const SHOWN: usize = 300;
    match message.char_indices().nth(SHOWN) {
        Some((cut, _)) => format!("{}…", &message[..cut]),
        None => message.to_owned(),
    }
}

fn check_head(kind: &'static str, version: u64, own: Option<&str>, said: &str, known: &[&str]) -> Result<(), OciError> {
    if version != 2 {
        return Err(OciError::Wrong { kind, message: format!("its schemaVersion is {version}, not 2") });
    }
    match own {
        Some(own) if own != said => {
            let help = if known.contains(&own) {
                "it was announced as another kind of document"
            } else {
                "it is no document of an image"
            };
            Err(OciError::MediaType { subject: format!("the {kind}"), found: shorten(own), help })
        }
        _ => Ok(()),
    }
}

pub(super) fn manifest(said: &str, bytes: &[u8]) -> Result<Manifest, OciError> {
    const KIND: &str = "OCI manifest";
    let raw: RawManifest = json(KIND, bytes)?;
    check_head(KIND, raw.schema_version, raw.media_type.as_deref(), said, &MANIFEST_TYPES)?;
    if raw.manifests.is_some() {
        // Readers that look at another field first would see another image: CVE-2021-41190.
        return Err(OciError::Wrong { kind: KIND, message: "it has both `layers` and `manifests`".to_owned() });
    }
    if raw.layers.len() > MOST_LAYERS {
        let message = format!("it has {} layers; up to {MOST_LAYERS} are read", raw.layers.len());
        return Err(OciError::Wrong { kind: KIND, message });
    }
    let config = descriptor(KIND, "its configuration", &raw.config)?;
    if !CONFIG_TYPES.contains(&config.media_type.as_str()) {
        let help = "this is an artifact, not a container image";
        return Err(OciError::MediaType { subject: "its configuration".to_owned(), found: config.media_type, help });
    }
    let layers = raw.layers.iter().enumerate().map(|(i, layer)| {
        let subject = format!("layer {i}");
        let layer = descriptor(KIND, &subject, layer)?;
        if LAYER_TYPES.contains(&layer.media_type.as_str()) {
            Ok(layer)
        } else {
            let help = "layers are tarballs, plain or compressed with gzip or zstd, and held by the registry";
            Err(OciError::MediaType { subject, found: layer.media_type, help })
        }
    });
    Ok(Manifest { config, layers: layers.collect::<Result<_, _>>()?, annotations: raw.annotations.unwrap_or_default() })
}

pub(super) fn index(said: &str, bytes: &[u8]) -> Result<Index, OciError> {
    const KIND: &str = "OCI index";
    let raw: RawIndex = json(KIND, bytes)?;
    check_head(KIND, raw.schema_version, raw.media_type.as_deref(), said, &INDEX_TYPES)?;
    if raw.layers.is_some() || raw.config.is_some() {
        let message = "it has both `manifests` and `layers` or `config`".to_owned();
        return Err(OciError::Wrong { kind: KIND, message });
    }
    if raw.manifests.len() > MOST_ENTRIES {
        let message = format!("it has {} entries; up to {MOST_ENTRIES} are read", raw.manifests.len());
        return Err(OciError::Wrong { kind: KIND, message });
    }
    let images = raw.manifests.into_iter().enumerate().filter(|(_, entry)| is_image(entry));
    let entries = images.map(|(i, mut entry)| {
        let platform = entry.platform.take().map(|platform| IndexPlatform {
            os: shorten(&platform.os),
            architecture: shorten(&platform.architecture),
            variant: platform.variant.filter(|variant| !variant.is_empty()).map(|variant| shorten(&variant)),
        });
        let ref_name = entry.annotations.take().and_then(|mut notes| notes.remove(REF_NAME));
        Ok(IndexEntry { platform, descriptor: descriptor(KIND, &format!("entry {i}"), &entry)?, ref_name })
    });
    Ok(Index { entries: entries.collect::<Result<_, _>>()? })
}

/// Builders put attestations among the images and mark them by a platform that no machine has.
fn is_image(entry: &RawDescriptor) -> bool {
    let unknown = entry.platform.as_ref().is_some_and(|at| at.os == "unknown" && at.architecture == "unknown");
    let attests = entry.annotations.as_ref().is_some_and(|notes| notes.contains_key("vnd.docker.reference.type"));
    let known = INDEX_TYPES.iter().chain(&MANIFEST_TYPES).any(|known| *known == entry.media_type);
    known && !unknown && !attests
}

fn descriptor(kind: &'static str, subject: &str, raw: &RawDescriptor) -> Result<Descriptor, OciError> {
    let wrong = |message: String| OciError::Wrong { kind, message };
    let digest = raw.digest.parse().map_err(|_| {
        wrong(format!("{subject} has the digest `{}`; only SHA-256 digests are taken", shorten(&raw.digest)))
    })?;
    if i64::try_from(raw.size).is_err() {
        return Err(wrong(format!("{subject} has the impossible size {}", raw.size)));
    }
    Ok(Descriptor { digest, size: raw.size, media_type: shorten(&raw.media_type) })
}
