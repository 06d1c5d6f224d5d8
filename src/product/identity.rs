//! What of a product a base really holds: labels are inherited and forgotten, files are what runs.

use std::collections::BTreeSet;

use crate::image::below::{Below, BelowError};
use crate::name::ImagePath;
use crate::recipe::{Product, Version};

/// What was found of a product in a base.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// Its version.
    pub version: Option<Version>,
    /// The Java that it brings along.
    pub java: Option<String>,
    /// What it calls its modules: plugins of these names are there already.
    pub modules: BTreeSet<String>,
}

/// More than any of these files has.
const LONGEST: u64 = 4 << 20;

/// Where products are that bring a Java along.
const WITH_JAVA: [&str; 2] = ["/usr/share/elasticsearch", "/usr/share/logstash"];

/// Whether a file of a base is asked for here, so that it is kept when the base is first read.
pub(super) fn interest(path: &ImagePath, size: u64) -> bool {
    let path = path.as_str();
    let asked = matches!(path, "/usr/share/kibana/package.json" | "/usr/share/logstash/Gemfile.lock");
    let java = || WITH_JAVA.iter().any(|home| path.strip_prefix(home) == Some("/jdk/release"));
    size <= LONGEST && (asked || java())
}

/// Looks for a product where its images have it. What is not there, or says nothing, is not told.
///
/// # Errors
/// When the base cannot be read.
pub fn identify(product: Product, below: &dyn Below) -> Result<Identity, BelowError> {
    Ok(match product {
        Product::Elasticsearch => Identity {
            version: names(below, "/usr/share/elasticsearch/lib")?.iter().find_map(|name| of_jar(name)),
            java: java(below, "/usr/share/elasticsearch")?,
            modules: names(below, "/usr/share/elasticsearch/modules")?.into_iter().collect(),
        },
        Product::Kibana => Identity {
            version: text(below, "/usr/share/kibana/package.json")?.and_then(|text| of_package(&text)),
            ..Identity::default()
        },
        Product::Logstash => Identity {
            version: text(below, "/usr/share/logstash/Gemfile.lock")?.and_then(|text| of_lock(&text)),
            java: java(below, "/usr/share/logstash")?,
            ..Identity::default()
        },
        Product::Filebeat | Product::FluentBit | Product::Generic => Identity::default(),
    })
}

/// `elasticsearch-8.19.3.jar` is the server; `elasticsearch-core-8.19.3.jar` and others lie beside it.
fn of_jar(name: &str) -> Option<Version> {
    numbered(name.strip_prefix("elasticsearch-")?.strip_suffix(".jar")?)
}

fn of_package(text: &str) -> Option<Version> {
    numbered(serde_json::from_str::<serde_json::Value>(text).ok()?["version"].as_str()?)
}

/// `logstash-core (8.19.3-java)`.
fn of_lock(text: &str) -> Option<Version> {
    let version = text.lines().find_map(|line| line.trim().strip_prefix("logstash-core (")?.strip_suffix(')'))?;
    numbered(version.strip_suffix("-java").unwrap_or(version))
}

fn numbered(text: &str) -> Option<Version> {
    text.parse().ok().filter(|_| text.starts_with(|c: char| c.is_ascii_digit()))
}

/// What the `release` file of a JDK says.
fn java(below: &dyn Below, home: &str) -> Result<Option<String>, BelowError> {
    let release = text(below, &format!("{home}/jdk/release"))?.unwrap_or_default();
    let version = release.lines().find_map(|line| line.trim().strip_prefix("JAVA_VERSION="));
    let version = version.map(|version| version.trim_matches('"').to_owned());
    Ok(version.filter(|version| !version.is_empty() && version.len() <= 100))
}

fn text(below: &dyn Below, path: &str) -> Result<Option<String>, BelowError> {
    let bytes = below.bytes(&path.parse()?, LONGEST)?;
    Ok(bytes.and_then(|bytes| String::from_utf8(bytes).ok()))
}

fn names(below: &dyn Below, path: &str) -> Result<Vec<String>, BelowError> {
    below.names(&path.parse()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::below::AtHand;
    use crate::tree::{Entry, Mode, Owner};

    fn base(files: &[(&str, &str)]) -> AtHand {
        let mut base = AtHand::default();
        for (path, text) in files {
            let node = base.contents.add_bytes(text.as_bytes());
            let entry = Entry { mode: Mode::new(0o644), owner: Owner::default(), node };
            base.tree.insert(path.parse().unwrap(), entry);
        }
        base
    }

    fn found(product: Product, files: &[(&str, &str)]) -> (Option<String>, Option<String>, Vec<String>) {
        for (path, text) in files.iter().filter(|(_, text)| !text.is_empty()) {
            assert!(interest(&path.parse().unwrap(), text.len() as u64), "{path}");
        }
        let found = identify(product, &base(files)).unwrap();
        (found.version.map(|version| version.to_string()), found.java, found.modules.into_iter().collect())
    }

    #[test]
    fn elasticsearch_is_known_by_its_jar_its_jdk_and_its_modules() {
        let home = "/usr/share/elasticsearch";
        let files = [
            (&format!("{home}/lib/elasticsearch-core-8.19.2.jar")[..], ""),
            (&format!("{home}/lib/elasticsearch-8.19.3.jar"), ""),
            (&format!("{home}/lib/lucene-core-9.12.jar"), ""),
            (&format!("{home}/jdk/release"), "IMPLEMENTOR=\"x\"\nJAVA_VERSION=\"21.0.2\"\n"),
            (&format!("{home}/modules/repository-s3/x.jar"), ""),
            (&format!("{home}/modules/reindex/x.jar"), ""),
        ];
        let expected = (Some("8.19.3".into()), Some("21.0.2".into()), vec!["reindex".into(), "repository-s3".into()]);
        assert_eq!(found(Product::Elasticsearch, &files), expected);
        assert_eq!(found(Product::Generic, &files[..1]), (None, None, Vec::new()));
    }

    #[test]
    fn kibana_and_logstash_are_known_by_what_they_say_of_themselves() {
        let kibana = [("/usr/share/kibana/package.json", r#"{"name":"kibana","version":"8.19.3"}"#)];
        assert_eq!(found(Product::Kibana, &kibana).0.as_deref(), Some("8.19.3"));
        let lock = "PATH\n  remote: logstash-core\n  specs:\n    logstash-core (8.19.3-java)\n      chronic_duration (~> 0.10)\n";
        let logstash =
            [("/usr/share/logstash/Gemfile.lock", lock), ("/usr/share/logstash/jdk/release", "JAVA_VERSION=\"17\"")];
        assert_eq!(found(Product::Logstash, &logstash), (Some("8.19.3".into()), Some("17".into()), Vec::new()));
    }

    #[test]
    fn what_says_nothing_is_not_told() {
        for product in [Product::Elasticsearch, Product::Kibana, Product::Logstash, Product::Filebeat] {
            assert_eq!(found(product, &[]), (None, None, Vec::new()));
        }
        for text in ["", "{}", "[", r#"{"version":8}"#, r#"{"version":"latest"}"#] {
            assert_eq!(found(Product::Kibana, &[("/usr/share/kibana/package.json", text)]).0, None);
        }
        assert_eq!(found(Product::Logstash, &[("/usr/share/logstash/jdk/release", "JAVA_VERSION=\"\"")]).1, None);
    }
}
