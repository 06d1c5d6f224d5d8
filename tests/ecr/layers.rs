//! Large blobs go by ECR's own calls, small ones like everywhere.

use elkbake::bake::port::Arrival;
use elkbake::digest::Digest;

use crate::kitchen::ecr::Ecr;
use crate::wire::bench::{Bench, bytes, error};

const MIB: usize = 1 << 20;

fn ecr() -> Ecr {
    let ecr = Ecr::start(&["eu-west-1"]);
    ecr.repository("eu-west-1", "elk/kibana", true);
    ecr
}

#[test]
fn a_large_blob_goes_in_parts_and_a_small_one_in_one_request() {
    let ecr = ecr();
    let bench = Bench::with(ecr.config());
    let at = Ecr::reference("eu-west-1", "elk/kibana:1");
    let (small, large) = (bytes(1000), bytes(11 * MIB));
    assert_eq!(bench.send(&at, &small).unwrap(), Arrival::Sent(1000));
    assert_eq!(ecr.asked("InitiateLayerUpload"), 0);
    assert_eq!(bench.send(&at, &large).unwrap(), Arrival::Sent(11 << 20));
    assert_eq!(
        (ecr.asked("InitiateLayerUpload"), ecr.asked("UploadLayerPart"), ecr.asked("CompleteLayerUpload")),
        (1, 3, 1)
    );
    for blob in [small, large] {
        assert_eq!(ecr.registry("eu-west-1").held("elk/kibana", &Digest::of(&blob)), Some(blob));
    }
    assert_eq!(*bench.advanced.lock().unwrap(), 1000 + (11 << 20), "each byte is told once");
}

#[test]
fn a_hundred_blobs_are_one_question() {
    let ecr = ecr();
    let bench = Bench::with(ecr.config());
    let at = Ecr::reference("eu-west-1", "elk/kibana:1");
    let blobs: Vec<Digest> = (0..250_u32).map(|n| Digest::of(&n.to_le_bytes())).collect();
    let there = ecr.registry("eu-west-1").blob_in("elk/kibana", &7_u32.to_le_bytes());
    let missing = bench.missing(&at, &blobs).unwrap();
    assert_eq!((missing.len(), missing.contains(&there)), (249, false));
    assert_eq!(ecr.asked("BatchCheckLayerAvailability"), 3);
    assert!(ecr.registry("eu-west-1").requests().is_empty());
}

#[test]
fn a_blob_comes_straight_from_where_it_is() {
    let ecr = ecr();
    let from = crate::kitchen::registry::Registry::start();
    let blob = bytes(6 * MIB);
    let digest = from.blob(&blob);
    let bench = Bench::with(ecr.config());
    let at = Ecr::reference("eu-west-1", "elk/kibana:1");
    let arrival = bench.send_from(&at, digest, blob.len() as u64, Some(&from.reference("base:1"))).unwrap();
    assert_eq!(arrival, Arrival::Sent(6 << 20));
    assert_eq!((bench.blobs(), ecr.registry("eu-west-1").held("elk/kibana", &digest)), (0, Some(blob)));
}

#[test]
fn blobs_are_mounted_where_the_account_lets_them_and_sent_where_it_does_not() {
    let ecr = ecr();
    ecr.repository("eu-west-1", "base", true);
    let registry = ecr.registry("eu-west-1");
    let at = Ecr::reference("eu-west-1", "elk/kibana:1");
    let from = Ecr::reference("eu-west-1", "base:1");
    let (one, other) = (bytes(6 * MIB), bytes(6 * MIB + 1));
    for blob in [&one, &other] {
        registry.blob_in("base", blob);
    }
    // What nobody refers to is not mounted, whatever the account lets be.
    let layers = [&one, &other].map(|blob| serde_json::json!({ "digest": Digest::of(blob).to_string() }));
    let manifest = serde_json::json!({ "schemaVersion": 2, "layers": layers }).to_string();
    registry.manifest("base", Some("1"), "application/vnd.oci.image.manifest.v1+json", manifest.as_bytes());
    let loose = bytes(6 * MIB + 2);
    registry.blob_in("base", &loose);
    let send =
        |bench: &Bench, blob: &[u8]| bench.send_from(&at, Digest::of(blob), blob.len() as u64, Some(&from)).unwrap();
    let bench = Bench::with(ecr.config());
    assert_eq!(send(&bench, &one), Arrival::Sent(6 << 20));
    registry.rules(|rules| rules.mounts = true);
    let bench = Bench::with(ecr.config());
    assert_eq!(send(&bench, &other), Arrival::Mounted);
    assert_eq!(ecr.asked("InitiateLayerUpload"), 1);
    assert_eq!(send(&bench, &loose), Arrival::Sent((6 << 20) + 2));
}

#[test]
fn a_repository_that_is_not_there_is_said_to_be_none() {
    let ecr = Ecr::start(&["eu-west-1"]);
    let bench = Bench::with(ecr.config());
    let at = Ecr::reference("eu-west-1", "elk/none:1");
    assert_eq!(bench.held(&at).unwrap(), None);
    for message in [
        error!(bench.missing(&at, &[Digest::of(b"a")]), NotFound),
        error!(bench.send(&at, &bytes(6 * MIB)), NotFound),
        error!(bench.send(&at, &bytes(10)), NotFound),
    ] {
        assert!(message.contains("elk/none"), "{message}");
    }
}
