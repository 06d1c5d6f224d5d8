//! What changed, held against what lies below: what a layer has to hold for it, and no more.

use std::collections::{BTreeMap, BTreeSet};

use super::gather::Gathered;
use super::report::{Changed, Report};
use crate::image::below::{Below, BelowError};
use crate::image::layer::Beside;
use crate::name::ImagePath;
use crate::tree::{Entry, Mode, Node, Owner};

pub(super) fn fit(report: &Report<'_>, gathered: Gathered, below: &dyn Below) -> Result<Changed, BelowError> {
    let Gathered { mut entries, twins, attributes, contents, others, .. } = gathered;
    let there = Then { below, entries: &entries, others: &others };
    let mut removed = BTreeSet::new();
    for path in report.removed.iter().filter(|path| !path.is_root() && !report.is_out(path)) {
        match entries.get(path) {
            // Emptied, and filled again.
            Some(Entry { node: Node::Folder, .. }) => there.missing(path, report, &mut removed)?,
            Some(_) => {}
            None => removed.extend(there.is_below(path)?.then(|| path.clone())),
        }
    }
    if report.touched.is_none() {
        there.missing(&ImagePath::root(), report, &mut removed)?;
    }
    // What goes with its folder needs no mark.
    let all = removed.clone();
    removed.retain(|path| !parents(path).any(|parent| all.contains(&parent) || there.is_replaced(&parent)));
    let mut same = Vec::new();
    for (path, entry) in &entries {
        let is_same = below.entry(path)?.as_ref() == Some(entry) && !attributes.contains_key(path);
        same.extend(is_same.then(|| path.clone()));
    }
    same.iter().for_each(|path| drop(entries.remove(path)));
    forget_folders_of_engines(report, &mut entries, &removed, below)?;
    add_parents(&mut entries, &removed, below)?;
    let beside = beside(&entries, &twins, attributes);
    Ok(Changed { tree: entries.into_iter().collect(), removed, beside, contents })
}

/// What the container has now, over what it had.
struct Then<'t> {
    below: &'t dyn Below,
    entries: &'t BTreeMap<ImagePath, Entry>,
    others: &'t BTreeSet<ImagePath>,
}

impl Then<'_> {
    /// Whether the image has something at a path; devices and pipes are no entries, and have a name all the same.
    fn is_below(&self, path: &ImagePath) -> Result<bool, BelowError> {
        if self.below.entry(path)?.is_some() {
            return Ok(true);
        }
        let folder = path.parent().unwrap_or_else(ImagePath::root);
        Ok(self.below.names(&folder)?.iter().any(|name| name == path.file_name()))
    }

    /// Whether something is where a folder was: it takes its place with all that was in it.
    fn is_replaced(&self, path: &ImagePath) -> bool {
        self.entries.get(path).is_some_and(|entry| entry.node != Node::Folder)
    }

    /// What a folder had and has no more, wherever in it.
    fn missing(
        &self,
        folder: &ImagePath,
        report: &Report<'_>,
        removed: &mut BTreeSet<ImagePath>,
    ) -> Result<(), BelowError> {
        for name in self.below.names(folder)? {
            let path = folder.join(&name).map_err(|error| error.to_string())?;
            if report.is_out(&path) {
                continue;
            }
            match self.entries.get(&path) {
                None if self.others.contains(&path) => {}
                None => drop(removed.insert(path)),
                Some(Entry { node: Node::Folder, .. }) => self.missing(&path, report, removed)?,
                Some(_) => {}
            }
        }
        Ok(())
    }
}

fn parents(path: &ImagePath) -> impl Iterator<Item = ImagePath> {
    std::iter::successors(path.parent(), ImagePath::parent).filter(|parent| !parent.is_root())
}

/// Drops the folders in which nothing lies but what an engine has put there.
fn forget_folders_of_engines(
    report: &Report<'_>,
    entries: &mut BTreeMap<ImagePath, Entry>,
    removed: &BTreeSet<ImagePath>,
    below: &dyn Below,
) -> Result<(), BelowError> {
    for own in report.engines() {
        for folder in parents(&own) {
            let holds = |path: &ImagePath| *path != folder && path.is_within(&folder);
            let is_empty =
                !entries.range(&folder..).map(|(path, _)| path).take(2).any(holds) && !removed.iter().any(holds);
            if !is_empty || below.entry(&folder)?.is_some() {
                break;
            }
            entries.remove(&folder);
        }
    }
    Ok(())
}

/// Adds the folders that lead to what the layer holds, as the image has them: some tools make up modes for folders
/// that they are not told of.
fn add_parents(
    entries: &mut BTreeMap<ImagePath, Entry>,
    removed: &BTreeSet<ImagePath>,
    below: &dyn Below,
) -> Result<(), BelowError> {
    let mut missing: BTreeSet<ImagePath> = entries.keys().chain(removed).flat_map(parents).collect();
    missing.retain(|folder| !entries.contains_key(folder));
    for folder in missing {
        let there = below.entry(&folder)?.filter(|there| there.node == Node::Folder);
        let made_up = || Entry { mode: Mode::new(0o755), owner: Owner::default(), node: Node::Folder };
        entries.insert(folder, there.unwrap_or_else(made_up));
    }
    Ok(())
}

/// Hard links and attributes of what is left. The first name of a file is the one that stands first in the layer,
/// whichever the engine met first.
fn beside(
    entries: &BTreeMap<ImagePath, Entry>,
    twins: &BTreeMap<ImagePath, ImagePath>,
    attributes: BTreeMap<ImagePath, Vec<crate::image::tar::Attribute>>,
) -> Beside {
    let mut families: BTreeMap<&ImagePath, BTreeSet<&ImagePath>> = BTreeMap::new();
    for (path, first) in twins {
        families.entry(first).or_insert_with(|| BTreeSet::from([first])).insert(path);
    }
    let mut beside = Beside { twins: BTreeMap::new(), attributes };
    for (met_first, mut names) in families {
        names.retain(|name| entries.contains_key(*name));
        let Some(first) = names.pop_first() else { continue };
        if let Some(attributes) = beside.attributes.remove(met_first) {
            beside.attributes.insert(first.clone(), attributes);
        }
        beside.twins.extend(names.into_iter().map(|name| (name.clone(), first.clone())));
    }
    beside.attributes.retain(|path, _| entries.contains_key(path));
    beside
}
