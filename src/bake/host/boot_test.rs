//! Whether a host boots and is well: an instance of the image is started, says on its console how it is, and is ended.

use std::time::Instant;

use super::clear::Scope;
use super::console::{Read, Watched};
use super::desk::Desk;
use super::fault::{HostError, tail};
use super::guard::{Guard, Kind};
use super::order::Order;
use super::{disks, fit, words};
use crate::ami::delivery::patience;
use crate::ami::verdict::Nonce;
use crate::bake::event::{Event, Task};
use crate::bake::port::{RunOrder, Started, Tags};
use crate::parallel;
use crate::recipe::Architecture;

/// What is tried.
#[derive(Clone, Copy, Debug)]
pub struct Trial<'t> {
    /// For which processor.
    pub architecture: Architecture,
    /// The image in the home region; the locked base where none is given, which gets the recipe's disks.
    pub image: Option<&'t str>,
    /// What makes the host say how it is.
    pub user_data: &'t [u8],
    /// By which its words are known.
    pub nonce: &'t Nonce,
}

/// What came of it.
#[derive(Debug)]
pub struct Tried {
    /// For which processor.
    pub architecture: Architecture,
    /// The image.
    pub image: String,
    /// The type of the instance.
    pub instance_type: String,
    /// What the host said on the way.
    pub notes: Vec<String>,
    /// The end of its console.
    pub console: Vec<String>,
    /// How long it took until it had said how it is, in milliseconds.
    pub ms: u64,
    /// What is wrong with it, or with the test.
    pub error: Option<HostError>,
}

/// Starts hosts in the home region, side by side, and waits until they say how they are. Instances are ended in any
/// case.
#[must_use]
pub fn boot_test(order: &Order<'_>, trials: &[Trial<'_>], desk: Desk<'_>) -> Vec<Tried> {
    parallel::bounded(trials, trials.len(), |trial| {
        let begun = Instant::now();
        let mut tried = Tried {
            architecture: trial.architecture,
            image: trial.image.unwrap_or_default().to_owned(),
            instance_type: String::new(),
            notes: Vec::new(),
            console: Vec::new(),
            ms: 0,
            error: None,
        };
        tried.error = of_one(order, trial, &mut tried, desk).err();
        tried.ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        tried
    })
}

fn of_one(order: &Order<'_>, trial: &Trial<'_>, tried: &mut Tried, desk: Desk<'_>) -> Result<(), HostError> {
    let scope = Scope { order, region: order.home(), architecture: trial.architecture };
    let wanted = wanted(&scope, trial, desk)?;
    tried.image.clone_from(&wanted.image);
    tried.instance_type.clone_from(&wanted.instance_type);
    let is_it = |(name, _): &(&String, &String)| [words::PURPOSE, words::TRIAL].contains(&name.as_str());
    let tags: Tags = wanted.tags.iter().filter(is_it).map(|(name, value)| (name.clone(), value.clone())).collect();
    let guard = Guard::new(&scope, Kind::Instances(tags), desk);
    desk.check()?;
    let id = match guard.begin(|| desk.ec2.run(&scope.site(), &wanted, desk.tell))? {
        Started::Instance(id) => id,
        Started::NoSpot(message) => return Err(HostError::NotStarted { region: scope.region.clone(), message }),
        Started::OtherOrder => {
            let message = "another test began in the same second: try again".to_owned();
            return Err(HostError::NotStarted { region: scope.region.clone(), message });
        }
    };
    guard.holds(&id);
    (desk.tell)(Event::Note(&format!("{id} in {} is started from {} to be tested", scope.region, wanted.image)));
    let task = format!("test of {} {} on {id}", order.name, trial.architecture);
    let _running = Task::begin(&task, None, desk.tell);
    let watched = Watched { site: &scope.site(), id: &id, nonce: trial.nonce, task: &task, desk };
    let mut read = Read::default();
    let judged = watched.until_judged(patience(order.recipe), &mut read);
    tried.console = tail(&read.text);
    tried.notes = read.notes;
    judged
}

fn wanted(scope: &Scope<'_>, trial: &Trial<'_>, desk: Desk<'_>) -> Result<RunOrder, HostError> {
    let Scope { order, region, architecture } = *scope;
    let base = fit::locked(order, architecture)?;
    let image = trial.image.unwrap_or(&base.id);
    let token = order.token("test", architecture, region, &format!("{image} {}", order.now));
    let mut tags = order.tags(architecture, region);
    tags.insert(words::PURPOSE.to_owned(), words::TEST.to_owned());
    tags.insert(words::TRIAL.to_owned(), token[..16].to_owned());
    Ok(RunOrder {
        image: image.to_owned(),
        instance_type: instance_type(scope, desk)?,
        user_data: trial.user_data.to_vec(),
        mappings: disks::of_trial(order, base, trial.image.is_some()),
        subnet: order.account.subnet.clone(),
        security_groups: order.account.security_groups.clone(),
        instance_profile: order.account.instance_profile.clone(),
        spot: None,
        tags,
        token,
    })
}

/// The smallest of the recipe's own types: disks differ by type, so that another one proves little.
fn instance_type(scope: &Scope<'_>, desk: Desk<'_>) -> Result<String, HostError> {
    let (order, word) = (scope.order, scope.architecture.to_string());
    if !order.recipe.instance_types.is_empty() {
        let facts = desk.ec2.types(&scope.site(), &order.recipe.instance_types, desk.tell)?;
        let fits = |name: &str| facts.iter().any(|one| one.name == name && one.architectures.contains(&word));
        if let Some(name) = fit::by_size(&order.recipe.instance_types).into_iter().find(|name| fits(name)) {
            return Ok(name.clone());
        }
    }
    Ok(fit::bake_type(order, scope.architecture))
}
