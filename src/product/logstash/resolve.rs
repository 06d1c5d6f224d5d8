//! Which gems of a package an image needs, and whether all of them get what they need.
//!
//! Logstash's installer asks Bundler, without a network: what the image has stays as it is, and what it lacks comes
//! from the package. So do we, but say which two gems do not go together instead of searching for others.

use std::collections::{BTreeMap, BTreeSet};

use super::lockfile::LockedGem;
use super::pack::PackedGem;
use super::specification::{GemPlatform, Specification};
use super::version::{Requirement, Version};
use crate::product::plugin::InstallError;

/// The gems of an image.
pub(super) struct Present {
    /// What its lock says, by name.
    pub(super) locked: BTreeMap<String, LockedGem>,
    /// The full names of the gems whose files are there: a lock also knows those that only developers need.
    pub(super) installed: BTreeSet<String>,
    /// The version of Bundler, which needs no entry in a lock.
    pub(super) bundler: Option<Version>,
}

impl Present {
    fn has_files(&self, gem: &LockedGem) -> bool {
        gem.is_local || self.installed.contains(&gem.full_name())
    }

    /// Who needs a gem, for people.
    fn who_needs(&self, name: &str) -> String {
        let needs = |gem: &&LockedGem| gem.needs.iter().any(|(needed, _)| needed == name);
        match self.locked.values().filter(|gem| self.has_files(gem)).find(needs) {
            Some(gem) => format!(", which `{}` {} needs", gem.name, gem.version),
            None => String::new(),
        }
    }
}

/// What becomes of the gems of a package.
#[derive(Default)]
pub(super) struct Decided<'g> {
    /// Their files are put into the image.
    pub(super) files: BTreeMap<&'g str, &'g PackedGem>,
    /// They are added to the lock.
    pub(super) locked: BTreeSet<&'g str>,
}

/// Decides about the gems of a package.
pub(super) fn resolve<'g>(
    gems: &'g BTreeMap<String, PackedGem>,
    present: &'g Present,
) -> Result<Decided<'g>, InstallError> {
    let mut decided = Decided::default();
    let mut open: Vec<&str> = Vec::new();
    for gem in gems.values().filter(|gem| gem.is_plugin) {
        if let Some(own) = present.locked.get(&gem.spec.name).filter(|own| own.version != gem.spec.version) {
            let (name, version) = (&gem.spec.name, &gem.spec.version);
            let message = format!(
                "`{name}` {version} cannot be added: the image has `{name}` {}{}",
                own.version,
                present.who_needs(name)
            );
            let help = format!("remove the plugin from the recipe, or take a base that does not bring `{name}`");
            return Err(InstallError::rule(&gem.path, message, help));
        }
        open.push(&gem.spec.name);
    }
    let mut seen: BTreeSet<&str> = open.iter().copied().collect();
    while let Some(name) = open.pop() {
        let needs: Vec<(&str, &Requirement)> = match (present.locked.get(name), gems.get(name)) {
            (Some(own), _) if present.has_files(own) => {
                own.needs.iter().map(|(name, requirement)| (name.as_str(), requirement)).collect()
            }
            (own, Some(gem)) => {
                if own.is_some_and(|own| !is_same(own, &gem.spec)) {
                    // Only a developers' gem, of another version: what needs it is told below.
                    continue;
                }
                check(gem, gems, present)?;
                decided.files.insert(name, gem);
                if own.is_none() {
                    decided.locked.insert(name);
                }
                gem.spec.needs().map(|need| (need.name.as_str(), &need.requirement)).collect()
            }
            (_, None) => continue,
        };
        open.extend(needs.iter().map(|(name, _)| *name).filter(|name| seen.insert(name)));
    }
    Ok(decided)
}

fn is_same(own: &LockedGem, spec: &Specification) -> bool {
    let java = (spec.platform == GemPlatform::Java).then_some("java");
    own.version == spec.version && own.platform.as_deref() == java
}

/// Each gem that a gem needs has to be in the image or in the package, in a version that will do.
fn check(gem: &PackedGem, gems: &BTreeMap<String, PackedGem>, present: &Present) -> Result<(), InstallError> {
    let (name, version) = (&gem.spec.name, &gem.spec.version);
    for need in gem.spec.needs() {
        let (needed, wanted) = (&need.name, need.requirement.locked());
        let refuse = |what: String, help: String| {
            let message = format!("`{name}` {version} needs `{needed}`{wanted}, {what}");
            Err(InstallError::rule(&gem.path, message, help))
        };
        let packed = gems.get(needed);
        match present.locked.get(needed) {
            _ if needed == "bundler" => match &present.bundler {
                Some(own) if !need.requirement.is_met_by(own) => {
                    let help = format!("take a version of `{name}` that goes with this Logstash");
                    return refuse(format!("and the image has `bundler` {own}"), help);
                }
                _ => {}
            },
            Some(own) if !need.requirement.is_met_by(&own.version) => {
                let help = format!("take a version of `{name}` that goes with this Logstash, or another Logstash");
                return refuse(
                    format!("and the image has `{needed}` {}{}", own.version, present.who_needs(needed)),
                    help,
                );
            }
            Some(own) if present.has_files(own) || packed.is_some_and(|packed| is_same(own, &packed.spec)) => {}
            Some(own) => {
                let what = format!("and the image's lock has `{needed}` {} without its files", own.version);
                return refuse(what, format!("make a pack that holds `{}`", own.full_name()));
            }
            None => match packed {
                None => {
                    let help =
                        "make the package with `logstash-plugin prepare-offline-pack`, which adds what is needed";
                    return refuse("which neither the package nor the image has".to_owned(), help.to_owned());
                }
                Some(packed) if !need.requirement.is_met_by(&packed.spec.version) => {
                    let help = format!("make a pack with a version of `{needed}` that will do");
                    return refuse(format!("and the package has `{needed}` {}", packed.spec.version), help);
                }
                Some(_) => {}
            },
        }
    }
    Ok(())
}
