//! `umoci insert` into an OCI layout that skopeo brings. It keeps nothing of earlier builds: each is made anew.

use std::fs;
use std::path::{Path, PathBuf};

use crate::builder::{Ask, Builder};
use crate::cost::{Cost, cost, is_here, run, shell};
use crate::scene::{CONFIG, ENTRYPOINT, LABEL, PLUGIN, Scene};

/// One layout.
pub(crate) struct Umoci {
    layout: PathBuf,
    base: String,
}

const BUILD: &str = r#"
    [ -d "$LAYOUT" ] || skopeo copy --quiet --src-tls-verify=false "docker://$BASE" "oci:$LAYOUT:base"
    umoci tag --image "$LAYOUT:base" bench
    umoci insert --image "$LAYOUT:bench" "$CONTEXT/plugin/$PLUGIN" "/$PLUGIN"
    umoci insert --image "$LAYOUT:bench" "$CONTEXT/folder/$CONFIG" "/$CONFIG"
    umoci config --image "$LAYOUT:bench" --config.label "$LABEL" --config.entrypoint "$ENTRYPOINT"
    [ -z "$SEND" ] || skopeo copy --quiet --dest-tls-verify=false "oci:$LAYOUT:bench" "docker://$SEND"
"#;

impl Umoci {
    pub(crate) fn find(folder: &Path, layout: &Path, tag: &str) -> Result<Self, String> {
        for program in ["umoci", "skopeo"] {
            if !is_here(program) {
                return Err(format!("{program} is not installed"));
            }
        }
        Ok(Self { layout: folder.join("umoci"), base: format!("{}:{tag}", layout.display()) })
    }
}

impl Builder for Umoci {
    fn name(&self) -> String {
        "umoci".to_owned()
    }

    fn build(&mut self, scene: &Scene, ask: Ask<'_>) -> Result<Cost, String> {
        let mut command = shell(BUILD);
        command.env("LAYOUT", &self.layout).env("BASE", &scene.base).env("CONTEXT", scene.context());
        command.env("PLUGIN", PLUGIN).env("CONFIG", CONFIG).env("LABEL", LABEL).env("ENTRYPOINT", ENTRYPOINT);
        command.env("SEND", ask.destination("umoci"));
        Ok(cost(&mut command, &[])?.0)
    }

    fn digest(&self) -> Result<String, String> {
        let index = fs::read(self.layout.join("index.json")).map_err(|error| error.to_string())?;
        let index: serde_json::Value = serde_json::from_slice(&index).map_err(|error| error.to_string())?;
        let mut images = index["manifests"].as_array().into_iter().flatten();
        let found = images.find(|image| image["annotations"]["org.opencontainers.image.ref.name"] == "bench");
        found.and_then(|image| image["digest"].as_str()).map(str::to_owned).ok_or_else(|| "no image".to_owned())
    }

    fn fetch_base(&self, _: &Scene) -> Result<(), String> {
        let script = "skopeo copy --quiet \"oci:$0\" \"oci:$1:base\"";
        run(shell(script).arg(&self.base).arg(&self.layout)).map(drop)
    }

    fn forget(&self) -> Result<(), String> {
        run(shell("rm -rf \"$0\"").arg(&self.layout)).map(drop)
    }
}
