//! An engine that has answered, and what it is asked to do.

use std::collections::BTreeSet;
use std::io::Read;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bollard::errors::Error;
use bollard::models::{ChangeType, ContainerInspectResponse, SystemVersion, VolumeCreateRequest};
use bollard::query_parameters::{
    AttachContainerOptions, CreateContainerOptions, ImportImageOptions, ListContainersOptions, ListImagesOptions,
    ListVolumesOptions, RemoveContainerOptions, RemoveImageOptions, RemoveVolumeOptions, StartContainerOptions,
    UploadToContainerOptions, WaitContainerOptions,
};
use futures_util::StreamExt;
use tokio::time::timeout;

use super::line::{Line, is_absent};
use super::pour::Pull;
use super::{talk, words};
use crate::bake::port::{
    Became, Container, Ended, Engine, EngineFacts, Kept, PortError, Pulse, RUN_LABEL, Said, Talk, Thing,
};
use crate::digest::Digest;
use crate::name::{ImagePath, Platform};

/// The oldest API that is spoken: that of Docker 20.10.
const OLDEST: (u32, u32) = (1, 41);

/// More images than a person has; looking for layers in all of them costs a call each.
const MOST_IMAGES: usize = 300;

/// How often something is tried while the engine is still busy with the thing, and how long between.
const TRIES: u32 = 20;
const BETWEEN: Duration = Duration::from_millis(250);

/// The exit code of a process that was killed outright.
const KILLED: i64 = 137;

/// Asks, and asks again while the answer is one of an engine that is still busy with what it is asked about.
async fn patiently<T>(
    is_busy: impl Fn(&Result<T, Error>) -> bool,
    ask: impl AsyncFn() -> Result<T, Error>,
) -> Result<T, Error> {
    let mut answer = ask().await;
    for _ in 0..TRIES {
        if !is_busy(&answer) {
            break;
        }
        tokio::time::sleep(BETWEEN).await;
        answer = ask().await;
    }
    answer
}

/// Asks about containers until none is between its end and the clean-up after it: Podman 5 calls such a one `stopped`,
/// which is no word of Docker's API.
async fn settled<T>(ask: impl AsyncFn() -> Result<T, Error>) -> Result<T, Error> {
    let is_between = |error: &Error| error.to_string().contains("unknown variant `stopped`");
    patiently(|answer| answer.as_ref().is_err_and(is_between), ask).await
}

/// An engine that has answered.
pub(super) struct Speaker {
    line: Line,
    facts: EngineFacts,
    /// Containers that were to stop: the engine may have killed them.
    stopped: Mutex<BTreeSet<String>>,
}

/// Asks an engine what it is.
pub(super) fn greet(line: &Line, address: &str, run: &str) -> Result<EngineFacts, PortError> {
    let what = "it does not say what it is";
    let version = line.ask(what, line.timing.connect + line.timing.answer, line.api.version())?;
    facts(&version, address, run).map_err(|(message, help)| line.wrong(message, help))
}

fn facts(said: &SystemVersion, address: &str, run: &str) -> Result<EngineFacts, (String, &'static str)> {
    let api = said.api_version.as_deref().unwrap_or("0");
    let number = |text: Option<&str>| text.and_then(|text| text.parse::<u32>().ok()).unwrap_or(0);
    let mut parts = api.split('.');
    let spoken = (number(parts.next()), number(parts.next()));
    let version = said.version.as_deref().unwrap_or("of no version");
    if spoken < OLDEST {
        let message = format!("it is too old: {version}, with API {api}, and {}.{} is needed", OLDEST.0, OLDEST.1);
        return Err((message, "use Docker 20.10 or newer, or Podman 4 or newer"));
    }
    let components = said.components.as_deref().unwrap_or_default();
    let is_podman = components.iter().any(|component| component.name.contains("Podman"));
    let (os, architecture) = (said.os.as_deref().unwrap_or("linux"), said.arch.as_deref().unwrap_or("amd64"));
    let platform = format!("{os}/{architecture}").parse::<Platform>();
    let platform = platform.map_err(|_| {
        (format!("it runs {os}/{architecture}"), "images of elkbake are for Linux: use an engine that runs it")
    })?;
    let name = if is_podman { "Podman" } else { "Docker" };
    Ok(EngineFacts {
        address: address.to_owned(),
        version: format!("{name} {version}"),
        platform,
        // Podman wants every layer that an image names to be in the archive.
        takes_parts: !is_podman,
        // Podman says of each that it belongs to the container's user.
        tells_owners: !is_podman,
        run: run.to_owned(),
    })
}

impl Speaker {
    pub(super) fn new(line: Line, facts: EngineFacts) -> Self {
        Self { line, facts, stopped: Mutex::default() }
    }

    /// Tries to remove something, and once more while the engine is busy with it.
    async fn removed(&self, thing: Thing, id: &str) -> Result<(), Error> {
        let api = &self.line.api;
        // 409: somebody removes it already, or it is still in use; 500: Docker's word for a busy mount.
        let is_busy = |done: &Result<(), Error>| {
            matches!(done, Err(Error::DockerResponseServerError { status_code: 409 | 500, .. }))
        };
        let done = patiently(is_busy, async || match thing {
            Thing::Container => {
                let options = RemoveContainerOptions { v: true, force: true, ..Default::default() };
                api.remove_container(id, Some(options)).await
            }
            Thing::Image => {
                let options = RemoveImageOptions { force: true, ..Default::default() };
                api.remove_image(id, Some(options), None).await.map(drop)
            }
            Thing::Volume => api.remove_volume(id, Some(RemoveVolumeOptions { force: true })).await,
        });
        match done.await {
            Err(error) if is_absent(&error) => Ok(()),
            done => done,
        }
    }

    /// All that bears the label, containers before what they use.
    async fn labelled(&self) -> Result<Vec<Kept>, Error> {
        let api = &self.line.api;
        let filters = || Some([("label".to_owned(), vec![RUN_LABEL.to_owned()])].into_iter().collect());
        let containers = ListContainersOptions { all: true, filters: filters(), ..Default::default() };
        let containers = settled(async || api.list_containers(Some(containers.clone())).await).await?;
        let images = ListImagesOptions { all: true, filters: filters(), ..Default::default() };
        let images = api.list_images(Some(images)).await?;
        let volumes = api.list_volumes(Some(ListVolumesOptions { filters: filters() })).await?;
        let mut kept = Vec::new();
        let mut add = |thing, id: String, run: Option<&String>| {
            kept.extend(run.map(|run| Kept { thing, id, run: run.clone() }));
        };
        for one in containers {
            let run = one.labels.as_ref().and_then(|labels| labels.get(RUN_LABEL));
            add(Thing::Container, one.id.unwrap_or_default(), run);
        }
        images.into_iter().for_each(|one| add(Thing::Image, one.id, one.labels.get(RUN_LABEL)));
        for one in volumes.volumes.unwrap_or_default() {
            add(Thing::Volume, one.name, one.labels.get(RUN_LABEL));
        }
        kept.sort();
        Ok(kept)
    }

    async fn seen(&self, container: &str) -> Result<ContainerInspectResponse, Error> {
        settled(async || self.line.api.inspect_container(container, None).await).await
    }

    /// Whether the engine may still get to know that a container was killed for its memory: what the kernel says of that
    /// comes by another way than a process's end, and may come later.
    fn may_learn(&self, container: &str, seen: &ContainerInspectResponse) -> bool {
        let state = seen.state.as_ref();
        let is_limited = seen.host_config.as_ref().and_then(|host| host.memory).is_some_and(|most| most > 0);
        state.and_then(|state| state.exit_code) == Some(KILLED)
            && state.and_then(|state| state.oom_killed) != Some(true)
            && is_limited
            && !self.stopped.lock().unwrap_or_else(PoisonError::into_inner).contains(container)
    }

    async fn end(&self, container: &str) -> Result<Ended, Error> {
        let mut waiting = self.line.api.wait_container(container, None::<WaitContainerOptions>);
        match waiting.next().await.transpose() {
            // To bollard an exit code is an error.
            Ok(_) | Err(Error::DockerContainerWaitError { .. }) => {}
            Err(error) => return Err(error),
        }
        let may_learn = |seen: &Result<_, Error>| seen.as_ref().is_ok_and(|seen| self.may_learn(container, seen));
        let seen = patiently(may_learn, async || self.seen(container).await).await?;
        let state = seen.state.unwrap_or_default();
        Ok(Ended { code: state.exit_code.unwrap_or(-1), out_of_memory: state.oom_killed.unwrap_or_default() })
    }
}

impl Engine for Speaker {
    fn facts(&self) -> &EngineFacts {
        &self.facts
    }

    fn stacks(&self) -> Result<Vec<Vec<Digest>>, PortError> {
        let what = "it does not say which images it has";
        let line = &self.line;
        line.ask(what, line.timing.answer, async {
            let images = line.api.list_images(None::<ListImagesOptions>).await?;
            let ids: BTreeSet<String> = images.into_iter().map(|image| image.id).take(MOST_IMAGES).collect();
            let mut stacks = Vec::new();
            for id in ids {
                match line.api.inspect_image(&id).await {
                    Ok(image) => {
                        let layers = image.root_fs.and_then(|root| root.layers).unwrap_or_default();
                        stacks.extend(layers.iter().map(|layer| layer.parse().ok()).collect::<Option<Vec<_>>>());
                    }
                    // Others may remove what they like.
                    Err(error) if is_absent(&error) => {}
                    Err(error) => return Err(error),
                }
            }
            Ok(stacks)
        })
    }

    fn load(&self, archive: &mut dyn Read) -> Result<(), PortError> {
        self.line.feed("it does not take the image", archive, |pieces| async {
            let options = ImportImageOptions { quiet: true, ..Default::default() };
            let mut told = self.line.api.import_image_stream(options, pieces, None);
            while let Some(line) = told.next().await {
                line?;
            }
            Ok(())
        })
    }

    fn image(&self, name: &str) -> Result<Option<String>, PortError> {
        let what = format!("it does not say whether it has the image {name}");
        self.line.ask(&what, self.line.timing.answer, async {
            match self.line.api.inspect_image(name).await {
                Ok(image) => Ok(Some(image.id.unwrap_or_else(|| name.to_owned()))),
                Err(error) if is_absent(&error) => Ok(None),
                Err(error) => Err(error),
            }
        })
    }

    fn volume(&self) -> Result<String, PortError> {
        let labels = [(RUN_LABEL.to_owned(), self.facts.run.clone())].into_iter().collect();
        let wanted = VolumeCreateRequest { labels: Some(labels), ..Default::default() };
        let line = &self.line;
        // Not broken off: what is made after all would be left there.
        let what = "it makes no volume";
        let made = line.ask_anyway(what, line.timing.answer, line.api.create_volume(wanted))?;
        Ok(made.map_err(|error| line.failed(what, &error))?.name)
    }

    fn container(&self, container: &Container<'_>) -> Result<String, PortError> {
        let body = words::container(container, &self.facts.run);
        let line = &self.line;
        let made = line.api.create_container(None::<CreateContainerOptions>, body);
        let what = "it makes no container";
        // As for volumes. Podman unpacks the image for it.
        let made = line.ask_anyway(what, line.timing.work, made)?;
        Ok(made.map_err(|error| line.failed(what, &error))?.id)
    }

    fn fill(&self, container: &str, folder: &ImagePath, tar: &mut dyn Read) -> Result<(), PortError> {
        let options = UploadToContainerOptions { path: folder.to_string(), ..Default::default() };
        self.line.feed("it does not take what is to be mounted", tar, |pieces| {
            let body = bollard::body_try_stream(pieces);
            self.line.api.upload_to_container(container, Some(options), body)
        })
    }

    fn run(
        &self,
        container: &str,
        limit: Duration,
        heard: &mut dyn FnMut(Pulse<'_>),
    ) -> Result<Option<Ended>, PortError> {
        let line = &self.line;
        line.wait(async {
            let options = AttachContainerOptions { stream: true, stdout: true, stderr: true, ..Default::default() };
            let attached = line.api.attach_container(container, Some(options));
            let mut attached =
                line.within("it does not show what a container prints", line.timing.answer, attached).await?;
            let started = line.api.start_container(container, None::<StartContainerOptions>);
            line.within("it does not start a container", line.timing.answer, started).await?;
            heard(Pulse::Started);
            let running = async {
                while let Some(piece) = attached.output.next().await {
                    heard(Pulse::Prints(&piece?.into_bytes()));
                }
                heard(Pulse::Silent);
                self.end(container).await
            };
            match timeout(limit, running).await {
                Err(_) => Ok(None),
                Ok(ended) => ended.map(Some).map_err(|error| line.failed("it stopped telling of a container", &error)),
            }
        })
    }

    fn converse(&self, container: &str) -> Result<Talk<'_>, PortError> {
        talk::converse(&self.line, container)
    }

    fn exec(&self, container: &str, command: &[String], limit: Duration) -> Result<Option<Said>, PortError> {
        talk::exec(&self.line, container, command, limit)
    }

    fn fetch<'e>(&'e self, container: &str, path: &ImagePath) -> Result<Option<Box<dyn Read + 'e>>, PortError> {
        talk::fetch(&self.line, container, path)
    }

    fn stop(&self, container: &str, patience: Duration) -> Result<(), PortError> {
        self.stopped.lock().unwrap_or_else(PoisonError::into_inner).insert(container.to_owned());
        talk::stop(&self.line, container, patience)
    }

    fn changes(&self, container: &str) -> Result<Vec<(String, Became)>, PortError> {
        let line = &self.line;
        let changes = line.ask(
            "it does not say what a container changed",
            line.timing.work,
            line.api.container_changes(container),
        )?;
        let became = |kind| match kind {
            ChangeType::_0 => Became::Changed,
            ChangeType::_1 => Became::Added,
            ChangeType::_2 => Became::Removed,
        };
        Ok(changes.into_iter().flatten().map(|change| (change.path, became(change.kind))).collect())
    }

    fn export<'e>(&'e self, container: &str) -> Result<Box<dyn Read + 'e>, PortError> {
        let from = self.line.api.export_container(container);
        Ok(Box::new(Pull::begin(&self.line, "it does not send the files of a container", from)?))
    }

    fn kept(&self) -> Result<Vec<Kept>, PortError> {
        let (line, what) = (&self.line, "it does not say what it keeps");
        // Also asked by who cleans up because the person wants to stop.
        let kept = line.ask_anyway(what, line.timing.answer, self.labelled())?;
        kept.map_err(|error| line.failed(what, &error))
    }

    fn remove(&self, thing: Thing, id: &str) -> Result<(), PortError> {
        let what = match thing {
            Thing::Container => "it does not remove a container",
            Thing::Image => "it does not remove an image",
            Thing::Volume => "it does not remove a volume",
        };
        let done = self.line.ask_anyway(what, self.line.timing.answer, self.removed(thing, id))?;
        done.map_err(|error| self.line.failed(what, &error))
    }
}

#[cfg(test)]
mod tests {
    use bollard::models::SystemVersionComponents;

    use super::*;

    fn version(api: &str, component: &str, arch: &str) -> SystemVersion {
        SystemVersion {
            api_version: Some(api.to_owned()),
            version: Some("9".to_owned()),
            os: Some("linux".to_owned()),
            arch: Some(arch.to_owned()),
            components: Some(vec![SystemVersionComponents { name: component.to_owned(), ..Default::default() }]),
            ..Default::default()
        }
    }

    #[test]
    fn an_engine_that_is_too_old_is_told_so() {
        for old in ["1.40", "1.9", "", "0.99", "x"] {
            let (message, help) = facts(&version(old, "Engine", "amd64"), "a", "r").unwrap_err();
            assert!(message.contains("too old") && message.contains("1.41 is needed"), "{message}");
            assert!(help.contains("20.10"), "{help}");
        }
        for new in ["1.41", "1.53", "2.0"] {
            assert!(facts(&version(new, "Engine", "amd64"), "a", "r").is_ok(), "{new}");
        }
    }

    #[test]
    fn what_an_engine_is_follows_from_what_it_says() {
        let docker = facts(&version("1.41", "Engine", "arm64"), "unix:///x", "run").unwrap();
        assert_eq!((docker.version.as_str(), docker.takes_parts), ("Docker 9", true));
        assert_eq!((docker.platform.to_string().as_str(), docker.run.as_str()), ("linux/arm64", "run"));
        let podman = facts(&version("1.41", "Podman Engine", "amd64"), "unix:///x", "run").unwrap();
        assert_eq!((podman.version.as_str(), podman.takes_parts), ("Podman 9", false));
        let windows = SystemVersion { os: Some("windows".to_owned()), ..version("1.41", "Engine", "amd64") };
        assert!(facts(&windows, "a", "r").unwrap_err().0.contains("windows/amd64"));
    }
}
