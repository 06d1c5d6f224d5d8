//! Whether recipe, lock and parent fit together.

use std::fmt;
use std::ops::Range;

use super::planned::{Plan, Work};
use crate::lock::{Input, Lock, Stale, stale};
use crate::name::{NameError, Platform, RecipeName};
use crate::recipe::{From, ImageRecipe, Product, Recipe, Version};
use crate::text::{Document, Problem};

/// Why there is no plan.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("recipe {recipe}: {misfit}")]
pub struct PlanError {
    /// Of which recipe.
    pub recipe: RecipeName,
    /// Which bytes of its text are to blame.
    pub span: Range<usize>,
    /// What does not fit.
    pub misfit: Misfit,
}

/// What does not fit together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Misfit {
    /// The lock does not answer the recipe: in what, and where the recipe speaks of that.
    Stale(Vec<(Range<usize>, Stale)>),
    /// The base holds another version of the product than the recipe says.
    Version {
        /// What the recipe says.
        recipe: Version,
        /// What the base says.
        base: String,
    },
    /// The base has as a module what the recipe says as a plugin.
    Module(String),
    /// The recipe that this builds on is not there.
    NoParent(RecipeName),
    /// The recipe that this builds on makes a host's image.
    ParentIsHost(RecipeName),
    /// The recipe that this builds on is not baked for a platform.
    ParentPlatform {
        /// Which recipe.
        parent: RecipeName,
        /// Which platform.
        platform: Platform,
    },
    /// Recipes build on each other in a circle.
    Circle(Vec<RecipeName>),
    /// Something that follows from the recipe is no name.
    Name(NameError),
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stale(stale) => {
                f.write_str("the lock is stale: ")?;
                let all: Vec<_> = stale.iter().map(|(_, stale)| stale.to_string()).collect();
                f.write_str(&all.join("; "))
            }
            Self::Version { recipe, base } => write!(f, "the recipe says {recipe}, the base is {base}"),
            Self::Module(name) => write!(f, "the base has `{name}` as a module already"),
            Self::NoParent(parent) => write!(f, "it builds on the recipe {parent}, which is not there"),
            Self::ParentIsHost(parent) => write!(f, "it builds on the recipe {parent}, which makes no container image"),
            Self::ParentPlatform { parent, platform } => {
                write!(f, "it is baked for {platform}, the recipe {parent} that it builds on is not")
            }
            Self::Circle(names) => {
                let names: Vec<_> = names.iter().map(ToString::to_string).collect();
                write!(f, "recipes build on each other in a circle: {}", names.join(" -> "))
            }
            Self::Name(error) => error.fmt(f),
        }
    }
}

impl Misfit {
    /// What to do about it.
    #[must_use]
    pub fn help(&self) -> &'static str {
        match self {
            Self::Stale(_) => "run `elkbake lock`",
            Self::Version { .. } => "give `version` and `from` the same version",
            Self::Module(_) => "remove the plugin from the recipe",
            Self::NoParent(_) => "write the recipe, or correct `from`",
            Self::ParentIsHost(_) => "an image builds on an image or on `scratch`",
            Self::ParentPlatform { .. } => "add the platform there, or take it away here",
            Self::Circle(_) => "one of them has to build on an image from outside, or on `scratch`",
            Self::Name(_) => "choose a shorter or plainer one",
        }
    }
}

impl PlanError {
    pub(super) fn new(name: &RecipeName, recipe: &Document<Recipe>, key: &str, misfit: Misfit) -> Self {
        Self { recipe: name.clone(), span: recipe.positions.of(key), misfit }
    }

    /// The same as mistakes in the recipe's text, for showing the places.
    #[must_use]
    pub fn problems(&self) -> Vec<Problem> {
        let problem = |span: &Range<usize>, message| {
            let help = Some(self.misfit.help().to_owned());
            Problem { span: span.clone(), message, help }
        };
        match &self.misfit {
            Misfit::Stale(stale) => {
                stale.iter().map(|(at, stale)| problem(at, format!("the lock is stale: {stale}"))).collect()
            }
            misfit => vec![problem(&self.span, misfit.to_string())],
        }
    }
}

/// Parts that fit together.
pub(super) struct Checked<'p> {
    /// The plan that the recipe builds on, where it builds on a recipe.
    pub(super) parent: Option<&'p Plan>,
}

impl<'p> Checked<'p> {
    pub(super) fn new(
        name: &RecipeName,
        recipe: &Document<Recipe>,
        lock: &Lock,
        parent: Option<&'p Plan>,
    ) -> Result<Self, PlanError> {
        let fail = |key: &str, misfit| Err(PlanError::new(name, recipe, key, misfit));
        let stale = stale(&recipe.value, lock);
        if let Some(first) = stale.first() {
            let key = key_of(&recipe.value, &first.input);
            let at = |stale: &Stale| recipe.positions.of(&key_of(&recipe.value, &stale.input));
            return fail(&key, Misfit::Stale(stale.into_iter().map(|stale| (at(&stale), stale)).collect()));
        }
        let Recipe::Image(image) = &recipe.value else {
            return Ok(Self { parent: None });
        };
        let locked = lock.base.iter().flat_map(|base| &base.platform).filter_map(|on| on.product_version.as_deref());
        let wrong = locked.into_iter().find(|base| *base != image.version.as_str());
        if let Some(base) = wrong.filter(|_| image.product != Product::Generic) {
            let misfit = Misfit::Version { recipe: image.version.clone(), base: base.to_owned() };
            return fail("version", misfit);
        }
        let modules = || lock.base.iter().flat_map(|base| &base.platform).flat_map(|on| &on.modules);
        if let Some(at) = image.plugin.iter().position(|plugin| modules().any(|module| *module == plugin.name)) {
            return fail(&format!("plugin.{at}.name"), Misfit::Module(image.plugin[at].name.clone()));
        }
        let From::Recipe(parent_name) = &image.from else {
            return Ok(Self { parent: None });
        };
        match parent.filter(|parent| parent.name() == parent_name) {
            None => fail("from", Misfit::NoParent(parent_name.clone())),
            Some(parent) => match against_parent(image, parent) {
                Some((key, misfit)) => fail(key, misfit),
                None => Ok(Self { parent: Some(parent) }),
            },
        }
    }
}

fn against_parent(image: &ImageRecipe, parent: &Plan) -> Option<(&'static str, Misfit)> {
    let Work::Image(work) = parent.work() else {
        return Some(("from", Misfit::ParentIsHost(parent.name().clone())));
    };
    let is_baked = |platform: &&Platform| work.platforms.iter().any(|on| on.platform == **platform);
    if let Some(platform) = image.platforms.iter().find(|platform| !is_baked(platform)) {
        let parent = parent.name().clone();
        return Some(("platforms", Misfit::ParentPlatform { parent, platform: platform.clone() }));
    }
    let same_product = image.product == work.product && image.product != Product::Generic;
    (same_product && image.version != work.version).then(|| {
        let misfit = Misfit::Version { recipe: image.version.clone(), base: work.version.to_string() };
        ("version", misfit)
    })
}

/// Where the recipe speaks of an input.
fn key_of(recipe: &Recipe, input: &Input) -> String {
    let index = |array: &str, at: Option<usize>| at.map_or_else(String::new, |at| format!("{array}.{at}.name"));
    match (recipe, input) {
        (Recipe::Image(_), Input::Base) => "from".to_owned(),
        (Recipe::Image(image), Input::Plugin(name)) => {
            index("plugin", image.plugin.iter().position(|plugin| plugin.name == *name))
        }
        (Recipe::Image(image), Input::Archive(name)) => {
            index("archive", image.archive.iter().position(|archive| archive.name == *name))
        }
        (Recipe::Ami(_), Input::Ami(_)) => "base".to_owned(),
        _ => String::new(),
    }
}
