//! What goes wrong while a large blob is on its way: nothing is lost, and nothing is sent twice that has arrived.

use std::time::Duration;

use elkbake::bake::interrupt::Interrupt;
use elkbake::bake::port::Arrival;
use elkbake::digest::Digest;
use elkbake::remote::config::{Pieces, WireConfig};

use crate::kitchen::ecr::{Ecr, Trouble};
use crate::wire::bench::{Bench, bytes, error};
use crate::wire::cuts::Dice;

const MIB: usize = 1 << 20;
const SIZE: usize = 16 * MIB;

fn ecr() -> Ecr {
    let ecr = Ecr::start(&["eu-west-1"]);
    ecr.repository("eu-west-1", "elk/kibana", true);
    ecr
}

fn at() -> elkbake::name::Reference {
    Ecr::reference("eu-west-1", "elk/kibana:1")
}

fn arrived(ecr: &Ecr, blob: &[u8]) -> bool {
    ecr.registry("eu-west-1").held("elk/kibana", &Digest::of(blob)).as_deref() == Some(blob)
}

#[test]
fn an_answer_that_was_lost_is_not_a_part_that_was_lost() {
    let ecr = ecr();
    let blob = bytes(SIZE);
    ecr.fault("UploadLayerPart", 1, Trouble::Lost);
    ecr.fault("UploadLayerPart", 1, Trouble::Error("ThrottlingException"));
    ecr.fault("CompleteLayerUpload", 1, Trouble::Lost);
    let bench = Bench::with(ecr.config());
    bench.send(&at(), &blob).unwrap();
    assert!(arrived(&ecr, &blob));
    assert!(bench.notes().contains("goes on there"), "{}", bench.notes());
    assert_eq!(ecr.asked("InitiateLayerUpload"), 1);
}

#[test]
fn a_run_that_died_is_gone_on_with() {
    let ecr = ecr();
    let blob = bytes(SIZE);
    let first = Bench::with(ecr.config());
    let interrupt = Interrupt::default();
    let dying = first.again(WireConfig { interrupt: interrupt.clone(), ..ecr.config() });
    // The third of four parts is on its way until its sender is gone.
    ecr.fault("UploadLayerPart", 2, Trouble::Nothing);
    ecr.fault("UploadLayerPart", 1, Trouble::Late(Duration::from_secs(60)));
    std::thread::scope(|scope| {
        let run = scope.spawn(|| dying.send(&at(), &blob));
        while ecr.asked("UploadLayerPart") < 3 {
            std::thread::sleep(Duration::from_millis(1));
        }
        interrupt.request();
        drop(run.join());
    });
    let received = ecr.state(|state| state.uploads.values().map(|upload| upload.1.len()).sum::<usize>());
    assert!(!arrived(&ecr, &blob) && received > 0);
    ecr.forget();
    let arrival = first.again(ecr.config()).send(&at(), &blob).unwrap();
    let Arrival::Sent(sent) = arrival else { panic!("{arrival:?}") };
    // Less when the last part arrived after its sender was gone.
    assert!(sent > 0 && sent <= (SIZE - received) as u64, "{sent} with {received} there");
    assert!(arrived(&ecr, &blob));
    assert_eq!(ecr.asked("InitiateLayerUpload"), 0);
}

#[test]
fn an_upload_that_is_gone_begins_anew() {
    let ecr = ecr();
    let blob = bytes(SIZE);
    ecr.fault("UploadLayerPart", 1, Trouble::Error("UploadNotFoundException"));
    let bench = Bench::with(ecr.config());
    bench.send(&at(), &blob).unwrap();
    assert!(arrived(&ecr, &blob));
    assert_eq!(ecr.asked("InitiateLayerUpload"), 2);
}

#[test]
fn a_layer_that_somebody_else_has_sent_meanwhile_is_there() {
    let ecr = ecr();
    let blob = bytes(6 * MIB);
    ecr.fault("CompleteLayerUpload", 1, Trouble::Error("LayerAlreadyExistsException"));
    assert_eq!(Bench::with(ecr.config()).send(&at(), &blob).unwrap(), Arrival::Sent(6 << 20));
}

#[test]
fn storms_pass() {
    let ecr = ecr();
    let blob = bytes(SIZE);
    for action in ["InitiateLayerUpload", "UploadLayerPart", "CompleteLayerUpload"] {
        ecr.fault(action, 3, Trouble::Status(503));
        ecr.fault(action, 8, Trouble::Error("ThrottlingException"));
        ecr.fault(action, 1, Trouble::HangUp);
    }
    Bench::with(ecr.config()).send(&at(), &blob).unwrap();
    assert!(arrived(&ecr, &blob));
}

#[test]
fn other_bytes_than_promised_are_refused_before_the_last_part_goes() {
    let ecr = ecr();
    let from = crate::kitchen::registry::Registry::start();
    let blob = bytes(6 * MIB);
    let digest = from.blob(&blob);
    let path = format!("/v2/base/blobs/{digest}");
    from.fault(&path, 100, crate::kitchen::registry::Fault::Corrupt);
    let bench = Bench::with(ecr.config());
    error!(bench.send_from(&at(), digest, blob.len() as u64, Some(&from.reference("base:1"))), Wrong);
    assert_eq!(ecr.asked("CompleteLayerUpload"), 0);
}

#[test]
fn what_ecr_finds_to_be_other_bytes_is_an_error() {
    let ecr = ecr();
    ecr.fault("CompleteLayerUpload", 9, Trouble::Error("InvalidLayerException"));
    let message = error!(Bench::with(ecr.config()).send(&at(), &bytes(6 * MIB)), Wrong);
    assert!(message.contains("other bytes"), "{message}");
}

#[test]
fn parts_cut_at_any_byte_arrive() {
    let ecr = ecr();
    let bench = Bench::with(ecr.config());
    let mut dice = Dice(8);
    let mut cuts = 0;
    for round in 0..13 {
        // One part of 5 MiB and one of some KB.
        let blob = bytes(5 * MIB + 5000 + round);
        for size in [7 * MIB, 6000] {
            for _ in 0..4 {
                ecr.fault("UploadLayerPart", 1, Trouble::Cut(dice.below(size)));
                cuts += 1;
            }
            ecr.fault("UploadLayerPart", 1, Trouble::Nothing);
        }
        assert_eq!(bench.send(&at(), &blob).unwrap(), Arrival::Sent(blob.len() as u64));
        assert!(arrived(&ecr, &blob), "round {round}");
    }
    assert_eq!((cuts, ecr.asked("InitiateLayerUpload"), ecr.asked("UploadLayerPart")), (104, 13, 130));
}

#[test]
fn an_ecr_that_lies_about_a_digest_is_not_believed() {
    let ecr = ecr();
    let lie = format!("sha256:{}", "0".repeat(64));
    ecr.fault("CompleteLayerUpload", 1, Trouble::Says("layerDigest", lie.as_str().into()));
    let message = error!(Bench::with(ecr.config()).send(&at(), &bytes(6 * MIB)), Wrong);
    assert!(message.contains(&lie), "{message}");
}

#[test]
fn an_ecr_that_lies_about_how_far_it_is_does_no_harm() {
    let ecr = ecr();
    let bench = Bench::with(ecr.config());
    // More than was sent, and less than it had before: nothing that could be gone on with.
    for said in [5 * MIB, 100 * MIB] {
        ecr.fault("UploadLayerPart", 1, Trouble::Says("lastByteReceived", said.into()));
        let message = error!(bench.send(&at(), &bytes(6 * MIB)), Wrong);
        assert!(message.contains(&said.to_string()), "{message}");
    }
    // Less than it has: it says so itself when it is sent the rest once more.
    let blob = bytes(6 * MIB);
    ecr.forget();
    ecr.fault("UploadLayerPart", 1, Trouble::Says("lastByteReceived", (3 * MIB).into()));
    bench.send(&at(), &blob).unwrap();
    assert!(arrived(&ecr, &blob));
    assert!(bench.notes().contains("goes on there"), "{}", bench.notes());
}

#[test]
fn an_ecr_in_trouble_is_never_sent_a_part_by_http() {
    for trouble in [Trouble::Error("ThrottlingException"), Trouble::Status(503)] {
        let ecr = ecr();
        let pieces = Pieces { whole: 1 << 20, chunk: 2 << 20 };
        let bench = Bench::with(WireConfig { pieces, ..ecr.config() });
        let blob = bytes(6 * MIB);
        ecr.fault("BatchCheckLayerAvailability", 14, trouble);
        assert_eq!(bench.missing(&at(), &[Digest::of(&blob)]).unwrap().len(), 1);
        bench.send(&at(), &blob).unwrap();
        assert!(arrived(&ecr, &blob));
        let lines = ecr.registry("eu-west-1").lines();
        assert!(!lines.iter().any(|line| line.starts_with("PATCH")), "{lines:?}");
        assert_eq!(lines.iter().filter(|line| line.starts_with("PUT")).count(), 1, "{lines:?}");
    }
}
