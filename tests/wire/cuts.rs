//! Connections cut at any byte, hundreds of times, on either side; and runs that go on where another was stopped.

use std::time::Duration;

use elkbake::bake::interrupt::Interrupt;
use elkbake::bake::port::Arrival;
use elkbake::digest::Digest;
use elkbake::remote::config::WireConfig;

use super::bench::{Bench, bytes, chunked, config};
use crate::kitchen::registry::{Fault, Registry};

const PATCHES: &str = "PATCH /v2/a/blobs/uploads/*";
const PUTS: &str = "PUT /v2/a/blobs/uploads/*";

/// Numbers that look like chance and are the same in each run.
pub struct Dice(pub u64);

impl Dice {
    pub fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % limit
    }
}

#[test]
fn uploads_cut_at_any_byte_arrive_without_a_byte_sent_twice() {
    let (server, bench) = (Registry::start(), Bench::with(chunked()));
    let content = bytes(4000);
    let digest = bench.stored(&content);
    let mut dice = Dice(1);
    let mut cuts = 0;
    for _ in 0..60 {
        server.forget();
        for _ in 0..4 {
            server.fault(PATCHES, 1, Fault::CutBody(dice.below(1000)));
            cuts += 1;
        }
        bench.send_from(&server.reference("a"), digest, 4000, None).unwrap();
        assert_eq!(server.held("a", &digest).as_ref(), Some(&content));
        assert_eq!(server.received("a"), 4000);
    }
    assert_eq!(cuts, 240);
}

#[test]
fn small_blobs_cut_at_any_byte_arrive() {
    let (server, bench) = (Registry::start(), Bench::with(chunked()));
    let mut dice = Dice(2);
    for size in 1..=100 {
        let content = bytes(size * 10);
        for _ in 0..2 {
            server.fault(PUTS, 1, Fault::CutBody(dice.below(size * 10)));
        }
        bench.send(&server.reference("a"), &content).unwrap();
        assert_eq!(server.held("a", &Digest::of(&content)), Some(content));
    }
}

#[test]
fn answers_lost_at_any_step_do_no_harm() {
    let (server, bench) = (Registry::start(), Bench::with(chunked()));
    let content = bytes(3500);
    let digest = bench.stored(&content);
    for step in 0..8 {
        server.forget();
        server.fault("/v2/a/blobs/uploads/*", step, Fault::Headers(Vec::new()));
        server.fault("/v2/a/blobs/uploads/*", 1, Fault::HangUp);
        bench.send_from(&server.reference("a"), digest, 3500, None).unwrap();
        assert_eq!(server.held("a", &digest).as_ref(), Some(&content));
        assert_eq!(server.received("a"), 3500, "step {step}");
    }
}

#[test]
fn downloads_from_the_origin_cut_at_any_byte_arrive_without_a_byte_fetched_twice() {
    let (origin, server, bench) = (Registry::start(), Registry::start(), Bench::with(chunked()));
    let content = bytes(4000);
    let digest = origin.blob_in("base", &content);
    let (from, path) = (origin.reference("base"), format!("/v2/base/blobs/{digest}"));
    let mut dice = Dice(3);
    for _ in 0..60 {
        origin.forget();
        server.forget();
        for _ in 0..3 {
            origin.fault(&path, 1, Fault::Cut(dice.below(1200)));
        }
        bench.send_from(&server.reference("a"), digest, 4000, Some(&from)).unwrap();
        assert_eq!(server.held("a", &digest).as_ref(), Some(&content));
        assert_eq!((origin.sent(&path), server.received("a")), (4000, 4000));
    }
}

#[test]
fn both_sides_cut_at_any_byte_arrive() {
    let (origin, server, bench) = (Registry::start(), Registry::start(), Bench::with(chunked()));
    let content = bytes(4000);
    let digest = origin.blob_in("base", &content);
    let (from, path) = (origin.reference("base"), format!("/v2/base/blobs/{digest}"));
    let mut dice = Dice(4);
    for _ in 0..60 {
        for _ in 0..2 {
            origin.fault(&path, 1, Fault::Cut(dice.below(1200)));
            server.fault(PATCHES, 1, Fault::CutBody(dice.below(1000)));
        }
        bench.send_from(&server.reference("a"), digest, 4000, Some(&from)).unwrap();
        assert_eq!(server.held("a", &digest).as_ref(), Some(&content));
    }
    assert_eq!(bench.blobs(), 0);
}

/// Sends until so many bytes have come, and stops there as a person would.
fn stop_at(server: &Registry, first: &Bench, interrupt: &Interrupt, after: usize, send: impl Fn(&Bench) + Sync) {
    server.fault(PATCHES, after / 1000, Fault::Headers(Vec::new()));
    server.fault(PATCHES, 1, Fault::StallBody(after % 1000));
    std::thread::scope(|scope| {
        let sending = scope.spawn(|| send(first));
        while server.received("a") < after as u64 {
            std::thread::sleep(Duration::from_millis(1));
        }
        interrupt.request();
        sending.join().unwrap();
    });
}

#[test]
fn another_run_goes_on_where_one_was_stopped() {
    let content = bytes(9500);
    let digest = Digest::of(&content);
    let mut dice = Dice(5);
    for _ in 0..30 {
        let server = Registry::start();
        let interrupt = Interrupt::default();
        let first = Bench::with(WireConfig { interrupt: interrupt.clone(), ..chunked() });
        first.stored(&content);
        let after = 1 + dice.below(9000);
        let into = server.reference("a");
        stop_at(&server, &first, &interrupt, after, |bench| {
            let error = bench.send_from(&into, digest, 9500, None).unwrap_err();
            assert_eq!(error.to_string(), "interrupted");
        });
        let second = first.again(chunked());
        let arrival = second.send_from(&into, digest, 9500, None).unwrap();
        // One byte cannot be told from none: registries write both as `0-0`.
        let have = if after == 1 { 0 } else { after as u64 };
        assert_eq!(arrival, Arrival::Sent(9500 - have));
        assert_eq!(server.held("a", &digest).as_ref(), Some(&content));
        assert_eq!(server.received("a"), 9500 + after as u64 - have, "stopped after {after} bytes");
        assert_eq!(*second.advanced.lock().unwrap(), 9500);
        // There is nothing left to go on with.
        let index = first.folder.path().join("store/v1/index");
        assert_eq!(std::fs::read_dir(index).unwrap().count(), 0);
        assert_eq!(std::fs::read_dir(first.folder.path().join("store/v1/partial")).unwrap().count(), 0);
    }
}

#[test]
fn another_run_goes_on_from_the_origin_where_one_was_stopped() {
    let content = bytes(9500);
    let mut dice = Dice(6);
    for _ in 0..20 {
        let (origin, server) = (Registry::start(), Registry::start());
        let digest = origin.blob_in("base", &content);
        let (from, into, path) = (origin.reference("base"), server.reference("a"), format!("/v2/base/blobs/{digest}"));
        let interrupt = Interrupt::default();
        let first = Bench::with(WireConfig { interrupt: interrupt.clone(), ..chunked() });
        let after = 2 + dice.below(9000);
        stop_at(&server, &first, &interrupt, after, |bench| {
            bench.send_from(&into, digest, 9500, Some(&from)).unwrap_err();
        });
        origin.forget();
        let second = first.again(chunked());
        second.send_from(&into, digest, 9500, Some(&from)).unwrap();
        assert_eq!(server.held("a", &digest).as_ref(), Some(&content));
        assert_eq!(server.received("a"), 9500);
        // Only what was not hashed yet is fetched once more: less than a chunk.
        assert_eq!(origin.sent(&path), (9500 - after / 1000 * 1000) as u64);
    }
}

#[test]
fn another_run_begins_anew_when_the_upload_is_gone() {
    let server = Registry::start();
    let content = bytes(9500);
    let digest = Digest::of(&content);
    let interrupt = Interrupt::default();
    let first = Bench::with(WireConfig { interrupt: interrupt.clone(), ..chunked() });
    first.stored(&content);
    let into = server.reference("a");
    stop_at(&server, &first, &interrupt, 4321, |bench| {
        bench.send_from(&into, digest, 9500, None).unwrap_err();
    });
    server.drop_uploads();
    let second = first.again(chunked());
    assert_eq!(second.send_from(&into, digest, 9500, None).unwrap(), Arrival::Sent(9500));
    assert!(second.notes().contains("the earlier upload is gone"), "{}", second.notes());
    assert_eq!(server.held("a", &digest).as_ref(), Some(&content));
}

#[test]
fn another_run_that_may_not_see_the_upload_begins_anew_and_one_that_is_done_is_done() {
    let server = Registry::start();
    let content = bytes(9500);
    let digest = Digest::of(&content);
    let into = server.reference("a");
    for is_done in [false, true] {
        server.forget();
        let interrupt = Interrupt::default();
        let first = Bench::with(WireConfig { interrupt: interrupt.clone(), ..chunked() });
        first.stored(&content);
        stop_at(&server, &first, &interrupt, 4321, |bench| {
            bench.send_from(&into, digest, 9500, None).unwrap_err();
        });
        server.forget();
        let second = first.again(chunked());
        if is_done {
            server.drop_uploads();
            server.blob_in("a", &content);
            assert_eq!(second.send_from(&into, digest, 9500, None).unwrap(), Arrival::Present);
            assert_eq!(server.received("a"), 0);
        } else {
            server.fault("GET /v2/a/blobs/uploads/*", 1, Fault::Status(403, None));
            second.stored(&content);
            assert_eq!(second.send_from(&into, digest, 9500, None).unwrap(), Arrival::Sent(9500));
            server.forget_blob("a", &digest);
        }
    }
}

#[test]
fn a_spoilt_or_foreign_journal_is_no_hindrance() {
    let server = Registry::start();
    let content = bytes(5500);
    let digest = Digest::of(&content);
    let interrupt = Interrupt::default();
    let first = Bench::with(WireConfig { interrupt: interrupt.clone(), ..chunked() });
    first.stored(&content);
    let into = server.reference("a");
    stop_at(&server, &first, &interrupt, 2500, |bench| {
        bench.send_from(&into, digest, 5500, None).unwrap_err();
    });
    let index = first.folder.path().join("store/v1/index");
    let entry = std::fs::read_dir(&index).unwrap().next().unwrap().unwrap().path();
    std::fs::remove_file(&entry).unwrap();
    std::fs::write(&entry, "torn").unwrap();
    let second = first.again(chunked());
    second.send_from(&into, digest, 5500, None).unwrap();
    assert_eq!(server.held("a", &digest).as_ref(), Some(&content));
}

#[test]
fn two_runs_that_send_the_same_send_it_once() {
    let server = Registry::start();
    let content = bytes(400_000);
    let digest = Digest::of(&content);
    let pieces = elkbake::remote::config::Pieces { whole: 1000, chunk: 10_000 };
    let config = || WireConfig { pieces, ..config() };
    let first = Bench::with(config());
    first.stored(&content);
    let second = first.again(config());
    let into = server.reference("a");
    server.fault(PATCHES, 3, Fault::Headers(Vec::new()));
    server.fault(PATCHES, 1, Fault::Hold);
    std::thread::scope(|scope| {
        let sending = scope.spawn(|| first.send_from(&into, digest, 400_000, None).unwrap());
        while server.received("a") < 30_000 {
            std::thread::sleep(Duration::from_millis(1));
        }
        let waiting = scope.spawn(|| second.send_from(&into, digest, 400_000, None).unwrap());
        while !second.notes().contains("another run sends it already") {
            std::thread::sleep(Duration::from_millis(1));
        }
        assert_eq!(server.received("a"), 30_000);
        server.release();
        assert_eq!(sending.join().unwrap(), Arrival::Sent(400_000));
        assert_eq!(waiting.join().unwrap(), Arrival::Present);
    });
    assert_eq!(server.held("a", &digest).as_ref(), Some(&content));
    assert_eq!(server.received("a"), 400_000);
    assert_eq!(first.notes(), "");
}
