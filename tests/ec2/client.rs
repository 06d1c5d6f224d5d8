//! A client with one region, and what a bake asks of it.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use elkbake::bake::event::Event;
use elkbake::bake::port::{
    Ask, CopyOrder, Ec2, Ec2Site, ImageMade, ImageOrder, Machine, PortError, RunOrder, Started, Tags,
};
use elkbake::remote::Wire;
use elkbake::remote::config::{Timing, WireConfig};

use crate::kitchen::cloud::{ACCOUNT, Amazon, Guest};

pub const REGION: &str = "eu-west-1";
pub const OTHER: &str = "us-east-1";

/// A client, and the cloud that it asks.
pub struct Client {
    pub amazon: Amazon,
    pub wire: Wire,
    notes: Mutex<Vec<String>>,
}

pub fn site(region: &str) -> Ec2Site {
    let region = region.parse().unwrap();
    Ec2Site { region, account: ACCOUNT.to_owned(), role: None, external_id: None }
}

pub fn tags(of: &[(&str, &str)]) -> Tags {
    of.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

pub fn by_id(id: &str) -> Ask {
    Ask { ids: [id.to_owned()].into(), ..Ask::default() }
}

impl Client {
    pub fn new() -> Self {
        Self::set(|_| {})
    }

    pub fn set(change: impl FnOnce(&mut WireConfig)) -> Self {
        let amazon = Amazon::start(&[REGION, OTHER]);
        amazon.guest(|_| Guest::stops().says("ELKBAKE key ok"));
        let mut config = amazon.config();
        change(&mut config);
        Self { wire: Wire::new(config).unwrap(), amazon, notes: Mutex::default() }
    }

    /// One that waits for what it has made for so long only.
    pub fn settling(time: Duration) -> Self {
        Self::set(|config| config.timing = Timing { settling: time, ..config.timing })
    }

    /// Asks for something, and keeps what is told.
    pub fn ask<T>(&self, call: impl FnOnce(&Wire, &Ec2Site, &(dyn Fn(Event<'_>) + Sync)) -> T) -> T {
        call(&self.wire, &site(REGION), &|event| {
            if let Event::Note(note) | Event::Warn(note) = event {
                self.notes.lock().unwrap().push(note.to_owned());
            }
        })
    }

    pub fn notes(&self) -> String {
        self.notes.lock().unwrap().join("\n")
    }

    pub fn order(&self, token: &str) -> RunOrder {
        RunOrder {
            image: self.amazon.base(REGION, "x86_64"),
            instance_type: "c5.large".to_owned(),
            user_data: b"#!/bin/bash\ntrue\n".to_vec(),
            mappings: Vec::new(),
            subnet: None,
            security_groups: BTreeSet::new(),
            instance_profile: None,
            spot: None,
            tags: tags(&[("elkbake:run", "1234")]),
            token: token.to_owned(),
        }
    }

    pub fn run(&self, order: &RunOrder) -> Result<Started, PortError> {
        self.ask(|wire, site, tell| wire.run(site, order, tell))
    }

    /// Starts an instance.
    pub fn started(&self, order: &RunOrder) -> String {
        match self.run(order).unwrap() {
            Started::Instance(id) => id,
            other => panic!("{other:?}"),
        }
    }

    /// Asks until an instance is in a state.
    pub fn wait_for(&self, instance: &str, state: &str) {
        self.until(|client| {
            let found = client.ask(|wire, site, tell| wire.instances(site, &by_id(instance), tell)).unwrap();
            found.iter().any(|one| one.state == state)
        });
    }

    /// Asks until an image is in a state.
    pub fn wait_for_image(&self, region: &str, image: &str, state: &str) {
        self.until(|client| {
            let found = client.ask(|wire, _, tell| wire.images(&site(region), &by_id(image), tell)).unwrap();
            found.iter().any(|one| one.state == state)
        });
    }

    /// Asks until something is so.
    pub fn until(&self, is_so: impl Fn(&Self) -> bool) {
        let begun = Instant::now();
        while !is_so(self) {
            assert!(begun.elapsed() < Duration::from_secs(60), "it is never so");
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    pub fn image_order(instance: &str, name: &str) -> ImageOrder {
        ImageOrder {
            instance: instance.to_owned(),
            name: name.to_owned(),
            description: "a host".to_owned(),
            mappings: Vec::new(),
            tags: tags(&[("elkbake:run", "1234"), ("elkbake:key", "ab")]),
        }
    }

    pub fn make(&self, order: &ImageOrder) -> ImageMade {
        self.ask(|wire, site, tell| wire.make_image(site, order, tell)).unwrap()
    }

    /// An image that is there for good.
    pub fn image(&self, name: &str) -> Machine {
        let instance = self.started(&self.order(name));
        self.wait_for(&instance, "stopped");
        let ImageMade::Image(image) = self.make(&Self::image_order(&instance, name)) else { panic!("a new name") };
        self.wait_for_image(REGION, &image, "available");
        self.ask(|wire, site, tell| wire.terminate(site, &instance, tell)).unwrap();
        self.ask(|wire, site, tell| wire.image(site, &image, tell)).unwrap().unwrap()
    }

    pub fn copy_order(image: &str, token: &str) -> CopyOrder {
        CopyOrder {
            from: REGION.parse().unwrap(),
            image: image.to_owned(),
            name: "host".to_owned(),
            description: "a host".to_owned(),
            encrypted: true,
            kms_key: None,
            tags: tags(&[("elkbake:run", "1234")]),
            token: token.to_owned(),
        }
    }
}
