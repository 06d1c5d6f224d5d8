//! Elasticsearch's configuration files, read as strictly as a node reads them: a mistake in one of them is a container
//! that starts over and over.

mod jvm_options;
mod log4j2;
mod yml;

use super::subject::{Found, Scene};
use crate::recipe::{ImageRecipe, Product};

pub(super) fn check(scene: &Scene<'_>, image: &ImageRecipe, found: &mut Found) {
    if image.product == Product::Elasticsearch {
        for file in &scene.files {
            match file.path.file_name() {
                "elasticsearch.yml" => yml::check(file, image, found),
                "log4j2.properties" => log4j2::check(file, found),
                _ => {}
            }
        }
        jvm_options::check(scene, found);
    }
}
