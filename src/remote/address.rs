//! Addresses on the wire: following a `Location`, and showing one without what may be secret in it.

use hyper::StatusCode;
use hyper::Uri;
use hyper::header::{HeaderMap, LOCATION};

/// The address for people: without the query, where signatures and tokens are.
pub(super) fn shown(uri: &Uri) -> String {
    let query = if uri.query().is_some() { "?…" } else { "" };
    format!("{}://{}{}{query}", uri.scheme_str().unwrap_or_default(), host_and_port(uri), uri.path())
}

/// Host and port, without credentials, if somebody put any there.
pub(super) fn host_and_port(uri: &Uri) -> &str {
    let authority = uri.authority().map_or("", |authority| authority.as_str());
    authority.rsplit('@').next().unwrap_or_default()
}

/// Whether two addresses belong to one server: the same scheme, host and port.
pub(super) fn same_server(one: &Uri, other: &Uri) -> bool {
    one.scheme() == other.scheme() && host_and_port(one).eq_ignore_ascii_case(host_and_port(other))
}

/// Where an answer sends us, if it does: an address, or what is wrong with it.
pub(super) fn redirect(from: &Uri, status: StatusCode, headers: &HeaderMap) -> Option<Result<Uri, String>> {
    if !matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308) {
        return None;
    }
    let location = headers.get(LOCATION)?;
    let text = location.to_str().ok().filter(|text| !text.contains('\\'));
    let wrong = || Err("it redirects to something that is no address".to_owned());
    Some(text.and_then(|text| join(from, text.trim())).map_or_else(wrong, |to| allowed(from, to)))
}

fn allowed(from: &Uri, to: Uri) -> Result<Uri, String> {
    match (from.scheme_str(), to.scheme_str()) {
        (Some("https"), Some("http")) => {
            Err(format!("it redirects from https to {}, where anybody on the way could change it", shown(&to)))
        }
        (_, Some("https" | "http")) if to.authority().is_some_and(|authority| !authority.as_str().contains('@')) => {
            Ok(to)
        }
        _ => Err(format!("it redirects to {}, and only https and http are followed", shown(&to))),
    }
}

/// The address that a header names, seen from where it came: where an upload goes on.
pub(super) fn location(from: &Uri, headers: &HeaderMap) -> Option<Uri> {
    let text = headers.get(LOCATION)?.to_str().ok().filter(|text| !text.contains('\\'))?;
    join(from, text.trim()).and_then(|to| allowed(from, to).ok())
}

/// An address with one more parameter in its query; what is there already stays as it is.
pub(super) fn with_parameter(uri: &Uri, name: &str, value: &str) -> Option<Uri> {
    let joint = match uri.query() {
        None => "?",
        Some(query) if query.is_empty() || query.ends_with('&') => "",
        Some(_) => "&",
    };
    let text = uri.to_string();
    // A question mark with nothing behind it is not written by `Uri`.
    let joint = if joint.is_empty() && !text.contains('?') { "?" } else { joint };
    format!("{text}{joint}{name}={}", encoded(value)).parse().ok()
}

/// RFC 3986, section 5.2, for the addresses that `Uri` knows.
fn join(from: &Uri, location: &str) -> Option<Uri> {
    let location = location.split('#').next()?;
    let (scheme, authority) = (from.scheme_str()?, from.authority()?);
    let is_absolute = location.split(['/', '?']).next()?.contains(':');
    if is_absolute {
        return location.parse().ok();
    }
    if let Some(rest) = location.strip_prefix("//") {
        return format!("{scheme}://{rest}").parse().ok();
    }
    let (path, query) = match location.split_once('?') {
        Some((path, query)) => (path, format!("?{query}")),
        None => (location, String::new()),
    };
    let path = match path {
        "" if query.is_empty() => return Some(from.clone()),
        "" => from.path().to_owned(),
        path if path.starts_with('/') => without_dots(path),
        path => without_dots(&format!("{}/{path}", from.path().rsplit_once('/')?.0)),
    };
    format!("{scheme}://{authority}{path}{query}").parse().ok()
}

fn without_dots(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    for part in path.split('/').skip(1) {
        match part {
            "." => {}
            ".." => drop(kept.pop()),
            part => kept.push(part),
        }
    }
    if path.ends_with("/.") || path.ends_with("/..") {
        kept.push("");
    }
    format!("/{}", kept.join("/"))
}

/// A text as it may stand in a query or a form.
pub(super) fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => encoded.push(char::from(byte)),
            byte => {
                encoded.push('%');
                encoded.push_str(&crate::digest::hex(&[byte]).to_ascii_uppercase());
            }
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn follow(from: &str, location: &str) -> Result<String, String> {
        let mut headers = HeaderMap::new();
        headers.insert(LOCATION, location.parse().unwrap());
        redirect(&from.parse().unwrap(), StatusCode::FOUND, &headers).unwrap().map(|to| to.to_string())
    }

    #[test]
    fn locations_are_joined_to_where_they_came_from() {
        let from = "https://h.co:1/a/b/c?d=e";
        for (location, expected) in [
            ("https://x.y/z?q", "https://x.y/z?q"),
            ("//x.y/z", "https://x.y/z"),
            ("/z", "https://h.co:1/z"),
            ("z?q=a:b", "https://h.co:1/a/b/z?q=a:b"),
            ("../z", "https://h.co:1/a/z"),
            ("../../../../z/./y", "https://h.co:1/z/y"),
            ("./", "https://h.co:1/a/b/"),
            ("..", "https://h.co:1/a/"),
            ("?q", "https://h.co:1/a/b/c?q"),
            ("z#part", "https://h.co:1/a/b/z"),
            ("", from),
        ] {
            assert_eq!(follow(from, location).as_deref(), Ok(expected), "{location}");
        }
    }

    #[test]
    fn some_places_are_not_gone_to() {
        for location in ["http://h.co/a", "ftp://h.co/a", "file:///etc/passwd", "https://me@h.co/", "mailto:a", "h:1"] {
            assert!(follow("https://h.co/", location).is_err(), "{location}");
        }
        assert!(follow("http://h.co/", "https://h.co/").is_ok());
        let ok = redirect(&"http://h.co/".parse().unwrap(), StatusCode::FOUND, &HeaderMap::new());
        assert_eq!(ok, None);
    }

    #[test]
    fn a_query_keeps_what_is_in_it() {
        for (uri, expected) in [
            ("http://h.co/a", "http://h.co/a?digest=x%3Ay"),
            ("http://h.co/a?_state=b%2Fc%3D", "http://h.co/a?_state=b%2Fc%3D&digest=x%3Ay"),
            ("http://h.co/a?b&", "http://h.co/a?b&digest=x%3Ay"),
        ] {
            assert_eq!(with_parameter(&uri.parse().unwrap(), "digest", "x:y").unwrap(), expected);
        }
        let from = "https://h.co/v2/a/blobs/uploads/".parse().unwrap();
        let named = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(LOCATION, text.parse().unwrap());
            location(&from, &headers).map(|uri| uri.to_string())
        };
        assert_eq!(named("/v2/a/u/1?s=2").as_deref(), Some("https://h.co/v2/a/u/1?s=2"));
        assert_eq!(named("https://x.y/z").as_deref(), Some("https://x.y/z"));
        assert_eq!((named("http://x.y/z"), named("ftp://x.y"), location(&from, &HeaderMap::new())), (None, None, None));
    }

    #[test]
    fn what_may_be_secret_is_not_shown() {
        let uri = "https://me:pass@h.co/a?X-Amz-Signature=1".parse().unwrap();
        assert_eq!(shown(&uri), "https://h.co/a?…");
    }

    #[test]
    fn servers_are_told_apart_by_scheme_host_and_port() {
        let same = |one: &str, other: &str| same_server(&one.parse().unwrap(), &other.parse().unwrap());
        assert!(same("https://H.co/a", "https://h.co/b"));
        assert!(!same("https://h.co/a", "http://h.co/a"));
        assert!(!same("https://h.co/a", "https://h.co:1/a"));
        assert!(!same("https://h.co/a", "https://x.h.co/a"));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn no_location_panics(location in "[ -~]{0,30}") {
            let _ = follow("https://h.co/a/b", &location);
        }

        #[test]
        fn encoded_text_is_plain(text: String) {
            let plain = |c: char| c.is_ascii_alphanumeric() || "-._~%".contains(c);
            prop_assert!(encoded(&text).chars().all(plain));
        }
    }
}
