//! What was built before under a digest, whatever its recipe makes now.

use std::collections::BTreeMap;

use crate::bake::built::{Built, KEY};
use crate::bake::resolve::Fault;
use crate::digest::Digest;
use crate::image::oci::LONGEST_MANIFEST;
use crate::store::Store;

/// What manifests and indexes say of themselves.
#[derive(serde::Deserialize)]
struct Noted {
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

/// The image whose index or manifest has this digest, if it was built here and is in the store still; of a manifest
/// below an index, that platform alone.
///
/// # Errors
/// When the store cannot be read.
pub fn built_as(digest: &Digest, store: &Store) -> Result<Option<Built>, Fault> {
    let Some(bytes) = store.bytes(digest, LONGEST_MANIFEST)? else { return Ok(None) };
    let noted = serde_json::from_slice(&bytes).ok().and_then(|noted: Noted| noted.annotations.get(KEY)?.parse().ok());
    let Some(key) = noted else { return Ok(None) };
    let Some(built) = store.result::<Built>(&key)? else { return Ok(None) };
    if built.top().is_some_and(|top| top.digest == *digest) {
        return Ok(Some(built));
    }
    let one = built.platforms.into_iter().find(|image| image.manifest.digest == *digest);
    Ok(one.map(|image| Built { key, index: None, platforms: vec![image] }))
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;
    use crate::bake::built::BuiltImage;
    use crate::image::oci::Descriptor;

    #[test]
    fn what_was_built_is_found_by_each_of_its_digests_and_nothing_else_is() {
        let root = tempfile::tempdir().unwrap();
        let store = Store::open(root.path(), SystemTime::UNIX_EPOCH).unwrap();
        let key = Digest::of(b"key");
        let put = |text: String| {
            let (digest, size) = store.put(&mut text.as_bytes(), None).unwrap();
            Descriptor { digest, size, media_type: "a/b".to_owned() }
        };
        let noted = |name: &str| format!("{{\"name\":\"{name}\",\"annotations\":{{\"{KEY}\":\"{key}\"}}}}");
        let image = |platform: &str| BuiltImage {
            platform: platform.parse().unwrap(),
            manifest: put(noted(platform)),
            config: put("{}".to_owned()),
            layers: Vec::new(),
            plugins: Vec::new(),
        };
        let platforms = vec![image("linux/amd64"), image("linux/arm64")];
        let built = Built { key, index: Some(put(noted("index"))), platforms };
        let find = |digest: &Digest| built_as(digest, &store).unwrap();
        let (top, arm) = (built.top().unwrap().digest, &built.platforms[1]);
        assert_eq!(find(&top), None, "no result leads to it yet");
        store.keep(&key, &built, &[]).unwrap();
        assert_eq!(find(&top).as_ref(), Some(&built));
        let alone = find(&arm.manifest.digest).unwrap();
        assert_eq!((alone.index.as_ref(), &alone.platforms[..]), (None, std::slice::from_ref(arm)));
        assert_eq!(find(&arm.config.digest), None);
        assert_eq!(find(&put(noted("of another build under this key")).digest), None);
        assert_eq!(find(&put("[1]".to_owned()).digest), None);
        assert_eq!(find(&Digest::of(b"absent")), None);
    }
}
