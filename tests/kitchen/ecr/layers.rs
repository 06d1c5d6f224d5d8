//! Layers by ECR's own calls: parts of the right size, in order, and each upload for one repository.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use elkbake::digest::Digest;
use serde_json::{Value, json};

use super::serve::Call;
use super::{ACCOUNT, Api, No, no};
use crate::kitchen::registry::{Registry, ecr};

const SMALLEST: usize = 5 << 20;
const LARGEST: usize = 10 << 20;

/// The repository that a call is about, which has to be there.
fn repository<'a>(api: &'a Api, call: &Call) -> Result<(&'a Registry, String), No> {
    let name = call.body["repositoryName"].as_str().unwrap_or_default().to_owned();
    let registry = &api.registries[&call.region];
    if registry.ecr(|ecr| ecr.repositories.contains_key(&name)) {
        return Ok((registry, name));
    }
    Err(no("RepositoryNotFoundException", ecr::unknown(&name, ACCOUNT)))
}

pub fn availability(api: &Api, call: &Call) -> Result<Value, No> {
    let (registry, name) = repository(api, call)?;
    let digests: Vec<&str> =
        call.body["layerDigests"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    if digests.is_empty() || digests.len() > 100 {
        return Err(no("InvalidParameterException", "1 to 100 layer digests"));
    }
    let layers: Vec<Value> = digests
        .iter()
        .map(|digest| {
            let is_here = digest.parse().is_ok_and(|digest| registry.held(&name, &digest).is_some());
            json!({ "layerDigest": digest, "layerAvailability": if is_here { "AVAILABLE" } else { "UNAVAILABLE" } })
        })
        .collect();
    Ok(json!({ "layers": layers, "failures": [] }))
}

pub fn initiate(api: &Api, call: &Call) -> Result<Value, No> {
    let (_, name) = repository(api, call)?;
    let mut state = api.state();
    state.begun += 1;
    let id = format!("upload-{}-{}", call.region, state.begun);
    state.uploads.insert(id.clone(), (name, Vec::new(), Vec::new()));
    Ok(json!({ "uploadId": id, "partSize": LARGEST }))
}

fn not_found(call: &Call) -> No {
    no("UploadNotFoundException", format!("The upload ID {} was not found", call.body["uploadId"]))
}

pub fn part(api: &Api, call: &Call) -> Result<Value, No> {
    let (_, name) = repository(api, call)?;
    let number = |field: &str| call.body[field].as_u64().and_then(|n| usize::try_from(n).ok());
    let (Some(first), Some(last)) = (number("partFirstByte"), number("partLastByte")) else {
        return Err(no("InvalidParameterException", "no bytes are named"));
    };
    let bytes = STANDARD.decode(call.body["layerPartBlob"].as_str().unwrap_or_default()).unwrap_or_default();
    let id = call.body["uploadId"].as_str().unwrap_or_default();
    let mut state = api.state();
    let upload = state.uploads.get_mut(id).filter(|(of, ..)| *of == name).ok_or_else(|| not_found(call))?;
    let have = upload.1.len();
    if first != have || last + 1 != first + bytes.len() {
        let said = format!("The layer part is not valid: byte {first} came, and {have} bytes are here");
        let more = json!({ "lastValidByteReceived": i64::try_from(have).unwrap() - 1, "uploadId": id });
        return Err(No { more, ..no("InvalidLayerPartException", said) });
    }
    if bytes.len() > LARGEST {
        return Err(no("InvalidParameterException", "parts have 5 to 10 MiB"));
    }
    upload.2.push(bytes.len());
    upload.1.extend_from_slice(&bytes);
    Ok(json!({ "uploadId": id, "repositoryName": name, "lastByteReceived": last, "registryId": ACCOUNT }))
}

pub fn complete(api: &Api, call: &Call) -> Result<Value, No> {
    let (registry, name) = repository(api, call)?;
    let digest: Digest = call.body["layerDigests"][0]
        .as_str()
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| no("InvalidParameterException", "no digest"))?;
    let id = call.body["uploadId"].as_str().unwrap_or_default();
    let mut state = api.state();
    let upload = state.uploads.get(id).filter(|(of, ..)| *of == name).ok_or_else(|| not_found(call))?;
    if upload.1.is_empty() {
        return Err(no("EmptyUploadException", "The specified layer upload does not contain any layer parts."));
    }
    if registry.held(&name, &digest).is_some() {
        let said = format!("Layer already exists with digest '{digest}' in the repository '{name}'");
        return Err(no("LayerAlreadyExistsException", said));
    }
    if upload.2.iter().rev().skip(1).any(|size| *size < SMALLEST) {
        return Err(no("LayerPartTooSmallException", "Layer parts must be at least 5 MiB in size"));
    }
    let (_, bytes, _) = state.uploads.remove(id).expect("it was there");
    if Digest::of(&bytes) != digest {
        return Err(no("InvalidLayerException", "The layer digest does not match the digest that was given"));
    }
    registry.blob_in(&name, &bytes);
    Ok(json!({ "uploadId": id, "layerDigest": digest.to_string(), "repositoryName": name, "registryId": ACCOUNT }))
}
