//! Settings and plugins that a version no longer knows, or does not know yet.

use super::environment::{Placed, settings};
use super::rule::Rule;
use super::rules::{
    BUNDLED_PLUGIN, EC2_PROTOCOL, ELASTIC_USER, ELASTICSEARCH_URL, LS_HTTP_GONE, LS_HTTP_NEW, OPTIMIZE, ZEN_DEPRECATED,
    ZEN_REMOVED,
};
use super::subject::{Found, Scene};
use crate::recipe::{ImageRecipe, Product};

type Triple = (u64, u64, u64);

/// A setting that a rule speaks about: of a product, by exact key or by the beginning that ends in a dot, from a
/// version on and before another.
struct Change {
    product: Product,
    key: &'static str,
    from: Triple,
    before: Triple,
    rule: &'static Rule,
}

const EVER: Triple = (u64::MAX, 0, 0);

const CHANGES: [Change; 9] = [
    Change {
        product: Product::Elasticsearch,
        key: "discovery.zen.",
        from: (8, 0, 0),
        before: EVER,
        rule: &ZEN_REMOVED,
    },
    Change {
        product: Product::Elasticsearch,
        key: "discovery.zen.",
        from: (7, 0, 0),
        before: (8, 0, 0),
        rule: &ZEN_DEPRECATED,
    },
    Change {
        product: Product::Elasticsearch,
        key: "discovery.ec2.protocol",
        from: (8, 19, 0),
        before: (9, 0, 0),
        rule: &EC2_PROTOCOL,
    },
    Change {
        product: Product::Elasticsearch,
        key: "discovery.ec2.protocol",
        from: (9, 1, 0),
        before: EVER,
        rule: &EC2_PROTOCOL,
    },
    Change { product: Product::Kibana, key: "optimize.", from: (8, 0, 0), before: EVER, rule: &OPTIMIZE },
    Change {
        product: Product::Kibana,
        key: "elasticsearch.url",
        from: (7, 0, 0),
        before: EVER,
        rule: &ELASTICSEARCH_URL,
    },
    // By name and not `http.*`: the variable HTTP_PROXY is no setting.
    Change { product: Product::Logstash, key: "http.host", from: (9, 0, 0), before: EVER, rule: &LS_HTTP_GONE },
    Change { product: Product::Logstash, key: "http.port", from: (9, 0, 0), before: EVER, rule: &LS_HTTP_GONE },
    Change { product: Product::Logstash, key: "http.environment", from: (9, 0, 0), before: EVER, rule: &LS_HTTP_GONE },
];

/// Plugins that became modules, and in which version.
const BUNDLED: [(&str, Triple); 4] = [
    ("repository-s3", (8, 0, 0)),
    ("repository-gcs", (8, 0, 0)),
    ("repository-azure", (8, 0, 0)),
    ("ingest-attachment", (8, 4, 0)),
];

pub(super) fn check(scene: &Scene<'_>, image: &ImageRecipe, found: &mut Found) {
    let Some(version) = image.version.triple() else { return };
    for Placed { key, value, place } in settings(scene, image) {
        let message = || format!("{} {} and `{key}`", image.product, image.version);
        for change in CHANGES.iter().filter(|change| change.product == image.product) {
            let named = key == change.key || (change.key.ends_with('.') && key.starts_with(change.key));
            if named && (change.from..change.before).contains(&version) {
                found.add(change.rule, place.clone(), message());
            }
        }
        if image.product == Product::Logstash && key.starts_with("api.http.") && version < (7, 16, 0) {
            found.add(&LS_HTTP_NEW, place.clone(), message());
        }
        let superuser = key == "elasticsearch.username" && value == "elastic";
        if image.product == Product::Kibana && superuser && version >= (8, 0, 0) {
            found.add(&ELASTIC_USER, place, "`elasticsearch.username` is `elastic`");
        }
    }
    if image.product == Product::Elasticsearch {
        for (i, plugin) in image.plugin.iter().enumerate() {
            if BUNDLED.iter().any(|(name, since)| plugin.name == *name && version >= *since) {
                let message = format!("{} has `{}` as a module", image.version, plugin.name);
                found.add(&BUNDLED_PLUGIN, scene.key(&format!("plugin.{i}.name")), message);
            }
        }
    }
}
