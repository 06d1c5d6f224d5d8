//! A visit to a container engine. Whatever is made there bears its id, and is removed when it is over: done, failed or
//! interrupted.

use crate::bake::event::{Event, Listener};
use crate::bake::port::{Engine, Engines, PortError, Thing};
use crate::name::Platform;

/// A visit to an engine; when this is dropped, all that was made on it is removed.
pub struct Visit<'e> {
    engine: Box<dyn Engine + 'e>,
    tell: Listener<'e>,
}

impl<'e> Visit<'e> {
    /// Turns to the engine for a platform.
    ///
    /// # Errors
    /// When there is none that can be used.
    pub fn begin(engines: &'e dyn Engines, platform: &Platform, tell: Listener<'e>) -> Result<Self, PortError> {
        Ok(Self { engine: engines.engine(platform)?, tell })
    }

    /// The engine.
    #[must_use]
    pub fn engine(&self) -> &dyn Engine {
        &*self.engine
    }

    /// The id that all bears which is made on this visit.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.engine.facts().run
    }

    /// Removes all that was made on this visit so far.
    ///
    /// # Errors
    /// The first that stays.
    pub fn tidy(&self) -> Result<(), PortError> {
        let mut failed = None;
        // In their order: containers before what they use.
        for kept in self.engine.kept()?.into_iter().filter(|kept| kept.run == self.id()) {
            if let Err(error) = self.engine.remove(kept.thing, &kept.id) {
                failed.get_or_insert(error);
            }
        }
        failed.map_or(Ok(()), Err)
    }

    /// Removes a container that is not needed any more, before the visit is over: it takes room. One that stays is tried
    /// again in the end.
    pub fn drop_container(&self, id: &str) {
        drop(self.engine.remove(Thing::Container, id));
    }
}

impl Drop for Visit<'_> {
    fn drop(&mut self) {
        if let Err(error) = self.tidy() {
            let text = format!("something may be left behind: {error}; `elkbake sweep` removes it");
            (self.tell)(Event::Warn(&text));
        }
    }
}

#[cfg(test)]
mod tests;
