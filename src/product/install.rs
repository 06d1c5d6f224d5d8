//! Which product's installer a plugin is given to.

use super::plugin::{InstallError, Installed, Job};
use super::{elasticsearch, kibana};
use crate::recipe::Product;

/// Installs a plugin.
///
/// # Errors
/// When the plugin breaks a rule of its product, or the product has no plugins; when package or image cannot be read.
pub fn plugin(job: &Job<'_>) -> Result<Installed, InstallError> {
    match job.product {
        Product::Elasticsearch => elasticsearch::install(job),
        Product::Kibana => kibana::install(job),
        Product::Logstash | Product::Filebeat | Product::FluentBit | Product::Generic => {
            let message = format!("{} has no plugins that can be installed", job.product);
            Err(InstallError::rule(
                &job.name,
                message,
                "take it in as an `[[archive]]`, which is unpacked to where you say",
            ))
        }
    }
}
