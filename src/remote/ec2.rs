//! EC2, with what belongs to it in SSM and Auto Scaling.
//!
//! ```text
//! control      who asks, and what is waited out
//! list         lists, all pages of them
//! instances    started, listened to, ended
//! images       made, copied, tagged, taken away
//! share        who may start or read them
//! templates    launch templates
//! in_use       what starts from which image; groups: Auto Scaling's share of it
//! mapping      orders in EC2's words
//! seen         answers in ours
//! ```

mod control;
mod groups;
mod images;
mod in_use;
mod instances;
mod list;
mod mapping;
pub(super) mod seen;
mod share;
mod templates;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use aws_sdk_ec2::types::Filter;

use crate::bake::event::Listener;
use crate::bake::port::{
    Ask, CopyOrder, Disk, Ec2, Ec2Site, ImageMade, ImageOrder, ImageStep, Instance, Machine, PortError, RunOrder,
    SpotRequest, Started, Tags, Template, TypeFacts,
};
use crate::recipe::Share;
use crate::remote::aws::parameter;
use crate::remote::wire::Wire;

use control::Control;

/// What SSM checks of a parameter with an image's id in it.
const IMAGE_PARAMETER: &str = "aws:ec2:image";

/// After the wish to stop, calls that change something may still be answered for so long: what they made has to be known
/// to be taken away. So may calls that begin only then, for they are the taking away.
const GRACE: Duration = Duration::from_secs(30);

/// EC2 tells of so many instance types at once.
const TYPES: i32 = 100;

/// What becomes of a call when the person asks to stop.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Does {
    Reads,
    Changes,
}

impl Wire {
    /// Asks a region for something, when it is our turn.
    fn host<T>(
        &self,
        site: &Ec2Site,
        does: Does,
        subject: &str,
        tell: Listener<'_>,
        work: impl AsyncFnOnce(Control<'_>) -> Result<T, PortError>,
    ) -> Result<T, PortError> {
        let subject = format!("{subject} in {}", site.region);
        let is_patient = does == Does::Changes || self.config.interrupt.requested();
        let grace = if is_patient { GRACE } else { Duration::ZERO };
        self.run_for(&subject, grace, async {
            let turns = self.access.turns(site.region.as_str());
            let turn = turns.acquire().await;
            let _turn =
                turn.map_err(|error| PortError::Cloud { subject: subject.clone(), message: error.to_string() })?;
            let control = Control {
                clients: self.access.clients(site.into()).await,
                call: self.call(&subject, "", tell),
                memory: &self.access.memory,
            };
            // On the heap: what comes together here is large, and there are many of them.
            Box::pin(work(control)).await
        })
    }
}

impl Ec2 for Wire {
    fn caller(&self, site: &Ec2Site, tell: Listener<'_>) -> Result<String, PortError> {
        self.caller_by(site.into(), tell)
    }

    fn images(&self, site: &Ec2Site, ask: &Ask, tell: Listener<'_>) -> Result<Vec<Machine>, PortError> {
        self.host(site, Does::Reads, "images", tell, async |control| control.images(ask).await)
    }

    fn image(&self, site: &Ec2Site, id: &str, tell: Listener<'_>) -> Result<Option<Machine>, PortError> {
        self.host(site, Does::Reads, id, tell, async |control| control.image(id).await)
    }

    fn instances(&self, site: &Ec2Site, ask: &Ask, tell: Listener<'_>) -> Result<Vec<Instance>, PortError> {
        self.host(site, Does::Reads, "instances", tell, async |control| control.instances(ask).await)
    }

    fn spot_requests(&self, site: &Ec2Site, ask: &Ask, tell: Listener<'_>) -> Result<Vec<SpotRequest>, PortError> {
        self.host(site, Does::Reads, "spot requests", tell, async |control| control.spot_requests(ask).await)
    }

    fn cancel(&self, site: &Ec2Site, request: &str, tell: Listener<'_>) -> Result<(), PortError> {
        self.host(site, Does::Changes, request, tell, async |control| control.cancel(request, request).await)
    }

    fn volumes(&self, site: &Ec2Site, ask: &Ask, tell: Listener<'_>) -> Result<Vec<Disk>, PortError> {
        self.host(site, Does::Reads, "volumes", tell, async |control| control.volumes(ask).await)
    }

    fn snapshots(&self, site: &Ec2Site, ask: &Ask, tell: Listener<'_>) -> Result<Vec<Disk>, PortError> {
        self.host(site, Does::Reads, "snapshots", tell, async |control| control.snapshots(ask).await)
    }

    fn types(&self, site: &Ec2Site, names: &BTreeSet<String>, tell: Listener<'_>) -> Result<Vec<TypeFacts>, PortError> {
        self.host(site, Does::Reads, "instance types", tell, async |control| control.types(names).await)
    }

    fn run(&self, site: &Ec2Site, order: &RunOrder, tell: Listener<'_>) -> Result<Started, PortError> {
        let subject = format!("an instance of {}", order.image);
        self.host(site, Does::Changes, &subject, tell, async |control| control.run(order).await)
    }

    fn console(&self, site: &Ec2Site, instance: &str, tell: Listener<'_>) -> Result<String, PortError> {
        let subject = format!("the console of {instance}");
        self.host(site, Does::Reads, &subject, tell, async |control| control.console(instance).await)
    }

    fn terminate(&self, site: &Ec2Site, instance: &str, tell: Listener<'_>) -> Result<(), PortError> {
        self.host(site, Does::Changes, instance, tell, async |control| control.terminate(instance).await)
    }

    fn make_image(&self, site: &Ec2Site, order: &ImageOrder, tell: Listener<'_>) -> Result<ImageMade, PortError> {
        let subject = format!("the image {} of {}", order.name, order.instance);
        self.host(site, Does::Changes, &subject, tell, async |control| control.make_image(order).await)
    }

    fn copy_image(&self, site: &Ec2Site, order: &CopyOrder, tell: Listener<'_>) -> Result<ImageMade, PortError> {
        let subject = format!("the copy of {} of {}", order.image, order.from);
        self.host(site, Does::Changes, &subject, tell, async |control| control.copy_image(order).await)
    }

    fn shared(&self, site: &Ec2Site, image: &str, tell: Listener<'_>) -> Result<Share, PortError> {
        self.host(site, Does::Reads, image, tell, async |control| control.shared(image).await)
    }

    fn change(&self, site: &Ec2Site, image: &str, step: &ImageStep, tell: Listener<'_>) -> Result<(), PortError> {
        self.host(site, Does::Changes, image, tell, async |control| control.change(image, step).await)
    }

    fn snapshot_shared(
        &self,
        site: &Ec2Site,
        snapshot: &str,
        tell: Listener<'_>,
    ) -> Result<BTreeSet<String>, PortError> {
        self.host(site, Does::Reads, snapshot, tell, async |control| control.snapshot_shared(snapshot).await)
    }

    fn share_snapshot(
        &self,
        site: &Ec2Site,
        snapshot: &str,
        add: &BTreeSet<String>,
        remove: &BTreeSet<String>,
        tell: Listener<'_>,
    ) -> Result<(), PortError> {
        self.host(site, Does::Changes, snapshot, tell, async |control| {
            control.share_snapshot(snapshot, add, remove).await
        })
    }

    fn tag(&self, site: &Ec2Site, ids: &BTreeSet<String>, tags: &Tags, tell: Listener<'_>) -> Result<(), PortError> {
        let first = ids.first().map_or("nothing", String::as_str);
        let subject = match ids.len() {
            0 | 1 => format!("tags of {first}"),
            more => format!("tags of {first} and {} more", more - 1),
        };
        self.host(site, Does::Changes, &subject, tell, async |control| control.tag(ids, tags).await)
    }

    fn deregister(&self, site: &Ec2Site, image: &str, tell: Listener<'_>) -> Result<(), PortError> {
        self.host(site, Does::Changes, image, tell, async |control| control.deregister(image).await)
    }

    fn delete_snapshot(&self, site: &Ec2Site, snapshot: &str, tell: Listener<'_>) -> Result<(), PortError> {
        self.host(site, Does::Changes, snapshot, tell, async |control| control.delete_snapshot(snapshot).await)
    }

    fn delete_volume(&self, site: &Ec2Site, volume: &str, tell: Listener<'_>) -> Result<(), PortError> {
        self.host(site, Does::Changes, volume, tell, async |control| control.delete_volume(volume).await)
    }

    fn parameter(&self, site: &Ec2Site, name: &str, tell: Listener<'_>) -> Result<Option<String>, PortError> {
        self.host(site, Does::Reads, &format!("SSM parameter {name}"), tell, async |control| {
            parameter::get(&control.clients.ssm, &control.of("ssm:GetParameter"), name).await
        })
    }

    fn put_parameter(&self, site: &Ec2Site, name: &str, image: &str, tell: Listener<'_>) -> Result<(), PortError> {
        self.host(site, Does::Changes, &format!("SSM parameter {name}"), tell, async |control| {
            let call = control.of("ssm:PutParameter");
            parameter::put(&control.clients.ssm, &call, name, image, Some(IMAGE_PARAMETER)).await
        })
    }

    fn template(&self, site: &Ec2Site, name: &str, tell: Listener<'_>) -> Result<Option<Template>, PortError> {
        let subject = format!("launch template {name}");
        self.host(site, Does::Reads, &subject, tell, async |control| control.template(name).await)
    }

    fn new_version(
        &self,
        site: &Ec2Site,
        template: &Template,
        image: &str,
        description: &str,
        token: &str,
        tell: Listener<'_>,
    ) -> Result<u64, PortError> {
        let subject = format!("launch template {}", template.name);
        self.host(site, Does::Changes, &subject, tell, async |control| {
            control.new_version(template, image, description, token).await
        })
    }

    fn set_default(
        &self,
        site: &Ec2Site,
        template: &Template,
        version: u64,
        tell: Listener<'_>,
    ) -> Result<(), PortError> {
        let subject = format!("launch template {}", template.name);
        self.host(site, Does::Changes, &subject, tell, async |control| control.set_default(template, version).await)
    }

    fn in_use(&self, site: &Ec2Site, tell: Listener<'_>) -> Result<BTreeMap<String, BTreeSet<String>>, PortError> {
        self.host(site, Does::Reads, "what is in use", tell, async |control| control.in_use().await)
    }
}

impl Control<'_> {
    /// What instance types have.
    async fn types(&self, names: &BTreeSet<String>) -> Result<Vec<TypeFacts>, PortError> {
        let call = self.of("ec2:DescribeInstanceTypes");
        let mut all = Vec::new();
        let names: Vec<&String> = names.iter().collect();
        for names in names.chunks(list::VALUES) {
            let filter: Filter = list::equal("instance-type", names.iter().copied());
            let request = self.clients.ec2.describe_instance_types().filters(filter).max_results(TYPES);
            let found = self.pages(async |token| {
                let answer = call.must(async || request.clone().set_next_token(token.clone()).send().await).await?;
                Ok((answer.instance_types.unwrap_or_default(), answer.next_token))
            });
            let found = found.await?.into_iter().filter_map(seen::type_facts);
            all.extend(found.filter(|facts| names.iter().any(|name| **name == facts.name)));
        }
        Ok(all)
    }
}
