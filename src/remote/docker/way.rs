//! A connection to an engine.

use std::future::Future;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::process::Stdio;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::Uri;
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::connect::{Connected, Connection, HttpConnector};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf, join};
use tokio::net::UnixStream;
use tokio::process::{Child, Command};
use tokio::time::timeout;
use tower_service::Service;

use super::address::Address;

/// The host in requests to an engine that has none.
const NOBODY: &str = "engine";

/// What `ssh` runs at the other end: it connects its input and output with the engine there.
const DIAL: &str = "system dial-stdio";

/// Bytes that go both ways.
trait TwoWay: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> TwoWay for T {}

/// Opens connections to one engine.
#[derive(Clone)]
pub(super) struct Way {
    address: Arc<Address>,
    tls: Option<ClientConfig>,
    ssh: Option<PathBuf>,
    limit: Duration,
}

impl Way {
    /// The way to an address; with `tls`, what is not on this machine is spoken to by TLS. `ssh` is that program.
    pub(super) fn new(address: Address, tls: Option<ClientConfig>, ssh: Option<PathBuf>, limit: Duration) -> Self {
        Self { address: Arc::new(address), tls, ssh, limit }
    }

    /// What requests say that they are for.
    pub(super) fn base(&self) -> String {
        match &*self.address {
            Address::Tcp { host, port } => {
                let host = if host.contains(':') { format!("[{host}]") } else { host.clone() };
                let scheme = if self.tls.is_some() { "https" } else { "http" };
                format!("{scheme}://{host}:{}", Address::port(*port, self.tls.is_some()))
            }
            _ => format!("http://{NOBODY}"),
        }
    }

    async fn open(self, to: Uri) -> io::Result<Opened> {
        match &*self.address {
            Address::Unix(path) => Ok(Opened::new(UnixStream::connect(path).await?)),
            Address::Tcp { .. } => {
                let mut direct = HttpConnector::new();
                direct.enforce_http(false);
                direct.set_nodelay(true);
                let io: Box<dyn TwoWay> = match self.tls {
                    Some(tls) => {
                        let stream = HttpsConnector::from((direct, tls)).call(to).await.map_err(io::Error::other)?;
                        Box::new(TokioIo::new(stream))
                    }
                    None => Box::new(TokioIo::new(direct.call(to).await.map_err(io::Error::other)?)),
                };
                Ok(Opened { io, _child: None })
            }
            Address::Ssh { host, port, socket } => {
                let program = self.ssh.as_deref().ok_or_else(|| io::Error::other("`ssh` is not in the PATH"))?;
                dial(program, host, *port, socket.as_deref(), self.limit)
            }
        }
    }
}

/// A program whose input and output are the connection.
fn dial(ssh: &Path, host: &str, port: Option<u16>, socket: Option<&str>, limit: Duration) -> io::Result<Opened> {
    let mut command = Command::new(ssh);
    // Nobody is there to be asked for a password.
    command.args(["-T", "-o", "BatchMode=yes", "-o"]).arg(format!("ConnectTimeout={}", limit.as_secs().max(1)));
    if let Some(port) = port {
        command.arg("-p").arg(port.to_string());
    }
    let there = match socket {
        Some(socket) => format!("docker --host unix://{socket} {DIAL}"),
        None => format!("docker {DIAL}"),
    };
    command.arg("--").arg(host).arg(there);
    // What it says of keys and hosts is for people.
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit()).kill_on_drop(true).spawn()?;
    let (Some(from), Some(to)) = (child.stdout.take(), child.stdin.take()) else {
        return Err(io::Error::other("`ssh` has no input and output"));
    };
    Ok(Opened { io: Box::new(join(from, to)), _child: Some(child) })
}

impl Service<Uri> for Way {
    type Response = TokioIo<Opened>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<TokioIo<Opened>>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, to: Uri) -> Self::Future {
        let (way, limit) = (self.clone(), self.limit);
        Box::pin(async move {
            let opened = timeout(limit, way.open(to)).await;
            let late = |_| io::Error::new(io::ErrorKind::TimedOut, format!("no connection within {limit:?}"));
            Ok(TokioIo::new(opened.map_err(late)??))
        })
    }
}

/// A connection; the program that carries it ends with it.
pub(super) struct Opened {
    io: Box<dyn TwoWay>,
    _child: Option<Child>,
}

impl Opened {
    fn new(io: impl TwoWay + 'static) -> Self {
        Self { io: Box::new(io), _child: None }
    }
}

impl Connection for Opened {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl AsyncRead for Opened {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, into)
    }
}

impl AsyncWrite for Opened {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}
