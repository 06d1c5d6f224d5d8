//! Plain downloads: what a URL holds, into the store.

use hyper::header::HeaderMap;
use hyper::{StatusCode, Uri};

use crate::bake::event::Listener;
use crate::bake::port::{BY_MIRROR, Download, Fetch, PortError};
use crate::digest::Digest;
use crate::remote::address::shown;
use crate::remote::download::{Goal, Source, into_store};
use crate::remote::http::{Ask, Reply};
use crate::remote::netrc::Netrc;
use crate::remote::refusal::refusal;
use crate::remote::retry::Failure;
use crate::remote::wire::Wire;
use crate::store::Store;

/// What is no web page, whatever a captive portal says.
const ARCHIVES: [&str; 8] = [".zip", ".gz", ".tgz", ".xz", ".zst", ".jar", ".gem", ".tar"];

impl Fetch for Wire {
    fn fetch(&self, what: &Download, store: &Store, tell: Listener<'_>) -> Result<(Digest, u64), PortError> {
        if let Some(digest) = what.expected
            && let Some(size) = store.size(&digest)
        {
            return Ok((digest, size));
        }
        let wrong = |subject: &str, message: String| PortError::Wrong { subject: subject.to_owned(), message };
        let mirrored = self.config.mirrors.url(&what.url);
        let mirrored = mirrored.map_err(|error| wrong(what.url.as_str(), error.to_string()))?;
        if let Some(mirrored) = &mirrored {
            self.tell_of_mirror(&mirrored.rule, tell);
        }
        let url = mirrored.as_ref().map_or(&what.url, |mirrored| &mirrored.there);
        let uri: Uri = url.as_str().parse().map_err(|_| {
            wrong(&what.name, "its URL has characters that a URL cannot have: write them as `%` and two digits".into())
        })?;
        let subject = subject(what, &uri, mirrored.is_some());
        let netrc = self.netrc().map_err(|message| PortError::Denied { subject: subject.clone(), message })?;
        let name = format!("url {}", what.url);
        let file = what.url.file_name().to_ascii_lowercase();
        let goal = Goal {
            subject: &subject,
            partial: &name,
            task: if what.name == what.url.as_str() { &subject } else { &what.name },
            expected: what.expected,
            size: None,
            limit: what.limit,
            refuse_pages: ARCHIVES.iter().any(|end| file.ends_with(end)),
            timing: self.config.timing,
        };
        let source = UrlSource { wire: self, subject: &subject, uri, netrc };
        self.run(&subject, into_store(&goal, &source, store, tell))
    }
}

/// The name and where it is, in full: with the mirror where there is one.
fn subject(what: &Download, uri: &Uri, is_mirrored: bool) -> String {
    let original = what.url.as_str().parse().map_or_else(|_| what.url.to_string(), |uri| shown(&uri));
    let place = if is_mirrored { format!("{original} {BY_MIRROR} {}", shown(uri)) } else { original };
    if what.name == what.url.as_str() { place } else { format!("{} ({place})", what.name) }
}

struct UrlSource<'a> {
    wire: &'a Wire,
    subject: &'a str,
    uri: Uri,
    netrc: &'a Netrc,
}

impl Source for UrlSource<'_> {
    async fn open(&self, headers: HeaderMap) -> Result<Reply, Failure> {
        let mut ask = Ask::get(self.subject, self.uri.clone());
        ask.headers = headers;
        ask.netrc = Some(self.netrc);
        let reply = self.wire.http.send(&ask).await?;
        match reply.status {
            StatusCode::OK | StatusCode::PARTIAL_CONTENT | StatusCode::RANGE_NOT_SATISFIABLE => Ok(reply),
            _ => Err(refusal(self.subject, reply, &self.tried()).await),
        }
    }
}

impl UrlSource<'_> {
    fn tried(&self) -> String {
        let host = self.uri.host().unwrap_or_default();
        match self.netrc.login(host) {
            Some(login) => format!("tried as `{}`, whom .netrc names for {host}", login.user),
            None => format!("tried as nobody: .netrc has no entry for {host}"),
        }
    }
}
