//! Which product's installer a plugin is given to.

use super::plugin::{InstallError, Installed, Job};
use super::{elasticsearch, identity, kibana, logstash};
use crate::image::below::Below;
use crate::name::ImagePath;
use crate::recipe::Product;

/// Installs a plugin.
///
/// # Errors
/// When the plugin breaks a rule of its product, or the product has no plugins; when package or image cannot be read.
pub fn plugin(job: &Job<'_>) -> Result<Installed, InstallError> {
    match job.product {
        Product::Elasticsearch => elasticsearch::install(job),
        Product::Kibana => kibana::install(job),
        Product::Logstash => logstash::install(job),
        Product::Filebeat | Product::FluentBit | Product::Generic => {
            let message = format!("{} has no plugins that can be installed", job.product);
            Err(InstallError::rule(
                &job.name,
                message,
                "take it in as an `[[archive]]`, which is unpacked to where you say",
            ))
        }
    }
}

/// Whether [`together`] has anything to say about plugins of a product.
#[must_use]
pub fn judges_together(product: Product) -> bool {
    product == Product::Elasticsearch
}

/// Checks what only shows when all plugins of an image are known.
///
/// # Errors
/// When the product would not start with these plugins on the image below; when that or their contents cannot be read.
pub fn together(product: Product, installed: &[Installed], below: &dyn Below) -> Result<(), InstallError> {
    match product {
        Product::Elasticsearch => elasticsearch::together(installed, below),
        _ => Ok(()),
    }
}

/// The folders that a plugin of a name goes to, as far as its name says.
#[must_use]
pub fn places(product: Product, name: &str) -> Vec<ImagePath> {
    let folders = match product {
        Product::Elasticsearch => {
            ["plugins", "bin", "config"].map(|folder| format!("elasticsearch/{folder}/{name}")).to_vec()
        }
        Product::Kibana => vec!["kibana/plugins".to_owned()],
        Product::Logstash | Product::Filebeat | Product::FluentBit | Product::Generic => Vec::new(),
    };
    folders.iter().filter_map(|folder| format!("/usr/share/{folder}").parse().ok()).collect()
}

/// Which files of a base are asked for, by an installer or by who tells what the base is: they are kept when the base is read.
pub fn interest(product: Product) -> &'static (dyn Fn(&ImagePath, u64) -> bool + Sync) {
    match product {
        Product::Elasticsearch => &|path, size| elasticsearch::interest(path, size) || identity::interest(path, size),
        Product::Kibana => &|path, size| kibana::interest(path) || identity::interest(path, size),
        Product::Logstash => &|path, size| logstash::interest(path, size) || identity::interest(path, size),
        Product::Filebeat | Product::FluentBit | Product::Generic => &|_, _| false,
    }
}
