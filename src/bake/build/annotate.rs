//! What an image says of itself beside its files: where it is from, and what it was made from.

use std::collections::BTreeMap;

use super::order::Order;
use crate::bake::built::{BASE_DIGEST, KEY};
use crate::digest::Digest;
use crate::moment::Moment;
use crate::recipe::{From, Product};

/// The digest of all that its recipe says.
const RECIPE: &str = "elkbake.recipe";

/// The annotations of a manifest or an index. What the recipe says counts, except about keys.
pub(super) fn annotations(order: &Order<'_>, created: Moment) -> BTreeMap<String, String> {
    let image = order.image;
    let base_name = match &image.from {
        From::Registry(reference) => Some(reference.to_string()),
        _ => None,
    };
    let base_digest = match &order.parent {
        Some(parent) => parent.built.top().map(|top| top.digest),
        None => order.lock.base.as_ref().and_then(|base| base.digest),
    };
    // Not the recipe's name: two recipes that say the same make the same image.
    let title = match image.product {
        Product::Generic => image.repository.as_ref().map(ToString::to_string),
        product => Some(product.as_str().to_owned()),
    };
    let said = [
        ("created", Some(created.to_string())),
        ("title", title),
        ("version", Some(image.version.to_string())),
        ("description", image.description.clone()),
        ("revision", order.stamps.revision.clone()),
        ("source", order.stamps.source.clone()),
        ("base.name", base_name),
    ];
    let said = said.into_iter().filter_map(|(name, value)| Some((format!("org.opencontainers.image.{name}"), value?)));
    let mut annotations: BTreeMap<String, String> = said.collect();
    annotations.extend(base_digest.map(|digest| (BASE_DIGEST.to_owned(), digest.to_string())));
    annotations.extend(image.config.iter().flat_map(|config| config.annotations.clone()));
    annotations.insert(KEY.to_owned(), order.plan.key().to_string());
    annotations.insert(RECIPE.to_owned(), recipe_digest(order).to_string());
    annotations
}

fn recipe_digest(order: &Order<'_>) -> Digest {
    let lines: String = order.recipe.canonical.iter().map(|(key, value)| format!("{key} = {value}\n")).collect();
    Digest::of(lines.as_bytes())
}
