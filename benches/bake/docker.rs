//! `docker build`, with both builders that an engine has.

use std::path::{Path, PathBuf};
use std::rc::Rc;

use crate::builder::{Ask, Builder};
use crate::cost::{Cost, cost, is_here, run};
use crate::scene::Scene;
use crate::service::Engine;

/// How an image is built.
#[derive(Clone, Copy, PartialEq, Eq)]
enum How {
    /// The builder that Docker had before BuildKit.
    Classic,
    /// BuildKit, by Docker's plugin for it.
    Buildx,
    /// BuildKit by the engine's own interface, where there is no plugin: all files go to it each time.
    Api,
}

/// One of them.
pub(crate) struct Docker {
    engine: Rc<Engine>,
    how: How,
    base: PathBuf,
}

/// By Docker's command.
const COMMAND: &str = r#"
    docker build --quiet ${ANEW:+--no-cache} --tag "$TAG" "$CONTEXT"
"#;

/// BuildKit without Docker's plugin: the engine takes the files as a tar stream.
const API: &str = r#"
    said=$(tar -C "$CONTEXT" -cf - . |
        curl -fsS --unix-socket "${DOCKER_HOST#unix://}" -X POST -H 'Content-Type: application/x-tar' -H 'Expect:' \
            -T - "http://docker/build?version=2&t=$TAG&nocache=$ANEW")
    case $said in *errorDetail*) echo "$said" >&2; exit 1 ;; esac
"#;

const SEND: &str = r#"
    [ -z "$SEND" ] || { docker tag "$TAG" "$SEND"; docker push --quiet "$SEND"; }
"#;

impl Docker {
    pub(crate) fn all(engine: &Rc<Engine>, base: &Path) -> Vec<Result<Self, String>> {
        let one = |how| Self { engine: Rc::clone(engine), how, base: base.to_owned() };
        let buildkit = if run(engine.docker().args(["buildx", "version"])).is_ok() {
            Ok(one(How::Buildx))
        } else if is_here("curl") {
            Ok(one(How::Api))
        } else {
            Err("docker, BuildKit: neither docker's plugin buildx nor curl is installed".to_owned())
        };
        vec![Ok(one(How::Classic)), buildkit]
    }

    fn tag(&self) -> &'static str {
        if self.how == How::Classic { "bench/classic:1" } else { "bench/buildkit:1" }
    }
}

impl Builder for Docker {
    fn name(&self) -> String {
        let how = match self.how {
            How::Classic => "docker, classic",
            How::Buildx => "docker, BuildKit",
            How::Api => "docker, BuildKit by API",
        };
        how.to_owned()
    }

    fn build(&mut self, scene: &Scene, ask: Ask<'_>) -> Result<Cost, String> {
        let script = if self.how == How::Api { API } else { COMMAND };
        let mut command = self.engine.shell(&format!("{script}{SEND}"));
        command.env("DOCKER_BUILDKIT", if self.how == How::Classic { "0" } else { "1" });
        command.env("CONTEXT", scene.context()).env("TAG", self.tag());
        command.env("ANEW", if ask.is_anew() { "1" } else { "" });
        command.env("SEND", ask.destination(if self.how == How::Classic { "classic" } else { "buildkit" }));
        Ok(cost(&mut command, &[self.engine.pid()])?.0)
    }

    fn digest(&self) -> Result<String, String> {
        run(self.engine.docker().args(["image", "inspect", "--format", "{{.Id}}", self.tag()]))
    }

    fn fetch_base(&self, scene: &Scene) -> Result<(), String> {
        let script = "name=$(docker load --quiet --input \"$0\"); docker tag \"${name#Loaded image: }\" \"$1\"";
        run(self.engine.shell(script).arg(&self.base).arg(&scene.base)).map(drop)
    }

    fn forget(&self) -> Result<(), String> {
        let script = "docker image prune --all --force; docker builder prune --all --force";
        run(&mut self.engine.shell(script)).map(drop)
    }
}
