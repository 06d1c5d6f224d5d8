//! What is to be built, and from what.

use std::io;

use crate::bake::built::Built;
use crate::bake::interrupt::Interrupt;
use crate::bake::resolve::World;
use crate::local::Local;
use crate::lock::Lock;
use crate::plan::{Plan, Stamps};
use crate::recipe::{ImageRecipe, Recipe};
use crate::text::Document;

/// One recipe that was planned, with all that its plan was made of.
#[derive(Clone, Copy)]
pub struct Order<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// The recipe, as it was read.
    pub recipe: &'a Document<Recipe>,
    /// What that says.
    pub image: &'a ImageRecipe,
    /// What its inputs resolved to.
    pub lock: &'a Lock,
    /// Its own files.
    pub local: &'a Local,
    /// The image that it builds on, where that is another recipe's.
    pub parent: Option<&'a Built>,
    /// What is said from outside.
    pub stamps: &'a Stamps,
}

/// What every step of a build is done with.
#[derive(Clone, Copy)]
pub(super) struct Bench<'a> {
    pub(super) order: Order<'a>,
    pub(super) world: &'a World<'a>,
    pub(super) interrupt: &'a Interrupt,
}

impl Bench<'_> {
    /// Fails once the person wants to stop.
    pub(super) fn go_on(&self) -> io::Result<()> {
        if self.interrupt.requested() { Err(io::Error::other("interrupted")) } else { Ok(()) }
    }
}
