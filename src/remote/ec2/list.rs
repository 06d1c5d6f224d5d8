//! Lists of what an account has in a region, all pages of them.
//!
//! Ids are asked for by a filter: one that is not there then hides none of the others.

use std::collections::BTreeSet;

use aws_sdk_ec2::types::Filter;

use crate::bake::port::{Ask, Disk, Instance, Machine, PortError, SpotRequest, Tags};

use super::control::Control;
use super::seen;

/// EC2 takes 200 values in all filters of a call together; those beside the ids are some ten.
pub(super) const VALUES: usize = 150;

/// So many things come in one answer at most, where EC2 lets us say so.
const PAGE: i32 = 1000;

/// The one account whose things are meant.
const OURSELVES: &str = "self";

/// What can be listed.
pub(super) trait Listed {
    fn id(&self) -> &str;
    fn tags(&self) -> &Tags;
    fn name(&self) -> Option<&str> {
        None
    }
}

impl Control<'_> {
    /// Images.
    pub(super) async fn images(&self, ask: &Ask) -> Result<Vec<Machine>, PortError> {
        let call = self.of("ec2:DescribeImages");
        let found = self.settled(ask, "image-id", async |filters| {
            let request =
                self.clients.ec2.describe_images().owners(OURSELVES).include_deprecated(true).include_disabled(true);
            let request = request.set_filters(filters).max_results(PAGE);
            let found = self.pages(async |token| {
                let answer = call.must(async || request.clone().set_next_token(token.clone()).send().await).await?;
                Ok((answer.images.unwrap_or_default(), answer.next_token))
            });
            Ok(found.await?.into_iter().filter_map(seen::machine).collect())
        });
        let found: Vec<Machine> = found.await?;
        for machine in &found {
            self.memory.came_with(&machine.id, machine.snapshots.values());
        }
        Ok(found)
    }

    /// Instances.
    pub(super) async fn instances(&self, ask: &Ask) -> Result<Vec<Instance>, PortError> {
        self.settled(ask, "instance-id", async |filters| self.instances_by(filters).await).await
    }

    /// The instances that a filter lets through.
    pub(super) async fn instances_by(&self, filters: Option<Vec<Filter>>) -> Result<Vec<Instance>, PortError> {
        let call = self.of("ec2:DescribeInstances");
        let request = self.clients.ec2.describe_instances().set_filters(filters).max_results(PAGE);
        let found = self.pages(async |token| {
            let answer = call.must(async || request.clone().set_next_token(token.clone()).send().await).await?;
            let instances = answer.reservations.unwrap_or_default().into_iter();
            Ok((instances.flat_map(|one| one.instances.unwrap_or_default()).collect(), answer.next_token))
        });
        let mut instances = Vec::new();
        for found in found.await? {
            let request = found.spot_instance_request_id.clone();
            if let Some(instance) = seen::instance(found) {
                self.memory.spot_request(&instance.id, request.as_deref());
                instances.push(instance);
            }
        }
        Ok(instances)
    }

    /// Requests for spot instances.
    pub(super) async fn spot_requests(&self, ask: &Ask) -> Result<Vec<SpotRequest>, PortError> {
        let call = self.of("ec2:DescribeSpotInstanceRequests");
        let found = self.settled(ask, "spot-instance-request-id", async |filters| {
            let request = self.clients.ec2.describe_spot_instance_requests().set_filters(filters).max_results(PAGE);
            let found = self.pages(async |token| {
                let answer = call.must(async || request.clone().set_next_token(token.clone()).send().await).await?;
                Ok((answer.spot_instance_requests.unwrap_or_default(), answer.next_token))
            });
            Ok(found.await?.into_iter().filter_map(seen::spot_request).collect())
        });
        found.await
    }

    /// Volumes.
    pub(super) async fn volumes(&self, ask: &Ask) -> Result<Vec<Disk>, PortError> {
        let call = self.of("ec2:DescribeVolumes");
        let found = self.settled(ask, "volume-id", async |filters| {
            let request = self.clients.ec2.describe_volumes().set_filters(filters).max_results(PAGE);
            let found = self.pages(async |token| {
                let answer = call.must(async || request.clone().set_next_token(token.clone()).send().await).await?;
                Ok((answer.volumes.unwrap_or_default(), answer.next_token))
            });
            Ok(found.await?.into_iter().filter_map(seen::volume).collect())
        });
        found.await
    }

    /// Snapshots.
    pub(super) async fn snapshots(&self, ask: &Ask) -> Result<Vec<Disk>, PortError> {
        let call = self.of("ec2:DescribeSnapshots");
        let found = self.settled(ask, "snapshot-id", async |filters| {
            let request = self.clients.ec2.describe_snapshots().owner_ids(OURSELVES).set_filters(filters);
            let request = request.max_results(PAGE);
            let found = self.pages(async |token| {
                let answer = call.must(async || request.clone().set_next_token(token.clone()).send().await).await?;
                Ok((answer.snapshots.unwrap_or_default(), answer.next_token))
            });
            Ok(found.await?.into_iter().filter_map(seen::snapshot).collect())
        });
        found.await
    }

    /// All that is meant; what was made just now is waited for where nothing but its id is asked for.
    async fn settled<T: Listed>(
        &self,
        ask: &Ask,
        by: &str,
        list: impl AsyncFn(Option<Vec<Filter>>) -> Result<Vec<T>, PortError>,
    ) -> Result<Vec<T>, PortError> {
        let is_by_id = ask.tags.is_empty() && ask.tagged.is_none() && ask.name.is_none();
        let mut pauses = self.pauses();
        loop {
            let mut found = Vec::new();
            for filters in filters(ask, by) {
                found.extend(list(filters).await?.into_iter().filter(|one| is_meant(ask, one)));
            }
            let known: BTreeSet<&str> = found.iter().map(Listed::id).collect();
            let unseen = ask.ids.iter().map(String::as_str).filter(|id| is_by_id && !known.contains(id));
            if !self.is_young(unseen) {
                return Ok(found);
            }
            pauses.wait("").await;
        }
    }

    /// All pages of something.
    pub(super) async fn pages<T>(
        &self,
        page: impl AsyncFn(Option<String>) -> Result<(Vec<T>, Option<String>), PortError>,
    ) -> Result<Vec<T>, PortError> {
        let (mut all, mut token) = (Vec::new(), None);
        loop {
            let (some, next) = page(token.clone()).await?;
            all.extend(some);
            let next = next.filter(|next| !next.is_empty());
            if next.is_none() {
                return Ok(all);
            }
            if next == token {
                return Err(self.wrong("AWS answers the same page of a list again and again"));
            }
            token = next;
        }
    }
}

/// The filters for each call that it takes; none at all where everything is meant.
fn filters(ask: &Ask, by: &str) -> Vec<Option<Vec<Filter>>> {
    let mut common: Vec<Filter> = ask.tags.iter().map(|(name, value)| equal(&format!("tag:{name}"), [value])).collect();
    common.extend(ask.tagged.iter().map(|name| equal("tag-key", [name])));
    common.extend(ask.name.iter().map(|name| equal("name", [name])));
    if ask.ids.is_empty() {
        return vec![Some(common).filter(|all| !all.is_empty())];
    }
    let ids: Vec<&String> = ask.ids.iter().collect();
    let parts = ids.chunks(VALUES);
    parts.map(|ids| Some(common.iter().cloned().chain([equal(by, ids.iter().copied())]).collect())).collect()
}

/// A filter for these very values: EC2 would take `*` and `?` in them for any text.
pub(super) fn equal<'v>(name: &str, values: impl IntoIterator<Item = &'v String>) -> Filter {
    let mut filter = Filter::builder().name(name);
    for value in values {
        let mut exact = String::with_capacity(value.len());
        for c in value.chars() {
            if matches!(c, '*' | '?' | '\\') {
                exact.push('\\');
            }
            exact.push(c);
        }
        filter = filter.values(exact);
    }
    filter.build()
}

/// The conditions once more: whatever a service or an emulator filters, nothing else is ever taken for ours.
fn is_meant(ask: &Ask, one: &impl Listed) -> bool {
    let tags = one.tags();
    (ask.ids.is_empty() || ask.ids.contains(one.id()))
        && ask.tags.iter().all(|(name, value)| tags.get(name) == Some(value))
        && ask.tagged.as_ref().is_none_or(|name| tags.contains_key(name))
        && ask.name.as_deref().is_none_or(|name| one.name().is_none_or(|its| its == name))
}

impl Listed for Machine {
    fn id(&self) -> &str {
        &self.id
    }

    fn tags(&self) -> &Tags {
        &self.tags
    }

    fn name(&self) -> Option<&str> {
        Some(&self.name)
    }
}

impl Listed for Instance {
    fn id(&self) -> &str {
        &self.id
    }

    fn tags(&self) -> &Tags {
        &self.tags
    }
}

impl Listed for SpotRequest {
    fn id(&self) -> &str {
        &self.id
    }

    fn tags(&self) -> &Tags {
        &self.tags
    }
}

impl Listed for Disk {
    fn id(&self) -> &str {
        &self.id
    }

    fn tags(&self) -> &Tags {
        &self.tags
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(filter: &Filter) -> String {
        format!("{}={}", filter.name().unwrap_or_default(), filter.values().join(","))
    }

    #[test]
    fn conditions_become_filters_that_mean_nothing_else() {
        let ask = Ask {
            ids: ["ami-1".to_owned(), "ami-2".to_owned()].into(),
            tags: [("elkbake:key".to_owned(), r"a*b?\".to_owned())].into(),
            tagged: Some("elkbake:run".to_owned()),
            name: Some("host".to_owned()),
        };
        let filters = filters(&ask, "image-id");
        let said: Vec<String> = filters[0].iter().flatten().map(said).collect();
        let expected = [r"tag:elkbake:key=a\*b\?\\", "tag-key=elkbake:run", "name=host", "image-id=ami-1,ami-2"];
        assert_eq!(said, expected);
        assert_eq!(super::filters(&Ask::default(), "image-id"), [None]);
        let many = Ask { ids: (0..401).map(|n| format!("ami-{n}")).collect(), ..Ask::default() };
        let sizes: Vec<usize> =
            super::filters(&many, "image-id").iter().flatten().map(|all| all[0].values().len()).collect();
        assert_eq!(sizes, [150, 150, 101]);
    }

    #[test]
    fn only_what_is_meant_is_taken() {
        let disk = Disk {
            id: "vol-1".to_owned(),
            state: String::new(),
            created: String::new(),
            size: 1,
            kms_key: None,
            tags: [("elkbake:run".to_owned(), "1".to_owned())].into(),
        };
        let tags = |value: &str| Ask { tags: [("elkbake:run".to_owned(), value.to_owned())].into(), ..Ask::default() };
        assert!(is_meant(&Ask::default(), &disk) && is_meant(&tags("1"), &disk) && !is_meant(&tags("2"), &disk));
        assert!(!is_meant(&Ask { ids: ["vol-2".to_owned()].into(), ..Ask::default() }, &disk));
        assert!(!is_meant(&Ask { tagged: Some("elkbake:key".to_owned()), ..Ask::default() }, &disk));
    }
}
