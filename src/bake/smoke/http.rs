//! As much of HTTP as a test asks: one question a connection, in the words of 1.0. Elasticsearch answers in pieces all the same.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::probe::Net;
use crate::bake::port::PortError;
use crate::recipe::Url;

/// What is asked, and what has to come back.
#[derive(Clone, Debug)]
pub(super) struct Question<'q> {
    pub(super) host: &'q str,
    pub(super) port: u16,
    pub(super) path: &'q str,
    pub(super) status: u16,
    pub(super) contains: Option<&'q str>,
    pub(super) json: &'q BTreeMap<String, Value>,
    /// Who asks, with the password.
    pub(super) login: Option<String>,
}

/// An answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: String,
}

/// The parts of an URL that a question is made of.
pub(super) fn parts(url: &Url) -> (&str, u16, &str) {
    let rest = url.as_str().split_once("://").map_or("", |(_, rest)| rest);
    let at = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (host, port) = rest[..at].split_once(':').unwrap_or((&rest[..at], "80"));
    let path = rest[at..].split('#').next().unwrap_or_default();
    (host, port.parse().unwrap_or(80), path)
}

impl Question<'_> {
    /// Asks; `Err` within says what is not as it has to be.
    pub(super) fn ask(&self, net: &Net<'_>) -> Result<Result<Answer, String>, PortError> {
        let Some(bytes) = net.ask(self.port, &self.bytes())? else {
            return Ok(Err(format!("nobody takes connections at port {}", self.port)));
        };
        Ok(parsed(&bytes).ok_or_else(|| "the answer is not HTTP".to_owned()).and_then(|answer| self.judged(answer)))
    }

    fn bytes(&self) -> Vec<u8> {
        let slash = if self.path.starts_with('/') { "" } else { "/" };
        let login = self.login.as_ref().map(|login| format!("Authorization: Basic {}\r\n", STANDARD.encode(login)));
        let head = format!(
            "GET {slash}{} HTTP/1.0\r\nHost: {}:{}\r\nAccept: */*\r\n{}Connection: close\r\n\r\n",
            self.path,
            self.host,
            self.port,
            login.unwrap_or_default()
        );
        head.into_bytes()
    }

    fn judged(&self, answer: Answer) -> Result<Answer, String> {
        if answer.status != self.status {
            return Err(format!("the answer has status {}, not {}{}", answer.status, self.status, begin(&answer.body)));
        }
        if let Some(wanted) = self.contains.filter(|wanted| !answer.body.contains(*wanted)) {
            return Err(format!("the answer does not hold `{wanted}`{}", begin(&answer.body)));
        }
        let no_json = |_| format!("the answer is no JSON document{}", begin(&answer.body));
        let json: Value =
            if self.json.is_empty() { Value::Null } else { serde_json::from_str(&answer.body).map_err(no_json)? };
        for (pointer, wanted) in self.json {
            let there = json.pointer(pointer);
            let fits = there.is_some_and(|there| there == wanted || list(wanted).contains(there));
            if !fits {
                let there = there.map_or_else(|| "absent".to_owned(), |there| format!("`{there}`"));
                return Err(format!("`{pointer}` of the answer is {there}, not `{wanted}`{}", begin(&answer.body)));
            }
        }
        Ok(answer)
    }
}

fn list(wanted: &Value) -> &[Value] {
    wanted.as_array().map_or(&[], Vec::as_slice)
}

/// The beginning of a text, for people.
pub(super) fn begin(text: &str) -> String {
    let line: String = text.trim().chars().take(300).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if line.is_empty() { String::new() } else { format!(": {line}") }
}

fn parsed(bytes: &[u8]) -> Option<Answer> {
    let at = find(bytes, b"\r\n\r\n")?;
    let (head, body) = (String::from_utf8_lossy(&bytes[..at]), &bytes[at + 4..]);
    let status = head.strip_prefix("HTTP/1.")?.split_whitespace().nth(1)?.parse().ok()?;
    let in_pieces = |line: &str| line.to_ascii_lowercase().replace(' ', "") == "transfer-encoding:chunked";
    let body = if head.lines().any(in_pieces) { joined(body)? } else { body.to_vec() };
    Some(Answer { status, body: String::from_utf8_lossy(&body).into_owned() })
}

/// A body that comes in pieces, each behind its length.
fn joined(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut whole = Vec::new();
    loop {
        let end = find(rest, b"\r\n")?;
        let length = std::str::from_utf8(&rest[..end]).ok()?.split(';').next()?.trim();
        let length = usize::from_str_radix(length, 16).ok()?;
        let piece = rest.get(end + 2..)?;
        if length == 0 {
            return Some(whole);
        }
        whole.extend_from_slice(piece.get(..length)?);
        rest = piece.get(length..)?.strip_prefix(b"\r\n")?;
    }
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|there| there == wanted)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn question<'q>(json: &'q BTreeMap<String, Value>, contains: Option<&'q str>) -> Question<'q> {
        Question { host: "es", port: 9200, path: "?q=1", status: 200, contains, json, login: Some("a:b".to_owned()) }
    }

    #[test]
    fn a_question_says_what_it_has_to_and_an_url_has_parts() {
        let none = BTreeMap::new();
        let text = String::from_utf8(question(&none, None).bytes()).unwrap();
        assert!(text.starts_with("GET /?q=1 HTTP/1.0\r\nHost: es:9200\r\n"), "{text}");
        assert!(text.contains("Authorization: Basic YTpi\r\n") && text.ends_with("\r\n\r\n"), "{text}");
        for (url, expected) in [
            ("http://es", ("es", 80, "")),
            ("http://es:1?a#b", ("es", 1, "?a")),
            ("http://localhost:9200/a/b?c", ("localhost", 9200, "/a/b?c")),
        ] {
            assert_eq!(parts(&url.parse().unwrap()), expected);
        }
    }

    #[test]
    fn an_answer_is_judged_by_all_that_is_said_of_it() {
        let answer = |body: &str| parsed(format!("HTTP/1.1 200 OK\r\nA: b\r\n\r\n{body}").as_bytes()).unwrap();
        let wanted =
            BTreeMap::from([("/status".to_owned(), json!(["green", "yellow"])), ("/n/0".to_owned(), json!(1))]);
        let question = question(&wanted, Some("yel"));
        let judged = |body: &str| question.judged(answer(body)).map(|_| ());
        assert_eq!(judged(r#"{ "status": "yellow", "n": [1] }"#), Ok(()));
        for (body, why) in [
            (r#"{ "status": "green", "n": [1] }"#, "the answer does not hold `yel`: {"),
            (r#"{ "status": "yellow", "n": [2] }"#, "`/n/0` of the answer is `2`, not `1`"),
            (r#"{ "yellow": 1 }"#, "`/n/0` of the answer is absent"),
            ("yellow", "the answer is no JSON document: yellow"),
        ] {
            let told = judged(body).unwrap_err();
            assert!(told.starts_with(why), "{told}");
        }
        let other = Answer { status: 503, body: "a\nb".to_owned() };
        assert_eq!(question.judged(other).unwrap_err(), "the answer has status 503, not 200: a b");
        assert_eq!((parsed(b"SSH-2.0\r\n\r\n"), parsed(b"HTTP/1.1 x")), (None, None));
    }

    #[test]
    fn an_answer_in_pieces_is_put_together() {
        let answer =
            |body: &str| parsed(format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{body}").as_bytes());
        assert_eq!(answer("3\r\none\r\nB;x=y\r\n and two...\r\n0\r\n\r\n").unwrap().body, "one and two...");
        for cut in ["3\r\non", "3\r\none\r\n", "x\r\n", "3\r\none4\r\n", "ffffffffffffffff\r\n"] {
            assert_eq!(answer(cut), None, "{cut}");
        }
    }
}
