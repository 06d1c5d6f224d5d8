//! Why an image could not be built.

use crate::bake::port::PortError;
use crate::bake::resolve::Fault;
use crate::image::changed::ChangedError;
use crate::image::jar::JarError;
use crate::image::layer::LayerError;
use crate::image::oci::OciError;
use crate::image::scan::ScanError;
use crate::image::settle::SettleError;
use crate::name::RecipeName;
use crate::product::{InstallError, Misplaced};
use crate::store::StoreError;
use crate::unpack::UnpackError;

/// Why an image could not be built.
#[derive(Debug, thiserror::Error)]
#[error("recipe {recipe}{}: {fault}", comma(.at))]
pub struct BuildError {
    /// Which recipe.
    pub recipe: RecipeName,
    /// The platform and layer, where it was one.
    pub at: String,
    /// What went wrong.
    pub fault: BuildFault,
}

fn comma(at: &str) -> String {
    if at.is_empty() { String::new() } else { format!(", {at}") }
}

/// What went wrong.
#[derive(Debug, thiserror::Error)]
pub enum BuildFault {
    /// Something could not be had from outside.
    #[error(transparent)]
    Port(#[from] PortError),
    /// The store could not take or give something.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// An input could not be had or read, or is not what the lock pins.
    #[error(transparent)]
    Input(#[from] Fault),
    /// An archive was refused.
    #[error(transparent)]
    Unpack(#[from] UnpackError),
    /// An archive holds what must not be in the image.
    #[error(transparent)]
    Misplaced(#[from] Misplaced),
    /// A plugin was refused.
    #[error(transparent)]
    Install(#[from] InstallError),
    /// Jars were not changed.
    #[error(transparent)]
    Jar(#[from] JarError),
    /// What is to be put there does not fit onto the image.
    #[error(transparent)]
    Settle(#[from] SettleError),
    /// The layer could not be written.
    #[error(transparent)]
    Layer(#[from] LayerError),
    /// The base's documents are wrong.
    #[error(transparent)]
    Oci(#[from] OciError),
    /// What a command left is in no layer.
    #[error(transparent)]
    Changed(ChangedError),
    /// A command did not do what it should.
    #[error("the command {why}{}", ending(.said))]
    Run {
        /// How it ended.
        why: String,
        /// What to do about it.
        help: &'static str,
        /// The end of what it printed.
        said: String,
    },
    /// The parts do not belong together: a programming error that must not become a wrong image.
    #[error("{0}")]
    Misfit(String),
}

fn ending(said: &str) -> String {
    if said.is_empty() { " and printed nothing".to_owned() } else { format!("; the end of what it printed:\n{said}") }
}

/// An engine that stopped in the middle of a stream is what is wrong, and not the stream.
impl From<ChangedError> for BuildFault {
    fn from(error: ChangedError) -> Self {
        match error {
            ChangedError::Stream(ScanError::Read(error)) => match error.downcast::<PortError>() {
                Ok(port) => Self::Port(port),
                Err(error) => Self::Changed(ChangedError::Stream(ScanError::Read(error))),
            },
            error => Self::Changed(error),
        }
    }
}

impl BuildFault {
    /// What to do about it, where the message does not say so.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        match self {
            Self::Input(Fault::Wrong { .. }) | Self::Store(StoreError::Mismatch(_)) => {
                Some("run `elkbake lock`".to_owned())
            }
            Self::Install(InstallError::Rule { help, .. }) | Self::Port(PortError::Docker { help, .. }) => {
                Some(help.clone())
            }
            Self::Misplaced(misplaced) => Some(misplaced.help()),
            Self::Unpack(error) => Some(error.help().to_owned()),
            Self::Jar(error) => error.help(),
            Self::Run { help, .. } => Some((*help).to_owned()),
            _ => None,
        }
    }
}
