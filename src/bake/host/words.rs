//! The names of the tags by which elkbake knows what it has made.

/// The key that an image was made from, 64 hex digits.
pub(super) const KEY: &str = "elkbake:key";
/// The recipe.
pub(super) const RECIPE: &str = "elkbake:recipe";
/// The recipe's version.
pub(super) const VERSION: &str = "elkbake:version";
/// The plan's tag.
pub(super) const TAG: &str = "elkbake:tag";
/// The processor.
pub(super) const ARCHITECTURE: &str = "elkbake:architecture";
/// What all that is made of one key in one account and region has in common.
pub(super) const RUN: &str = "elkbake:run";
/// What an instance is for: [`BAKE`] or [`TEST`].
pub(super) const PURPOSE: &str = "elkbake:purpose";
/// Which test an instance is for.
pub(super) const TRIAL: &str = "elkbake:trial";
/// The sources that an image was made from, where they are under version control.
pub(super) const REVISION: &str = "elkbake:revision";
/// When an image was all that it has to be.
pub(super) const FINISHED: &str = "elkbake:finished";
/// That an image was shared, so that it is known to be looked at when nobody is to have it any more.
pub(super) const SHARED: &str = "elkbake:shared";
/// What people see.
pub(super) const NAME: &str = "Name";

/// An instance that is made into an image.
pub(super) const BAKE: &str = "bake";
/// An instance that shows whether an image boots.
pub(super) const TEST: &str = "test";
