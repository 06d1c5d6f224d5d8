//! When a request is tried again, and when it is given up.

use std::time::{Duration, SystemTime};

use elkbake::bake::interrupt::Interrupt;
use elkbake::remote::config::{Timing, WireConfig};
use elkbake::store::Store;

use super::bench::{Bench, config, error};
use crate::kitchen::registry::{Fault, Registry};

const ALWAYS: usize = usize::MAX;

#[test]
fn a_server_in_trouble_is_asked_again() {
    for status in [408, 429, 500, 502, 503, 504] {
        let (server, bench) = (Registry::start(), Bench::new());
        let path = server.file("a.bin", b"content");
        server.fault(&path, 4, Fault::Status(status, Some("0".to_owned())));
        assert!(bench.fetch(&server.url(&path), None).is_ok());
        assert_eq!(server.requests().len(), 5);
        let notes = bench.notes();
        let next = if status == 429 { "try 5 of 14" } else { "try 5 of 5" };
        assert!(notes.contains(&status.to_string()) && notes.contains(next), "{notes}");
        assert!(notes.contains("as the server asks"), "{notes}");
    }
}

#[test]
fn a_server_that_hangs_up_is_asked_again() {
    let (server, bench) = (Registry::start(), Bench::new());
    let path = server.file("a.bin", b"content");
    server.fault(&path, 2, Fault::HangUp);
    assert!(bench.fetch(&server.url(&path), None).is_ok());
    assert_eq!(server.requests().len(), 3);
}

#[test]
fn a_storm_is_given_up_after_five_tries() {
    let (server, bench) = (Registry::start(), Bench::new());
    let path = server.file("a.bin", b"content");
    server.fault(&path, ALWAYS, Fault::Status(503, None));
    let message = error!(bench.fetch(&server.url(&path), None), Unreachable);
    assert!(message.contains("503") && message.contains("5 times in a row"), "{message}");
    assert_eq!(server.requests().len(), 5);
}

#[test]
fn a_server_may_not_make_us_wait_for_long() {
    let (server, bench) = (Registry::start(), Bench::new());
    let path = server.file("a.bin", b"content");
    for (after, word) in [("600", "10 minutes"), ("Sun, 06 Nov 1994 12:49:37 GMT", "4 hours")] {
        server.forget();
        server.fault(&path, 1, Fault::Status(429, Some(after.to_owned())));
        let message = error!(bench.fetch(&server.url(&path), None), Unreachable);
        assert!(message.contains(word), "{message}");
        assert_eq!(server.requests().len(), 1);
    }
}

#[test]
fn other_refusals_are_final() {
    let (server, bench) = (Registry::start(), Bench::new());
    let path = server.file("a.bin", b"content");
    let message = error!(bench.fetch(&server.url("/files/none"), None), NotFound);
    assert!(message.contains("404") && message.contains("/files/none"), "{message}");
    server.fault(&path, 1, Fault::Status(403, None));
    let message = error!(bench.fetch(&server.url(&path), None), Denied);
    assert!(message.contains("tried as nobody"), "{message}");
    server.fault(&path, 1, Fault::Status(418, None));
    error!(bench.fetch(&server.url(&path), None), Unreachable);
    assert_eq!(server.requests().len(), 3);
}

#[test]
fn a_silent_server_is_given_up() {
    let server = Registry::start();
    let timing = Timing { idle: Duration::from_millis(20), ..config().timing };
    let bench = Bench::with(WireConfig { timing, ..config() });
    let path = server.file("a.bin", b"content");
    server.fault(&path, ALWAYS, Fault::Stall);
    let message = error!(bench.fetch(&server.url(&path), None), Unreachable);
    assert!(message.contains("nothing came for 20ms"), "{message}");
}

#[test]
fn nobody_there_is_told() {
    // No test listens at a port of root's.
    let message = error!(Bench::new().fetch("http://127.0.0.1:1/x", None), Unreachable);
    assert!(message.contains("cannot reach 127.0.0.1:1"), "{message}");
    assert!(message.contains("refused"), "{message}");
}

#[test]
fn an_interrupt_ends_a_wait() {
    let server = Registry::start();
    let interrupt = Interrupt::default();
    let bench = Bench::with(WireConfig { interrupt: interrupt.clone(), ..config() });
    let path = server.file("a.bin", b"content");
    server.fault(&path, ALWAYS, Fault::Stall);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while server.requests().is_empty() {
                std::thread::yield_now();
            }
            interrupt.request();
        });
        let error = bench.fetch(&server.url(&path), None).unwrap_err();
        assert_eq!(error.to_string(), "interrupted");
    });
    assert_eq!(bench.blobs(), 0);
}

#[test]
fn the_wait_that_a_server_asks_for_is_told() {
    let (server, bench) = (Registry::start(), Bench::new());
    let path = server.file("a.bin", b"content");
    server.fault(&path, 1, Fault::Status(503, Some("Sun, 06 Nov 1994 08:49:38 GMT".to_owned())));
    assert!(bench.fetch(&server.url(&path), None).is_ok());
    assert!(bench.notes().contains("try 2 of 5 in 1 s, as the server asks"), "{}", bench.notes());
}

#[test]
fn an_interrupt_ends_the_wait_for_another_run_that_fetches_the_same() {
    let registry = Registry::start();
    registry.file("a.tar", &[7; 5000]);
    registry.fault("/files/a.tar", 1, Fault::Stall);
    let url = registry.url("/files/a.tar");
    let (first_interrupt, second_interrupt) = (Interrupt::default(), Interrupt::default());
    let first = Bench::with(WireConfig { interrupt: first_interrupt.clone(), ..config() });
    let mut second = Bench::with(WireConfig { interrupt: second_interrupt.clone(), ..config() });
    // Another run on the same store.
    second.store = Store::open(&first.folder.path().join("store"), SystemTime::UNIX_EPOCH).unwrap();
    std::thread::scope(|scope| {
        let stalled = scope.spawn(|| first.fetch(&url, None).unwrap_err().to_string());
        while registry.requests_to("/files/a.tar").is_empty() {
            std::thread::sleep(Duration::from_millis(5));
        }
        let waiting = scope.spawn(|| second.fetch(&url, None).unwrap_err().to_string());
        while !second.notes().contains("another run fetches it already") {
            std::thread::sleep(Duration::from_millis(5));
        }
        second_interrupt.request();
        assert_eq!(waiting.join().unwrap(), "interrupted");
        first_interrupt.request();
        assert_eq!(stalled.join().unwrap(), "interrupted");
    });
    assert_eq!(registry.requests_to("/files/a.tar").len(), 1);
}
