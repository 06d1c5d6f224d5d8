//! From a recipe to its lock: every input is found, looked at and pinned; what was pinned before stays where it is.

pub(in crate::bake) mod base;
pub(in crate::bake) mod docker_archive;
mod fault;
mod file;
mod image;
mod layout;
mod maven;
pub(in crate::bake) mod project;
mod published;
mod rootfs;
mod save;
mod world;

use std::collections::BTreeSet;

use crate::lock::{FORMAT, Input, Lock, LockedAmi, LockedBase, LockedFile, Source, Want, wants};
use crate::name::RecipeName;
use crate::parallel;
use crate::recipe::{AmiRecipe, From, ImageRecipe, Recipe};

pub use fault::{Fault, InputFault, ResolveError};
pub use save::{SaveError, save};
pub use world::{LARGEST_ARTEFACT, World};

/// Inputs that are looked for at one time: enough to hide waiting, few enough for any site.
const AT_ONCE: usize = 4;

/// Which pins may move.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Update {
    /// Only those whose request changed.
    #[default]
    Nothing,
    /// All.
    All,
    /// Those that are named as people name them: `base`, `ami`, a plugin's or an archive's name.
    Inputs(BTreeSet<String>),
}

impl Update {
    fn moves(&self, input: &Input) -> bool {
        match self {
            Self::Nothing => false,
            Self::All => true,
            Self::Inputs(names) => names.iter().any(|name| input.is_called(name)),
        }
    }
}

/// Finds every input of a recipe. A pin of the `earlier` lock stays, without a look at the world, as long as the
/// recipe asks for the same and `update` does not name it. What lies in the project itself is read anew each time: it
/// changes with the project's own commits, and the lock goes with it.
///
/// # Errors
/// Each input that could not be found or is not what it should be.
pub fn resolve(
    name: &RecipeName,
    recipe: &Recipe,
    earlier: Option<&Lock>,
    update: &Update,
    world: &World<'_>,
) -> Result<Lock, ResolveError> {
    let wants = wants(recipe);
    check_names(name, &wants, update)?;
    let jobs = jobs(recipe, &wants, earlier, update);
    let (mut lock, mut faults) = (empty(), Vec::new());
    let answers = parallel::bounded(&jobs, AT_ONCE, |job| job.answer(world));
    for (job, answer) in jobs.iter().zip(answers) {
        match answer {
            Ok(answer) => add(&mut lock, &job.want.input, answer),
            Err(fault) => faults.push(InputFault { input: job.want.input.clone(), fault }),
        }
    }
    if !faults.is_empty() {
        return Err(ResolveError::Inputs { recipe: name.clone(), faults });
    }
    lock.sort();
    Ok(lock)
}

fn check_names(recipe: &RecipeName, wants: &[Want], update: &Update) -> Result<(), ResolveError> {
    let Update::Inputs(names) = update else {
        return Ok(());
    };
    match names.iter().find(|name| !wants.iter().any(|want| want.input.is_called(name))) {
        None => Ok(()),
        Some(unknown) => Err(ResolveError::UnknownInput {
            recipe: recipe.clone(),
            name: unknown.clone(),
            known: wants.iter().map(|want| want.input.clone()).collect(),
        }),
    }
}

fn empty() -> Lock {
    Lock { format: FORMAT, base: None, plugin: Vec::new(), archive: Vec::new(), ami: Vec::new() }
}

fn add(lock: &mut Lock, input: &Input, answer: Answer) {
    match answer {
        Answer::Base(base) => lock.base = Some(base),
        Answer::Files(files) if matches!(input, Input::Plugin(_)) => lock.plugin.extend(files),
        Answer::Files(files) => lock.archive.extend(files),
        Answer::Ami(ami) => lock.ami.push(ami),
    }
}

/// What was found for one input.
enum Answer {
    Base(LockedBase),
    Files(Vec<LockedFile>),
    Ami(LockedAmi),
}

/// One input that is to be found.
struct Job<'r> {
    want: &'r Want,
    task: Task<'r>,
}

enum Task<'r> {
    Base { image: &'r ImageRecipe, earlier: Option<&'r LockedBase> },
    File(file::Request<'r>),
    Ami { ami: &'r AmiRecipe, earlier: Option<&'r LockedAmi> },
}

impl Job<'_> {
    fn answer(&self, world: &World<'_>) -> Result<Answer, Fault> {
        match &self.task {
            Task::Base { image, earlier } => base::resolve(self.want, image, *earlier, world).map(Answer::Base),
            Task::File(request) => request.resolve(world).map(Answer::Files),
            Task::Ami { ami, earlier } => find_ami(self.want, ami, *earlier, world).map(Answer::Ami),
        }
    }
}

fn jobs<'r>(recipe: &'r Recipe, wants: &'r [Want], earlier: Option<&'r Lock>, update: &Update) -> Vec<Job<'r>> {
    let kept = |want: &Want| earlier.filter(|_| !update.moves(&want.input));
    match recipe {
        Recipe::Ami(ami) => {
            let job = |want: &'r Want| {
                let answers = |old: &&LockedAmi| Input::Ami(old.architecture) == want.input && old.want == want.text;
                let earlier = kept(want).and_then(|lock| lock.ami.iter().find(answers));
                Job { want, task: Task::Ami { ami, earlier: earlier.filter(|old| old.region == ami.region) } }
            };
            wants.iter().map(job).collect()
        }
        Recipe::Image(image) => image_jobs(image, wants, &kept),
    }
}

fn image_jobs<'r>(image: &'r ImageRecipe, wants: &'r [Want], kept: &dyn Fn(&Want) -> Option<&'r Lock>) -> Vec<Job<'r>> {
    let plugins = image.plugin.iter().map(|plugin| (Source::of_plugin(image, plugin), plugin.checksum.as_ref(), "zip"));
    let archives = image.archive.iter().map(|archive| {
        // A Maven artifact that is not unpacked is a library as a rule.
        let extension = if archive.unpack { "zip" } else { "jar" };
        (Source::of_archive(archive), archive.checksum.as_ref(), extension)
    });
    let mut sources = plugins.chain(archives);
    let job = |want: &'r Want| {
        let lock = kept(want);
        let task = match &want.input {
            Input::Plugin(_) | Input::Archive(_) => {
                let (source, checksum, extension) = sources.next().unwrap_or((None, None, "zip"));
                let plugin = matches!(want.input, Input::Plugin(_));
                let pinned = lock.filter(|_| !matches!(source, Some(Source::Path(_))));
                let earlier = pinned.map_or(&[][..], |lock| if plugin { &lock.plugin } else { &lock.archive });
                let everywhere = want.platforms == image.platforms;
                Task::File(file::Request { want, source, checksum, extension, everywhere, earlier })
            }
            Input::Base | Input::Ami(_) => {
                let pinned =
                    lock.filter(|_| !matches!(image.from, From::Oci(..) | From::DockerArchive(_) | From::Rootfs(_)));
                let earlier = pinned.and_then(|lock| lock.base.as_ref()).filter(|base| base.from == want.text);
                Task::Base { image, earlier }
            }
        };
        Job { want, task }
    };
    wants.iter().map(job).collect()
}

fn find_ami(want: &Want, ami: &AmiRecipe, earlier: Option<&LockedAmi>, world: &World<'_>) -> Result<LockedAmi, Fault> {
    if let Some(kept) = earlier {
        return Ok(kept.clone());
    }
    let Input::Ami(architecture) = want.input else {
        return Err(Fault::NoSource { input: want.input.clone() });
    };
    let facts = world.ami(&want.text)?.find(&ami.base, architecture, &ami.region)?;
    Ok(LockedAmi {
        architecture,
        region: ami.region.clone(),
        want: want.text.clone(),
        id: facts.id,
        name: facts.name,
        owner: facts.owner,
        snapshot: facts.snapshot,
        root_device: facts.root_device,
        created: facts.created,
        deprecated: facts.deprecated,
    })
}

#[cfg(test)]
mod tests;
