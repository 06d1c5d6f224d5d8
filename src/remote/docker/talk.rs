//! Dealing with a container while it runs: speaking with its program, running commands beside it, reading its files.

use std::io::{self, Read, Write};
use std::pin::Pin;
use std::time::Duration;

use bollard::container::{AttachContainerResults, LogOutput};
use bollard::errors::Error;
use bollard::exec::StartExecResults;
use bollard::models::ExecConfig;
use bollard::query_parameters::{
    AttachContainerOptions, DownloadFromContainerOptions, StartContainerOptions, StopContainerOptions,
};
use futures_util::{Stream, StreamExt};
use hyper::body::Bytes;
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::line::{Line, is_absent};
use super::pour::Pull;
use crate::bake::port::{PortError, Said, Talk};
use crate::name::ImagePath;

/// More of what a command says is not kept.
const LONGEST_SAID: usize = 1 << 20;

type Output = Pin<Box<dyn Stream<Item = Result<LogOutput, Error>> + Send>>;

pub(super) fn converse<'l>(line: &'l Line, container: &str) -> Result<Talk<'l>, PortError> {
    let options = AttachContainerOptions { stream: true, stdin: true, stdout: true, ..Default::default() };
    let attached = line.api.attach_container(container, Some(options));
    let AttachContainerResults { output, input } =
        line.ask("it does not let us speak to a container", line.timing.answer, attached)?;
    let started = line.api.start_container(container, None::<StartContainerOptions>);
    line.ask("it does not start a container", line.timing.answer, started)?;
    let (here, gone) = oneshot::channel();
    Ok(Talk {
        mouth: Box::new(Mouth { line, input, _here: here }),
        ear: Box::new(Ear { line, output, piece: Bytes::new(), gone }),
    })
}

struct Mouth<'l> {
    line: &'l Line,
    input: Pin<Box<dyn AsyncWrite + Send>>,
    _here: oneshot::Sender<()>,
}

impl Mouth<'_> {
    fn within(&self, done: Result<io::Result<()>, tokio::time::error::Elapsed>) -> Result<(), PortError> {
        let what = "it does not take what is said to a container";
        match done {
            Ok(done) => done.map_err(|err| self.line.failed(what, &Error::IOError { err })),
            Err(_) => Err(self.line.late(what, self.line.timing.answer)),
        }
    }
}

impl Write for Mouth<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let (line, limit) = (self.line, self.line.timing.answer);
        let done = line.wait(async { Ok(timeout(limit, self.input.write_all(bytes)).await) });
        done.and_then(|done| self.within(done)).map_err(io::Error::other)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let (line, limit) = (self.line, self.line.timing.answer);
        let done = line.wait(async { Ok(timeout(limit, self.input.flush()).await) });
        done.and_then(|done| self.within(done)).map_err(io::Error::other)
    }
}

struct Ear<'l> {
    line: &'l Line,
    output: Output,
    piece: Bytes,
    /// Fails once nobody speaks any more.
    gone: oneshot::Receiver<()>,
}

impl Read for Ear<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.piece.is_empty() {
            let (line, output, gone) = (self.line, &mut self.output, &mut self.gone);
            let next = line.wait(async {
                tokio::select! {
                    biased;
                    _ = gone => Ok(None),
                    next = output.next() => {
                        next.transpose().map_err(|error| line.failed("it stopped telling of a container", &error))
                    }
                }
            });
            match next.map_err(io::Error::other)? {
                None => return Ok(0),
                // Complaints are for people, and nobody listens to them here.
                Some(LogOutput::StdErr { .. }) => {}
                Some(said) => self.piece = said.into_bytes(),
            }
        }
        let n = into.len().min(self.piece.len());
        into[..n].copy_from_slice(&self.piece.split_to(n));
        Ok(n)
    }
}

pub(super) fn exec(
    line: &Line,
    container: &str,
    command: &[String],
    limit: Duration,
) -> Result<Option<Said>, PortError> {
    let what = "it does not run a command in a container";
    let config = ExecConfig {
        attach_stdout: Some(true),
        attach_stderr: Some(true),
        cmd: Some(command.to_vec()),
        ..Default::default()
    };
    let made = line.ask(what, line.timing.answer, line.api.create_exec(container, config))?;
    let started = line.ask(what, line.timing.answer, line.api.start_exec(&made.id, None))?;
    let StartExecResults::Attached { mut output, .. } = started else {
        return Err(line.wrong(format!("{what}: it does not show what it prints"), "the engine's own log says more"));
    };
    let heard = async {
        let mut said = Vec::new();
        while let Some(piece) = output.next().await.transpose()? {
            let piece = piece.into_bytes();
            let room = LONGEST_SAID.saturating_sub(said.len());
            said.extend_from_slice(&piece[..piece.len().min(room)]);
        }
        Ok(said)
    };
    let said = line.wait(async {
        match timeout(limit, heard).await {
            Err(_) => Ok(None),
            Ok(said) => said.map(Some).map_err(|error| line.failed(what, &error)),
        }
    })?;
    let Some(said) = said else { return Ok(None) };
    let ended = line.ask(what, line.timing.answer, line.api.inspect_exec(&made.id))?;
    Ok(Some(Said { code: ended.exit_code.unwrap_or(-1), text: String::from_utf8_lossy(&said).into_owned() }))
}

pub(super) fn fetch<'l>(
    line: &'l Line,
    container: &str,
    path: &ImagePath,
) -> Result<Option<Box<dyn Read + 'l>>, PortError> {
    let options = DownloadFromContainerOptions { path: path.to_string() };
    let from = line.api.download_from_container(container, Some(options));
    let pull = Pull::begin_if_there(line, "it does not send a file of a container", from)?;
    Ok(pull.map(|pull| Box::new(pull) as Box<dyn Read>))
}

pub(super) fn stop(line: &Line, container: &str, patience: Duration) -> Result<(), PortError> {
    let what = "it does not stop a container";
    let t = i32::try_from(patience.as_secs()).unwrap_or(i32::MAX);
    let options = StopContainerOptions { t: Some(t), ..Default::default() };
    line.ask(what, patience + line.timing.answer, async {
        match line.api.stop_container(container, Some(options)).await {
            // 304: it has ended already.
            Err(Error::DockerResponseServerError { status_code: 304, .. }) => Ok(()),
            Err(error) if is_absent(&error) => Ok(()),
            done => done,
        }
    })
}
