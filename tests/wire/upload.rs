//! Blobs on their way into a repository, and all that can go wrong with an answer.

use std::time::Duration;

use elkbake::bake::port::Arrival;
use elkbake::digest::Digest;
use elkbake::remote::config::{Pieces, Timing, WireConfig};
use elkbake::remote::mirror::Mirrors;

use super::bench::{Bench, bytes, chunked, config, error};
use crate::kitchen::registry::{Fault, Registry};

const ALWAYS: usize = usize::MAX;
const PATCHES: &str = "PATCH /v2/a/blobs/uploads/*";
const PUTS: &str = "PUT /v2/a/blobs/uploads/*";

fn assert_there(server: &Registry, content: &[u8]) {
    assert_eq!(server.held("a", &Digest::of(content)).as_deref(), Some(content));
}

#[test]
fn a_small_blob_is_two_requests_and_a_large_one_goes_in_chunks() {
    let (server, bench) = (Registry::start(), Bench::with(chunked()));
    for size in [0, 1, 1000] {
        server.forget();
        let content = bytes(size);
        assert_eq!(bench.send(&server.reference("a"), &content).unwrap(), Arrival::Sent(size as u64));
        assert_there(&server, &content);
        assert_eq!(server.requests().len(), 2);
        assert_eq!(server.received("a"), size as u64);
    }
    for (size, patches) in [(1001, 2), (2000, 2), (5500, 6)] {
        server.forget();
        *bench.advanced.lock().unwrap() = 0;
        let content = bytes(size);
        assert_eq!(bench.send(&server.reference("a"), &content).unwrap(), Arrival::Sent(size as u64));
        assert_there(&server, &content);
        let lines = server.lines();
        assert_eq!(lines.iter().filter(|line| line.starts_with("PATCH")).count(), patches);
        assert_eq!((lines.len(), server.received("a")), (patches + 2, size as u64));
        assert_eq!(*bench.advanced.lock().unwrap(), size as u64);
        let first = &server.requests()[1];
        assert_eq!(first.header("content-range"), Some("0-999"));
        assert_eq!(first.header("content-type"), Some("application/octet-stream"));
    }
    assert_eq!(server.uploads(), 0);
}

#[test]
fn addresses_of_uploads_may_be_relative_and_keep_their_query() {
    let (server, bench) = (Registry::start(), Bench::with(chunked()));
    server.rules(|rules| rules.relative = true);
    for size in [500, 3500] {
        bench.send(&server.reference("a"), &bytes(size)).unwrap();
        assert_there(&server, &bytes(size));
    }
}

#[test]
fn an_address_that_holds_for_one_place_only_is_followed() {
    let (server, bench) = (Registry::start(), Bench::with(chunked()));
    server.rules(|rules| rules.strict_locations = true);
    bench.send(&server.reference("a"), &bytes(3500)).unwrap();
    assert_eq!(server.received("a"), 3500);
    // After a cut, it does not hold any more: all begins anew.
    server.fault(PATCHES, 1, Fault::CutBody(700));
    server.forget();
    bench.send(&server.reference("a"), &bytes(2500)).unwrap();
    assert_there(&server, &bytes(2500));
    assert_eq!(server.received("a"), 3200);
}

#[test]
fn a_chunk_is_as_large_as_the_registry_wants_it() {
    let (server, bench) = (Registry::start(), Bench::with(chunked()));
    server.rules(|rules| rules.least_chunk = Some(2000));
    bench.send(&server.reference("a"), &bytes(3500)).unwrap();
    assert_eq!(server.requests()[1].body.len(), 2000);
}

#[test]
fn what_a_repository_of_the_same_registry_has_is_mounted() {
    let (server, bench) = (Registry::start(), Bench::with(chunked()));
    let digest = server.blob_in("base/b", &bytes(5000));
    let origin = server.reference("base/b:1");
    assert_eq!(bench.send_from(&server.reference("a"), digest, 5000, Some(&origin)).unwrap(), Arrival::Mounted);
    assert_there(&server, &bytes(5000));
    assert_eq!(server.requests().len(), 1);
    let target = format!("/v2/a/blobs/uploads/?mount=sha256%3A{}&from=base%2Fb", digest.hex());
    assert_eq!(server.requests()[0].target, target);
    // By way of a mirror that is this registry, too.
    let mirrors = Mirrors::new([("docker.elastic.co".to_owned(), format!("{}/base", server.host()))]).unwrap();
    let bench = Bench::with(WireConfig { mirrors, ..chunked() });
    let origin = "docker.elastic.co/b:1".parse().unwrap();
    assert_eq!(bench.send_from(&server.reference("c"), digest, 5000, Some(&origin)).unwrap(), Arrival::Mounted);
}

#[test]
fn what_is_not_mounted_is_sent_in_the_upload_that_came_instead() {
    let (server, bench) = (Registry::start(), Bench::with(chunked()));
    server.rules(|rules| rules.mounts = false);
    let content = bytes(2500);
    bench.stored(&content);
    let digest = server.blob_in("base", &content);
    let origin = server.reference("base");
    assert_eq!(bench.send_from(&server.reference("a"), digest, 2500, Some(&origin)).unwrap(), Arrival::Sent(2500));
    assert_eq!(server.lines().iter().filter(|line| line.starts_with("POST")).count(), 1);
    assert_there(&server, &content);
    // A registry that does not know the words is asked in plain ones.
    server.fault("POST /v2/c/blobs/uploads/", 1, Fault::Status(400, None));
    bench.send_from(&server.reference("c"), digest, 2500, Some(&origin)).unwrap();
    assert_eq!(server.held("c", &digest), Some(content));
}

#[test]
fn a_blob_that_is_not_here_comes_straight_from_its_origin() {
    let (origin, server, bench) = (Registry::start(), Registry::start(), Bench::with(chunked()));
    for size in [300, 7500] {
        let content = bytes(size);
        let digest = origin.blob_in("base", &content);
        let from = origin.reference("base:1");
        let arrival = bench.send_from(&server.reference("a"), digest, size as u64, Some(&from)).unwrap();
        assert_eq!(arrival, Arrival::Sent(size as u64));
        assert_there(&server, &content);
        let path = format!("/v2/base/blobs/{digest}");
        assert_eq!((origin.requests_to(&path).len(), origin.sent(&path)), (1, size as u64));
    }
    assert_eq!(bench.blobs(), 0);
    let digest = Digest::of(b"nowhere");
    let message = error!(bench.send_from(&server.reference("a"), digest, 7, None), NotFound);
    assert!(message.contains("build it again"), "{message}");
    error!(bench.send_from(&server.reference("a"), digest, 7, Some(&origin.reference("base"))), NotFound);
}

#[test]
fn an_origin_that_lies_or_is_cut_does_no_harm() {
    let (origin, server, bench) = (Registry::start(), Registry::start(), Bench::with(chunked()));
    let content = bytes(7500);
    let digest = origin.blob_in("base", &content);
    let (from, path) = (origin.reference("base"), format!("/v2/base/blobs/{digest}"));
    let send = |into: &str| bench.send_from(&server.reference(into), digest, 7500, Some(&from));
    origin.fault(&path, 1, Fault::Corrupt);
    let message = error!(send("a"), Wrong);
    assert!(message.contains(&format!("{}/base", origin.host())), "{message}");
    assert_eq!(server.held("a", &digest), None);
    origin.fault(&path, 1, Fault::SayLength(7501));
    error!(send("a"), Wrong);
    origin.fault(&path, 1, Fault::Page("Log in".to_owned()));
    let message = error!(send("a"), Wrong);
    assert!(message.contains("Log in"), "{message}");
    // Cut, and another part than was asked for, and all of it though a part was asked for.
    origin.fault(&path, 1, Fault::Cut(2222));
    origin.fault(&path, 1, Fault::OtherRange);
    origin.fault(&path, 1, Fault::NoRanges);
    send("a").unwrap();
    assert_there(&server, &content);
    origin.fault(&path, 5, Fault::Status(502, None));
    error!(send("b"), Unreachable);
}

#[test]
fn rotten_bytes_of_the_store_are_never_sent_whole() {
    for size in [900, 4500] {
        for spoil in ["flip", "short", "long"] {
            let (server, bench) = (Registry::start(), Bench::with(chunked()));
            let digest = bench.stored(&bytes(size));
            let hex = digest.hex();
            let path = bench.folder.path().join(format!("store/v1/blobs/sha256/{}/{hex}", &hex[..2]));
            let mut rotten = bytes(size);
            match spoil {
                "flip" => rotten[size / 2] ^= 1,
                "short" => rotten.truncate(size - 1),
                _ => rotten.push(0),
            }
            std::fs::remove_file(&path).unwrap();
            std::fs::write(&path, rotten).unwrap();
            let message = error!(bench.send_from(&server.reference("a"), digest, size as u64, None), Wrong);
            assert!(message.contains("damaged") && message.contains(&digest.to_string()), "{message}");
            assert!(message.contains("build it again"), "{message}");
            assert_eq!(bench.store.size(&digest), None, "it is dropped");
            assert_eq!(server.held("a", &digest), None);
            // With its origin at hand, the next run does without the store.
            bench.send(&server.reference("a"), &bytes(size)).unwrap();
            assert_there(&server, &bytes(size));
        }
    }
}

#[test]
fn a_storm_is_weathered_wherever_it_comes() {
    for faulty in ["POST /v2/a/blobs/uploads/*", PATCHES, PUTS] {
        for (number, status) in [429, 500, 502, 503, 504].into_iter().enumerate() {
            for size in [900, 3500 + number] {
                let (server, bench) = (Registry::start(), Bench::with(chunked()));
                server.fault(faulty, 3, Fault::Status(status, Some("0".to_owned())));
                bench.send(&server.reference("a"), &bytes(size)).unwrap();
                assert_there(&server, &bytes(size));
            }
        }
    }
    let (server, bench) = (Registry::start(), Bench::with(chunked()));
    server.fault(PATCHES, ALWAYS, Fault::Status(503, None));
    let message = error!(bench.send(&server.reference("a"), &bytes(3000)), Unreachable);
    assert!(message.contains("503") && message.contains("5 times in a row"), "{message}");
    server.fault(PUTS, 1, Fault::Status(429, Some("600".to_owned())));
    let message = error!(bench.send(&server.reference("a"), &bytes(300)), Unreachable);
    assert!(message.contains("10 minutes"), "{message}");
}

#[test]
fn an_upload_that_vanishes_begins_anew() {
    for faulty in [PATCHES, PUTS] {
        let (server, bench) = (Registry::start(), Bench::with(chunked()));
        server.fault(faulty, 1, Fault::Vanish);
        bench.send(&server.reference("a"), &bytes(3500)).unwrap();
        assert_there(&server, &bytes(3500));
        assert!(bench.notes().contains("does not know the upload any more"), "{}", bench.notes());
        assert_eq!(*bench.advanced.lock().unwrap(), 3500, "what is sent twice is told once");
    }
    for status in [404, 410] {
        let (server, bench) = (Registry::start(), Bench::with(chunked()));
        server.fault(PATCHES, 1, Fault::Status(status, None));
        bench.send(&server.reference("a"), &bytes(3500)).unwrap();
        assert_there(&server, &bytes(3500));
    }
    let (server, bench) = (Registry::start(), Bench::with(chunked()));
    server.fault(PATCHES, ALWAYS, Fault::Vanish);
    error!(bench.send(&server.reference("a"), &bytes(3500)), Unreachable);
}

#[test]
fn a_registry_that_is_at_another_byte_is_asked_where() {
    let (server, bench) = (Registry::start(), Bench::with(chunked()));
    // The chunk is taken, and its answer lost.
    server.fault(PATCHES, 1, Fault::HangUp);
    bench.send(&server.reference("a"), &bytes(3500)).unwrap();
    assert_there(&server, &bytes(3500));
    assert_eq!(server.received("a"), 3500, "nothing is sent twice");
    server.fault(PATCHES, 1, Fault::Status(416, None));
    server.forget();
    bench.send(&server.reference("a"), &bytes(2500)).unwrap();
    assert_there(&server, &bytes(2500));
}

#[test]
fn a_lost_last_answer_is_no_reason_to_send_again() {
    for size in [900, 3500] {
        let (server, bench) = (Registry::start(), Bench::with(chunked()));
        server.fault(PUTS, 1, Fault::HangUp);
        bench.send(&server.reference("a"), &bytes(size)).unwrap();
        assert_eq!(server.received("a"), size as u64);
        assert_there(&server, &bytes(size));
    }
}

fn odd(fault: &Fault) {
    let (server, bench) = (Registry::start(), Bench::with(chunked()));
    server.fault(PATCHES, 1, fault.clone());
    bench.send(&server.reference("a"), &bytes(3500)).unwrap();
    assert_there(&server, &bytes(3500));
    assert!(bench.notes().contains("sent in one request instead"), "{fault:?}: {}", bench.notes());
    assert_eq!(server.uploads(), 0, "the odd one is given up");
    // It is not tried again with the next blob.
    server.forget();
    bench.send(&server.reference("a"), &bytes(4500)).unwrap();
    assert_there(&server, &bytes(4500));
    assert_eq!(server.requests().len(), 2, "{:?}", server.lines());
}

#[test]
fn a_registry_that_answers_chunks_oddly_gets_all_at_once() {
    let range = |text: &str| Fault::Headers(vec![("Range".to_owned(), text.to_owned())]);
    odd(&Fault::As(201));
    odd(&Fault::As(200));
    odd(&Fault::Status(400, None));
    odd(&Fault::Status(405, None));
    odd(&Fault::Status(501, None));
    odd(&Fault::NotTaken);
    odd(&range("0-5000"));
    odd(&range("7-999"));
    odd(&range("nonsense"));
}

#[test]
fn a_registry_that_loses_chunks_gets_all_at_once() {
    let (server, bench) = (Registry::start(), Bench::with(chunked()));
    // What it takes without a word is checked at the end.
    let silent = Fault::Headers(vec![("Range".to_owned(), String::new())]);
    server.fault(PATCHES, ALWAYS, silent);
    bench.send(&server.reference("a"), &bytes(3500)).unwrap();
    assert_eq!(server.received("a"), 3500);
    // Here it lost one.
    let (server, bench) = (Registry::start(), Bench::with(chunked()));
    server.rules(|rules| rules.loses_chunks = true);
    bench.send(&server.reference("a"), &bytes(3500)).unwrap();
    assert_there(&server, &bytes(3500));
    assert!(bench.notes().contains("does not have what it was sent"), "{}", bench.notes());
    // And here it did not say that it is done.
    let (server, bench) = (Registry::start(), Bench::with(chunked()));
    server.fault(PUTS, 1, Fault::As(202));
    bench.send(&server.reference("a"), &bytes(3500)).unwrap();
    assert_there(&server, &bytes(3500));
}

#[test]
fn a_registry_that_has_less_than_it_took_says_so_and_goes_on() {
    let (server, bench) = (Registry::start(), Bench::with(chunked()));
    server.rules(|rules| rules.drops_parts = true);
    server.fault(PATCHES, 1, Fault::CutBody(600));
    bench.send(&server.reference("a"), &bytes(3500)).unwrap();
    assert_there(&server, &bytes(3500));
    assert_eq!(server.received("a"), 4100);
}

#[test]
fn a_registry_that_lies_about_a_digest_is_caught() {
    let lie = Digest::of(b"lie").to_string();
    for size in [900, 3500] {
        let (server, bench) = (Registry::start(), Bench::with(chunked()));
        let fault = Fault::Headers(vec![("Docker-Content-Digest".to_owned(), lie.clone())]);
        server.fault(PUTS, 1, fault);
        let message = error!(bench.send(&server.reference("a"), &bytes(size)), Wrong);
        assert!(message.contains(&lie) && message.contains(&Digest::of(&bytes(size)).to_string()), "{message}");
    }
}

#[test]
fn a_limit_on_requests_makes_them_smaller() {
    let pieces = Pieces { whole: 3 << 20, chunk: 4 << 20 };
    let bench = Bench::with(WireConfig { pieces, ..config() });
    let server = Registry::start();
    server.rules(|rules| rules.largest = Some(1 << 20));
    for size in [2_500_000, 9_000_000] {
        bench.send(&server.reference("a"), &bytes(size)).unwrap();
        assert_there(&server, &bytes(size));
    }
    assert!(bench.notes().contains("413") && bench.notes().contains("1048576 bytes"), "{}", bench.notes());
    server.rules(|rules| rules.largest = Some(1000));
    let message = error!(bench.send(&server.reference("a"), &bytes(2_600_000)), Wrong);
    assert!(message.contains("413") && message.contains("limit"), "{message}");
}

#[test]
fn an_answer_that_comes_while_the_body_is_sent_is_read() {
    for status in [403, 418] {
        for after in [0, 1, 100_000, 3_000_000] {
            let (server, bench) = (Registry::start(), Bench::new());
            server.fault(PUTS, ALWAYS, Fault::Early(after, status));
            let error = bench.send(&server.reference("a"), &bytes(8_000_000)).unwrap_err().to_string();
            assert!(error.contains(&status.to_string()), "{error}");
            assert_eq!(server.requests_to("/v2/a/blobs/uploads/1").len(), 1, "{error}");
        }
    }
    let (server, bench) = (Registry::start(), Bench::new());
    server.fault(PUTS, 2, Fault::Early(1000, 503));
    bench.send(&server.reference("a"), &bytes(8_000_000)).unwrap();
    assert_there(&server, &bytes(8_000_000));
}

#[test]
fn a_success_that_comes_too_early_is_none() {
    for after in [1000, 3_000_000] {
        let (server, bench) = (Registry::start(), Bench::new());
        server.fault(PUTS, 1, Fault::Early(after, 201));
        bench.send(&server.reference("a"), &bytes(16_000_000)).unwrap();
        assert_there(&server, &bytes(16_000_000));
    }
}

#[test]
fn a_registry_that_stalls_is_given_up_and_tried_again() {
    let pieces = Pieces { whole: 1 << 20, chunk: 8 << 20 };
    let timing = Timing { idle: Duration::from_millis(300), connect: Duration::from_secs(2), ..config().timing };
    let server = Registry::start();
    let bench = Bench::with(WireConfig { timing, pieces, ..config() });
    server.fault(PATCHES, 1, Fault::StallBody(100));
    bench.send(&server.reference("a"), &bytes(20_000_000)).unwrap();
    assert_there(&server, &bytes(20_000_000));
    assert!(bench.notes().contains("no answer within"), "{}", bench.notes());
    // Only where no answer is to come it need not be waited for.
    let timing = Timing { answer: Duration::from_millis(600), ..timing };
    let bench = Bench::with(WireConfig { timing, pieces, ..config() });
    server.fault(PUTS, ALWAYS, Fault::StallBody(0));
    error!(bench.send(&server.reference("a"), &bytes(5)), Unreachable);
}

#[test]
fn uploads_are_not_redirected_nor_sent_in_the_clear() {
    let (server, bench) = (Registry::start(), Bench::new());
    server.fault(PUTS, 1, Fault::Redirect("/elsewhere".to_owned()));
    let message = error!(bench.send(&server.reference("a"), &bytes(900)), Wrong);
    assert!(message.contains("redirect"), "{message}");
    server.rules(|rules| rules.uploads_at = Some("far.invalid:80".to_owned()));
    let message = error!(bench.send(&server.reference("a"), &bytes(900)), Wrong);
    assert!(message.contains("not https") && message.contains("far.invalid"), "{message}");
    for location in ["", "ftp://x/y", "http://[", "mailto:x"] {
        let (server, bench) = (Registry::start(), Bench::new());
        let fault = Fault::Headers(vec![("Location".to_owned(), location.to_owned())]);
        server.fault("POST /v2/a/blobs/uploads/", 1, fault);
        let message = error!(bench.send(&server.reference("a"), &bytes(900)), Wrong);
        assert!(message.contains("where the upload goes on"), "{message}");
    }
}

#[test]
fn offline_nothing_is_sent() {
    let server = Registry::start();
    let bench = Bench::with(WireConfig { offline: true, ..config() });
    error!(bench.send(&server.reference("a"), b"x"), Offline);
    error!(bench.held(&server.reference("a:1")), Offline);
    assert_eq!(server.requests().len(), 0);
}
