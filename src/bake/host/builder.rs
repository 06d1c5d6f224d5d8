//! The instance that is made into an image.

use super::clear::{Scope, is_alive};
use super::console::{Watched, alive};
use super::desk::Desk;
use super::fault::HostError;
use super::find;
use super::fit;
use super::guard::Guard;
use super::left::MARGIN_MINUTES;
use super::order::UserData;
use super::{disks, words};
use crate::ami::verdict::Nonce;
use crate::bake::event::{Event, Task};
use crate::bake::port::{Ask, Machine, RunOrder, Started};

/// So many tokens are tried: one is used up by each instance that was ended within a day.
const MOST_GENERATIONS: u32 = 50;

/// What there is to make an image of.
pub(super) enum Built {
    /// An instance that has stopped, and all is well with it; with its base, where it was looked at.
    Stopped(String, Option<Machine>),
    /// The image itself: another run has made it meanwhile.
    Image(Machine),
}

/// Has an instance change itself into what the recipe says: an earlier run's where there is one.
pub(super) fn build(
    scope: &Scope<'_>,
    user_data: &UserData,
    guard: &Guard<'_>,
    desk: Desk<'_>,
) -> Result<Built, HostError> {
    let mut start = Start {
        spot: scope.order.recipe.bake.as_ref().is_some_and(|bake| bake.spot),
        generation: 0,
        base: None,
        user_data,
    };
    loop {
        let (id, is_old) = match start.find_or_run(scope, guard, desk)? {
            Begun::Own(id) => (id, false),
            Begun::Found(id) => (id, true),
            Begun::Image(machine) => return Ok(Built::Image(*machine)),
        };
        let instead = match watch(scope, &id, desk) {
            Ok(()) => return Ok(Built::Stopped(id, start.base)),
            Err(error @ HostError::Ended { .. }) => {
                // Another run may have made the image of it, and ended it.
                if let Some(machine) = find::look(scope.order, (scope.region, scope.architecture), desk)?.machine {
                    return Ok(Built::Image(machine));
                }
                // EC2 takes spot instances away as it likes. Who ends another one has a reason.
                let was_spot = std::mem::replace(&mut start.spot, false);
                if !was_spot && !error.is_taken() {
                    return Err(error);
                }
                let why = error.reason().unwrap_or("EC2 does not say why");
                format!("{id} in {} was taken away ({why}): one that is no spot instance is started", scope.region)
            }
            // EC2 forgets the consoles of instances that have stopped long ago.
            Err(HostError::NoVerdict { console, .. }) if is_old && console.is_empty() => {
                format!(
                    "{id} in {} stopped long ago, and what it said is forgotten: another one is started",
                    scope.region
                )
            }
            Err(error) => return Err(error),
        };
        (desk.tell)(Event::Warn(&instead));
        // One that was taken has only stopped, and its request would start it again.
        desk.ec2.terminate(&scope.site(), &id, desk.tell)?;
        start.generation += 1;
    }
}

fn watch(scope: &Scope<'_>, id: &str, desk: Desk<'_>) -> Result<(), HostError> {
    let task = format!("{} {} on {id}", scope.order.name, scope.architecture);
    let _running = Task::begin(&task, None, desk.tell);
    let nonce = Nonce::of(&scope.order.plan.key(), scope.architecture);
    let watched = Watched { site: &scope.site(), id, nonce: &nonce, task: &task, desk };
    watched.until_stopped(scope.order.recipe.bake_timeout())
}

/// What there is to wait for.
enum Begun {
    /// An instance of this run.
    Own(String),
    /// One of an earlier or another run.
    Found(String),
    /// The image itself.
    Image(Box<Machine>),
}

/// How the next instance is started.
struct Start<'s> {
    /// Whether as a spot instance.
    spot: bool,
    /// Which one it is: a token is used once.
    generation: u32,
    /// What it is started from, once that was looked at.
    base: Option<Machine>,
    user_data: &'s UserData,
}

impl Start<'_> {
    fn find_or_run(&mut self, scope: &Scope<'_>, guard: &Guard<'_>, desk: Desk<'_>) -> Result<Begun, HostError> {
        let ask = Ask { tags: scope.builders(), ..Ask::default() };
        let found = desk.ec2.instances(&scope.site(), &ask, desk.tell)?;
        let gone = found.iter().filter(|instance| !is_alive(instance)).count();
        if let Some(instance) = alive(found) {
            guard.holds(&instance.id);
            (desk.tell)(Event::Note(&format!("{} in {} is there: going on with it", instance.id, scope.region)));
            return Ok(Begun::Found(instance.id));
        }
        if gone > 0 {
            self.generation = self.generation.max(u32::try_from(gone).unwrap_or(u32::MAX));
            // It may have been ended because its image is there.
            if let Some(machine) = find::look(scope.order, (scope.region, scope.architecture), desk)?.machine {
                return Ok(Begun::Image(Box::new(machine)));
            }
        }
        self.run(scope, guard, desk)
    }

    fn run(&mut self, scope: &Scope<'_>, guard: &Guard<'_>, desk: Desk<'_>) -> Result<Begun, HostError> {
        let mut order = self.order(scope, desk)?;
        while self.generation < MOST_GENERATIONS {
            desk.check()?;
            order.spot = self.spot.then(|| until(scope));
            order.token = self.token(scope);
            match guard.begin(|| desk.ec2.run(&scope.site(), &order, desk.tell))? {
                Started::Instance(id) => {
                    guard.holds(&id);
                    if is_over(scope, &id, desk)? {
                        self.generation += 1;
                        continue;
                    }
                    let text = format!("{id} in {} is started from {}", scope.region, order.image);
                    (desk.tell)(Event::Note(&text));
                    return Ok(Begun::Own(id));
                }
                Started::NoSpot(reason) => {
                    let text = format!("{} has no spot instance now ({reason}): it will be none", scope.region);
                    (desk.tell)(Event::Note(&text));
                    self.spot = false;
                }
                Started::OtherOrder => self.generation += 1,
            }
        }
        let message = format!("{MOST_GENERATIONS} client tokens are used up: wait a day, or change the recipe");
        Err(HostError::NotStarted { region: scope.region.clone(), message })
    }

    fn token(&self, scope: &Scope<'_>) -> String {
        let kind = if self.spot { "spot" } else { "on demand" };
        let more = format!("{kind} {}", self.generation);
        scope.order.token("instance", scope.architecture, scope.region, &more)
    }

    fn order(&mut self, scope: &Scope<'_>, desk: Desk<'_>) -> Result<RunOrder, HostError> {
        let Scope { order, region, architecture } = *scope;
        let base = fit::locked(order, architecture)?;
        let user_data = self.user_data.get(&architecture).ok_or(HostError::NoUserData(architecture))?;
        if self.base.is_none() {
            fit::check_name(order, architecture)?;
            fit::check_types(order, base, desk)?;
            self.base = Some(fit::check_base(order, base, desk)?);
            fit::tell_of_keys(order, base, desk);
        }
        let mut tags = order.tags(architecture, region);
        tags.insert(words::PURPOSE.to_owned(), words::BAKE.to_owned());
        Ok(RunOrder {
            image: base.id.clone(),
            instance_type: fit::bake_type(order, architecture),
            user_data: user_data.clone(),
            mappings: vec![disks::root(order, base)],
            subnet: order.account.subnet.clone(),
            security_groups: order.account.security_groups.clone(),
            instance_profile: order.account.instance_profile.clone(),
            spot: None,
            tags,
            token: String::new(),
        })
    }
}

/// Until when EC2 may start a spot instance, and start it again. In whole days, so that runs side by side say the same
/// with the same token.
fn until(scope: &Scope<'_>) -> String {
    let minutes = scope.order.recipe.bake_timeout().saturating_add(MARGIN_MINUTES);
    scope.order.now.in_minutes(minutes).next_day().to_string()
}

/// Whether an instance was ended before: a token answers with what came of it, for a day.
fn is_over(scope: &Scope<'_>, id: &str, desk: Desk<'_>) -> Result<bool, HostError> {
    let ask = Ask { ids: [id.to_owned()].into(), ..Ask::default() };
    let found = desk.ec2.instances(&scope.site(), &ask, desk.tell)?;
    Ok(found.iter().any(|instance| !is_alive(instance)))
}
