//! Ours, as a whole process.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::builder::{Ask, Builder};
use crate::cost::{Cost, cost, run};
use crate::scene::{Scene, TARGET};

/// `elkbake build` of one recipe.
pub(crate) struct Elkbake {
    recipe: &'static str,
    /// Whether it also writes an OCI layout with all layers, those of the base too.
    whole: bool,
    store: PathBuf,
    layout: PathBuf,
    digest: Option<String>,
}

/// The program, knowing nothing of who started the bench.
pub(crate) fn command(project: &Path, store: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_elkbake"));
    command.env_clear().arg("--store").arg(store).arg("--project").arg(project);
    command
}

impl Elkbake {
    pub(crate) fn new(recipe: &'static str, whole: bool, folder: &Path) -> Self {
        let folder = folder.join(format!("elkbake-{recipe}-{whole}"));
        Self { recipe, whole, store: folder.join("store"), layout: folder.join("layout"), digest: None }
    }
}

/// What a document says of the first of its kind.
fn said(text: &str, all: &str, key: &str) -> Result<String, String> {
    let document: serde_json::Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    document[all][0][key].as_str().map(str::to_owned).ok_or_else(|| format!("{key} is missing in {text}"))
}

impl Builder for Elkbake {
    fn name(&self) -> String {
        format!("elkbake, {}{}", self.recipe, if self.whole { ", whole" } else { "" })
    }

    fn build(&mut self, scene: &Scene, ask: Ask<'_>) -> Result<Cost, String> {
        if let Ask::Send(_) = ask {
            let mut command = command(&scene.root, &self.store);
            return Ok(cost(command.args(["push", self.recipe, "--target", TARGET, "--quiet"]), &[])?.0);
        }
        let fresh = self.store.with_extension("anew");
        let mut command = command(&scene.root, if ask.is_anew() { &fresh } else { &self.store });
        command.args(["build", self.recipe, "--quiet", "--json"]);
        if self.whole {
            command.arg("--output").arg(format!("oci:{}", self.layout.display()));
        }
        let (cost, text) = cost(&mut command, &[])?;
        if ask.is_anew() {
            fs::remove_dir_all(&fresh).map_err(|error| error.to_string())?;
        }
        self.digest = Some(said(&text, "builds", "digest")?);
        Ok(cost)
    }

    fn digest(&self) -> Result<String, String> {
        self.digest.clone().ok_or_else(|| "nothing was built".to_owned())
    }

    fn forget(&self) -> Result<(), String> {
        run(Command::new("rm").arg("-rf").arg(&self.store).arg(&self.layout)).map(drop)
    }
}
