//! Layers put on each other: one view of what an image holds.
//!
//! Done as engines unpack: a layer first takes away what it removes from those below, and then puts its own entries
//! where their paths lead, through the links that are there by then.

use std::collections::{BTreeMap, BTreeSet};

use super::listing::{Listing, Special};
use crate::name::ImagePath;
use crate::tree::{Entry, Mode, Node, Owner};

/// Links followed on the way to one place, as Linux counts them.
const MOST_LINKS: usize = 40;

/// Layers put on each other, from the bottom up.
#[derive(Clone, Debug)]
pub struct Stack {
    spots: Vec<Spot>,
    layers: usize,
    /// The folder that was put into last, because the next entry mostly goes there too.
    last: Option<(String, usize)>,
}

/// What lies somewhere in a stack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum There {
    /// Something that a tree can hold.
    Entry(Entry),
    /// Something else.
    Special(Special),
}

/// Something that lies somewhere.
#[derive(Clone, Debug)]
struct Spot {
    there: There,
    /// The number of the layer that it is from.
    layer: usize,
    names: BTreeMap<Box<str>, usize>,
}

/// Why layers cannot be put on each other.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StackError {
    /// Something lies in what is no folder.
    #[error("{path} cannot be put there: {at} is no folder")]
    NoFolder {
        /// What was to be put somewhere.
        path: ImagePath,
        /// What is in the way.
        at: ImagePath,
    },
    /// Links lead round.
    #[error("{0} goes through too many links")]
    Links(ImagePath),
    /// A hard link leads to nothing.
    #[error("{path} is a hard link to {target}, where no file is")]
    Linked {
        /// The link.
        path: ImagePath,
        /// Where it leads.
        target: ImagePath,
    },
}

impl Default for Stack {
    fn default() -> Self {
        Self { spots: vec![Spot::folder(0)], layers: 0, last: None }
    }
}

impl Spot {
    /// A folder that nobody describes.
    fn folder(layer: usize) -> Self {
        let entry = Entry { mode: Mode::new(0o755), owner: Owner::default(), node: Node::Folder };
        Self { there: There::Entry(entry), layer, names: BTreeMap::new() }
    }

    fn is_folder(&self) -> bool {
        matches!(&self.there, There::Entry(Entry { node: Node::Folder, .. }))
    }
}

/// The root's number among the spots.
const ROOT: usize = 0;

impl Stack {
    /// Puts a layer on top.
    ///
    /// # Errors
    /// When it does not fit on what is below.
    pub fn add(&mut self, listing: &Listing) -> Result<(), StackError> {
        let layer = self.layers;
        self.layers += 1;
        self.drop_replaced_links(listing)?;
        for path in &listing.removed {
            let parent = path.parent().map_or(Ok(None), |parent| self.find_followed(&parent))?;
            if let Some(spot) = parent {
                self.spots[spot].names.remove(path.file_name());
            }
        }
        for folder in &listing.cleared {
            if let Some(spot) = self.find_followed(folder)? {
                self.spots[spot].names.clear();
            }
        }
        // Before the layer's own entries: one of them may take the place of what is linked to.
        let linked = listing.linked.iter().map(|(path, target)| Ok((path, self.linked(path, target)?)));
        let linked = linked.collect::<Result<Vec<_>, StackError>>()?;
        self.last = None;
        self.spots.reserve(listing.tree.len());
        for (path, entry) in listing.tree.iter() {
            self.put(path, There::Entry(entry.clone()), layer)?;
        }
        for (path, special) in &listing.special {
            self.put(path, There::Special(*special), layer)?;
        }
        for (path, (there, layer)) in linked {
            self.put(path, there, layer)?;
        }
        self.last = None;
        Ok(())
    }

    /// Drops the links in whose place the layer puts folders that it also removes something from: nothing of that is
    /// meant for what the links led to.
    fn drop_replaced_links(&mut self, listing: &Listing) -> Result<(), StackError> {
        let folders: BTreeSet<_> =
            listing.cleared.iter().cloned().chain(listing.removed.iter().filter_map(ImagePath::parent)).collect();
        let mut replaced = BTreeSet::new();
        for folder in folders {
            let mut at = Some(folder);
            while let Some(path) = at.filter(|path| !replaced.contains(path)) {
                at = path.parent();
                replaced.insert(path);
            }
        }
        // Those that others are in come first.
        for path in replaced {
            let is_folder = listing.tree.get(&path).is_some_and(|entry| entry.node == Node::Folder);
            let Some(parent) = path.parent().filter(|_| is_folder) else { continue };
            let Some(spot) = self.find_followed(&parent)? else { continue };
            let there = self.spots[spot].names.get(path.file_name()).map(|spot| &self.spots[*spot].there);
            if matches!(there, Some(There::Entry(Entry { node: Node::Link(_), .. }))) {
                self.spots[spot].names.remove(path.file_name());
            }
        }
        Ok(())
    }

    /// What a hard link to something in the layers below is one more name of, and the layer that has its bytes.
    fn linked(&self, path: &ImagePath, target: &ImagePath) -> Result<(There, usize), StackError> {
        let found = match self.find_followed(&target.parent().unwrap_or_else(ImagePath::root))? {
            Some(folder) => self.spots[folder].names.get(target.file_name()).copied(),
            None => None,
        };
        match found.map(|spot| &self.spots[spot]).filter(|spot| !spot.is_folder()) {
            Some(Spot { there, layer, .. }) => Ok((there.clone(), *layer)),
            None => Err(StackError::Linked { path: path.clone(), target: target.clone() }),
        }
    }

    /// What lies at a path; links on the way or at the end are not followed.
    #[must_use]
    pub fn get(&self, path: &ImagePath) -> Option<&There> {
        self.find(path).map(|spot| &self.spots[spot].there)
    }

    /// The number of the layer, counted from 0 at the bottom, that holds the bytes of what lies at a path.
    #[must_use]
    pub fn layer(&self, path: &ImagePath) -> Option<usize> {
        self.find(path).map(|spot| self.spots[spot].layer)
    }

    /// The names in a folder, sorted; none where there is no folder.
    pub fn names(&self, folder: &ImagePath) -> impl Iterator<Item = &str> {
        self.find(folder).into_iter().flat_map(|spot| self.spots[spot].names.keys().map(|name| &**name))
    }

    /// The path without links of what a path leads to; `None` where that is nothing. A link at the end is followed too.
    ///
    /// # Errors
    /// [`StackError::Links`] when links lead round.
    pub fn real(&self, path: &ImagePath) -> Result<Option<ImagePath>, StackError> {
        let mut walk = Walk::new(path);
        let mut way: Vec<(usize, &str)> = Vec::new();
        while let Some(step) = walk.next() {
            let at = way.last().map_or(ROOT, |(spot, _)| *spot);
            match step {
                Step::Up => drop(way.pop()),
                Step::Down(name) => {
                    let Some((name, spot)) = self.spots[at].names.get_key_value(name.as_str()) else { return Ok(None) };
                    match &self.spots[*spot].there {
                        There::Entry(Entry { node: Node::Link(target), .. }) => {
                            if walk.follow(target)? {
                                way.clear();
                            }
                        }
                        _ => way.push((*spot, name)),
                    }
                }
            }
        }
        let text: String = way.iter().flat_map(|(_, name)| ["/", name]).collect();
        // Longer than any path: as good as nothing, since nobody can open it.
        Ok(if text.is_empty() { Some(ImagePath::root()) } else { text.parse().ok() })
    }

    /// Shows everything with the number of its layer, folders before what is in them, in the order of paths.
    pub fn each(&self, mut show: impl FnMut(&ImagePath, &There, usize)) {
        let mut open = vec![(ImagePath::root(), ROOT)];
        while let Some((path, spot)) = open.pop() {
            let Spot { there, layer, names } = &self.spots[spot];
            show(&path, there, *layer);
            open.extend(names.iter().rev().filter_map(|(name, spot)| Some((path.join(name).ok()?, *spot))));
        }
    }

    fn find(&self, path: &ImagePath) -> Option<usize> {
        path.components().try_fold(ROOT, |spot, name| self.spots[spot].names.get(name).copied())
    }

    /// The folder that a path leads to, through links.
    fn find_followed(&self, path: &ImagePath) -> Result<Option<usize>, StackError> {
        let real = self.real(path)?;
        Ok(real.and_then(|real| self.find(&real)).filter(|spot| self.spots[*spot].is_folder()))
    }

    fn put(&mut self, path: &ImagePath, there: There, layer: usize) -> Result<(), StackError> {
        let (parent, name) = path.as_str().rsplit_once('/').unwrap_or_default();
        if name.is_empty() {
            self.spots[ROOT].there = there;
            return Ok(());
        }
        let folder = match &self.last {
            Some((last, spot)) if last == parent => *spot,
            _ => {
                let spot = self.make_folder(&path.parent().unwrap_or_else(ImagePath::root), path, layer)?;
                self.last = Some((parent.to_owned(), spot));
                spot
            }
        };
        let is_folder = matches!(&there, There::Entry(Entry { node: Node::Folder, .. }));
        match self.spots[folder].names.get(name).copied() {
            Some(old) if is_folder && self.spots[old].is_folder() => {
                (self.spots[old].there, self.spots[old].layer) = (there, layer);
            }
            _ => {
                let spot = self.spots.len();
                self.spots.push(Spot { there, layer, names: BTreeMap::new() });
                self.spots[folder].names.insert(name.into(), spot);
            }
        }
        Ok(())
    }

    /// The folder that a path leads to, through links; what is missing on the way is made. `what` is to go into it.
    fn make_folder(&mut self, path: &ImagePath, what: &ImagePath, layer: usize) -> Result<usize, StackError> {
        let mut walk = Walk::new(path);
        let mut way = Vec::new();
        while let Some(step) = walk.next() {
            let at = way.last().copied().unwrap_or(ROOT);
            let Step::Down(name) = step else {
                way.pop();
                continue;
            };
            let Some(spot) = self.spots[at].names.get(name.as_str()).copied() else {
                let spot = self.spots.len();
                self.spots.push(Spot::folder(layer));
                self.spots[at].names.insert(name.into(), spot);
                way.push(spot);
                continue;
            };
            match &self.spots[spot].there {
                There::Entry(Entry { node: Node::Folder, .. }) => way.push(spot),
                There::Entry(Entry { node: Node::Link(target), .. }) => {
                    if walk.follow(target)? {
                        way.clear();
                    }
                }
                _ => return Err(StackError::NoFolder { path: what.clone(), at: path.clone() }),
            }
        }
        Ok(way.last().copied().unwrap_or(ROOT))
    }
}

/// One step on the way to a place.
enum Step {
    Up,
    Down(String),
}

/// The steps that are left on the way to a place, the next one last.
struct Walk<'p> {
    path: &'p ImagePath,
    left: Vec<String>,
    links: usize,
}

impl<'p> Walk<'p> {
    fn new(path: &'p ImagePath) -> Self {
        let mut left: Vec<_> = path.components().map(str::to_owned).collect();
        left.reverse();
        Self { path, left, links: 0 }
    }

    fn next(&mut self) -> Option<Step> {
        let part = self.left.pop()?;
        Some(if part == ".." { Step::Up } else { Step::Down(part) })
    }

    /// Goes on where a link leads to; tells whether that begins at the root.
    fn follow(&mut self, target: &str) -> Result<bool, StackError> {
        self.links += 1;
        if self.links > MOST_LINKS {
            return Err(StackError::Links(self.path.clone()));
        }
        self.left.extend(target.split('/').rev().filter(|part| !matches!(*part, "" | ".")).map(str::to_owned));
        Ok(target.starts_with('/'))
    }
}

#[cfg(test)]
mod tests;
