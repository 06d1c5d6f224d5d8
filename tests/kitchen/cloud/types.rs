//! A handful of instance types, as EC2 describes them.

use serde_json::{Value, json};

use super::call::{Answer, Call, No, refuse};
use super::filter::{filters, matches, page};
use super::world::Tags;

/// What is told of a type: its processor, processors, memory in MiB, IOPS, MB/s, disks and the size of each in GB,
/// volumes, and whether it is a Nitro system.
pub struct Kind {
    pub name: &'static str,
    pub architecture: &'static str,
    cpus: u32,
    memory: u32,
    iops: u32,
    throughput: f64,
    store: Option<(u32, u32)>,
    volumes: u32,
    pub nitro: bool,
}

const fn kind(name: &'static str, arm: bool, cpus: u32, memory: u32, iops: u32, throughput: f64) -> Kind {
    let architecture = if arm { "arm64" } else { "x86_64" };
    Kind { name, architecture, cpus, memory, iops, throughput, store: None, volumes: 27, nitro: true }
}

const KINDS: [Kind; 13] = [
    kind("t3.micro", false, 2, 1024, 11_800, 260.625),
    kind("t3.medium", false, 2, 4096, 11_800, 260.625),
    kind("t4g.medium", true, 2, 4096, 11_800, 260.625),
    kind("c5.large", false, 2, 4096, 20_000, 593.75),
    kind("m5.large", false, 2, 8192, 18_750, 593.75),
    kind("m6i.large", false, 2, 8192, 40_000, 1250.0),
    kind("m6i.4xlarge", false, 16, 65_536, 40_000, 1250.0),
    kind("m6g.large", true, 2, 8192, 20_000, 593.75),
    kind("m7g.large", true, 2, 8192, 40_000, 1250.0),
    Kind { store: Some((1, 118)), ..kind("m6gd.large", true, 2, 8192, 20_000, 593.75) },
    Kind { store: Some((1, 468)), ..kind("i4i.large", false, 2, 16_384, 40_000, 1250.0) },
    Kind { store: Some((2, 7500)), volumes: 26, ..kind("i3en.6xlarge", false, 24, 196_608, 40_000, 593.75) },
    Kind { nitro: false, volumes: 39, ..kind("m4.large", false, 2, 8192, 3600, 56.25) },
];

/// A type by name.
pub fn known(name: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| kind.name == name)
}

pub fn describe(call: &mut Call) -> Answer {
    let names = call.params.list("InstanceType")?;
    let filters = filters(&mut call.params)?;
    let page = page(&mut call.params, !names.is_empty(), (5, 100))?;
    call.params.finished()?;
    let unknown: Vec<&str> = names.iter().map(String::as_str).filter(|name| known(name).is_none()).collect();
    if !unknown.is_empty() {
        let said = format!("The following supplied instance types do not exist: [{}]", unknown.join(", "));
        return refuse("InvalidInstanceType", said);
    }
    let mut list = Vec::new();
    for kind in KINDS.iter().filter(|kind| names.is_empty() || names.iter().any(|name| name == kind.name)) {
        if matches(&filters, &Tags::new(), |name| said(kind, name))? {
            list.push(written(kind));
        }
    }
    let (list, next) = page.of(list, 100);
    Ok(json!({ "instanceTypeSet": list, "nextToken": next }))
}

fn said(kind: &Kind, name: &str) -> Option<Vec<String>> {
    Some(vec![match name {
        "instance-type" => kind.name.to_owned(),
        "processor-info.supported-architecture" => kind.architecture.to_owned(),
        "hypervisor" => if kind.nitro { "nitro" } else { "xen" }.to_owned(),
        _ => return None,
    }])
}

fn written(kind: &Kind) -> Value {
    let store = kind.store.map(|(count, size)| {
        json!({
            "totalSizeInGB": count * size, "nvmeSupport": "required", "encryptionSupport": "required",
            "disks": [{ "count": count, "sizeInGB": size, "type": "ssd" }],
        })
    });
    json!({
        "instanceType": kind.name, "currentGeneration": kind.nitro, "freeTierEligible": false, "bareMetal": false,
        "supportedUsageClasses": ["on-demand", "spot"], "supportedRootDeviceTypes": ["ebs"],
        "supportedVirtualizationTypes": ["hvm"], "hypervisor": if kind.nitro { "nitro" } else { "xen" },
        "processorInfo": { "supportedArchitectures": [kind.architecture], "sustainedClockSpeedInGhz": 3.1 },
        "vCpuInfo": { "defaultVCpus": kind.cpus, "defaultCores": kind.cpus, "defaultThreadsPerCore": 1 },
        "memoryInfo": { "sizeInMiB": kind.memory },
        "instanceStorageSupported": kind.store.is_some(), "instanceStorageInfo": store,
        "ebsInfo": {
            "ebsOptimizedSupport": "default", "encryptionSupport": "supported",
            "nvmeSupport": if kind.nitro { "required" } else { "unsupported" },
            "maximumEbsAttachments": kind.volumes, "attachmentLimitType": "shared",
            "ebsOptimizedInfo": {
                "baselineBandwidthInMbps": 650, "baselineThroughputInMBps": 81.25, "baselineIops": 3600,
                "maximumBandwidthInMbps": 4750, "maximumThroughputInMBps": kind.throughput,
                "maximumIops": kind.iops,
            },
        },
        "networkInfo": { "networkPerformance": "Up to 10 Gigabit", "enaSupport": if kind.nitro { "required" } else { "unsupported" } },
        "supportedBootModes": ["legacy-bios", "uefi"],
    })
}

/// A type that a call names.
pub fn named(name: &str) -> Result<&'static Kind, No> {
    match known(name) {
        Some(kind) => Ok(kind),
        None => refuse("InvalidParameterValue", format!("Invalid value '{name}' for InstanceType.")),
    }
}
