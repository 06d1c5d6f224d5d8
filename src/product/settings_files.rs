//! Configuration files in YAML, of all products but Elasticsearch, whose rules about its own file go further.

use super::rule::Rule;
use super::rules::{FB_SYNTAX, KB_SYNTAX, LS_SYNTAX};
use super::subject::{Found, Scene, TextFile};
use super::yaml::{self, Fault, Value};
use crate::recipe::{ImageRecipe, Product};

pub(super) fn check(scene: &Scene<'_>, image: &ImageRecipe, found: &mut Found) {
    for file in &scene.files {
        if let Some((rule, shape)) = rule_for(file, image.product) {
            match yaml::read(&file.text) {
                Ok(root) if !shape.fits(&root.value) => found.add(rule, file.place(root.line), shape.missed()),
                // What is not read here, others may read: nothing is known of it.
                Err(error) if error.fault == Fault::Wrong => found.add(rule, file.place(error.line), error.message),
                _ => {}
            }
        }
    }
}

/// What a file has to be.
#[derive(Clone, Copy)]
enum Shape {
    Settings,
    List,
}

impl Shape {
    /// An empty file says nothing, which nobody minds.
    fn fits(self, value: &Value) -> bool {
        match self {
            Self::Settings => matches!(value, Value::Map(_) | Value::Empty),
            Self::List => matches!(value, Value::List(_) | Value::Empty),
        }
    }

    fn missed(self) -> &'static str {
        match self {
            Self::Settings => "it is no mapping of settings",
            Self::List => "it is no list: each entry starts with `- `",
        }
    }
}

fn rule_for(file: &TextFile<'_>, product: Product) -> Option<(&'static Rule, Shape)> {
    let path = file.path.as_str();
    match (product, file.path.file_name()) {
        (Product::Kibana, "kibana.yml") => Some((&KB_SYNTAX, Shape::Settings)),
        (Product::Logstash, "logstash.yml") => Some((&LS_SYNTAX, Shape::Settings)),
        (Product::Logstash, "pipelines.yml") => Some((&LS_SYNTAX, Shape::List)),
        (Product::Filebeat, "filebeat.yml") => Some((&FB_SYNTAX, Shape::Settings)),
        (Product::Filebeat, _) if file.has_extension(&["yml"]) => {
            let read = ["/modules.d/", "/inputs.d/"].iter().any(|folder| path.contains(folder));
            read.then_some((&FB_SYNTAX, Shape::List))
        }
        _ => None,
    }
}
