//! What an answer that is not the thing asked for says about why.

use hyper::StatusCode;

use crate::bake::port::PortError;
use crate::remote::http::{Reply, unreachable};
use crate::remote::retry::{Failure, asked, may_pass};

/// Enough of an error page to find out what it says.
const SHOWN: usize = 64 * 1024;

/// Turns an answer with an error status into an error; `tried` says with which credentials.
pub(super) async fn refusal(subject: &str, mut reply: Reply, tried: &str) -> Failure {
    let status = reply.status;
    let what = format!("HTTP {status}");
    if may_pass(status) {
        let is_throttle = status == StatusCode::TOO_MANY_REQUESTS;
        return Failure::Again { why: what, after: asked(&reply.headers), is_throttle };
    }
    // The status says enough when the explanation does not come.
    let body = reply.body.up_to(SHOWN).await.map(|(body, _)| body).unwrap_or_default();
    let mut said = vec![what];
    said.extend(explained(&body));
    let subject = subject.to_owned();
    match status {
        StatusCode::NOT_FOUND | StatusCode::GONE => {
            Failure::Final(PortError::NotFound { subject, message: said.join(": ") })
        }
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            let tried = if tried.is_empty() { String::new() } else { format!("; {tried}") };
            Failure::Final(PortError::Denied { subject, message: said.join(": ") + &tried })
        }
        _ => Failure::Final(unreachable(&subject, said.join(": "))),
    }
}

/// What a registry says to a request that it does not fulfil.
pub(super) struct Said {
    /// Its own code for it, as `TAG_INVALID`; empty where it names none.
    pub(super) code: String,
    /// All of it, in one line.
    pub(super) text: String,
}

/// Reads what a registry says.
pub(super) async fn said(reply: &mut Reply) -> Said {
    let body = reply.body.up_to(SHOWN).await.map(|(body, _)| body).unwrap_or_default();
    let json: Option<serde_json::Value> = serde_json::from_slice(&body).ok();
    let first = |name| json.as_ref().and_then(|json| json.pointer("/errors/0")?.get(name));
    let code = first("code").and_then(serde_json::Value::as_str).unwrap_or_default().to_owned();
    let mut text = [Some(format!("HTTP {}", reply.status)), explained(&body)];
    let detail = first("detail").filter(|detail| !detail.is_null()).map(|detail| one_line(&detail.to_string()));
    let detail = detail.filter(|detail| !matches!(detail.as_str(), "{}" | "\"\"" | "[]"));
    Said { code, text: text.iter_mut().filter_map(Option::take).chain(detail).collect::<Vec<_>>().join(": ") }
}

/// The explanation in a body: a registry's own code and words, or the title of a page.
fn explained(body: &[u8]) -> Option<String> {
    if let Ok(json) = serde_json::from_slice::<serde_json::Value>(body) {
        let error = json.pointer("/errors/0");
        let field = |name| error.and_then(|error| error.get(name)).and_then(serde_json::Value::as_str);
        let said: Vec<&str> = [field("code"), field("message")].into_iter().flatten().collect();
        let details = json.get("details").or_else(|| json.get("message")).and_then(serde_json::Value::as_str);
        let said = if said.is_empty() { details?.to_owned() } else { said.join(": ") };
        return Some(one_line(&said));
    }
    title(body)
}

/// The title of an HTML page.
fn title(page: &[u8]) -> Option<String> {
    let page = String::from_utf8_lossy(page);
    // Lower case of ASCII only, so that the places are the same in both.
    let lower = page.to_ascii_lowercase();
    let tag = lower.find("<title")?;
    let begin = tag + lower[tag..].find('>')? + 1;
    let end = begin + lower[begin..].find("</title")?;
    let title = one_line(&page[begin..end]);
    (!title.is_empty()).then_some(title)
}

/// Words of somebody else, fit for one line of an error: no control characters, not too many.
fn one_line(text: &str) -> String {
    let words: Vec<&str> =
        text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|w| !w.is_empty()).collect();
    words.join(" ").chars().take(300).collect()
}

/// What to say of a page that came instead of the thing.
pub(super) fn page_instead(page: &[u8]) -> String {
    let titled = title(page).map_or_else(String::new, |title| format!(" with the title \"{title}\""));
    format!("a web page{titled} came instead: a login page, a proxy or a captive portal may stand between")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn explanations_are_found() {
        for (body, expected) in [
            (
                &br#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest\nunknown"}]}"#[..],
                Some("MANIFEST_UNKNOWN: manifest unknown"),
            ),
            (br#"{"details":"incorrect username or password"}"#, Some("incorrect username or password")),
            (b"<html><TITLE lang=x>\n Log  in </title>", Some("Log in")),
            (b"<title>", None),
            (b"{}", None),
            (b"\xff\x1b[31m", None),
        ] {
            assert_eq!(explained(body).as_deref(), expected);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn no_page_panics(page in "(<title|>|</title|İ|ä|.){0,20}") {
            let _ = explained(page.as_bytes());
        }

        #[test]
        fn what_others_say_stays_on_one_line(text: String) {
            prop_assert!(!one_line(&text).chars().any(char::is_control));
        }
    }
}
