//! One test: everything is brought into the engine, started, looked at and stopped.

use std::collections::BTreeMap;
use std::sync::mpsc::channel;
use std::thread::Scope;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::ecs::Ecs;
use super::log::Log;
use super::look::{Look, Seen, name_of};
use super::outcome::{Check, Outcome};
use super::place::{self, Place};
use super::probe::{self, Net};
use crate::bake::build::BuildError;
use crate::bake::built::BuiltImage;
use crate::bake::event::{Listener, Task};
use crate::bake::handover::Handover;
use crate::bake::port::{Container, Ended, Engine, Engines, PortError, RUN_LABEL};
use crate::bake::visit::Visit;
use crate::image::oci::LONGEST_CONFIG;
use crate::name::{Platform, RecipeName};
use crate::recipe::{ImageRecipe, Ready};
use crate::record::Needs;
use crate::store::{Store, StoreError};

/// The repository of images that live for one test only.
const REPOSITORY: &str = "elkbake-test";

/// What does not hold yet is looked at again after this; what ends is seen at once.
const PAUSE: Duration = Duration::from_millis(50);

/// A program that cannot read its configuration has mostly said so by then, and ended.
const FIRST: Duration = Duration::from_secs(1);

/// Seconds that are waited where a recipe without `[test]` is tested, and that ECS waits for a container to stop.
const TIMEOUT: u32 = 120;
const PATIENCE: u32 = 30;

/// Whoever is stopped is heard to have ended soon after.
const END: Duration = Duration::from_secs(10);

/// What the engine itself may need on top of all that a test waits for.
const MARGIN: Duration = Duration::from_mins(5);

/// An image, and what its recipe says.
pub struct Subject<'s> {
    /// The recipe's name, which the others find it by.
    pub name: &'s RecipeName,
    /// The recipe.
    pub recipe: &'s ImageRecipe,
    /// The image.
    pub image: &'s BuiltImage,
    /// Puts all its layers into the store.
    pub bring: &'s dyn Fn() -> Result<(), BuildError>,
}

/// A test of the first image, with the others beside it.
pub struct Smoke<'s> {
    /// The images, on one platform.
    pub subjects: &'s [Subject<'s>],
    /// Where they are.
    pub store: &'s Store,
    /// Who is told.
    pub tell: Listener<'s>,
}

/// Why nothing can be said of an image.
#[derive(Debug, thiserror::Error)]
pub enum SmokeError {
    /// The engine could not.
    #[error(transparent)]
    Port(#[from] PortError),
    /// The store could not.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A base could not be had.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// What is needed for a test is not there.
    #[error("{0}")]
    Missing(String),
}

/// A container with its part in the test.
struct Actor<'s> {
    subject: &'s Subject<'s>,
    needs: &'s Needs,
    /// Its variables, and those of the others.
    known: BTreeMap<String, String>,
    id: String,
    log: Log,
}

/// What all of a test take part in.
#[derive(Clone, Copy)]
struct Stage<'t, 'e> {
    actors: &'t [Actor<'t>],
    net: &'t Net<'e>,
    engine: &'t dyn Engine,
}

impl Smoke<'_> {
    /// Tests it.
    ///
    /// # Errors
    /// When the engine or the store cannot do what is asked; what is wrong with the image is no error.
    pub fn run(&self, engines: &dyn Engines) -> Result<Outcome, SmokeError> {
        let begun = Instant::now();
        let Some(tested) = self.subjects.first() else { return Err(SmokeError::Missing("no image".to_owned())) };
        let platform = &tested.image.platform;
        let task = format!("test {} {platform}", tested.name);
        let _task = Task::begin(&task, None, self.tell);
        let visit = Visit::begin(engines, platform, self.tell)?;
        let engine = visit.engine();
        let needs: Vec<Needs> = self.subjects.iter().map(|subject| Needs::of(subject.recipe)).collect();
        let named = || self.subjects.iter().map(|subject| subject.name).zip(&needs);
        let probe = probe_of(engine, platform, named())?;
        let mut actors = Vec::new();
        let places: Vec<_> =
            self.subjects.iter().zip(&needs).map(|(one, needs)| Place::of(one.name, one.recipe, needs)).collect();
        for ((subject, needs), place) in self.subjects.iter().zip(&needs).zip(&places) {
            let image = self.image(subject, &visit, actors.len())?;
            let id = place.container(engine, &image, &probe)?;
            let mut known: BTreeMap<_, _> = places.iter().flat_map(|place| place.env.clone()).collect();
            known.extend(place.env.clone());
            actors.push(Actor { subject, needs, known, id, log: Log::default() });
        }
        let ecs = Ecs::of(named().map(|(name, needs)| (name.as_str(), needs)));
        let talk = engine.converse(&probe)?;
        let (to, answers) = channel();
        let (net, ear) = (Net::new(talk.mouth, answers), talk.ear);
        let stage = Stage { actors: &actors, net: &net, engine };
        let acts = std::thread::scope(|scope| {
            let (net, ecs) = (&net, &ecs);
            scope.spawn(move || net.listen(ear, &to, ecs));
            let acts = stage.play(scope);
            // Whoever waits for a container to end does so no more; what stays is told when the visit is over.
            drop(visit.tidy());
            net.close();
            acts
        })?;
        Ok(Outcome {
            platform: platform.clone(),
            digest: tested.image.manifest.digest,
            engine: engine.facts().version.clone(),
            with: self.subjects[1..].iter().map(|one| (one.name.clone(), one.image.manifest.digest)).collect(),
            ready_ms: acts.ready_ms,
            stop_ms: acts.stop_ms,
            checks: acts.checks,
            total_ms: millis(begun.elapsed()),
            asked: ecs.asked(),
            logs: actors.iter().map(|actor| (actor.subject.name.clone(), actor.log.text())).collect(),
        })
    }

    /// The image in the engine: the one that is loaded already, or one for this test only, which differs from it by a
    /// label.
    fn image(&self, subject: &Subject<'_>, visit: &Visit<'_>, number: usize) -> Result<String, SmokeError> {
        let digest = &subject.image.config.digest;
        let loaded = format!("sha256:{}", digest.hex());
        if visit.engine().image(&loaded)?.is_some() {
            return Ok(loaded);
        }
        (subject.bring)()?;
        let lost = || SmokeError::Missing(format!("{digest} is not in the store: build {} again", subject.name));
        let config = self.store.bytes(digest, LONGEST_CONFIG)?.ok_or_else(lost)?;
        let mut config: Value =
            serde_json::from_slice(&config).map_err(|error| SmokeError::Missing(error.to_string()))?;
        config["config"]["Labels"][RUN_LABEL] = visit.id().into();
        let (config, name) = (config.to_string(), format!("{REPOSITORY}:{}-{number}", visit.id()));
        let (layers, store, tell) = (&subject.image.layers[..], self.store, self.tell);
        Handover { config: config.as_bytes(), name: &name, layers, store, tell }.to(visit.engine())?;
        Ok(name)
    }
}

/// Makes the container whose network all share.
fn probe_of<'n>(
    engine: &dyn Engine,
    platform: &Platform,
    named: impl Iterator<Item = (&'n RecipeName, &'n Needs)>,
) -> Result<String, SmokeError> {
    let none = || SmokeError::Missing(format!("nothing is tested on {platform}: only on linux/amd64 and linux/arm64"));
    let image = probe::image(platform, &engine.facts().run).ok_or_else(none)?;
    let (image, archive) = image.map_err(|error| SmokeError::Missing(error.to_string()))?;
    engine.load(&mut &archive[..])?;
    let id = engine.container(&Container {
        image: &image,
        command: &[],
        env: &[],
        user: None,
        workdir: None,
        network: "none",
        memory: None,
        mounts: &[],
        confines: Some(&place::network(named)),
    })?;
    Ok(id)
}

/// What came of the play.
#[derive(Default)]
struct Acts {
    checks: Vec<Check>,
    ready_ms: u64,
    stop_ms: u64,
}

impl<'t, 'e> Stage<'t, 'e> {
    fn play<'scope>(self, scope: &'scope Scope<'scope, 't>) -> Result<Acts, PortError> {
        // Whoever answers is there to be asked; containers may ask at once.
        self.net.is_open(1)?;
        let mut acts = Acts::default();
        let longest = self.longest();
        let Some((tested, beside)) = self.actors.split_first() else { return Ok(acts) };
        for actor in beside.iter().chain([tested]) {
            let (engine, id, log) = (self.engine, &actor.id, &actor.log);
            scope.spawn(move || log.end(engine.run(id, longest, &mut |pulse| log.hear(pulse))));
            let is_tested = std::ptr::eq(actor, tested);
            let before = if is_tested { String::new() } else { format!("{} ", actor.subject.name) };
            let begun = Instant::now();
            log.wait_for_start();
            self.readiness(actor, &before, &mut acts)?;
            if is_tested {
                acts.ready_ms = millis(begun.elapsed());
            }
            if acts.failed() {
                return Ok(acts);
            }
        }
        self.expectations(tested, &mut acts)?;
        let ends = ready(tested).is_some_and(|ready| ready.exit.is_some());
        if !acts.failed() && !ends {
            self.stop(tested, &mut acts)?;
        }
        Ok(acts)
    }

    /// More than a test can take, after which nobody listens to a container any more: an engine may be stuck.
    fn longest(self) -> Duration {
        let of = |actor: &Actor<'_>| {
            let test = actor.subject.recipe.test.as_ref();
            let timeout = test.map_or(TIMEOUT, |test| test.timeout);
            let each = test.iter().flat_map(|test| &test.expect).map(|expect| expect.within.saturating_add(timeout));
            let patience = actor.needs.stop_timeout.unwrap_or(PATIENCE);
            each.fold(timeout.saturating_add(patience), u32::saturating_add)
        };
        let seconds = self.actors.iter().map(of).fold(0, u32::saturating_add);
        Duration::from_secs(seconds.into()) + MARGIN
    }

    fn look(self, actor: &'t Actor<'t>) -> Look<'t, 'e> {
        let Stage { net, engine, .. } = self;
        let Actor { log, id, subject, known, .. } = actor;
        Look { engine, net, log, id, env: known, recipe: subject.recipe }
    }

    /// Waits until a container is ready, and healthy where its task definition says how to tell.
    fn readiness(self, actor: &'t Actor<'t>, before: &str, acts: &mut Acts) -> Result<(), PortError> {
        let test = actor.subject.recipe.test.as_ref();
        let limit = Duration::from_secs(test.map_or(TIMEOUT, |test| test.timeout).into());
        let (look, begun) = (self.look(actor), Instant::now());
        let ready = ready(actor);
        if let Some(ready) = ready {
            let failure = match ready.exit {
                Some(code) => ended_with(actor, code, limit)?.or(look.ready(ready)?.err()),
                None => held(&actor.log, limit, &|| look.ready(ready))?,
            };
            acts.add(format!("{before}ready"), begun, failure.map(|why| late(&why, limit, begun)));
            if acts.failed() || ready.exit.is_some() {
                return Ok(());
            }
        }
        let since = Instant::now();
        if let Some(check) = &actor.needs.health_check {
            let left = limit.saturating_sub(begun.elapsed());
            let failure = held(&actor.log, left, &|| look.healthy(check))?;
            acts.add(format!("{before}health check"), since, failure.map(|why| late(&why, limit, begun)));
        } else if ready.is_none() {
            // Nobody says how to tell; what ends at once has not started.
            let failure = over(&actor.log, FIRST)?.map(died);
            acts.add(format!("{before}started"), since, failure);
        }
        Ok(())
    }

    fn expectations(self, actor: &'t Actor<'t>, acts: &mut Acts) -> Result<(), PortError> {
        let Some(test) = &actor.subject.recipe.test else { return Ok(()) };
        let look = self.look(actor);
        let ends = ready(actor).is_some_and(|ready| ready.exit.is_some());
        let limit = Duration::from_secs(test.timeout.into());
        for expect in &test.expect {
            let begun = Instant::now();
            let within = Duration::from_secs(expect.within.into());
            let failure = if ends {
                look.expected(expect, limit)?.err()
            } else {
                held(&actor.log, within, &|| look.expected(expect, limit))?
            };
            acts.add(name_of(expect), begun, failure);
            if acts.failed() {
                break;
            }
        }
        Ok(())
    }

    /// Stops it, and times that.
    fn stop(self, actor: &Actor<'_>, acts: &mut Acts) -> Result<(), PortError> {
        let begun = Instant::now();
        if let Some(ended) = over(&actor.log, Duration::ZERO)? {
            acts.add("stop".to_owned(), begun, Some(died(ended)));
            return Ok(());
        }
        let seconds = actor.needs.stop_timeout.unwrap_or(PATIENCE);
        let patience = Duration::from_secs(seconds.into());
        self.engine.stop(&actor.id, patience)?;
        let ended = actor.log.wait_for_end(END)?;
        acts.stop_ms = millis(begun.elapsed());
        let is_killed = begun.elapsed() >= patience || ended.is_some_and(|ended| ended.code == 137);
        let why = || format!("it had not ended {seconds} s after the stop signal, and was killed");
        acts.add("stop".to_owned(), begun, is_killed.then(why));
        Ok(())
    }
}

impl Acts {
    fn add(&mut self, name: String, begun: Instant, failure: Option<String>) {
        self.checks.push(Check { name, ms: millis(begun.elapsed()), failure });
    }

    fn failed(&self) -> bool {
        self.checks.last().is_some_and(|check| check.failure.is_some())
    }
}

fn ready<'a>(actor: &'a Actor<'_>) -> Option<&'a Ready> {
    actor.subject.recipe.test.as_ref()?.ready.as_ref()
}

/// Looks until something holds, the time is over or the container has ended; tells what does not hold.
fn held(log: &Log, limit: Duration, look: &dyn Fn() -> Seen) -> Result<Option<String>, PortError> {
    let begun = Instant::now();
    loop {
        if let Some(ended) = log.ended()? {
            return Ok(Some(died(ended)));
        }
        let why = match look() {
            Ok(Ok(())) => return Ok(None),
            Ok(Err(why)) => why,
            // An engine runs nothing in a container that has just ended.
            Err(error @ PortError::Docker { .. }) => match over(log, PAUSE * 10)? {
                Some(ended) => return Ok(Some(died(ended))),
                None => return Err(error),
            },
            Err(error) => return Err(error),
        };
        if begun.elapsed() >= limit {
            return Ok(Some(why));
        }
        log.wait_for_end(PAUSE.min(limit))?;
    }
}

/// How a container ended, where it has before so much time is over. One that prints no more mostly has, and an engine may
/// take its time to say so.
fn over(log: &Log, limit: Duration) -> Result<Option<Ended>, PortError> {
    match log.wait_for_end(limit)? {
        None if log.is_silent() => log.wait_for_end(END),
        ended => Ok(ended),
    }
}

/// Waits until a container has ended by itself; tells what is wrong with that.
fn ended_with(actor: &Actor<'_>, code: u8, limit: Duration) -> Result<Option<String>, PortError> {
    Ok(match actor.log.wait_for_end(limit)? {
        Some(ended) if ended.code == i64::from(code) && !ended.out_of_memory => None,
        Some(ended) => Some(format!("{}, not {code}", died(ended))),
        None => Some("it has not ended".to_owned()),
    })
}

fn died(ended: Ended) -> String {
    if ended.out_of_memory {
        return "it wanted more memory than it may take, and was ended".to_owned();
    }
    format!("it ended with exit code {}", ended.code)
}

/// What is wrong, and after how long where all the time is over.
fn late(why: &str, limit: Duration, begun: Instant) -> String {
    if begun.elapsed() < limit { why.to_owned() } else { format!("not after {} s: {why}", limit.as_secs()) }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
