//! What ECR says of layers, many at a time.

use std::collections::BTreeSet;

use aws_sdk_ecr::Client;
use aws_sdk_ecr::types::LayerAvailability;

use crate::bake::port::PortError;
use crate::digest::Digest;
use crate::name::Repository;
use crate::remote::aws::patience::Call;
use crate::remote::config::EcrSite;

/// ECR is asked for so many at once, and no more.
const ASKED_AT_ONCE: usize = 100;

/// Which of some layers a repository does not have.
pub(in crate::remote) async fn missing(
    client: &Client,
    site: &EcrSite,
    repository: &Repository,
    digests: &[Digest],
    call: &Call<'_>,
) -> Result<BTreeSet<Digest>, PortError> {
    let call = Call { action: "ecr:BatchCheckLayerAvailability", ..*call };
    let mut missing: BTreeSet<Digest> = digests.iter().copied().collect();
    for digests in digests.chunks(ASKED_AT_ONCE) {
        let texts: Vec<String> = digests.iter().map(ToString::to_string).collect();
        let asked = call
            .ask(async || {
                let request = client.batch_check_layer_availability().registry_id(&site.account);
                request.repository_name(repository.as_str()).set_layer_digests(Some(texts.clone())).send().await
            })
            .await;
        let answer = match asked {
            Ok(answer) => answer,
            Err(refused) if refused.code() == "RepositoryNotFoundException" => {
                let subject = format!("the repository {repository} in {}", site.region);
                return Err(PortError::NotFound { subject, message: call.named(refused).to_string() });
            }
            Err(refused) => return Err(call.named(refused)),
        };
        for layer in answer.layers.unwrap_or_default() {
            let is_there = layer.layer_availability == Some(LayerAvailability::Available);
            if let Some(digest) = layer.layer_digest.and_then(|text| text.parse().ok()).filter(|_| is_there) {
                missing.remove(&digest);
            }
        }
    }
    Ok(missing)
}
