//! How things go on by themselves.

use std::time::Instant;

use super::guest::End;
use super::world::{Instance, Pace, World};

impl World {
    /// Lets happen what has happened until now.
    pub fn settle(&mut self, now: Instant) {
        self.settle_snapshots(now);
        self.settle_images(now);
        self.settle_instances(now);
        self.settle_parameters(now);
    }

    /// Lets what goes on by itself, and what is not seen yet, take no longer than until then.
    pub fn hasten(&mut self, at: Instant) {
        self.snapshots.values_mut().for_each(|one| one.ready = one.ready.min(at));
        self.images.values_mut().for_each(|one| one.ready = one.ready.min(at));
        for instance in self.instances.values_mut().filter(|one| one.state != "terminated") {
            instance.next = instance.next.map(|next| next.min(at));
        }
        let births = self.instances.values_mut().map(|one| &mut one.birth);
        let births = births.chain(self.images.values_mut().map(|one| &mut one.birth));
        let births = births.chain(self.snapshots.values_mut().map(|one| &mut one.birth));
        let births = births.chain(self.volumes.values_mut().map(|one| &mut one.birth));
        births.chain(self.templates.values_mut().map(|one| &mut one.birth)).for_each(|birth| birth.hasten(at));
    }

    fn settle_snapshots(&mut self, now: Instant) {
        for snapshot in self.snapshots.values_mut().filter(|one| one.state == "pending" && one.ready <= now) {
            snapshot.message.clone_from(&snapshot.fails);
            let state = if snapshot.fails.is_some() { "error" } else { "completed" };
            state.clone_into(&mut snapshot.state);
        }
    }

    fn settle_images(&mut self, now: Instant) {
        for image in self.images.values_mut().filter(|one| one.state == "pending" && one.ready <= now) {
            image.reason.clone_from(&image.fails);
            let state = if image.fails.is_some() { "failed" } else { "available" };
            state.clone_into(&mut image.state);
        }
    }

    fn settle_instances(&mut self, now: Instant) {
        let ids: Vec<String> = self.instances.keys().cloned().collect();
        for id in ids {
            while let Some(next) = self.instances.get(&id).and_then(|one| one.next).filter(|next| *next <= now) {
                let Some(mut instance) = self.instances.remove(&id) else { break };
                if instance.state == "terminated" {
                    break;
                }
                self.step(&mut instance, next);
                self.instances.insert(id.clone(), instance);
            }
        }
    }

    /// The next thing that happens to an instance, at the moment at which it does.
    fn step(&mut self, instance: &mut Instance, at: Instant) {
        match instance.state.as_str() {
            "pending" if instance.fails.is_some() => {
                instance.reason.clone_from(&instance.fails);
                self.end(instance, at);
            }
            "pending" => self.start(instance, at),
            "running" => match instance.guest.end {
                End::Taken(_) if self.taken_stops(instance) => {
                    let why = "Server.SpotInstanceShutdown: Spot instance shutdown";
                    halt(instance, "stopping", "Server.SpotInstanceShutdown", why, at, &self.pace);
                }
                End::Taken(_) => {
                    let why = "Server.SpotInstanceTermination: Spot instance termination";
                    halt(instance, "shutting-down", "Server.SpotInstanceTermination", why, at, &self.pace);
                }
                _ => {
                    let why = "Client.InstanceInitiatedShutdown: Instance initiated shutdown";
                    let state = if instance.shutdown == "stop" { "stopping" } else { "shutting-down" };
                    halt(instance, state, "Client.InstanceInitiatedShutdown", why, at, &self.pace);
                }
            },
            "stopping" => {
                "stopped".clone_into(&mut instance.state);
                instance.next = None;
            }
            _ => self.end(instance, at),
        }
    }

    /// Whether its request wants a spot instance stopped when it is taken away. EC2 then looks for room to start it again.
    fn taken_stops(&mut self, instance: &Instance) -> bool {
        let request = instance.spot_request.as_ref().and_then(|id| self.requests.get_mut(id));
        let Some(request) = request.filter(|request| request.stops) else { return false };
        if request.state == "active" {
            "open".clone_into(&mut request.state);
        }
        true
    }

    fn start(&mut self, instance: &mut Instance, at: Instant) {
        "running".clone_into(&mut instance.state);
        instance.guest = (self.guest)(&instance.boot);
        instance.console = instance.guest.lines.iter().map(|(after, text)| (at + *after, text.clone())).collect();
        instance.next = match instance.guest.end {
            End::Stops(after) | End::Taken(after) => Some(at + after),
            End::Never => None,
        };
        for id in &instance.volumes {
            if let Some(volume) = self.volumes.get_mut(id) {
                volume.birth.created.clone_from(&instance.birth.created);
            }
        }
    }

    /// An instance is terminated: its volumes go with it or are let go, and it is forgotten some day.
    fn end(&mut self, instance: &mut Instance, at: Instant) {
        "terminated".clone_into(&mut instance.state);
        instance.next = Some(at + self.pace.memory);
        for id in std::mem::take(&mut instance.volumes) {
            let goes = self.volumes.get(&id).is_some_and(|volume| volume.ebs.delete_on_termination);
            if goes {
                self.volumes.remove(&id);
            } else if let Some(volume) = self.volumes.get_mut(&id) {
                volume.attached = None;
            }
        }
        if let Some(request) = instance.spot_request.as_ref().and_then(|id| self.requests.get_mut(id))
            && request.state == "active"
        {
            let state = if request.is_persistent { "open" } else { "closed" };
            state.clone_into(&mut request.state);
        }
    }

    fn settle_parameters(&mut self, now: Instant) {
        let due: Vec<_> = self
            .parameters
            .iter()
            .filter(|(_, parameter)| parameter.checked.is_some_and(|at| at <= now))
            .map(|(key, parameter)| (key.clone(), parameter.value.clone()))
            .collect();
        for (key, value) in due {
            let is_there = self.images.get(&value).is_some_and(|image| image.region == key.1);
            let Some(parameter) = self.parameters.get_mut(&key) else { continue };
            parameter.checked = None;
            if !is_there {
                self.refused.push(format!("{} {}", key.2, value));
                parameter.version -= 1;
                if parameter.version == 0 {
                    self.parameters.remove(&key);
                }
            }
        }
    }
}

/// An instance begins to end. What it would have printed later is never printed.
pub fn halt(instance: &mut Instance, state: &str, code: &str, why: &str, at: Instant, pace: &Pace) {
    state.clone_into(&mut instance.state);
    instance.reason = Some((code.to_owned(), why.to_owned()));
    instance.next = Some(at + pace.halt);
    instance.console.retain(|(printed, _)| *printed <= at);
}
