//! What JSON and Terraform are told of images and hosts. All keys are always there, `null` where there is nothing to
//! say: whoever declares a type for it declares it once.

use std::collections::BTreeMap;

use serde::Serialize;

use super::choice::{Choice, Place};
use super::fault::ExportError;
use crate::digest::Digest;
use crate::name::{ImagePath, RecipeName, Tag};
use crate::recipe::{Architecture, NetworkMode, Product, Region, Version, VolumeKind};
use crate::record::{self, HealthCheck, Record, SourceRevision, Ulimit};

/// A container image.
#[derive(Serialize)]
pub(super) struct Container<'m> {
    image: String,
    regions: BTreeMap<&'m Region, String>,
    digest: Option<&'m Digest>,
    tag: &'m Tag,
    version: &'m Version,
    key: &'m Digest,
    product: Option<Product>,
    platforms: BTreeMap<String, &'m Digest>,
    base: Option<Base<'m>>,
    needs: Needs<'m>,
    source: Option<&'m SourceRevision>,
    created: &'m str,
    pushed_at: &'m str,
}

/// A host's image.
#[derive(Serialize)]
pub(super) struct Host<'m> {
    ids: BTreeMap<&'m Region, BTreeMap<Architecture, &'m str>>,
    snapshots: BTreeMap<&'m Region, BTreeMap<Architecture, &'m str>>,
    instance_types: Vec<&'m str>,
    imds_v2: Option<bool>,
    volumes: Vec<Volume<'m>>,
    tag: &'m Tag,
    version: &'m Version,
    key: &'m Digest,
    base: Option<Base<'m>>,
    source: Option<&'m SourceRevision>,
    created: &'m str,
    pushed_at: &'m str,
}

#[derive(Serialize)]
struct Volume<'m> {
    device: &'m str,
    kind: VolumeKind,
    size: Option<u32>,
    iops: Option<u32>,
    throughput: Option<u32>,
    encrypted: Option<bool>,
    delete_on_termination: bool,
}

#[derive(Serialize)]
struct Base<'m> {
    name: &'m str,
    digest: Option<&'m Digest>,
}

#[derive(Serialize)]
struct Needs<'m> {
    memory: Option<u32>,
    memory_reservation: Option<u32>,
    cpu: Option<u32>,
    stop_timeout: Option<u32>,
    network_mode: Option<NetworkMode>,
    ports: Vec<&'m str>,
    writable: Vec<&'m str>,
    secrets: Vec<&'m str>,
    sysctls: &'m BTreeMap<String, String>,
    ulimits: &'m BTreeMap<String, Ulimit>,
    health_check: Option<&'m HealthCheck>,
}

impl<'m> Container<'m> {
    fn of(choice: &Choice<'m>, recipe: &RecipeName, record: &'m Record) -> Result<Self, ExportError> {
        let image = match choice.place(recipe, record)? {
            Place::Registry(reference) => reference.to_string(),
            Place::Folder(_, text) => text,
        };
        Ok(Self {
            image,
            regions: record.regions.iter().map(|(region, place)| (region, place.to_string())).collect(),
            digest: record.digest.as_ref(),
            tag: &record.tag,
            version: &record.version,
            key: &record.key,
            product: record.product,
            platforms: record.platforms.iter().map(|one| (one.name.to_string(), &one.digest)).collect(),
            base: record.base.as_ref().map(Base::of),
            needs: Needs::of(&record.needs),
            source: record.source.as_ref(),
            created: &record.created,
            pushed_at: &record.pushed_at,
        })
    }
}

impl<'m> Host<'m> {
    fn of(record: &'m Record) -> Self {
        let by_place = |what: fn(&record::RecordedAmi) -> &str| {
            let mut all: BTreeMap<&Region, BTreeMap<Architecture, &str>> = BTreeMap::new();
            for ami in &record.amis {
                all.entry(&ami.region).or_default().insert(ami.architecture, what(ami));
            }
            all
        };
        let host = record.host.as_ref();
        Self {
            ids: by_place(|ami| &ami.id),
            snapshots: by_place(|ami| &ami.snapshot),
            instance_types: host.iter().flat_map(|host| &host.instance_types).map(String::as_str).collect(),
            imds_v2: host.map(|host| host.imds_v2),
            volumes: host.iter().flat_map(|host| &host.volumes).map(Volume::of).collect(),
            tag: &record.tag,
            version: &record.version,
            key: &record.key,
            base: record.base.as_ref().map(Base::of),
            source: record.source.as_ref(),
            created: &record.created,
            pushed_at: &record.pushed_at,
        }
    }
}

impl<'m> Volume<'m> {
    fn of(volume: &'m record::RecordedVolume) -> Self {
        Self {
            device: &volume.device,
            kind: volume.kind,
            size: volume.size,
            iops: volume.iops,
            throughput: volume.throughput,
            encrypted: volume.encrypted,
            delete_on_termination: volume.delete_on_termination,
        }
    }
}

impl<'m> Base<'m> {
    fn of(base: &'m record::RecordedBase) -> Self {
        Self { name: &base.name, digest: base.digest.as_ref() }
    }
}

impl<'m> Needs<'m> {
    fn of(needs: &'m record::Needs) -> Self {
        Self {
            memory: needs.memory,
            memory_reservation: needs.memory_reservation,
            cpu: needs.cpu,
            stop_timeout: needs.stop_timeout,
            network_mode: needs.network_mode,
            ports: needs.ports.iter().map(String::as_str).collect(),
            writable: needs.writable.iter().map(ImagePath::as_str).collect(),
            secrets: needs.secrets.iter().map(String::as_str).collect(),
            sysctls: &needs.sysctls,
            ulimits: &needs.ulimits,
            health_check: needs.health_check.as_ref(),
        }
    }
}

/// All images, by recipe.
pub(super) fn images<'m>(choice: &Choice<'m>) -> Result<BTreeMap<&'m RecipeName, Container<'m>>, ExportError> {
    choice.images().map(|(recipe, record)| Ok((recipe, Container::of(choice, recipe, record)?))).collect()
}

/// All hosts' images, by recipe.
pub(super) fn hosts<'m>(choice: &Choice<'m>) -> BTreeMap<&'m RecipeName, Host<'m>> {
    choice.hosts().map(|(recipe, record)| (recipe, Host::of(record))).collect()
}
