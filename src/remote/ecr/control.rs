//! ECR's control plane: repositories and how they are set, replication.

use std::collections::BTreeMap;

use aws_sdk_ecr::Client;
use aws_sdk_ecr::types::{
    EncryptionConfiguration, EncryptionType, ImageScanningConfiguration, ImageTagMutability,
    ImageTagMutabilityExclusionFilter, ImageTagMutabilityExclusionFilterType, ReplicationConfiguration,
    ReplicationDestination, ReplicationRule as EcrRule, Repository as EcrRepository, RepositoryFilter,
    RepositoryFilterType, Tag,
};

use crate::bake::port::{
    Closeness, Mutability, PortError, ReplicationRule, RepositoryEncryption, RepositoryState, RepositoryStep,
};
use crate::name::Repository;
use crate::remote::aws::patience::{Call, Refused};
use crate::remote::config::EcrSite;

/// A registry, and who asks it.
pub(super) struct Control<'c> {
    pub(super) client: Client,
    pub(super) site: &'c EcrSite,
    pub(super) call: Call<'c>,
}

impl Control<'_> {
    fn of(&self, action: &'static str) -> Call<'_> {
        Call { action, ..self.call }
    }

    /// Some repositories at once; `None` where at least one of them is not there.
    pub(super) async fn describe(&self, names: &[Repository]) -> Result<Option<Vec<EcrRepository>>, PortError> {
        let call = self.of("ecr:DescribeRepositories");
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        let asked = call
            .ask(async || {
                let request = self.client.describe_repositories().registry_id(&self.site.account);
                request.set_repository_names(Some(names.clone())).send().await
            })
            .await;
        match asked {
            Ok(answer) => Ok(Some(answer.repositories.unwrap_or_default())),
            Err(refused) if refused.code() == "RepositoryNotFoundException" => Ok(None),
            Err(refused) => Err(call.named(refused)),
        }
    }

    /// What is known of a repository that is there.
    pub(super) async fn state(
        &self,
        known: &EcrRepository,
        closeness: Closeness,
    ) -> Result<RepositoryState, PortError> {
        let with_policies = closeness != Closeness::Glance;
        let name = known.repository_name().unwrap_or_default();
        let encryption = known.encryption_configuration();
        Ok(RepositoryState {
            mutability: mutability(known),
            scan_on_push: known.image_scanning_configuration().is_some_and(ImageScanningConfiguration::scan_on_push),
            encryption: RepositoryEncryption {
                kind: encryption.map_or("AES256", |set| set.encryption_type().as_str()).to_owned(),
                key: encryption.and_then(|set| set.kms_key().map(str::to_owned)),
            },
            lifecycle: if with_policies { self.lifecycle(name).await? } else { None },
            policy: if with_policies { self.policy(name).await? } else { None },
            tags: if closeness == Closeness::PoliciesAndTags {
                self.tags(known.repository_arn().unwrap_or_default()).await?
            } else {
                BTreeMap::new()
            },
        })
    }

    async fn lifecycle(&self, name: &str) -> Result<Option<String>, PortError> {
        let call = self.of("ecr:GetLifecyclePolicy");
        let asked = call
            .ask(async || {
                self.client.get_lifecycle_policy().registry_id(&self.site.account).repository_name(name).send().await
            })
            .await;
        match asked {
            Ok(answer) => Ok(answer.lifecycle_policy_text),
            Err(refused) if refused.code() == "LifecyclePolicyNotFoundException" => Ok(None),
            Err(refused) => Err(call.named(refused)),
        }
    }

    async fn policy(&self, name: &str) -> Result<Option<String>, PortError> {
        let call = self.of("ecr:GetRepositoryPolicy");
        let asked = call
            .ask(async || {
                self.client.get_repository_policy().registry_id(&self.site.account).repository_name(name).send().await
            })
            .await;
        match asked {
            Ok(answer) => Ok(answer.policy_text),
            Err(refused) if refused.code() == "RepositoryPolicyNotFoundException" => Ok(None),
            Err(refused) => Err(call.named(refused)),
        }
    }

    async fn tags(&self, arn: &str) -> Result<BTreeMap<String, String>, PortError> {
        let call = self.of("ecr:ListTagsForResource");
        let answer = call.must(async || self.client.list_tags_for_resource().resource_arn(arn).send().await).await?;
        let tags = answer.tags.unwrap_or_default().into_iter();
        Ok(tags.map(|tag| (tag.key().to_owned(), tag.value().to_owned())).collect())
    }

    /// Does one thing to a repository.
    pub(super) async fn change(&self, name: &str, step: &RepositoryStep) -> Result<(), PortError> {
        match step {
            RepositoryStep::Make { .. } => self.make(name, step).await,
            RepositoryStep::Mutability(mutability) => {
                let filters = filters(mutability)?;
                let call = self.of("ecr:PutImageTagMutability");
                let sent = call.must(async || {
                    let request = self.client.put_image_tag_mutability().registry_id(&self.site.account);
                    let request = request.repository_name(name).image_tag_mutability(kind(mutability));
                    request.set_image_tag_mutability_exclusion_filters(filters.clone()).send().await
                });
                sent.await.map(drop)
            }
            RepositoryStep::ScanOnPush(is_on) => {
                let call = self.of("ecr:PutImageScanningConfiguration");
                let sent = call.must(async || {
                    let request = self.client.put_image_scanning_configuration().registry_id(&self.site.account);
                    request.repository_name(name).image_scanning_configuration(scanning(*is_on)).send().await
                });
                sent.await.map(drop)
            }
            RepositoryStep::Lifecycle(policy) => self.set_lifecycle(name, policy.as_deref()).await,
            RepositoryStep::Policy(policy) => self.set_policy(name, policy.as_deref()).await,
            RepositoryStep::Tags(wanted) => {
                let known = self.describe(&[name.parse().map_err(|_| self.gone())?]).await?;
                let arn = known.and_then(|known| known.first()?.repository_arn.clone()).ok_or_else(|| self.gone())?;
                let wanted = tags(wanted)?;
                let call = self.of("ecr:TagResource");
                let sent = call
                    .must(async || self.client.tag_resource().resource_arn(&arn).set_tags(wanted.clone()).send().await);
                sent.await.map(drop)
            }
        }
    }

    fn gone(&self) -> PortError {
        let message = "it was there a moment ago and is not any more".to_owned();
        PortError::Cloud { subject: self.call.subject.to_owned(), message }
    }

    async fn make(&self, name: &str, step: &RepositoryStep) -> Result<(), PortError> {
        let RepositoryStep::Make { mutability, scan_on_push, encryption, tags: wanted } = step else { return Ok(()) };
        let (filters, wanted) = (filters(mutability)?, tags(wanted)?);
        let encrypted = EncryptionConfiguration::builder()
            .encryption_type(EncryptionType::from(encryption.kind.as_str()))
            .set_kms_key(encryption.key.clone())
            .build()
            .map_err(|error| unmade(&error))?;
        let call = self.of("ecr:CreateRepository");
        let asked = call
            .ask(async || {
                let request = self.client.create_repository().registry_id(&self.site.account).repository_name(name);
                let request = request.image_tag_mutability(kind(mutability)).set_tags(wanted.clone());
                let request = request.set_image_tag_mutability_exclusion_filters(filters.clone());
                let request = request.image_scanning_configuration(scanning(*scan_on_push));
                request.encryption_configuration(encrypted.clone()).send().await
            })
            .await;
        match asked {
            Ok(_) => Ok(()),
            // Another run has just done the same.
            Err(refused) if refused.code() == "RepositoryAlreadyExistsException" => Ok(()),
            Err(refused) => Err(call.named(refused)),
        }
    }

    async fn set_lifecycle(&self, name: &str, policy: Option<&str>) -> Result<(), PortError> {
        let Some(policy) = policy else {
            let call = self.of("ecr:DeleteLifecyclePolicy");
            let asked = call
                .ask(async || {
                    let request = self.client.delete_lifecycle_policy().registry_id(&self.site.account);
                    request.repository_name(name).send().await
                })
                .await;
            return gone_is_done(&call, asked, "LifecyclePolicyNotFoundException");
        };
        let call = self.of("ecr:PutLifecyclePolicy");
        let sent = call.must(async || {
            let request = self.client.put_lifecycle_policy().registry_id(&self.site.account);
            request.repository_name(name).lifecycle_policy_text(policy).send().await
        });
        sent.await.map(drop)
    }

    async fn set_policy(&self, name: &str, policy: Option<&str>) -> Result<(), PortError> {
        let Some(policy) = policy else {
            let call = self.of("ecr:DeleteRepositoryPolicy");
            let asked = call
                .ask(async || {
                    let request = self.client.delete_repository_policy().registry_id(&self.site.account);
                    request.repository_name(name).send().await
                })
                .await;
            return gone_is_done(&call, asked, "RepositoryPolicyNotFoundException");
        };
        let call = self.of("ecr:SetRepositoryPolicy");
        let sent = call.must(async || {
            let request = self.client.set_repository_policy().registry_id(&self.site.account);
            request.repository_name(name).policy_text(policy).send().await
        });
        sent.await.map(drop)
    }

    /// The registry's replication rules.
    pub(super) async fn replication(&self) -> Result<Vec<ReplicationRule>, PortError> {
        let call = self.of("ecr:DescribeRegistry");
        let answer = call.must(async || self.client.describe_registry().send().await).await?;
        let rules = answer.replication_configuration.map(|all| all.rules).unwrap_or_default();
        let plain = |rule: EcrRule| ReplicationRule {
            destinations: rule.destinations.into_iter().map(|to| (to.region, to.registry_id)).collect(),
            prefixes: rule.repository_filters.unwrap_or_default().into_iter().map(|one| one.filter).collect(),
        };
        Ok(rules.into_iter().map(plain).collect())
    }

    /// Puts other replication rules in their place.
    pub(super) async fn replicate(&self, rules: &[ReplicationRule]) -> Result<(), PortError> {
        let rules: Vec<EcrRule> = rules.iter().map(rule).collect::<Result<_, _>>()?;
        let all = ReplicationConfiguration::builder().set_rules(Some(rules)).build().map_err(|error| unmade(&error))?;
        let call = self.of("ecr:PutReplicationConfiguration");
        let sent = call.must(async || {
            self.client.put_replication_configuration().replication_configuration(all.clone()).send().await
        });
        sent.await.map(drop)
    }
}

fn gone_is_done<T, E>(call: &Call<'_>, asked: Result<T, Refused<E>>, gone: &str) -> Result<(), PortError>
where
    E: aws_sdk_ecr::error::ProvideErrorMetadata + std::error::Error + 'static,
{
    match asked {
        Ok(_) => Ok(()),
        Err(refused) if refused.code() == gone => Ok(()),
        Err(refused) => Err(call.named(refused)),
    }
}

fn mutability(known: &EcrRepository) -> Mutability {
    let kind = known.image_tag_mutability().map_or("MUTABLE", ImageTagMutability::as_str);
    let except = known.image_tag_mutability_exclusion_filters().iter().map(|one| one.filter().to_owned());
    Mutability { immutable: kind.starts_with("IMMUTABLE"), except: except.collect() }
}

fn kind(mutability: &Mutability) -> ImageTagMutability {
    match (mutability.immutable, mutability.except.is_empty()) {
        (true, true) => ImageTagMutability::Immutable,
        (true, false) => ImageTagMutability::ImmutableWithExclusion,
        (false, true) => ImageTagMutability::Mutable,
        (false, false) => ImageTagMutability::MutableWithExclusion,
    }
}

fn filters(mutability: &Mutability) -> Result<Option<Vec<ImageTagMutabilityExclusionFilter>>, PortError> {
    let filter = |pattern: &String| {
        let filter = ImageTagMutabilityExclusionFilter::builder().filter(pattern);
        filter.filter_type(ImageTagMutabilityExclusionFilterType::Wildcard).build().map_err(|error| unmade(&error))
    };
    let all: Vec<_> = mutability.except.iter().map(filter).collect::<Result<_, _>>()?;
    Ok(Some(all).filter(|all| !all.is_empty()))
}

fn tags(wanted: &BTreeMap<String, String>) -> Result<Option<Vec<Tag>>, PortError> {
    let tag = |(key, value): (&String, &String)| Tag::builder().key(key).value(value).build();
    let all: Vec<Tag> = wanted.iter().map(tag).collect::<Result<_, _>>().map_err(|error| unmade(&error))?;
    Ok(Some(all).filter(|all| !all.is_empty()))
}

fn scanning(is_on: bool) -> ImageScanningConfiguration {
    ImageScanningConfiguration::builder().scan_on_push(is_on).build()
}

fn rule(rule: &ReplicationRule) -> Result<EcrRule, PortError> {
    let to = |(region, account): &(String, String)| {
        ReplicationDestination::builder().region(region).registry_id(account).build()
    };
    let destinations: Vec<_> = rule.destinations.iter().map(to).collect::<Result<_, _>>().map_err(|e| unmade(&e))?;
    let filter = |prefix: &String| {
        RepositoryFilter::builder().filter(prefix).filter_type(RepositoryFilterType::PrefixMatch).build()
    };
    let filters: Vec<_> = rule.prefixes.iter().map(filter).collect::<Result<_, _>>().map_err(|e| unmade(&e))?;
    let filters = Some(filters).filter(|filters| !filters.is_empty());
    let built = EcrRule::builder().set_destinations(Some(destinations)).set_repository_filters(filters).build();
    built.map_err(|error| unmade(&error))
}

fn unmade(error: &aws_sdk_ecr::error::BuildError) -> PortError {
    PortError::Cloud { subject: "a request to ECR".to_owned(), message: error.to_string() }
}
