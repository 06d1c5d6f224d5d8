//! What is to be built, and from what.

use std::io;

use crate::bake::built::Built;
use crate::bake::resolve::World;
use crate::local::Local;
use crate::lock::Lock;
use crate::plan::{Plan, Stamps};
use crate::recipe::{ImageRecipe, Recipe};
use crate::text::Document;

/// One recipe that was planned, with all that its plan was made of.
#[derive(Clone)]
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
    pub parent: Option<Parent<'a>>,
    /// What is said from outside.
    pub stamps: &'a Stamps,
}

/// The image of another recipe, built before.
#[derive(Clone)]
pub struct Parent<'a> {
    /// The image.
    pub built: Built,
    /// What it was built from: layers of its own base may have to be fetched.
    pub order: Box<Order<'a>>,
}

/// What every step of a build is done with.
#[derive(Clone, Copy)]
pub(super) struct Bench<'a> {
    pub(super) order: &'a Order<'a>,
    pub(super) world: &'a World<'a>,
}

impl Bench<'_> {
    /// Fails once the person wants to stop.
    pub(super) fn go_on(&self) -> io::Result<()> {
        if self.world.interrupt.requested() { Err(io::Error::other("interrupted")) } else { Ok(()) }
    }
}
