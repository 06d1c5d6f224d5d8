//! Where an engine is, as people write it.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// The port of an engine that is spoken to by TLS, and of one that is not, as Docker has them registered.
const SECURE: u16 = 2376;
const PLAIN: u16 = 2375;

/// Where an engine is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Address {
    /// A socket on this machine.
    Unix(PathBuf),
    /// Another machine, or a port of this one.
    Tcp {
        host: String,
        /// The usual one where none is given.
        port: Option<u16>,
    },
    /// Another machine that is logged in to.
    Ssh {
        /// With the user before it, where one is given.
        host: String,
        port: Option<u16>,
        /// The engine's socket there, where it is not the usual one.
        socket: Option<String>,
    },
}

/// A text that says nowhere.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no engine: {why}")]
pub(super) struct AddressError {
    text: String,
    why: &'static str,
}

const EXPECTED: &str = "it is `unix:///PATH`, `tcp://HOST:PORT` or `ssh://USER@HOST`";

impl Address {
    /// The port of an engine at the other end of a network.
    pub(super) fn port(given: Option<u16>, secure: bool) -> u16 {
        given.unwrap_or(if secure { SECURE } else { PLAIN })
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let wrong = |why| AddressError { text: text.to_owned(), why };
        if text.starts_with('/') {
            return Ok(Self::Unix(text.into()));
        }
        let (scheme, rest) = text.split_once("://").ok_or_else(|| wrong(EXPECTED))?;
        match scheme {
            "unix" if rest.starts_with('/') => Ok(Self::Unix(rest.into())),
            "unix" => Err(wrong("the path of a socket begins with a slash, as in `unix:///run/docker.sock`")),
            "tcp" | "http" | "https" => {
                let (host, port) = host_and_port(rest.trim_end_matches('/')).ok_or_else(|| wrong(EXPECTED))?;
                Ok(Self::Tcp { host, port })
            }
            "ssh" => {
                let (place, path) = rest.split_once('/').unwrap_or((rest, ""));
                let (host, port) = host_and_port(place).ok_or_else(|| wrong(EXPECTED))?;
                if host.contains(':') && host.contains('@') {
                    return Err(wrong("SSH takes no password from an address"));
                }
                let socket = (!path.is_empty()).then(|| format!("/{path}"));
                Ok(Self::Ssh { host, port, socket })
            }
            "npipe" | "fd" => Err(wrong("engines are reached by unix sockets, TCP and SSH")),
            _ => Err(wrong(EXPECTED)),
        }
    }
}

/// The two parts of `HOST:PORT`; none where there is no host, or it would be taken for something else by a program.
fn host_and_port(text: &str) -> Option<(String, Option<u16>)> {
    let is_port = |port: &str| !port.contains(']');
    let (host, port) = match text.rsplit_once(':').filter(|(_, port)| is_port(port)) {
        Some((host, port)) => (host, Some(port.parse().ok()?)),
        None => (text, None),
    };
    let is_odd = |c: char| c.is_whitespace() || c.is_control() || "/?#'\"\\".contains(c);
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    (!bare.is_empty() && !bare.starts_with('-') && !bare.contains(is_odd)).then(|| (bare.to_owned(), port))
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let port = |port: &Option<u16>| port.map_or_else(String::new, |port| format!(":{port}"));
        match self {
            Self::Unix(path) => write!(f, "unix://{}", path.display()),
            Self::Tcp { host, port: number } if host.contains(':') => write!(f, "tcp://[{host}]{}", port(number)),
            Self::Tcp { host, port: number } => write!(f, "tcp://{host}{}", port(number)),
            Self::Ssh { host, port: number, socket } => {
                write!(f, "ssh://{host}{}{}", port(number), socket.as_deref().unwrap_or_default())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_people_write_them() {
        for (text, shown) in [
            ("unix:///run/docker.sock", "unix:///run/docker.sock"),
            ("/run/user/1000/docker.sock", "unix:///run/user/1000/docker.sock"),
            ("tcp://builder:2376", "tcp://builder:2376"),
            ("tcp://10.0.0.7", "tcp://10.0.0.7"),
            ("https://builder:2376/", "tcp://builder:2376"),
            ("tcp://[::1]:2375", "tcp://[::1]:2375"),
            ("ssh://me@arm-host", "ssh://me@arm-host"),
            ("ssh://arm-host:2222", "ssh://arm-host:2222"),
            ("ssh://me@host/run/podman/podman.sock", "ssh://me@host/run/podman/podman.sock"),
        ] {
            assert_eq!(text.parse::<Address>().unwrap().to_string(), shown);
        }
        assert_eq!(
            (Address::port(None, true), Address::port(None, false), Address::port(Some(1), true)),
            (2376, 2375, 1)
        );
    }

    #[test]
    fn what_is_no_address_is_refused_with_what_was_expected() {
        for wrong in
            ["", "docker", "unix://", "unix://run/x", "tcp://", "tcp://a:b", "ftp://a", "tcp://a b", "npipe://x"]
        {
            let error = wrong.parse::<Address>().unwrap_err().to_string();
            assert!(error.contains("is no engine: "), "{error}");
        }
        // Programs would take these for options, or a shell for commands.
        for wrong in ["ssh://-oProxyCommand=x", "ssh://a'b", "ssh://", "ssh://me:secret@host"] {
            assert!(wrong.parse::<Address>().is_err(), "{wrong}");
        }
    }
}
