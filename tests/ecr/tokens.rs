//! Tokens for the registries: fetched once, replaced when they run out, shown to nobody else.

use elkbake::digest::Digest;
use elkbake::remote::config::{Proxies, WireConfig};

use crate::kitchen::ecr::Ecr;
use crate::wire::bench::{Bench, bytes, config, error};

const KIND: &str = "application/vnd.oci.image.manifest.v1+json";
const MANIFEST: &[u8] = br#"{"schemaVersion":2,"config":{},"layers":[]}"#;

fn ecr() -> Ecr {
    let ecr = Ecr::start(&["eu-west-1"]);
    ecr.repository("eu-west-1", "elk/kibana", true);
    ecr
}

#[test]
fn one_token_does_for_all() {
    let ecr = ecr();
    let bench = Bench::with(ecr.config());
    let at = Ecr::reference("eu-west-1", "elk/kibana:1");
    assert_eq!(bench.held(&at).unwrap(), None);
    bench.send(&at, &bytes(1000)).unwrap();
    bench.publish(&at, KIND, MANIFEST).unwrap();
    assert_eq!(bench.held(&at).unwrap(), Some(Digest::of(MANIFEST)));
    assert_eq!(ecr.asked("GetAuthorizationToken"), 1);
    // Nobody asks who we are first: that costs a round trip.
    assert!(ecr.registry("eu-west-1").requests().iter().all(|request| request.header("authorization").is_some()));
}

#[test]
fn a_token_that_ran_out_is_replaced_in_the_middle() {
    let ecr = ecr();
    let bench = Bench::with(ecr.config());
    let at = Ecr::reference("eu-west-1", "elk/kibana:1");
    assert_eq!(bench.held(&at).unwrap(), None);
    ecr.expire_tokens("eu-west-1");
    bench.send(&at, &bytes(1000)).unwrap();
    ecr.expire_tokens("eu-west-1");
    bench.publish(&at, KIND, MANIFEST).unwrap();
    assert_eq!(ecr.asked("GetAuthorizationToken"), 3);
    assert!(!bench.notes().contains("password-"), "{}", bench.notes());
}

#[test]
fn a_token_that_cannot_be_had_is_the_error() {
    let ecr = ecr();
    ecr.fault("GetAuthorizationToken", 100, crate::kitchen::ecr::Trouble::Error("AccessDeniedException"));
    let bench = Bench::with(ecr.config());
    let message = error!(bench.held(&Ecr::reference("eu-west-1", "elk/kibana:1")), Cloud);
    assert!(message.contains("ecr:GetAuthorizationToken"), "{message}");
}

/// A base in ECR that no target names, reached by its usual name, with what Docker's configuration says.
fn base(ecr: &Ecr, docker_config: &str) -> Bench {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.json");
    std::fs::write(&path, docker_config).unwrap();
    ecr.registry("eu-west-1").manifest("elk/kibana", Some("1"), KIND, MANIFEST);
    let config = WireConfig {
        docker_config: Some(path),
        aws: ecr.config().aws,
        // Names of AWS lead to nobody here, but for the one who is asked as a proxy.
        insecure: [Ecr::name("eu-west-1").parse().unwrap()].into(),
        proxies: Proxies { http: ecr.registry("eu-west-1").url(""), ..Proxies::default() },
        ..config()
    };
    Bench::with(config).keeping(folder)
}

#[test]
fn a_base_in_ecr_is_read_without_a_login() {
    let ecr = ecr();
    let bench = base(&ecr, "{}");
    for _ in 0..2 {
        assert_eq!(bench.manifest(&Ecr::reference("eu-west-1", "elk/kibana:1")).unwrap().bytes, MANIFEST);
    }
    assert_eq!(ecr.asked("GetAuthorizationToken"), 1);
}

#[test]
fn dockers_own_credentials_go_first_where_nothing_is_pushed() {
    let ecr = ecr();
    ecr.registry("eu-west-1").ecr(|ecr| ecr.passwords.insert("from-docker-login".to_owned()));
    let name = Ecr::name("eu-west-1");
    let auths = format!("{{\"auths\":{{\"{name}\":{{\"username\":\"AWS\",\"password\":\"from-docker-login\"}}}}}}");
    let bench = base(&ecr, &auths);
    assert_eq!(bench.manifest(&Ecr::reference("eu-west-1", "elk/kibana:1")).unwrap().bytes, MANIFEST);
    assert_eq!(ecr.asked("GetAuthorizationToken"), 0);
}

#[test]
fn an_immutable_tag_is_success_with_the_same_digest_and_refused_with_another() {
    let ecr = ecr();
    let bench = Bench::with(ecr.config());
    let at = Ecr::reference("eu-west-1", "elk/kibana:1");
    bench.publish(&at, KIND, MANIFEST).unwrap();
    bench.publish(&at, KIND, MANIFEST).unwrap();
    let other = br#"{"schemaVersion":2,"config":{},"layers":[],"x":1}"#;
    let message = error!(bench.publish(&at, KIND, other), Immutable);
    assert!(
        message.contains(&Digest::of(MANIFEST).to_string()) && message.contains(&Digest::of(other).to_string()),
        "{message}"
    );
}
