//! What is to be made.

use std::collections::{BTreeMap, BTreeSet};

use super::words;
use crate::bake::port::{Ec2Site, Tags};
use crate::digest::Digest;
use crate::lock::Lock;
use crate::moment::Moment;
use crate::name::RecipeName;
use crate::plan::{Plan, image_name};
use crate::project::Ec2 as Account;
use crate::recipe::{AmiRecipe, Architecture, Region, Share};

/// A host's image that is to be in an account.
#[derive(Clone, Copy, Debug)]
pub struct Order<'o> {
    /// The recipe's name.
    pub name: &'o RecipeName,
    /// What it says.
    pub recipe: &'o AmiRecipe,
    /// What follows from it.
    pub plan: &'o Plan,
    /// What its base is.
    pub lock: &'o Lock,
    /// Where the image is made.
    pub account: &'o Account,
    /// The revision of the sources, where they are under version control.
    pub revision: Option<&'o str>,
    /// What the clock says.
    pub now: Moment,
}

impl<'o> Order<'o> {
    /// The region in which the image is made.
    #[must_use]
    pub fn home(&self) -> &'o Region {
        &self.recipe.region
    }

    /// All regions that are to have it, the home region first.
    #[must_use]
    pub fn regions(&self) -> Vec<&'o Region> {
        self.recipe.regions()
    }

    /// The account in a region.
    #[must_use]
    pub fn site(&self, region: &Region) -> Ec2Site {
        Ec2Site::of(self.account, region)
    }

    /// The image's name, which people see and EC2 takes once in an account and region.
    #[must_use]
    pub fn image_name(&self, architecture: Architecture) -> String {
        image_name(self.name, self.plan.tag(), architecture)
    }

    /// What the image is for, in one line.
    pub(super) fn description(&self) -> String {
        // EC2 takes 255 characters, of ASCII only.
        let said = self.recipe.description.iter().flat_map(|text| text.chars());
        let said: String = said.filter(|c| c.is_ascii() && !c.is_control()).take(255).collect();
        if said.trim().is_empty() { "made by elkbake".to_owned() } else { said }
    }

    /// Whether snapshots are encrypted.
    pub(super) fn encrypted(&self) -> bool {
        self.recipe.ami.as_ref().is_none_or(|ami| ami.encrypted)
    }

    /// Whether instances from the image have to use IMDSv2.
    pub(super) fn imds_v2(&self) -> bool {
        self.recipe.ami.as_ref().is_none_or(|ami| ami.imds_v2)
    }

    /// The key that encrypts in a region, where one is named.
    pub(super) fn kms_key(&self, region: &Region) -> Option<String> {
        self.recipe.ami.as_ref()?.regions.get(region)?.kms_key.clone()
    }

    /// Who else may start the image.
    pub(super) fn share(&self) -> Share {
        let said = self.recipe.ami.as_ref().and_then(|ami| ami.share.clone());
        said.unwrap_or_else(|| Share { accounts: BTreeSet::new(), organizations: BTreeSet::new() })
    }

    /// What all that is made of the key in a region has in common, whichever run makes it.
    #[must_use]
    pub fn run(&self, region: &Region) -> String {
        let key = self.plan.key().hex();
        Digest::of_texts(["run", key.as_str(), self.account.account.as_str(), region.as_str()]).hex()[..16].to_owned()
    }

    /// A client token: the same for the same work, whichever run does it.
    pub(super) fn token(&self, what: &str, architecture: Architecture, region: &Region, more: &str) -> String {
        let (key, architecture) = (self.plan.key().hex(), architecture.to_string());
        let account = self.account.account.as_str();
        // EC2 takes 64 characters.
        Digest::of_texts([what, self.name.as_str(), &key, &architecture, account, region.as_str(), more]).hex()
    }

    /// The tags by which what was made of this key is found, for one processor or all. Two recipes may say the same, and
    /// each has its own images.
    pub(super) fn mark(&self, architecture: Option<Architecture>) -> Tags {
        let mut tags = Tags::from([
            (words::KEY.to_owned(), self.plan.key().hex()),
            (words::RECIPE.to_owned(), self.name.to_string()),
        ]);
        tags.extend(architecture.map(|architecture| (words::ARCHITECTURE.to_owned(), architecture.to_string())));
        tags
    }

    /// All tags that a thing gets when it is made.
    pub(super) fn tags(&self, architecture: Architecture, region: &Region) -> Tags {
        let mut tags = Tags::from([(words::NAME.to_owned(), self.image_name(architecture))]);
        let own = self.recipe.ami.as_ref().map(|ami| &ami.tags);
        tags.extend(self.account.tags.iter().chain(own.into_iter().flatten()).map(owned));
        tags.extend(self.mark(Some(architecture)));
        let said = [
            (words::VERSION, self.recipe.version.to_string()),
            (words::TAG, self.plan.tag().to_string()),
            (words::RUN, self.run(region)),
        ];
        tags.extend(said.map(|(name, value)| (name.to_owned(), value)));
        tags
    }
}

fn owned((name, value): (&String, &String)) -> (String, String) {
    (name.clone(), value.clone())
}

/// User data for instances that are made into images, for each processor.
pub type UserData = BTreeMap<Architecture, Vec<u8>>;
