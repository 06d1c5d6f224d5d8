//! Credentials that are known by their looks: AWS keys, private keys, tokens. They are found in every text, comments
//! included, since a secret in a comment is in the image too. No message repeats one.

use std::path::Path;

use base64::Engine as _;

use super::rule::Rule;
use super::rules::{AWS_KEY, KEYSTORE, PASSWORD, PASSWORD_FILE, PRIVATE_KEY, SECRET_ENV, TOKEN};
use super::subject::{Found, Place};

/// The rules whose findings are secrets.
pub(super) const RULES: [&Rule; 7] =
    [&AWS_KEY, &PRIVATE_KEY, &TOKEN, &PASSWORD, &SECRET_ENV, &KEYSTORE, &PASSWORD_FILE];

/// How a token begins, how many characters of which kind follow at least, and whose it is.
type Token = (&'static str, usize, fn(u8) -> bool, &'static str);

const TOKENS: [Token; 12] = [
    ("ghp_", 30, is_word, "GitHub"),
    ("gho_", 30, is_word, "GitHub"),
    ("ghu_", 30, is_word, "GitHub"),
    ("ghs_", 30, is_word, "GitHub"),
    ("ghr_", 30, is_word, "GitHub"),
    ("github_pat_", 22, is_word, "GitHub"),
    ("glpat-", 20, is_word_or_dash, "GitLab"),
    ("xoxb-", 10, is_word_or_dash, "Slack"),
    ("xoxp-", 10, is_word_or_dash, "Slack"),
    ("xoxa-", 10, is_word_or_dash, "Slack"),
    ("hooks.slack.com/services/T", 20, is_path, "Slack"),
    ("AIza", 35, is_word_or_dash, "Google Cloud"),
];

fn is_word(c: u8) -> bool {
    c.is_ascii_alphanumeric() || c == b'_'
}

fn is_word_or_dash(c: u8) -> bool {
    is_word(c) || c == b'-'
}

fn is_path(c: u8) -> bool {
    is_word(c) || c == b'/'
}

fn is_base64(c: u8) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, b'/' | b'+' | b'=')
}

fn is_bearer(c: u8) -> bool {
    is_word_or_dash(c) || matches!(c, b'.' | b'~' | b'+' | b'/' | b'=')
}

/// Looks through a text.
pub(super) fn check(file: &Path, text: &str, found: &mut Found) {
    if !may_hold(text) {
        return;
    }
    for (i, line) in text.lines().enumerate() {
        if let Some((rule, message)) = look(line) {
            found.add(rule, Place { file: file.to_owned(), line: i + 1 }, message);
        }
    }
}

/// Whether a look at each line can find anything: most files hold nothing of the kind, and there are many files.
fn may_hold(text: &str) -> bool {
    const WORDS: [&str; 6] = ["secret", "bearer", "-----begin ", "eyj", "basic ", "curl"];
    let lower = text.to_ascii_lowercase();
    ["AKIA", "ASIA"].iter().any(|start| text.contains(start))
        || TOKENS.iter().any(|(start, ..)| text.contains(start))
        || WORDS.iter().any(|word| lower.contains(word))
        || (text.contains("://") && text.contains('@'))
}

/// What a line gives away.
pub(crate) fn look(line: &str) -> Option<(&'static Rule, String)> {
    if line.contains("-----BEGIN ") && line.contains("PRIVATE KEY") {
        return Some((&PRIVATE_KEY, "the beginning of a private key".to_owned()));
    }
    if let Some(key) = access_key(line) {
        return Some((&AWS_KEY, format!("the AWS access key id `{}`", hidden(key))));
    }
    if let Some(key) = secret_access_key(line) {
        return Some((&AWS_KEY, format!("the AWS secret access key `{}`", hidden(key))));
    }
    for (start, length, of, whose) in TOKENS {
        let token = runs(line, start, of).find(|token| token.len() >= start.len() + length);
        if let Some(token) = token {
            return Some((&TOKEN, format!("a token for {whose}, `{}`", hidden(token))));
        }
    }
    if let Some(token) = web_token(line).or_else(|| bearer(line)) {
        return Some((&TOKEN, format!("a bearer token, `{}`", hidden(token))));
    }
    // In comments these are examples in the files that products ship.
    if line.trim_start().starts_with('#') {
        return None;
    }
    if let Some(password) = url_password(line) {
        return Some((&PASSWORD, format!("a password in a URL, `{}`", hidden(password))));
    }
    if let Some(password) = curl_password(line) {
        return Some((&PASSWORD, format!("a password for curl, `{}`", hidden(password))));
    }
    basic(line).then(|| (&PASSWORD, "a password in a header for HTTP".to_owned()))
}

/// What may be shown of a secret: the beginning of a long one, which says of which kind it is; nothing of a short one.
pub(crate) fn hidden(secret: &str) -> String {
    let shown = if secret.chars().count() < 12 { 0 } else { 4 };
    secret.chars().take(shown).chain(['…']).collect()
}

/// The texts in a line that begin with `start`, do not go on to the left, and reach as far as characters are right.
fn runs<'l>(line: &'l str, start: &'l str, of: fn(u8) -> bool) -> impl Iterator<Item = &'l str> {
    line.match_indices(start).filter_map(move |(at, _)| {
        let alone = !line.as_bytes()[..at].last().is_some_and(u8::is_ascii_alphanumeric);
        let rest = &line[at + start.len()..];
        let length = rest.bytes().take_while(|&c| of(c)).count();
        alone.then(|| &line[at..at + start.len() + length])
    })
}

fn access_key(line: &str) -> Option<&str> {
    let right = |key: &&str| key.len() == 20 && key.bytes().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit());
    ["AKIA", "ASIA"].into_iter().find_map(|start| runs(line, start, is_word).find(right))
}

/// 40 characters of base64 are also a Git commit or a checksum; only beside such a name are they a key.
fn secret_access_key(line: &str) -> Option<&str> {
    let lower = line.to_ascii_lowercase();
    let name = ["secret_access_key", "secretaccesskey", "secret_key", "secretkey", "secret-access-key"];
    let behind = name.into_iter().find_map(|name| lower.find(name).map(|at| at + name.len()))?;
    let parts = line[behind..].split(|c: char| !c.is_ascii() || !is_base64(u8::try_from(c).unwrap_or(0)));
    parts.map(|part| part.trim_start_matches('=')).find(|part| part.len() == 40)
}

/// A JSON web token: two parts that are JSON in base64, and a signature.
fn web_token(line: &str) -> Option<&str> {
    let right = |token: &&str| {
        let mut parts = token.split('.');
        parts.next().is_some_and(|head| head.len() > 10)
            && parts.next().is_some_and(|body| body.starts_with("eyJ"))
            && parts.next().is_some_and(|signature| signature.len() > 10)
    };
    runs(line, "eyJ", is_bearer).find(right)
}

fn bearer(line: &str) -> Option<&str> {
    let lower = line.to_ascii_lowercase();
    let at = lower.find("bearer ")? + "bearer ".len();
    let rest = line[at..].trim_start();
    let token = &rest[..rest.bytes().take_while(|&c| is_bearer(c)).count()];
    // Words of a sentence about bearer tokens are shorter, or have no digit.
    (token.len() >= 16 && token.bytes().any(|c| c.is_ascii_digit()) && lower.contains("auth")).then_some(token)
}

/// The password of `https://user:password@host`, unless it is a variable.
fn url_password(line: &str) -> Option<&str> {
    line.match_indices("://").find_map(|(at, _)| {
        let rest = &line[at + 3..];
        let end = rest.find(|c: char| c.is_whitespace() || matches!(c, '/' | '"' | '\'' | '?' | '#' | ',' | '>' | ']'));
        let (userinfo, host) = rest[..end.unwrap_or(rest.len())].rsplit_once('@')?;
        let (_, password) = userinfo.split_once(':')?;
        (!host.is_empty() && !password.is_empty() && !password.starts_with(['$', '%', '<', '{', '*']))
            .then_some(password)
    })
}

/// The password of `curl -u user:password`, unless it is a variable.
fn curl_password(line: &str) -> Option<&str> {
    line.contains("curl").then_some(())?;
    let mut options = ["-u", "--user"].into_iter().flat_map(|option| line.match_indices(option));
    let value = |(at, option): (usize, &'_ str)| {
        let apart = line[..at].ends_with([' ', '\t', '"', '\'', '(']);
        let behind = line[at + option.len()..].trim_start_matches([' ', '=', '"', '\'', ',', '\\']);
        let word = &behind[..behind.find([' ', '"', '\'', ',', '\\', ')', '|', ';']).unwrap_or(behind.len())];
        let (user, password) = word.split_once(':').filter(|_| apart)?;
        let literal = !password.is_empty() && !password.starts_with(['$', '<', '{', '%', '*', '`']);
        (!user.is_empty() && literal).then_some(password)
    };
    options.find_map(value)
}

/// `Authorization: Basic …`, which is nothing but a user with a password.
fn basic(line: &str) -> bool {
    let lower = line.to_ascii_lowercase();
    let Some(at) = lower.find("basic ").filter(|_| lower.contains("authorization")) else { return false };
    let rest = line.get(at + "basic ".len()..).unwrap_or_default().trim_start();
    let word = &rest[..rest.bytes().take_while(|&c| is_base64(c)).count()];
    base64::engine::general_purpose::STANDARD.decode(word).is_ok_and(|bytes| {
        let text = String::from_utf8(bytes).unwrap_or_default();
        text.split_once(':').is_some_and(|(_, password)| !password.is_empty())
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn code(line: &str) -> Option<&'static str> {
        look(line).map(|(rule, _)| rule.code.0)
    }

    #[test]
    fn credentials_are_known_by_their_looks() {
        let body = "a1B2".repeat(10);
        for (line, expected) in [
            ("access_key => \"AKIAIOSFODNN7EXAMPLE\"".to_owned(), "GEN010"),
            ("key: ASIAIOSFODNN7EXAMPLE".to_owned(), "GEN010"),
            ("aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".to_owned(), "GEN010"),
            ("AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".to_owned(), "GEN010"),
            ("discovery.ec2.secret_key: \"wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY\"".to_owned(), "GEN010"),
            ("-----BEGIN RSA PRIVATE KEY-----".to_owned(), "GEN011"),
            ("\"private_key\": \"-----BEGIN PRIVATE KEY-----\\nMII\"".to_owned(), "GEN011"),
            ("-----BEGIN PGP PRIVATE KEY BLOCK-----".to_owned(), "GEN011"),
            (format!("# token: ghp_{body}"), "GEN012"),
            (format!("github_pat_{body}"), "GEN012"),
            (format!("x=glpat-{body}"), "GEN012"),
            (format!("xoxb-{body}"), "GEN012"),
            ("https://hooks.slack.com/services/T0000/B0000/abcdefghijkl".to_owned(), "GEN012"),
            (format!("AIza{}", &body[..35]), "GEN012"),
            (format!("Authorization: Bearer {body}"), "GEN012"),
            (format!("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.{body}"), "GEN012"),
            ("hosts: [\"https://elastic:hunter2@es:9200\"]".to_owned(), "GEN013"),
            ("curl -s -u elastic:hunter2 http://es:9200".to_owned(), "GEN013"),
            ("[\"CMD-SHELL\", \"curl --user='a:hunter2' x\"]".to_owned(), "GEN013"),
            ("[\"curl\", \"-u\", \"a:hunter2\"]".to_owned(), "GEN013"),
            ("-H 'Authorization: Basic ZWxhc3RpYzpodW50ZXIy'".to_owned(), "GEN013"),
        ] {
            assert_eq!(code(&line), Some(expected), "{line}");
            assert!(may_hold(&line), "{line}");
            let (_, message) = look(&line).unwrap();
            assert!(
                !message.contains(&body) && !message.contains("hunter2") && !message.contains("EXAMPLE"),
                "{message}"
            );
        }
    }

    #[test]
    fn what_only_looks_alike_is_left_alone() {
        for line in [
            "",
            "-----BEGIN CERTIFICATE-----",
            "-----BEGIN PUBLIC KEY-----",
            "AKIA",
            "xAKIAIOSFODNN7EXAMPLE",
            "AKIAIOSFODNN7EXAMPLEX",
            "commit = 3f786850e387550fdab836ed7e6dc881de23001b",
            "secret_key: ${AWS_SECRET}",
            "secret_key_file: /run/secrets/key",
            "ghp_short",
            "Authorization: Bearer ${TOKEN}",
            "a bearer of good news is authenticated",
            "https://es:9200/?q=a@b",
            "https://user@host/",
            "https://user:${PASSWORD}@host/",
            "see http://a:9200, mail me@there",
            "#proxy_url: http://user:pass@proxy:3128",
            "git@github.com:a/b.git",
            "curl -u \"$USER:$PASSWORD\" http://es:9200",
            "curl -u elastic:${PASSWORD} x",
            "# curl -u elastic:changeme x",
            "curl -sku http://es:9200",
            "curl https://a:9200/?x=-u",
            "useradd -u 1000:0 a",
            "Authorization: Basic ${AUTH}",
            "the authorization is a basic need: everybody has it",
        ] {
            assert_eq!(code(line), None, "{line}");
        }
    }

    #[test]
    fn a_short_secret_is_not_shown_at_all() {
        assert_eq!(hidden("changeme"), "…");
        assert_eq!(hidden("AKIAIOSFODNN7EXAMPLE"), "AKIA…");
    }

    proptest! {
        #[test]
        fn no_line_panics(line in "(AKIA|eyJ|bearer |auth|secret_key|://|@|:|ghp_|\\PC){0,8}") {
            let _ = look(&line);
        }
    }
}
