//! The key: a digest over every input by name.
//!
//! The recipe's own name is left out: two recipes that say the same make the same image.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::input::{FORMAT, HOST_FORMAT as HOST, Inputs, ORDER, RECIPE};
use super::planned::Plan;
use crate::digest::{Digest, Hasher};
use crate::lock::{FACTS, Lock};
use crate::recipe::{AmiRecipe, Recipe};
use crate::text::Document;
use crate::tree::{Entry, Node, Tree};

/// The number of the rules by which inputs become bytes: a new encoder, another order of layers or another way to
/// count inputs needs a new one, which changes every key.
pub const KEY_FORMAT: u32 = 1;

/// The number of what elkbake itself writes into a host: its programs, units, and how a recipe's words become files. Other
/// bytes there need a new one, which changes the key of every host and of no image. `tests/golden/host-format.txt` has
/// the digest of each.
pub const HOST_FORMAT: u32 = 1;

/// Every input of a key, by name, with its digest. The first word of a name says where it is from: `recipe`, `lock`,
/// `file`, `parent`.
pub(super) fn inputs(recipe: &Document<Recipe>, lock: &Document<Lock>, files: &Tree, parent: Option<&Plan>) -> Inputs {
    let mut inputs = BTreeMap::from([(FORMAT.to_owned(), Digest::of(KEY_FORMAT.to_string().as_bytes()))]);
    match &recipe.value {
        Recipe::Image(_) => add_document(&mut inputs, RECIPE, &recipe.canonical),
        Recipe::Ami(ami) => {
            inputs.insert(HOST.to_owned(), Digest::of(HOST_FORMAT.to_string().as_bytes()));
            add_document(&mut inputs, RECIPE, &of_host(ami, &recipe.canonical));
        }
    }
    add_document(&mut inputs, "lock", &without_facts(&lock.canonical));
    inputs.extend(parent.map(|parent| (format!("parent {}", parent.name()), parent.key())));
    Inputs::new(inputs, files.iter().map(|(path, entry)| (path.clone(), of_entry(entry))).collect())
}

/// What a host's recipe says of the host. Where its image goes, who may use it, by what instance it is made and how it is
/// tested can all be changed without making it anew; but whether it is encrypted, and what instances are started from it
/// with, are part of the image.
fn of_host(ami: &AmiRecipe, canonical: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let mut canonical = canonical.clone();
    for table in ["ami", "bake", "test"] {
        canonical.remove(table);
    }
    let output = ami.ami.as_ref();
    let [encrypted, imds_v2] = [output.is_none_or(|ami| ami.encrypted), output.is_none_or(|ami| ami.imds_v2)];
    canonical.insert("ami".to_owned(), json!({ "encrypted": encrypted, "imds_v2": imds_v2 }).to_string());
    canonical
}

/// What a lock says but for the facts about its base. They follow from the base's digest, and a lock may know more of
/// them than another, so they have no say in what is made.
fn without_facts(canonical: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let mut canonical = canonical.clone();
    let Some(base) = canonical.get_mut("base") else { return canonical };
    if let Ok(mut said) = serde_json::from_str::<Value>(base) {
        if let Some(base) = said.as_object_mut() {
            base.remove("below");
        }
        let platforms = said.get_mut("platform").and_then(Value::as_array_mut);
        for platform in platforms.into_iter().flatten().filter_map(Value::as_object_mut) {
            platform.retain(|name, _| !FACTS.contains(&name.as_str()));
        }
        *base = said.to_string();
    }
    canonical
}

/// The digest of what an image keeps of an entry.
fn of_entry(entry: &Entry) -> Digest {
    let (kind, content) = match &entry.node {
        Node::Folder => (0_u8, &[][..]),
        Node::File { digest, .. } => (1, &digest.as_bytes()[..]),
        Node::Link(target) => (2, target.as_bytes()),
    };
    // All but the content have a fixed length, so that nothing runs into the next.
    let mut hasher = Hasher::default();
    hasher.update(&[kind]);
    hasher.update(&entry.mode.bits().to_le_bytes());
    hasher.update(&entry.owner.uid.to_le_bytes());
    hasher.update(&entry.owner.gid.to_le_bytes());
    hasher.update(content);
    hasher.finish().0
}

/// The keys of a text: tables by the keys in them, arrays of tables by the names in them, so that a comparison can
/// name what changed.
fn add_document(inputs: &mut BTreeMap<String, Digest>, from: &str, canonical: &BTreeMap<String, String>) {
    let mut orders: BTreeMap<&str, Vec<(usize, String)>> = BTreeMap::new();
    for (key, json) in canonical {
        let item = key.split_once('.').and_then(|(array, i)| Some((array, i.parse::<usize>().ok()?)));
        match (item, serde_json::from_str(json)) {
            (Some((array, i)), Ok(Value::Object(table))) => {
                orders.entry(array).or_default().push((i, label(&table).unwrap_or_else(|| i.to_string())));
            }
            (None, Ok(Value::Object(table))) if from == RECIPE && !table.is_empty() => {
                inputs.extend(
                    table.iter().map(|(inner, value)| {
                        (format!("{from} {key}.{inner}"), Digest::of(value.to_string().as_bytes()))
                    }),
                );
            }
            _ => drop(inputs.insert(format!("{from} {key}"), Digest::of(json.as_bytes()))),
        }
    }
    for (array, mut items) in orders {
        items.sort();
        for (i, label) in &items {
            let json = canonical.get(&format!("{array}.{i}")).map_or("", String::as_str);
            let mut name = format!("{from} {array} {label}");
            // Two of one name (for two platforms, say) both count.
            while inputs.contains_key(&name) {
                name.push_str(" again");
            }
            inputs.insert(name, Digest::of(json.as_bytes()));
        }
        // In a recipe a later archive lies over an earlier one; in a lock the order says nothing.
        if from == RECIPE && items.len() > 1 {
            inputs.insert(format!("{ORDER}{array}"), Digest::of_texts(items.iter().map(|(_, label)| label)));
        }
    }
}

/// What people call a table of an array.
fn label(table: &serde_json::Map<String, Value>) -> Option<String> {
    let text = |key: &str| table.get(key).and_then(Value::as_str);
    let name = text("architecture").or_else(|| text("name")).or_else(|| text("path"))?;
    Some(match text("platform") {
        Some(platform) => format!("{name} {platform}"),
        None => name.to_owned(),
    })
}
