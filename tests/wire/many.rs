//! Many blobs for many repositories at once.

use std::time::{Duration, Instant};

use elkbake::digest::Digest;

use super::bench::{Bench, bytes, config};
use crate::kitchen::registry::{Fault, Registry};

#[test]
fn so_many_blobs_are_sent_at_once_that_memory_stays_small_and_the_wire_is_full() {
    let (server, bench) = (Registry::start(), Bench::with(config()));
    // None is done before those which may go at once have come.
    server.fault("PUT /v2/a/blobs/uploads/*", usize::MAX, Fault::Hold);
    let blobs: Vec<Vec<u8>> = (0..60).map(|n| bytes(40_000 + n)).collect();
    std::thread::scope(|scope| {
        for blob in &blobs {
            scope.spawn(|| bench.send(&server.reference("a"), blob).unwrap());
        }
        let begun = Instant::now();
        while server.most_at_once() < 16 && begun.elapsed() < Duration::from_secs(60) {
            std::thread::sleep(Duration::from_millis(1));
        }
        // One too many would come now.
        std::thread::sleep(Duration::from_millis(100));
        server.release();
    });
    assert!(blobs.iter().all(|blob| server.held("a", &Digest::of(blob)).as_ref() == Some(blob)));
    let most = server.most_at_once();
    assert_eq!(most, 16, "at once");
}

#[test]
fn a_registry_that_asks_to_slow_down_is_given_time() {
    let (server, bench) = (Registry::start(), Bench::with(config()));
    for (path, times) in [("POST /v2/a/blobs/uploads/*", 6), ("PUT /v2/a/blobs/uploads/*", 7)] {
        server.fault(path, times, Fault::Status(429, None));
    }
    bench.send(&server.reference("a"), b"content").unwrap();
    assert!(bench.notes().contains("HTTP 429 Too Many Requests; try 14 of 14"), "{}", bench.notes());
    server.fault("POST /v2/b/blobs/uploads/*", usize::MAX, Fault::Status(429, None));
    let error = bench.send(&server.reference("b"), b"content").unwrap_err().to_string();
    assert!(error.contains("14 times in a row"), "{error}");
    // Trouble of other kinds is counted apart.
    for _ in 0..4 {
        server.fault("POST /v2/c/blobs/uploads/*", 3, Fault::Status(429, None));
        server.fault("POST /v2/c/blobs/uploads/*", 1, Fault::Status(503, None));
    }
    bench.send(&server.reference("c"), b"content").unwrap();
}
