//! What is left of a visit, with an engine in memory.

use std::io::Read;
use std::sync::Mutex;
use std::time::Duration;

use super::Visit;
use crate::bake::event::Event;
use crate::bake::port::{
    Became, Container, Ended, Engine, EngineFacts, Engines, Kept, PortError, Pulse, Said, Talk, Thing,
};
use crate::digest::Digest;
use crate::name::{ImagePath, Platform};

/// An engine that only keeps things, some of which it does not let go.
struct Shelf {
    facts: EngineFacts,
    kept: Mutex<Vec<Kept>>,
    stuck: &'static str,
}

impl Shelf {
    fn new(stuck: &'static str) -> Self {
        let kept = [
            (Thing::Image, "i", "us-1"),
            (Thing::Volume, "v", "us-1"),
            (Thing::Container, "c", "us-1"),
            (Thing::Container, "other", "us-2"),
        ];
        let kept = kept.map(|(thing, id, run)| Kept { thing, id: id.to_owned(), run: run.to_owned() });
        let facts = EngineFacts {
            address: "unix:///x".to_owned(),
            version: "Docker 9".to_owned(),
            platform: "linux/amd64".parse().unwrap(),
            takes_parts: true,
            tells_owners: true,
            run: "us-1".to_owned(),
        };
        Self { facts, kept: Mutex::new(kept.to_vec()), stuck }
    }

    fn ids(&self) -> Vec<String> {
        self.kept.lock().unwrap().iter().map(|kept| kept.id.clone()).collect()
    }
}

impl Engines for Shelf {
    fn engine(&self, _: &Platform) -> Result<Box<dyn Engine + '_>, PortError> {
        Ok(Box::new(self))
    }
}

impl Engine for &Shelf {
    fn facts(&self) -> &EngineFacts {
        &self.facts
    }

    fn stacks(&self) -> Result<Vec<Vec<Digest>>, PortError> {
        Ok(Vec::new())
    }

    fn load(&self, _: &mut dyn Read) -> Result<(), PortError> {
        Ok(())
    }

    fn image(&self, _: &str) -> Result<Option<String>, PortError> {
        Ok(None)
    }

    fn volume(&self) -> Result<String, PortError> {
        Ok(String::new())
    }

    fn container(&self, _: &Container<'_>) -> Result<String, PortError> {
        Ok(String::new())
    }

    fn fill(&self, _: &str, _: &ImagePath, _: &mut dyn Read) -> Result<(), PortError> {
        Ok(())
    }

    fn run(&self, _: &str, _: Duration, _: &mut dyn FnMut(Pulse<'_>)) -> Result<Option<Ended>, PortError> {
        Ok(None)
    }

    fn converse(&self, _: &str) -> Result<Talk<'_>, PortError> {
        Ok(Talk { mouth: Box::new(std::io::sink()), ear: Box::new(std::io::empty()) })
    }

    fn exec(&self, _: &str, _: &[String], _: Duration) -> Result<Option<Said>, PortError> {
        Ok(None)
    }

    fn fetch<'e>(&'e self, _: &str, _: &ImagePath) -> Result<Option<Box<dyn Read + 'e>>, PortError> {
        Ok(None)
    }

    fn stop(&self, _: &str, _: Duration) -> Result<(), PortError> {
        Ok(())
    }

    fn changes(&self, _: &str) -> Result<Vec<(String, Became)>, PortError> {
        Ok(Vec::new())
    }

    fn export<'e>(&'e self, _: &str) -> Result<Box<dyn Read + 'e>, PortError> {
        Ok(Box::new(std::io::empty()))
    }

    fn kept(&self) -> Result<Vec<Kept>, PortError> {
        let mut kept = self.kept.lock().unwrap().clone();
        kept.sort();
        Ok(kept)
    }

    fn remove(&self, thing: Thing, id: &str) -> Result<(), PortError> {
        let mut kept = self.kept.lock().unwrap();
        // As engines do: what a container uses cannot go before it.
        let is_used = thing != Thing::Container && kept.iter().any(|kept| kept.id == "c");
        if is_used || id == self.stuck {
            let (subject, message) = ("the engine".to_owned(), format!("{id} is in use"));
            return Err(PortError::Docker { subject, message, help: String::new() });
        }
        kept.retain(|kept| kept.id != id);
        Ok(())
    }
}

fn visited(shelf: &Shelf) -> Vec<String> {
    let told = Mutex::new(Vec::new());
    let tell = |event: Event<'_>| {
        if let Event::Warn(text) = event {
            told.lock().unwrap().push(text.to_owned());
        }
    };
    drop(Visit::begin(shelf, &"linux/amd64".parse().unwrap(), &tell).unwrap());
    told.into_inner().unwrap()
}

#[test]
fn all_that_was_made_on_a_visit_is_removed_and_nothing_else() {
    let shelf = Shelf::new("");
    assert!(visited(&shelf).is_empty());
    assert_eq!(shelf.ids(), ["other"]);
}

#[test]
fn what_stays_is_told_with_who_removes_it() {
    let shelf = Shelf::new("v");
    let told = visited(&shelf);
    assert_eq!(told, ["something may be left behind: the engine: v is in use; `elkbake sweep` removes it"]);
    assert_eq!(shelf.ids(), ["v", "other"], "all else is removed");
}
