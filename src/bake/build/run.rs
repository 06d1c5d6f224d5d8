//! A command: run in a container of the image so far, and what it changed made a layer like all others.

use std::cell::OnceCell;
use std::collections::BTreeSet;
use std::time::Duration;

use super::fault::BuildFault;
use super::heard::Heard;
use super::layer::Made;
use super::order::Bench;
use super::overlay::Overlay;
use crate::bake::base::Base;
use crate::bake::built::BuiltLayer;
use crate::bake::event::{Event, Task};
use crate::bake::handover::Handover;
use crate::bake::port::{Became, Container, Mount, PortError, Pulse, RUN_LABEL};
use crate::bake::visit::Visit;
use crate::contents::Spool;
use crate::digest::Digest;
use crate::image::changed::{self, Changed, Report};
use crate::image::tar::MTIME;
use crate::image::trial;
use crate::name::{ImagePath, Platform};
use crate::plan::{ImagePlan, LayerKind, PlannedLayer};
use crate::product;
use crate::recipe::Run;

/// The repository of images that live for one step only.
const REPOSITORY: &str = "elkbake-run";

/// What a command runs on.
#[derive(Clone, Copy)]
pub(super) struct Ground<'g, 'v> {
    pub(super) platform: &'g Platform,
    pub(super) base: &'g Base<'v>,
    /// All layers so far, those of the base included.
    pub(super) layers: &'g [BuiltLayer],
    /// The engine, once one was needed: it keeps what it has of the image until all steps are done.
    pub(super) visit: &'g OnceCell<Visit<'v>>,
}

impl<'b> Bench<'b> {
    /// Turns to the engine of each platform on which a command has to be run, before any work is done.
    pub(super) fn find_engines(&self, work: &ImagePlan) -> Result<(), (String, BuildFault)> {
        for on in &work.platforms {
            for planned in on.layers.iter().filter(|planned| matches!(planned.what, LayerKind::Run(_))) {
                let at = |fault| (format!("{} {}", on.platform, planned.what), fault);
                let made = self.world.store.result::<Made>(&planned.input).map_err(|error| at(error.into()))?;
                if made.is_none() {
                    self.world
                        .engines()
                        .and_then(|engines| engines.engine(&on.platform).map(drop))
                        .map_err(|error| at(error.into()))?;
                    break;
                }
            }
        }
        Ok(())
    }

    /// Makes the layer of a command, unless it was made before.
    pub(super) fn run(
        &self,
        planned: &PlannedLayer,
        name: &str,
        ground: Ground<'_, 'b>,
        below: &Overlay<'_>,
    ) -> Result<Made, BuildFault> {
        if let Some(made) = self.world.store.result::<Made>(&planned.input)? {
            return Ok(made);
        }
        let run = self.order.image.run.iter().find(|run| run.name == name);
        let run = run.ok_or_else(|| BuildFault::Misfit(format!("the recipe has no command {name}")))?;
        let visit = match ground.visit.get() {
            Some(visit) => visit,
            None => {
                let visit = Visit::begin(self.world.engines()?, ground.platform, self.world.tell)?;
                ground.visit.get_or_init(|| visit)
            }
        };
        let image = self.hand_over(ground, planned, visit)?;
        let volumes = self.volumes(run, ground.platform, visit, &image)?;
        let mounts: Vec<_> = volumes.iter().map(|(at, volume)| Mount { volume, at, writable: false }).collect();
        let container = container(run, &image, &mounts, visit)?;
        let task = format!("{} {} {}", self.order.plan.name(), ground.platform, planned.what);
        self.run_to_its_end(run, &container, &task, visit)?;
        let at: Vec<_> = volumes.into_keys().collect();
        let Changed { tree, removed, beside, contents } = self.changed(run, &container, &at, visit, below)?;
        visit.drop_container(&container);
        product::brought(&tree, self.order.image.product)?;
        let layer = self.written(planned, ground.platform, (&(&tree).into(), &removed, &contents, &beside))?;
        self.keep_made(planned, Made { layer, plugin: None, product: None })
    }

    /// Brings the image so far into the engine, and tells its name there.
    fn hand_over(
        &self,
        ground: Ground<'_, 'b>,
        planned: &PlannedLayer,
        visit: &Visit<'_>,
    ) -> Result<String, BuildFault> {
        ground.base.fetch_layers()?;
        let diff_ids: Vec<Digest> = ground.layers.iter().map(|layer| layer.diff_id).collect();
        let label = (RUN_LABEL, visit.id());
        let config = trial::configuration(ground.base.config(), ground.platform, &diff_ids, label)?;
        let name = format!("{REPOSITORY}:{}-{}", visit.id(), planned.input.short());
        let (store, tell) = (self.world.store, self.world.tell);
        Handover { config: &config, name: &name, layers: ground.layers, store, tell }.to(visit.engine())?;
        Ok(name)
    }

    fn run_to_its_end(&self, run: &Run, container: &str, task: &str, visit: &Visit<'_>) -> Result<(), BuildFault> {
        let _task = Task::begin(task, None, self.world.tell);
        let mut heard = Heard::new(task, self.world.tell);
        let limit = Duration::from_secs(run.timeout.into());
        let mut hear = |pulse: Pulse<'_>| {
            if let Pulse::Prints(bytes) = pulse {
                heard.take(bytes);
            }
        };
        let ended = visit.engine().run(container, limit, &mut hear)?;
        let (why, help) = match ended {
            Some(ended) if ended.code == 0 => return Ok(()),
            None => (
                format!("was not done after {} s, and was ended", run.timeout),
                "see what it waits for, or give it more `timeout`",
            ),
            Some(ended) if ended.out_of_memory => {
                (format!("wanted more than {} MiB of memory, and was ended", run.memory), "give it more `memory`")
            }
            Some(ended) => (
                format!("ended with exit code {}", ended.code),
                match (ended.code, run.network.as_str()) {
                    // Not every engine tells what the kernel did.
                    (137, _) => {
                        "something killed it: where it wanted more memory than it may take, give it more `memory`"
                    }
                    (126 | 127, _) => "see whether the image so far has the program, and whether it may be started",
                    (_, "none") => "see what it says; where it needs the network, say `network = \"host\"`",
                    _ => "see what it says",
                },
            ),
        };
        Err(BuildFault::Run { why, help, said: heard.finish() })
    }

    /// What the command changed.
    fn changed(
        &self,
        run: &Run,
        container: &str,
        mounts: &[ImagePath],
        visit: &Visit<'_>,
        below: &Overlay<'_>,
    ) -> Result<Changed, BuildFault> {
        let except: Vec<_> = run.except.iter().filter_map(crate::recipe::Glob::matcher).collect();
        let left_out = |path: &ImagePath| {
            let text = path.as_str().trim_start_matches('/');
            except.iter().any(|pattern| pattern.is_match(text))
        };
        let told = match visit.engine().changes(container) {
            // Podman 4.3 cannot tell of a folder in the place of a link.
            Err(PortError::Docker { subject, message, .. }) => {
                let note = format!("{subject}: {message}; all files are compared instead");
                (self.world.tell)(Event::Note(&note));
                None
            }
            told => Some(told?),
        };
        let (mut touched, mut removed) = (BTreeSet::new(), BTreeSet::new());
        for (path, became) in told.iter().flatten() {
            let path = path.parse::<ImagePath>().map_err(|error| BuildFault::Misfit(error.to_string()))?;
            match became {
                Became::Removed => removed.insert(path),
                Became::Added | Became::Changed => touched.insert(path),
            };
        }
        let touched = told.is_some().then_some(&touched);
        if touched.is_some_and(BTreeSet::is_empty) && removed.is_empty() {
            let (tree, beside, contents) = Default::default();
            return Ok(Changed { tree, removed, beside, contents });
        }
        let report = Report { touched, removed: &removed, mounts, left_out: &left_out };
        let open = || Ok::<_, BuildFault>(visit.engine().export(container)?);
        changed::changed(&report, below, open, || Ok(Spool::new(self.world.store.scratch()?)))
    }
}

/// Makes the container of a command.
fn container(run: &Run, image: &str, mounts: &[Mount<'_>], visit: &Visit<'_>) -> Result<String, PortError> {
    // Tools that write dates write this one, the date of all that is in the image.
    let mut env = vec![format!("SOURCE_DATE_EPOCH={MTIME}")];
    env.extend(run.env.iter().map(|(name, value)| format!("{name}={value}")));
    visit.engine().container(&Container {
        image,
        command: &run.command,
        env: &env,
        user: run.user.as_deref(),
        workdir: run.workdir.as_ref(),
        network: &run.network,
        memory: Some(u64::from(run.memory) << 20),
        mounts,
        confines: None,
    })
}
