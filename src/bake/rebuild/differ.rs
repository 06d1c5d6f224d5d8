//! Where two builds of one image begin to differ.

use std::fmt;

use serde::Serialize;
use serde_json::Value;

use crate::bake::built::{Built, BuiltImage, BuiltLayer};
use crate::digest::Digest;
use crate::image::oci::LONGEST_CONFIG;
use crate::image::scan::first_difference;
use crate::store::{Store, StoreError};

/// The first thing in which two builds differ.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The platform; nothing where it is the index.
    pub platform: Option<String>,
    /// `layer 3 (plugin analysis-icu)`, `configuration`, `manifest`, `index` or `platforms`.
    pub part: String,
    /// The entry of a layer's tar stream.
    pub entry: Option<String>,
    /// What of it: a field of the entry, the place in a JSON document, or `compression`.
    pub field: String,
    /// What it was.
    pub first: Option<String>,
    /// What it is when it is built again.
    pub second: Option<String>,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let said = |side: &Option<String>| side.clone().unwrap_or_else(|| "nothing".to_owned());
        write!(f, "{}: {} and then {}", self.place(), said(&self.first), said(&self.second))
    }
}

impl Difference {
    /// Where it is, without what it was: the next build may differ in the same place again.
    #[must_use]
    pub fn place(&self) -> String {
        let platform = self.platform.as_ref().map(|platform| format!("{platform}, "));
        let entry = self.entry.as_ref().map(|entry| format!(", entry `{entry}`"));
        format!("{}{}{}, {}", platform.unwrap_or_default(), self.part, entry.unwrap_or_default(), self.field)
    }
}

/// A build, and the store that it is in.
type InStore<'b> = (&'b Built, &'b Store);

/// Where the second build differs from the first; `None` where they are the same, byte for byte.
///
/// # Errors
/// When a store cannot be read.
pub fn difference(first: InStore<'_>, second: InStore<'_>) -> Result<Option<Difference>, StoreError> {
    let top = |built: &Built| built.top().map(|top| top.digest);
    if top(first.0) == top(second.0) {
        return Ok(None);
    }
    let platforms =
        |built: &Built| built.platforms.iter().map(|image| image.platform.to_string()).collect::<Vec<_>>().join(", ");
    let (one, two) = (platforms(first.0), platforms(second.0));
    if one != two {
        return Ok(Some(plain("platforms", "list", Some(one), Some(two))));
    }
    for (one, two) in first.0.platforms.iter().zip(&second.0.platforms) {
        if one.manifest.digest != two.manifest.digest {
            let found = image((one, first.1), (two, second.1))?;
            return Ok(Some(Difference { platform: Some(one.platform.to_string()), ..found }));
        }
    }
    let index = |built: &Built| built.index.as_ref().map(|index| index.digest);
    Ok(Some(document("index", (index(first.0), first.1), (index(second.0), second.1))?))
}

/// Two images whose manifests differ.
fn image(first: (&BuiltImage, &Store), second: (&BuiltImage, &Store)) -> Result<Difference, StoreError> {
    let (one, two) = (&first.0.layers, &second.0.layers);
    for (number, (one, two)) in one.iter().zip(two).enumerate() {
        if one.descriptor.digest != two.descriptor.digest {
            let found = layer((one, first.1), (two, second.1))?;
            return Ok(Difference { part: format!("layer {number} ({})", one.what), ..found });
        }
    }
    if one.len() != two.len() {
        return Ok(plain("manifest", "number of layers", Some(one.len().to_string()), Some(two.len().to_string())));
    }
    if first.0.config.digest != second.0.config.digest {
        return document(
            "configuration",
            (Some(first.0.config.digest), first.1),
            (Some(second.0.config.digest), second.1),
        );
    }
    document("manifest", (Some(first.0.manifest.digest), first.1), (Some(second.0.manifest.digest), second.1))
}

/// Two layers whose compressed bytes differ.
fn layer(first: (&BuiltLayer, &Store), second: (&BuiltLayer, &Store)) -> Result<Difference, StoreError> {
    let digests =
        |field: &str, one: &Digest, two: &Digest| plain("layer", field, Some(one.to_string()), Some(two.to_string()));
    let (one, two) = (first.0, second.0);
    if one.diff_id == two.diff_id {
        return Ok(digests("compression", &one.descriptor.digest, &two.descriptor.digest));
    }
    let unreadable = || digests("tar stream", &one.diff_id, &two.diff_id);
    let (Some(first), Some(second)) = (first.1.read(&one.descriptor.digest)?, second.1.read(&two.descriptor.digest)?)
    else {
        return Ok(unreadable());
    };
    Ok(match first_difference(first, second) {
        Ok(Some(found)) => {
            Difference { entry: Some(found.entry), ..plain("layer", found.field, found.first, found.second) }
        }
        // The streams differ in something that no reader looks at, or one cannot be read: that they differ is sure.
        Ok(None) | Err(_) => unreadable(),
    })
}

/// Two JSON documents that differ.
fn document(
    part: &str,
    first: (Option<Digest>, &Store),
    second: (Option<Digest>, &Store),
) -> Result<Difference, StoreError> {
    let read = |(digest, store): (Option<Digest>, &Store)| -> Result<Option<Value>, StoreError> {
        let Some(digest) = digest else { return Ok(None) };
        let bytes = store.bytes(&digest, LONGEST_CONFIG)?;
        Ok(bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
    };
    if let (Some(one), Some(two)) = (read(first)?, read(second)?)
        && let Some((place, one, two)) = values(String::new(), Some(&one), Some(&two))
    {
        let text = |value: Option<&Value>| value.map(ToString::to_string);
        return Ok(plain(part, &place, text(one), text(two)));
    }
    let text = |digest: Option<Digest>| digest.map(|digest| digest.to_string());
    Ok(plain(part, "digest", text(first.0), text(second.0)))
}

/// Where two JSON values differ first: a place, and what is there.
type Place<'v> = (String, Option<&'v Value>, Option<&'v Value>);

fn values<'v>(place: String, one: Option<&'v Value>, two: Option<&'v Value>) -> Option<Place<'v>> {
    match (one, two) {
        (Some(one), Some(two)) if one == two => None,
        (Some(Value::Object(first)), Some(Value::Object(second))) => {
            let mut keys: Vec<_> = first.keys().chain(second.keys()).collect();
            keys.sort();
            keys.dedup();
            keys.into_iter().find_map(|key| values(format!("{place}/{key}"), first.get(key), second.get(key)))
        }
        (Some(Value::Array(first)), Some(Value::Array(second))) => (0..first.len().max(second.len()))
            .find_map(|at| values(format!("{place}/{at}"), first.get(at), second.get(at))),
        _ => Some((place, one, two)),
    }
}

fn plain(part: &str, field: &str, first: Option<String>, second: Option<String>) -> Difference {
    Difference { platform: None, part: part.to_owned(), entry: None, field: field.to_owned(), first, second }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::values;

    #[test]
    fn the_first_place_in_a_document_is_told() {
        let one = json!({ "a": 1, "b": { "c": [1, 2], "d": null } });
        let place = |two: serde_json::Value| values(String::new(), Some(&one), Some(&two)).map(|(place, _, _)| place);
        assert_eq!(place(one.clone()), None);
        assert_eq!(place(json!({ "a": 1, "b": { "c": [1, 3], "d": 1 } })).as_deref(), Some("/b/c/1"));
        assert_eq!(place(json!({ "a": 1, "b": { "c": [1, 2, 3], "d": null } })).as_deref(), Some("/b/c/2"));
        assert_eq!(place(json!({ "b": 1 })).as_deref(), Some("/a"));
        assert_eq!(place(json!([])).as_deref(), Some(""));
    }
}
