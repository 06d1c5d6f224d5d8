//! From planned recipes to the order for the last of them, with what it builds on.

use super::choice::no_image;
use super::failure::Failure;
use super::planner::Planned;
use crate::bake::build::{Order, Parent};
use crate::bake::built::Built;
use crate::plan::Stamps;
use crate::recipe::Recipe;

/// The order for the last of a line of recipes; each of the others was built, and `built` tells what came of it.
pub(super) fn order<'a>(
    line: &'a [Planned],
    stamps: &'a Stamps,
    built: &dyn Fn(&Order<'a>) -> Result<Built, Failure>,
) -> Result<Order<'a>, Failure> {
    let mut parent: Option<Parent<'a>> = None;
    let mut rest = line.iter().peekable();
    while let Some(planned) = rest.next() {
        let Recipe::Image(image) = &planned.loaded.recipe.value else {
            return Err(no_image(planned.plan.name()));
        };
        let order = Order {
            plan: &planned.plan,
            recipe: &planned.loaded.recipe,
            image,
            lock: &planned.lock.value,
            local: &planned.loaded.local,
            parent: parent.take(),
            stamps,
        };
        if rest.peek().is_none() {
            return Ok(order);
        }
        parent = Some(Parent { built: built(&order)?, order: Box::new(order) });
    }
    Err(Failure::input("there is nothing to build"))
}
