//! What is pushed to one region is waited for in the others.

use std::time::Duration;

use elkbake::bake::event::SILENT;
use elkbake::bake::interrupt::Interrupt;
use elkbake::bake::replicated::{Awaited, Patience, wait};
use elkbake::digest::Digest;

use crate::kitchen::ecr::Ecr;
use crate::wire::bench::Bench;

#[test]
fn every_region_answers_the_same_digest_before_it_counts() {
    const MANIFEST: &[u8] = br#"{"schemaVersion":2,"config":{},"layers":[]}"#;
    let ecr = Ecr::start(&["eu-west-1", "us-east-1"]);
    for region in ["eu-west-1", "us-east-1"] {
        ecr.repository(region, "elk/kibana", true);
    }
    let bench = Bench::with(ecr.config());
    bench
        .publish(&Ecr::reference("eu-west-1", "elk/kibana:1"), "application/vnd.oci.image.manifest.v1+json", MANIFEST)
        .unwrap();
    let others = [Ecr::reference("us-east-1", "elk/kibana:1")];
    let patience =
        Patience { first: Duration::from_millis(1), longest: Duration::from_millis(5), all: Duration::from_secs(60) };
    let digest = Digest::of(MANIFEST);
    let awaited = Awaited { digest, may_move: false };
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| wait(&bench.wire, &others, awaited, patience, &Interrupt::default(), SILENT));
        while ecr.registry("us-east-1").requests().len() < 3 {
            std::thread::sleep(Duration::from_millis(1));
        }
        ecr.registry("eu-west-1").replicate_to(ecr.registry("us-east-1"), "elk/kibana");
        waiting.join().unwrap().remove(0).unwrap();
    });
}
