//! `buildah build` with its cache of layers, in a storage of its own.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::builder::{Ask, Builder};
use crate::cost::{Cost, cost, is_here, run, shell};
use crate::scene::Scene;

const TAG: &str = "localhost/bench/buildah:1";

const BUILD: &str = r#"
    buildah --root "$0" --runroot "$1" build-using-dockerfile --quiet --layers $NO_CACHE --tls-verify=false \
        --isolation chroot --tag "$2" "$3"
    [ -z "$SEND" ] || buildah --root "$0" --runroot "$1" push --quiet --tls-verify=false "$2" "docker://$SEND"
"#;

/// One storage.
pub(crate) struct Buildah {
    folder: PathBuf,
    base: PathBuf,
}

impl Buildah {
    pub(crate) fn find(folder: &Path, base: &Path) -> Result<Self, String> {
        if is_here("buildah") {
            let found = Self { folder: folder.join("buildah"), base: base.to_owned() };
            run(found.command().arg("images")).map(|_| found).map_err(|error| format!("buildah: {error}"))
        } else {
            Err("buildah is not installed".to_owned())
        }
    }

    fn command(&self) -> Command {
        let mut command = Command::new("buildah");
        command.arg("--root").arg(self.folder.join("root")).arg("--runroot").arg(self.folder.join("run"));
        command
    }
}

impl Builder for Buildah {
    fn name(&self) -> String {
        "buildah".to_owned()
    }

    fn build(&mut self, scene: &Scene, ask: Ask<'_>) -> Result<Cost, String> {
        let mut command = shell(BUILD);
        command.arg(self.folder.join("root")).arg(self.folder.join("run")).arg(TAG).arg(scene.context());
        command.env("NO_CACHE", if ask.is_anew() { "--no-cache" } else { "" });
        command.env("SEND", ask.destination("buildah"));
        Ok(cost(&mut command, &[])?.0)
    }

    fn digest(&self) -> Result<String, String> {
        run(self.command().args(["inspect", "--type", "image", "--format", "{{.FromImageDigest}}", TAG]))
    }

    fn fetch_base(&self, scene: &Scene) -> Result<(), String> {
        let pulled =
            run(self.command().args(["pull", "--quiet"]).arg(format!("docker-archive:{}", self.base.display())))?;
        run(self.command().arg("tag").arg(pulled).arg(&scene.base)).map(drop)
    }

    fn forget(&self) -> Result<(), String> {
        // Its storage is a mount as long as it is used, and a build that failed leaves another.
        let script = "umount --recursive \"$0/root/overlay\" 2> /dev/null || true; rm -rf \"$0\"";
        run(shell(script).arg(&self.folder)).map(drop)
    }
}

impl Drop for Buildah {
    fn drop(&mut self) {
        let _ = self.forget();
    }
}
