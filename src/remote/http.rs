//! One request and its answer: connection, redirects, time limits. Nothing here tries twice.

use std::io;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::OnceLock;
use std::sync::atomic::Ordering;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{
    ACCEPT_ENCODING, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, PROXY_AUTHORIZATION, USER_AGENT,
};
use hyper::{Method, Request, Response, StatusCode, Uri};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::{Client, Error};
use hyper_util::client::proxy::matcher::Intercept;
use hyper_util::rt::TokioExecutor;
use rustls::ClientConfig;
use tokio::time::timeout;

use crate::bake::port::PortError;
use crate::remote::address::{host_and_port, redirect, same_server, shown};
use crate::remote::body::{Load, Streamed};
use crate::remote::causes::{causes, each_once};
use crate::remote::config::Timing;
use crate::remote::netrc::Netrc;
use crate::remote::proxy::{Connector, Ways};
use crate::remote::retry::Failure;
use crate::remote::tls;

/// As many as browsers and curl follow is far more than a real chain has.
const REDIRECTS: usize = 10;

/// HTTP/1.1 only: each blob has a connection, and with it a window, of its own.
type Plain = Client<HttpsConnector<Connector>, Load>;

/// A request that is to be sent.
pub(super) struct Ask<'a> {
    /// What people call the thing asked for.
    pub(super) subject: &'a str,
    pub(super) method: Method,
    pub(super) url: Uri,
    pub(super) headers: HeaderMap,
    /// For the server that is asked, not for those that it redirects to.
    pub(super) authorization: Option<HeaderValue>,
    /// Where credentials by host are found, when they are to be sent.
    pub(super) netrc: Option<&'a Netrc>,
    pub(super) body: Bytes,
}

impl<'a> Ask<'a> {
    pub(super) fn get(subject: &'a str, url: Uri) -> Self {
        Self::new(subject, Method::GET, url)
    }

    pub(super) fn new(subject: &'a str, method: Method, url: Uri) -> Self {
        Self { subject, method, url, headers: HeaderMap::new(), authorization: None, netrc: None, body: Bytes::new() }
    }
}

/// The beginning of an answer; its body is still on its way.
pub(super) struct Reply {
    /// Who answered, after all redirects.
    pub(super) url: Uri,
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Body,
}

impl Reply {
    /// A header as text.
    pub(super) fn header(&self, name: impl hyper::header::AsHeaderName) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim)
    }

    /// The kind of the body, in lower case and without parameters.
    pub(super) fn media_type(&self) -> String {
        let whole = self.header(CONTENT_TYPE).unwrap_or_default();
        whole.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
    }
}

/// A body that comes piece by piece, each within its time.
pub(super) struct Body {
    inner: Incoming,
    timing: Timing,
}

impl Body {
    /// The next bytes; `None` at the end that the server promised.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, Failure> {
        loop {
            let waiting = timeout(self.timing.idle, self.inner.frame());
            let frame = waiting.await.map_err(|_| self.silent())?;
            match frame {
                None => return Ok(None),
                Some(Err(error)) => return Err(Failure::again(cut_short(&error))),
                // Trailers say nothing to us.
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(bytes) if !bytes.is_empty() => return Ok(Some(bytes)),
                    _ => {}
                },
            }
        }
    }

    /// The first bytes up to a limit, and whether that is all.
    pub(super) async fn up_to(&mut self, limit: usize) -> Result<(Vec<u8>, bool), Failure> {
        let mut bytes = Vec::new();
        while let Some(more) = self.next().await? {
            if bytes.len() + more.len() > limit {
                bytes.extend_from_slice(&more[..limit - bytes.len()]);
                return Ok((bytes, false));
            }
            bytes.extend_from_slice(&more);
        }
        Ok((bytes, true))
    }

    fn silent(&self) -> Failure {
        Failure::again(format!("nothing came for {:?}", self.timing.idle))
    }
}

fn cut_short(error: &hyper::Error) -> String {
    let cause = std::error::Error::source(error).and_then(|cause| cause.downcast_ref::<io::Error>());
    if error.is_incomplete_message() || cause.is_some_and(|cause| cause.kind() == io::ErrorKind::UnexpectedEof) {
        "the connection ended in the middle".to_owned()
    } else {
        format!("the connection broke: {}", reasons(error))
    }
}

/// Opens connections and keeps them for the next request.
pub(super) struct Http {
    ways: Ways,
    timing: Timing,
    extra_ca: Option<PathBuf>,
    plain: Plain,
    /// Made when it is first needed: a machine without certificates can still talk to itself.
    secure: OnceLock<Result<Plain, String>>,
}

impl Http {
    pub(super) fn new(ways: Ways, timing: Timing, extra_ca: Option<PathBuf>) -> Result<Self, String> {
        let plain = client(&ways, timing, &tls::believe_nobody()?);
        Ok(Self { ways, timing, extra_ca, plain, secure: OnceLock::new() })
    }

    /// Sends a request with a body that comes while it is sent, to where it says and nowhere else.
    pub(super) async fn stream(&self, ask: &Ask<'_>, body: Streamed) -> Result<Reply, Failure> {
        let reply = self.once(ask, &ask.url, Load::Streamed(body)).await?;
        let (parts, inner) = reply.into_parts();
        let body = Body { inner, timing: self.timing };
        Ok(Reply { url: ask.url.clone(), status: parts.status, headers: parts.headers, body })
    }

    /// Sends a request, and follows where the answers send us.
    pub(super) async fn send(&self, ask: &Ask<'_>) -> Result<Reply, Failure> {
        let wrong = |message| Failure::Final(PortError::Wrong { subject: ask.subject.to_owned(), message });
        let mut chain = vec![ask.url.clone()];
        loop {
            let url = chain.last().unwrap_or(&ask.url).clone();
            let reply = self.once(ask, &url, Load::Whole(Full::new(ask.body.clone()))).await?;
            let (parts, inner) = reply.into_parts();
            let Some(next) = redirect(&url, parts.status, &parts.headers) else {
                let body = Body { inner, timing: self.timing };
                return Ok(Reply { url, status: parts.status, headers: parts.headers, body });
            };
            let next = next.map_err(wrong)?;
            let looped = chain.contains(&next);
            chain.push(next);
            if looped || chain.len() > REDIRECTS + 1 || !ask.method.is_safe() {
                let what = match (looped, ask.method.is_safe()) {
                    (true, _) => "it redirects in a circle",
                    (_, true) => "it redirects more than 10 times",
                    _ => "it redirects what was posted",
                };
                let chain: Vec<String> = chain.iter().map(shown).collect();
                return Err(wrong(format!("{what}: {}", chain.join(" -> "))));
            }
        }
    }

    async fn once(&self, ask: &Ask<'_>, url: &Uri, load: Load) -> Result<Response<Incoming>, Failure> {
        let proxy = self.ways.proxy(url);
        let is_secure = |uri: &Uri| uri.scheme_str() == Some("https");
        let client = if is_secure(url) || proxy.as_ref().is_some_and(|proxy| is_secure(proxy.uri())) {
            self.secure().map_err(|message| Failure::Final(unreachable(ask.subject, message)))?
        } else {
            &self.plain
        };
        let mut request = Request::new(load);
        *request.method_mut() = ask.method.clone();
        *request.uri_mut() = url.clone();
        let headers = request.headers_mut();
        headers.clone_from(&ask.headers);
        headers.insert(USER_AGENT, HeaderValue::from_static(concat!("elkbake/", env!("CARGO_PKG_VERSION"))));
        // What is unpacked on the way has another digest.
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        if let Some(value) = authorization(ask, url) {
            headers.insert(AUTHORIZATION, value);
        }
        if !is_secure(url)
            && let Some(auth) = proxy.as_ref().and_then(|proxy| proxy.basic_auth())
        {
            headers.insert(PROXY_AUTHORIZATION, auth.clone());
        }
        let reply = self.answered(client, request).await?;
        let reply = reply.map_err(|error| not_sent(ask.subject, url, proxy.as_ref(), &error))?;
        if reply.status() == StatusCode::PROXY_AUTHENTICATION_REQUIRED {
            return Err(proxy_denies(ask.subject));
        }
        Ok(reply)
    }

    /// Waits for an answer as long as the body still moves, and then as long as answers may take.
    async fn answered(
        &self,
        client: &Plain,
        request: Request<Load>,
    ) -> Result<Result<Response<Incoming>, Error>, Failure> {
        let (taken, all) = request.body().meter();
        let is_short = request.method() != Method::PUT;
        let mut answer = pin!(client.request(request));
        let mut seen = 0;
        loop {
            // What is put may have to be put together on the other side.
            let is_sent = if all == 0 { !is_short } else { seen == all };
            let limit = if is_sent { self.timing.answer } else { self.timing.connect + self.timing.idle };
            if let Ok(reply) = timeout(limit, &mut answer).await {
                return Ok(reply);
            }
            let now = taken.load(Ordering::Relaxed);
            if now == seen {
                let after = if all > 0 { format!(" after {seen} of {all} bytes") } else { String::new() };
                return Err(Failure::again(format!("no answer within {limit:?}{after}")));
            }
            seen = now;
        }
    }

    fn secure(&self) -> Result<&Plain, String> {
        let made = self.secure.get_or_init(|| {
            let config = tls::believe_system(self.extra_ca.as_deref())?;
            Ok(client(&self.ways, self.timing, &config))
        });
        made.as_ref().map_err(Clone::clone)
    }
}

fn client(ways: &Ways, timing: Timing, tls: &ClientConfig) -> Plain {
    let connector = Connector::new(ways.clone(), timing, tls.clone());
    Client::builder(TokioExecutor::new()).build(HttpsConnector::from((connector, tls.clone())))
}

/// The credentials for one server of a chain of redirects.
fn authorization(ask: &Ask<'_>, url: &Uri) -> Option<HeaderValue> {
    let is_asked = same_server(url, &ask.url);
    if is_asked && ask.authorization.is_some() {
        return ask.authorization.clone();
    }
    // A password is not sent where anybody on the way can read it.
    let host = url.authority()?.as_str().parse::<crate::name::Registry>().ok()?;
    if url.scheme_str() != Some("https") && !host.is_loopback() {
        return None;
    }
    let netrc = ask.netrc?;
    let login = if is_asked { netrc.login(host.host()) } else { netrc.named(host.host()) };
    login?.basic()
}

fn not_sent(subject: &str, url: &Uri, proxy: Option<&Intercept>, error: &Error) -> Failure {
    let by = proxy.map_or_else(String::new, |proxy| format!(" through the proxy {}", host_and_port(proxy.uri())));
    let why = format!("cannot reach {}{by}: {}", host_and_port(url), reasons(error));
    if why.contains("proxy authorization required") {
        return proxy_denies(subject);
    }
    // A certificate that is wrong now will be wrong in a second.
    if why.contains("invalid peer certificate") {
        let hint = "; an authority of your company's own can be named by a file of certificates";
        return Failure::Final(unreachable(subject, format!("{why}{hint}")));
    }
    Failure::again(why)
}

fn proxy_denies(subject: &str) -> Failure {
    let message = "the proxy asks for credentials: put `USER:PASSWORD@` before its host".to_owned();
    Failure::Final(PortError::Denied { subject: subject.to_owned(), message })
}

pub(super) fn unreachable(subject: &str, message: impl Into<String>) -> PortError {
    PortError::Unreachable { subject: subject.to_owned(), message: message.into() }
}

/// What an error says and what is behind it, each only once.
fn reasons(error: &(dyn std::error::Error + 'static)) -> String {
    let said = each_once(causes(error).map(ToString::to_string));
    // The outermost layer says only which layer it is.
    let from = usize::from(said.len() > 1 && said[0].starts_with("client error"));
    said[from..].join(": ")
}
