//! What of a manifest is exported.

use super::fault::{ExportError, list};
use crate::name::{RecipeName, Reference};
use crate::recipe::{ProjectPath, Region};
use crate::record::{Manifest, Record, RecordKind, RecordedAmi, Unfinished};

/// The current records of a target that were asked for, in the order in which they were.
pub struct Choice<'m> {
    /// The target.
    pub(super) target: &'m str,
    /// Where it is deployed, where that was said.
    pub(super) region: Option<&'m Region>,
    chosen: Vec<(&'m RecipeName, &'m Record)>,
    /// Whether they were named one by one.
    pub(super) is_named: bool,
    unfinished: Vec<(&'m RecipeName, &'m Unfinished)>,
}

/// Where an image is.
pub(super) enum Place<'m> {
    /// In a registry, by digest.
    Registry(Reference),
    /// In an OCI layout of the project's.
    Folder(&'m ProjectPath, String),
}

impl<'m> Choice<'m> {
    /// The records that were named, or all of them.
    ///
    /// # Errors
    /// When there are none, or not all.
    pub fn of(
        manifest: &'m Manifest,
        named: &'m [RecipeName],
        region: Option<&'m Region>,
    ) -> Result<Self, ExportError> {
        let target = manifest.target.as_str();
        let mut chosen: Vec<(&RecipeName, &Record)> = Vec::new();
        for recipe in named {
            let (name, entry) = manifest.recipes.get_key_value(recipe).ok_or_else(|| missing(manifest, recipe))?;
            if !chosen.iter().any(|(known, _)| *known == name) {
                chosen.push((name, &entry.current));
            }
        }
        if named.is_empty() {
            chosen.extend(manifest.recipes.iter().map(|(name, entry)| (name, &entry.current)));
        }
        if chosen.is_empty() {
            return Err(match manifest.unfinished.iter().next() {
                Some((recipe, push)) => unfinished(target, recipe, push),
                None => ExportError::Empty { target: target.to_owned() },
            });
        }
        let concerns = |recipe: &RecipeName| named.is_empty() || named.contains(recipe);
        let unfinished = manifest.unfinished.iter().filter(|(recipe, _)| concerns(recipe)).collect();
        Ok(Self { target, region, chosen, is_named: !named.is_empty(), unfinished })
    }

    /// What a person should know about what is exported.
    #[must_use]
    pub fn remarks(&self) -> Vec<String> {
        let remark = |(recipe, push): &(&RecipeName, &Unfinished)| {
            let missing = list(&push.missing.keys().collect::<Vec<_>>());
            let was = self.chosen.iter().find(|(known, _)| known == recipe);
            let exported =
                was.map_or_else(|| "it is left out".to_owned(), |(_, old)| format!("{} is exported", old.tag));
            let (target, tag) = (self.target, &push.tag);
            format!(
                "the push of {recipe} {tag} did not reach {missing}, so {exported}; \
                 `elkbake push {recipe} --target {target}` completes it"
            )
        };
        self.unfinished.iter().map(remark).collect()
    }

    /// Records of images.
    pub(super) fn images(&self) -> impl Iterator<Item = (&'m RecipeName, &'m Record)> {
        self.chosen.iter().copied().filter(|(_, record)| record.kind == RecordKind::Image)
    }

    /// Records of AMIs.
    pub(super) fn hosts(&self) -> impl Iterator<Item = (&'m RecipeName, &'m Record)> {
        self.chosen.iter().copied().filter(|(_, record)| record.kind == RecordKind::Ami)
    }

    /// Where an image is, seen from the region.
    pub(super) fn place(&self, recipe: &RecipeName, record: &'m Record) -> Result<Place<'m>, ExportError> {
        let nowhere = || ExportError::Nowhere { recipe: recipe.clone() };
        let digest = record.digest.as_ref().ok_or_else(nowhere)?;
        if let Some(folder) = &record.layout {
            return Ok(Place::Folder(folder, format!("oci:{folder}@{digest}")));
        }
        let reference = match self.region {
            // A registry that is no ECR has no regions, and is reached from all.
            Some(region) if !record.regions.is_empty() => record.regions.get(region).ok_or_else(|| {
                let regions = record.regions.keys().cloned().collect();
                ExportError::NotThere { recipe: recipe.clone(), region: region.clone(), regions }
            })?,
            _ => record.reference.as_ref().ok_or_else(nowhere)?,
        };
        Ok(Place::Registry(reference.at(*digest)))
    }

    /// Where an image is, for a tool that has to pull it.
    pub(super) fn pulled(
        &self,
        recipe: &RecipeName,
        record: &'m Record,
        tool: &'static str,
    ) -> Result<String, ExportError> {
        match self.place(recipe, record)? {
            Place::Registry(reference) => Ok(reference.to_string()),
            Place::Folder(folder, _) => {
                Err(ExportError::Folder { recipe: recipe.clone(), folder: folder.to_string(), tool })
            }
        }
    }

    /// The AMIs in the region: in the one that was said, or else in the only one that there is; none where there are several.
    pub(super) fn amis_here(
        &self,
        recipe: &RecipeName,
        record: &'m Record,
    ) -> Result<Vec<&'m RecordedAmi>, ExportError> {
        let mut regions: Vec<&Region> = record.amis.iter().map(|ami| &ami.region).collect();
        regions.sort();
        regions.dedup();
        let here = match (self.region, &regions[..]) {
            (Some(region), _) if !regions.contains(&region) => {
                let regions = regions.into_iter().cloned().collect();
                return Err(ExportError::NotThere { recipe: recipe.clone(), region: region.clone(), regions });
            }
            (Some(region), _) => region,
            (None, [only]) => only,
            (None, _) => return Ok(Vec::new()),
        };
        Ok(record.amis.iter().filter(|ami| ami.region == *here).collect())
    }
}

fn missing(manifest: &Manifest, recipe: &RecipeName) -> ExportError {
    let target = manifest.target.clone();
    if let Some(push) = manifest.unfinished.get(recipe) {
        return unfinished(&target, recipe, push);
    }
    if manifest.recipes.is_empty() {
        return ExportError::Empty { target };
    }
    ExportError::Unknown { recipe: recipe.clone(), target, known: manifest.recipes.keys().cloned().collect() }
}

fn unfinished(target: &str, recipe: &RecipeName, push: &Unfinished) -> ExportError {
    let missing = list(&push.missing.keys().collect::<Vec<_>>());
    ExportError::Unfinished { recipe: recipe.clone(), target: target.to_owned(), missing }
}
