//! Downloads: cut, wrong, slow, redirected, resumed.

use std::time::Duration;

use elkbake::bake::interrupt::Interrupt;
use elkbake::digest::Digest;
use elkbake::remote::config::{Timing, WireConfig};
use proptest::prelude::*;

use super::bench::{Bench, bytes, config, error};
use crate::kitchen::registry::{Fault, Registry};

const ALWAYS: usize = usize::MAX;

#[test]
fn a_download_lands_in_the_store() {
    let (server, bench) = (Registry::start(), Bench::new());
    let content = bytes(300_000);
    let path = server.file("a.zip", &content);
    let (digest, size) = bench.fetch(&server.url(&path), None).unwrap();
    assert_eq!((digest, size), (Digest::of(&content), 300_000));
    assert_eq!(bench.bytes(&digest).unwrap(), content);
    let request = &server.requests()[0];
    assert_eq!(request.header("user-agent"), Some(concat!("elkbake/", env!("CARGO_PKG_VERSION"))));
    assert_eq!(request.header("accept-encoding"), Some("identity"));
    assert_eq!(*bench.advanced.lock().unwrap(), 300_000);
}

#[test]
fn what_is_in_the_store_is_not_asked_for() {
    let (server, bench) = (Registry::start(), Bench::new());
    let path = server.file("a.zip", b"content");
    let digest = Digest::of(b"content");
    bench.fetch(&server.url(&path), Some(digest)).unwrap();
    server.forget();
    assert_eq!(bench.fetch(&server.url(&path), Some(digest)).unwrap(), (digest, 7));
    assert_eq!(server.requests().len(), 0);
}

#[test]
fn an_empty_file_is_a_file() {
    let (server, bench) = (Registry::start(), Bench::new());
    let path = server.file("empty", b"");
    assert_eq!(bench.fetch(&server.url(&path), None).unwrap(), (Digest::of(b""), 0));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn wherever_it_is_cut_it_goes_on_there(
        size in 1_usize..40_000,
        cuts in prop::collection::vec(0.0..1.0_f64, 1..4),
        chunked: bool,
        pinned: bool,
    ) {
        thread_local! {
            static BENCH: (Registry, Bench) = (Registry::start(), Bench::new());
        }
        BENCH.with(|(server, bench)| {
            let content: Vec<u8> = bytes(size + cuts.len()).into_iter().rev().collect();
            let expected = Digest::of(&content);
            let path = server.file(&format!("{}.bin", expected.hex()), &content);
            for cut in &cuts {
                #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
                let at = (size as f64 * cut / cuts.len() as f64) as usize;
                server.fault(&path, 1, if chunked { Fault::Chunked(Some(at)) } else { Fault::Cut(at) });
            }
            let got = bench.fetch(&server.url(&path), pinned.then_some(expected)).unwrap();
            prop_assert_eq!(got, (expected, content.len() as u64));
            let requests = server.requests_to(&path);
            prop_assert_eq!(requests.len(), cuts.len() + 1);
            // What came before the end of the connection may be lost with it, but only the last piece of it.
            let asked: Vec<u64> = requests.iter().map(|request| {
                let range = request.header("range").and_then(|text| text.strip_prefix("bytes=")?.strip_suffix('-'));
                range.map_or(0, |from| from.parse().unwrap())
            }).collect();
            prop_assert!(asked.windows(2).all(|pair| pair[0] <= pair[1]), "{:?}", asked);
            prop_assert!(server.sent(&path) <= content.len() as u64 + asked.len() as u64 * 20_000);
            Ok(())
        })?;
    }
}

#[test]
fn a_resumed_download_asks_for_the_rest_only() {
    let (server, bench) = (Registry::start(), Bench::new());
    let content = bytes(2_000_000);
    let path = server.file("a.tar", &content);
    for _ in 0..3 {
        server.fault(&path, 1, Fault::Cut(500_000));
    }
    bench.fetch(&server.url(&path), None).unwrap();
    assert_eq!(server.sent(&path), 2_000_000);
    let requests = server.requests_to(&path);
    let ranges: Vec<_> = requests.iter().map(|request| request.header("range")).collect();
    assert_eq!(ranges, [None, Some("bytes=500000-"), Some("bytes=1000000-"), Some("bytes=1500000-")]);
    let etag = format!("\"{}\"", Digest::of(&content).short());
    assert_eq!(requests[1].header("if-range"), Some(etag.as_str()));
    assert!(bench.notes().contains("goes on at byte 1500000"), "{}", bench.notes());
}

#[test]
fn a_later_process_goes_on() {
    let (server, bench) = (Registry::start(), Bench::new());
    let content = bytes(100_000);
    let path = server.file("a.tar", &content);
    server.fault(&path, 1, Fault::Cut(60_000));
    server.fault(&path, 5, Fault::Status(503, None));
    error!(bench.fetch(&server.url(&path), None), Unreachable);
    assert_eq!(bench.blobs(), 0);
    server.forget();
    bench.fetch(&server.url(&path), None).unwrap();
    assert_eq!(server.requests()[0].header("range"), Some("bytes=60000-"));
}

#[test]
fn a_file_that_changed_in_between_begins_anew() {
    let (server, bench) = (Registry::start(), Bench::new());
    let path = server.file("a.tar", &bytes(100_000));
    server.fault(&path, 1, Fault::Cut(60_000));
    server.fault(&path, 5, Fault::Status(503, None));
    error!(bench.fetch(&server.url(&path), None), Unreachable);
    let other: Vec<u8> = bytes(90_000).into_iter().rev().collect();
    server.file("a.tar", &other);
    assert_eq!(bench.fetch(&server.url(&path), None).unwrap(), (Digest::of(&other), 90_000));
}

#[test]
fn a_server_without_ranges_sends_all_of_it_again() {
    let (server, bench) = (Registry::start(), Bench::new());
    let content = bytes(100_000);
    let path = server.file("a.tar", &content);
    server.fault(&path, 1, Fault::Cut(60_000));
    server.fault(&path, 1, Fault::NoRanges);
    assert_eq!(bench.fetch(&server.url(&path), None).unwrap().0, Digest::of(&content));
    assert!(bench.notes().contains("begins anew"), "{}", bench.notes());
}

#[test]
fn a_server_that_always_begins_anew_and_never_ends_is_given_up() {
    let (server, bench) = (Registry::start(), Bench::new());
    let path = server.file("a.tar", &bytes(100_000));
    let no_validator =
        Fault::Headers(vec![("ETag".to_owned(), String::new()), ("Content-Length".to_owned(), String::new())]);
    server.fault(&path, 0, no_validator);
    server.fault(&path, ALWAYS, Fault::SayLength(100_001));
    let message = error!(bench.fetch(&server.url(&path), Some(Digest::of(b"x"))), Unreachable);
    assert!(message.contains("5 times"), "{message}");
    assert_eq!(bench.blobs(), 0);
}

#[test]
fn pieces_of_two_things_are_not_taken_for_one() {
    let (server, bench) = (Registry::start(), Bench::new());
    let content = bytes(100_000);
    let path = server.file("a.tar", &content);
    // Without validators, nobody notices that the first piece is of something else.
    let no_etag = Fault::Headers(vec![("ETag".to_owned(), String::new())]);
    server.file("a.tar", &vec![0; 100_000]);
    server.fault(&path, 1, Fault::Cut(60_000));
    server.fault(&path, 5, Fault::Status(503, None));
    let expected = Digest::of(&content);
    error!(bench.fetch(&server.url(&path), Some(expected)), Unreachable);
    server.file("a.tar", &content);
    server.fault(&path, 2, no_etag);
    assert_eq!(bench.fetch(&server.url(&path), Some(expected)).unwrap(), (expected, 100_000));
}

#[test]
fn the_wrong_part_is_not_taken() {
    let (server, bench) = (Registry::start(), Bench::new());
    let content = bytes(100_000);
    let path = server.file("a.tar", &content);
    server.fault(&path, 1, Fault::Cut(60_000));
    server.fault(&path, 1, Fault::OtherRange);
    assert_eq!(bench.fetch(&server.url(&path), None).unwrap().0, Digest::of(&content));
}

#[test]
fn half_a_body_is_never_taken() {
    let content = bytes(50_000);
    for fault in [Fault::Cut(25_000), Fault::SayLength(60_000), Fault::Chunked(Some(25_000)), Fault::Stall] {
        let server = Registry::start();
        let timing = Timing { idle: Duration::from_millis(40), ..config().timing };
        let bench = Bench::with(WireConfig { timing, ..config() });
        let path = server.file("a.tar", &content);
        let no_etag = Fault::Headers(vec![("ETag".to_owned(), String::new())]);
        server.fault(&path, ALWAYS, fault.clone());
        server.fault(&path, 0, no_etag);
        // Without ranges nothing is gained by trying again.
        server.file("a.tar", &content);
        match bench.fetch(&server.url(&path), None) {
            Ok((digest, size)) => {
                // A cut that moves on with each try comes to the end.
                assert!(matches!(fault, Fault::Cut(_) | Fault::Chunked(_)), "{fault:?}");
                assert_eq!((digest, size), (Digest::of(&content), 50_000));
            }
            Err(error) => {
                assert!(error.to_string().contains("5 times"), "{error}");
                assert_eq!(bench.blobs(), 0);
            }
        }
    }
}

#[test]
fn a_body_that_ends_with_the_connection_needs_a_digest() {
    let (server, bench) = (Registry::start(), Bench::new());
    let path = server.file("a.bin", b"content");
    server.fault(&path, ALWAYS, Fault::NoLength);
    let message = error!(bench.fetch(&server.url(&path), None), Wrong);
    assert!(message.contains("how long"), "{message}");
    let digest = Digest::of(b"content");
    assert_eq!(bench.fetch(&server.url(&path), Some(digest)).unwrap(), (digest, 7));
}

#[test]
fn a_wrong_digest_is_told_and_nothing_is_kept() {
    let (server, bench) = (Registry::start(), Bench::new());
    let path = server.file("a.zip", b"content");
    let expected = Digest::of(b"other");
    let message = error!(bench.fetch(&server.url(&path), Some(expected)), Wrong);
    assert!(message.contains(&expected.to_string()) && message.contains(&Digest::of(b"content").to_string()));
    assert!(message.contains("the thing") && message.contains("/files/a.zip"), "{message}");
    assert_eq!((bench.blobs(), server.requests().len()), (0, 1));
}

#[test]
fn more_than_the_limit_is_refused_before_it_comes_and_while_it_comes() {
    let (server, bench) = (Registry::start(), Bench::new());
    let path = server.file("a.bin", &bytes(100_000));
    let message = error!(bench.fetch_up_to(&server.url(&path), None, 99_999), Wrong);
    assert!(message.contains("100000") && message.contains("99999"), "{message}");
    server.fault(&path, 1, Fault::Chunked(None));
    let message = error!(bench.fetch_up_to(&server.url(&path), None, 99_999), Wrong);
    assert!(message.contains("more than 99999 bytes came"), "{message}");
    assert!(bench.fetch_up_to(&server.url(&path), None, 100_000).is_ok());
}

#[test]
fn a_server_in_trouble_is_asked_again() {
    for status in [408, 429, 500, 502, 503, 504] {
        let (server, bench) = (Registry::start(), Bench::new());
        let path = server.file("a.bin", b"content");
        server.fault(&path, 4, Fault::Status(status, Some("0".to_owned())));
        assert!(bench.fetch(&server.url(&path), None).is_ok());
        assert_eq!(server.requests().len(), 5);
        let notes = bench.notes();
        assert!(notes.contains(&status.to_string()) && notes.contains("try 5 of 5"), "{notes}");
        assert!(notes.contains("as the server asks"), "{notes}");
    }
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
fn a_page_is_no_archive() {
    let (server, bench) = (Registry::start(), Bench::new());
    for name in ["a.zip", "a.tar.GZ", "a.jar"] {
        let path = server.file(name, b"content");
        server.fault(&path, 1, Fault::Page("Hotel &\n Login".to_owned()));
        let message = error!(bench.fetch(&server.url(&path), None), Wrong);
        assert!(message.contains("Hotel & Login") && message.contains("captive"), "{message}");
    }
    let path = server.file("page", b"content");
    server.fault(&path, 1, Fault::Page("A page".to_owned()));
    assert!(bench.fetch(&server.url(&path), None).is_ok());
}

#[test]
fn redirects_are_followed_and_circles_are_told() {
    let (server, bench) = (Registry::start(), Bench::new());
    server.file("end.bin", b"content");
    server.fault("/files/one", 1, Fault::Redirect("two?signature=secret".to_owned()));
    server.fault("/files/two", 1, Fault::Redirect("/files/end.bin".to_owned()));
    assert_eq!(bench.fetch(&server.url("/files/one"), None).unwrap().1, 7);
    server.fault("/files/one", 1, Fault::Redirect("two?signature=secret".to_owned()));
    server.fault("/files/two", 1, Fault::Redirect("one".to_owned()));
    let message = error!(bench.fetch(&server.url("/files/one"), None), Wrong);
    assert!(message.contains("circle") && message.contains("/files/two?… -> "), "{message}");
    assert!(!message.contains("secret"), "{message}");
}

#[test]
fn only_ten_redirects_are_followed() {
    let (server, bench) = (Registry::start(), Bench::new());
    for n in 0..11 {
        server.fault(&format!("/files/{n}"), 1, Fault::Redirect(format!("/files/{}", n + 1)));
    }
    server.file("11", b"content");
    let message = error!(bench.fetch(&server.url("/files/0"), None), Wrong);
    assert!(message.contains("more than 10") && message.contains("/files/10"), "{message}");
    for n in 1..11 {
        server.fault(&format!("/files/{n}"), 1, Fault::Redirect(format!("/files/{}", n + 1)));
    }
    assert!(bench.fetch(&server.url("/files/1"), None).is_ok());
}

#[test]
fn other_schemes_are_not_followed() {
    let (server, bench) = (Registry::start(), Bench::new());
    for place in ["ftp://127.0.0.1/x", "file:///etc/passwd"] {
        server.fault("/files/a", 1, Fault::Redirect(place.to_owned()));
        let message = error!(bench.fetch(&server.url("/files/a"), None), Wrong);
        assert!(message.contains("redirects"), "{message}");
    }
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
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let message = error!(Bench::new().fetch(&format!("http://127.0.0.1:{port}/x"), None), Unreachable);
    assert!(message.contains(&format!("cannot reach 127.0.0.1:{port}")), "{message}");
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
fn offline_opens_no_socket() {
    let server = Registry::start();
    let bench = Bench::with(WireConfig { offline: true, ..config() });
    let path = server.file("a.bin", b"content");
    let message = error!(bench.fetch(&server.url(&path), None), Offline);
    assert!(message.contains("--offline") && message.contains("the thing"), "{message}");
    let (digest, _) = bench.store.put(&mut &b"content"[..], None).unwrap();
    assert_eq!(bench.fetch(&server.url(&path), Some(digest)).unwrap(), (digest, 7));
    assert_eq!(server.requests().len(), 0);
}

#[test]
fn one_download_for_all_who_want_it() {
    let (server, bench) = (Registry::start(), Bench::new());
    let content = bytes(200_000);
    let path = server.file("a.bin", &content);
    let digest = Digest::of(&content);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| assert!(bench.fetch(&server.url(&path), Some(digest)).is_ok()));
        }
    });
    assert_eq!(server.requests().len(), 1);
}
