//! The way out: directly, through a forward proxy, or through a tunnel.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use hyper::Uri;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_rustls::{HttpsConnector, MaybeHttpsStream};
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::client::legacy::connect::{Connected, Connection, HttpConnector};
use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use tokio::net::TcpStream;
use tower_service::Service;

use crate::name::Registry;
use crate::remote::config::{Proxies, Timing};

/// Who goes through which proxy.
#[derive(Clone, Debug)]
pub(super) struct Ways(Arc<Matcher>);

impl Ways {
    /// Reads what the variables say; the error names the variable and why, without a password.
    pub(super) fn new(proxies: &Proxies) -> Result<Self, (&'static str, String)> {
        let named = [("HTTP_PROXY", &proxies.http), ("HTTPS_PROXY", &proxies.https), ("ALL_PROXY", &proxies.all)];
        for (variable, value) in named {
            check(value.trim()).map_err(|why| (variable, why))?;
        }
        let matcher = Matcher::builder()
            .http(proxies.http.trim().to_owned())
            .https(proxies.https.trim().to_owned())
            .all(proxies.all.trim().to_owned())
            .no(proxies.no.clone());
        Ok(Self(Arc::new(matcher.build())))
    }

    /// The proxy for an address.
    pub(super) fn proxy(&self, to: &Uri) -> Option<Intercept> {
        let authority = to.authority()?.as_str();
        let is_near = authority.parse::<Registry>().is_ok_and(|host| host.is_loopback());
        if is_near { None } else { self.0.intercept(to) }
    }
}

fn check(value: &str) -> Result<(), String> {
    const EXPECTED: &str = "it is `http://HOST:PORT`, perhaps with `USER:PASSWORD@` before the host";
    if value.is_empty() {
        return Ok(());
    }
    let probe = Matcher::builder().all(value.to_owned()).build();
    match probe.intercept(&Uri::from_static("https://elkbake.invalid")) {
        Some(proxy) if matches!(proxy.uri().scheme_str(), Some("http" | "https")) => Ok(()),
        Some(proxy) => Err(format!("proxies of the kind `{}` are not spoken to; {EXPECTED}", scheme(&proxy))),
        None => Err(format!("it is no proxy; {EXPECTED}")),
    }
}

fn scheme(proxy: &Intercept) -> &str {
    proxy.uri().scheme_str().unwrap_or_default()
}

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Opens connections, each by its way.
#[derive(Clone)]
pub(super) struct Connector {
    ways: Ways,
    direct: HttpConnector,
    to_proxy: HttpsConnector<HttpConnector>,
}

impl Connector {
    pub(super) fn new(ways: Ways, timing: Timing, tls: ClientConfig) -> Self {
        let mut direct = HttpConnector::new();
        direct.enforce_http(false);
        direct.set_nodelay(true);
        direct.set_connect_timeout(Some(timing.connect));
        let to_proxy = HttpsConnector::from((direct.clone(), tls));
        Self { ways, direct, to_proxy }
    }
}

impl Service<Uri> for Connector {
    type Response = Stream;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Stream, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, to: Uri) -> Self::Future {
        let Some(proxy) = self.ways.proxy(&to) else {
            let connecting = self.direct.call(to);
            return Box::pin(async { Ok(Stream { io: MaybeHttpsStream::Http(connecting.await?), forward: false }) });
        };
        if to.scheme_str() != Some("https") {
            let connecting = self.to_proxy.call(proxy.uri().clone());
            return Box::pin(async { Ok(Stream { io: connecting.await?, forward: true }) });
        }
        let mut tunnel = Tunnel::new(proxy.uri().clone(), self.to_proxy.clone());
        if let Some(auth) = proxy.basic_auth() {
            tunnel = tunnel.with_auth(auth.clone());
        }
        Box::pin(async move { Ok(Stream { io: tunnel.call(to).await?, forward: false }) })
    }
}

/// A connection to a server, or to the proxy before it.
pub(super) struct Stream {
    io: MaybeHttpsStream<TokioIo<TcpStream>>,
    /// The other side is a proxy that has to be told the whole address in each request.
    forward: bool,
}

impl Connection for Stream {
    fn connected(&self) -> Connected {
        Connected::new().proxy(self.forward)
    }
}

impl Read for Stream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, into: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, into)
    }
}

/// A server that has made up its mind about a request answers and closes, without waiting for the rest of it. What is
/// still written then breaks, and with it the connection, before the answer is read. So a broken writing side waits
/// for the reading side, which has the answer or the end and wakes the connection for either.
fn unless_closed(written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
    match written {
        Poll::Ready(Err(error))
            if matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset) =>
        {
            Poll::Pending
        }
        written => written,
    }
}

impl Write for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        unless_closed(Pin::new(&mut self.io).poll_write(cx, bytes))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        unless_closed(Pin::new(&mut self.io).poll_write_vectored(cx, bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxies(http: &str, https: &str, all: &str, no: &str) -> Proxies {
        Proxies { http: http.to_owned(), https: https.to_owned(), all: all.to_owned(), no: no.to_owned() }
    }

    #[test]
    fn each_address_goes_its_way() {
        let ways = Ways::new(&proxies("proxy:1", "", "http://other:2", "corp, 10.0.0.0/8")).unwrap();
        for (to, expected) in [
            ("http://a.b/x", Some("http://proxy:1/")),
            ("https://a.b/x", Some("http://other:2/")),
            ("https://x.corp", None),
            ("https://corporate", Some("http://other:2/")),
            ("http://10.1.2.3:5000/", None),
            ("http://localhost:5000/", None),
            ("http://127.0.0.1/", None),
            ("http://[::1]:81/", None),
        ] {
            let way = ways.proxy(&to.parse().unwrap()).map(|proxy| proxy.uri().to_string());
            assert_eq!(way.as_deref(), expected, "{to}");
        }
    }

    #[test]
    fn a_proxy_that_cannot_be_used_is_refused_without_its_password() {
        for wrong in ["socks5://me:hunter2@a:1", "ftp://me:hunter2@a", "http://me:hunter2@ /"] {
            let (variable, why) = Ways::new(&proxies("", wrong, "", "")).unwrap_err();
            assert_eq!(variable, "HTTPS_PROXY");
            assert!(!why.contains("hunter2"), "{why}");
        }
        assert!(Ways::new(&proxies("", " ", "", "*")).is_ok());
    }
}
