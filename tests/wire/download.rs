//! Downloads: cut, wrong, slow, redirected, resumed.

use std::cell::Cell;

use elkbake::digest::Digest;
use elkbake::remote::config::WireConfig;
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
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn wherever_it_is_cut_it_goes_on_there(
        size in 1_usize..40_000,
        cuts in prop::collection::vec(0.0..1.0_f64, 1..4),
        chunked: bool,
        pinned: bool,
    ) {
        thread_local! {
            static BENCH: (Registry, Bench, Cell<u64>) = (Registry::start(), Bench::new(), Cell::new(0));
        }
        BENCH.with(|(server, bench, count)| {
            count.set(count.get() + 1);
            let content = [&count.get().to_le_bytes()[..], &bytes(size)].concat();
            let expected = Digest::of(&content);
            let path = server.file(&format!("{}.bin", count.get()), &content);
            for cut in &cuts {
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    clippy::cast_precision_loss,
                    reason = "a share of a short body"
                )]
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
fn a_server_that_promises_more_than_it_has_is_given_up() {
    let (server, bench) = (Registry::start(), Bench::new());
    let path = server.file("a.tar", &bytes(100_000));
    server.fault(&path, ALWAYS, Fault::SayLength(100_001));
    let message = error!(bench.fetch(&server.url(&path), None), Unreachable);
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
    for fault in [Fault::Cut(25_000), Fault::Chunked(Some(25_000))] {
        let (server, bench) = (Registry::start(), Bench::new());
        let path = server.file("a.tar", &bytes(50_000));
        server.fault(&path, 1, fault);
        server.fault(&path, ALWAYS, Fault::Status(502, None));
        let message = error!(bench.fetch(&server.url(&path), None), Unreachable);
        assert!(message.contains("502") && message.contains("5 times"), "{message}");
        assert_eq!(bench.blobs(), 0);
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
