//! What can be asked of everybody who builds images.

use crate::cost::Cost;
use crate::scene::Scene;

/// What is asked for.
#[derive(Clone, Copy)]
pub(crate) enum Ask<'a> {
    /// A build, with all that was kept of earlier ones.
    Build,
    /// A build from nothing but the base.
    Anew,
    /// A build whose image is in this registry in the end.
    Send(&'a str),
}

impl Ask<'_> {
    pub(crate) fn is_anew(self) -> bool {
        matches!(self, Self::Anew)
    }

    /// Where it is sent, if it is, as a reference; empty where it is not.
    pub(crate) fn destination(self, by: &str) -> String {
        match self {
            Self::Send(host) => format!("{host}/sent/{by}:1"),
            Self::Build | Self::Anew => String::new(),
        }
    }
}

/// A builder, with a place of its own for all it keeps.
pub(crate) trait Builder {
    /// What it is called in tables.
    fn name(&self) -> String;

    /// Builds the image of a scene.
    fn build(&mut self, scene: &Scene, ask: Ask<'_>) -> Result<Cost, String>;

    /// The digest of what was built last.
    fn digest(&self) -> Result<String, String>;

    /// Gets the base, so that it is there when a build asks for it. Not for elkbake, which does not ask.
    fn fetch_base(&self, _scene: &Scene) -> Result<(), String> {
        Ok(())
    }

    /// Forgets everything, as a machine that was started just now knows nothing.
    fn forget(&self) -> Result<(), String>;
}
