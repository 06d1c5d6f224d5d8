//! What a build without the AWS SDKs says of ECR and EC2.

use elkbake::bake::event::SILENT;
use elkbake::bake::port::{Ask, Ec2, Ec2Site, EcrControl};
use elkbake::digest::Digest;
use elkbake::remote::config::{EcrSite, WireConfig};

use crate::wire::bench::{Bench, config, error};

#[test]
fn a_target_in_ecr_is_told_that_it_needs_another_build() {
    let name = "123456789012.dkr.ecr.eu-west-1.amazonaws.com";
    let site = EcrSite {
        registry: name.parse().unwrap(),
        account: "123456789012".to_owned(),
        region: "eu-west-1".to_owned(),
        endpoint: None,
        role: None,
        external_id: None,
    };
    let bench = Bench::with(WireConfig { ecr: vec![site], ..config() });
    let at = format!("{name}/elk/kibana:1").parse().unwrap();
    for message in [
        error!(bench.missing(&at, &[Digest::of(b"a")]), Cloud),
        error!(bench.send(&at, b"a"), Cloud),
        error!(bench.wire.account(&at.registry, SILENT), Cloud),
    ] {
        assert!(message.contains("built without AWS") && message.contains(name), "{message}");
    }
}

#[test]
fn so_is_a_target_in_ec2() {
    let region = "eu-west-1".parse().unwrap();
    let site = Ec2Site { region, account: "123456789012".to_owned(), role: None, external_id: None };
    let bench = Bench::with(config());
    for message in [
        error!(bench.wire.caller(&site, SILENT), Cloud),
        error!(bench.wire.images(&site, &Ask::default(), SILENT), Cloud),
        error!(bench.wire.terminate(&site, "i-1", SILENT), Cloud),
    ] {
        assert!(message.contains("built without AWS") && message.contains("EC2 in eu-west-1"), "{message}");
    }
}
