//! A tree, fitted onto the image that it is put on.
//!
//! Three things make a layer differ from what was asked for. Folders that lead to something are written with it, with
//! the modes that the image has them with, because some tools make up modes for folders that they are not told of. A
//! path through a link of the image means where the link leads, as it does for `cp`: written as it stands, `/bin/tool`
//! would replace the link `/bin` by a folder. And what the image has already is left out.

use std::collections::{BTreeMap, BTreeSet};

use super::below::{Below, BelowError};
use crate::name::{ImagePath, NameError};
use crate::tree::{Amended, Entry, Mode, Node, Owner, Said, Tree};

/// Links followed on the way to a folder, as Linux counts them.
const MOST_LINKS: usize = 40;

/// What is to change.
#[derive(Clone, Copy, Debug)]
pub struct Wish<'a> {
    /// What is put there.
    pub tree: &'a Tree,
    /// Folders that get the owner or the mode which the tree says even where the image has them: all others stay as
    /// they are.
    pub said: &'a BTreeMap<ImagePath, Said>,
    /// What is not to be seen any more.
    pub removed: &'a BTreeSet<ImagePath>,
}

/// What a layer has to hold for that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settled<'a> {
    /// What it puts where: the wish, but for what is different.
    pub tree: Amended<'a>,
    /// What it removes.
    pub removed: BTreeSet<ImagePath>,
}

/// Why a tree does not fit.
#[derive(Debug, thiserror::Error)]
pub enum SettleError {
    /// The image below cannot be read.
    #[error(transparent)]
    Below(#[from] BelowError),
    /// A file is to be where a folder is.
    #[error("{0} is to be a file, and the image has a folder there: remove the folder first, or choose another path")]
    Folder(ImagePath),
    /// A folder is to be where something else is.
    #[error("{path} has to be a folder for {what}, and the image has something else there")]
    NoFolder {
        /// What is no folder.
        path: ImagePath,
        /// What was to go into it.
        what: ImagePath,
    },
    /// Links lead round, or to nowhere that has a name.
    #[error("{path} goes through the link {link}, which leads to no folder")]
    Link {
        /// What was to be put there.
        path: ImagePath,
        /// The link.
        link: ImagePath,
    },
    /// A link that leads to something is replaced at the same time.
    #[error("{path} goes through the link {link}, and that is to be something else: write the path without the link")]
    Replaced {
        /// What was to be put there.
        path: ImagePath,
        /// The link.
        link: ImagePath,
    },
    /// Two paths mean the same place.
    #[error("{one} and {other} are the same place in the image, {place}, and are not the same")]
    Twice {
        /// The first.
        one: ImagePath,
        /// The second.
        other: ImagePath,
        /// Where both lead.
        place: ImagePath,
    },
    /// What is to be removed is not there.
    #[error("{0} is to be removed, and the image has no such path: correct it, or take it out of `remove`")]
    Absent(ImagePath),
    /// A path became too long on its way through links.
    #[error(transparent)]
    Name(#[from] NameError),
}

/// Fits a tree onto an image.
///
/// # Errors
/// When it does not fit, or the image cannot be read.
pub fn settle<'a>(wish: Wish<'a>, below: &dyn Below) -> Result<Settled<'a>, SettleError> {
    let mut settler = Settler {
        below,
        said: wish.said,
        folders: BTreeMap::new(),
        followed: BTreeMap::new(),
        settled: Settled { tree: wish.tree.into(), removed: BTreeSet::new() },
    };
    // Few paths lead elsewhere, and they alone can fall on others.
    let mut led: BTreeMap<ImagePath, Vec<ImagePath>> = BTreeMap::new();
    for path in wish.removed {
        settler.remove(path)?;
    }
    for (path, entry) in wish.tree.iter() {
        // It is in the layer only if it is put.
        settler.settled.tree.leave_out(path);
        if path.is_root() {
            continue;
        }
        let place = settler.put(path, entry)?;
        if place != *path {
            led.entry(place).or_default().push(path.clone());
        }
    }
    check_led(wish.tree, led)?;
    settler.finish()
}

/// Whether paths that lead to the same place mean the same: two folders do.
fn check_led(tree: &Tree, mut led: BTreeMap<ImagePath, Vec<ImagePath>>) -> Result<(), SettleError> {
    let led_away: BTreeSet<_> = led.values().flatten().cloned().collect();
    for (place, paths) in &mut led {
        if tree.get(place).is_some() && !led_away.contains(place) {
            paths.push(place.clone());
        }
        paths.sort_unstable();
        let is_folder = |path| tree.get(path).is_some_and(|entry| entry.node == Node::Folder);
        if let Some([one, other]) = paths.array_windows().find(|pair| !pair.iter().all(is_folder)) {
            return Err(SettleError::Twice { one: one.clone(), other: other.clone(), place: place.clone() });
        }
    }
    Ok(())
}

struct Settler<'a, 'b> {
    below: &'b dyn Below,
    said: &'a BTreeMap<ImagePath, Said>,
    /// Where the folders that were asked for are in truth, and how they are written where anything in them is.
    folders: BTreeMap<ImagePath, ImagePath>,
    /// Where the links are that were followed, and what for.
    followed: BTreeMap<ImagePath, ImagePath>,
    settled: Settled<'a>,
}

impl<'a> Settler<'a, '_> {
    fn remove(&mut self, path: &ImagePath) -> Result<(), SettleError> {
        let place = self.place(path)?;
        if self.below.entry(&place)?.is_none() {
            // Devices and pipes are no entries of a tree, and have a name all the same.
            let folder = place.parent().unwrap_or_else(ImagePath::root);
            if !self.below.names(&folder)?.iter().any(|name| name == place.file_name()) {
                return Err(SettleError::Absent(path.clone()));
            }
        }
        self.settled.removed.insert(place);
        Ok(())
    }

    /// Puts an entry where its path leads, and tells where that is.
    fn put(&mut self, path: &ImagePath, entry: &Entry) -> Result<ImagePath, SettleError> {
        if entry.node == Node::Folder {
            let place = self.folder(path, path, Some(entry))?;
            return Ok(place);
        }
        let place = self.place(path)?;
        let there = self.there(&place)?;
        if there.as_ref().is_some_and(|there| there.node == Node::Folder) {
            return Err(SettleError::Folder(path.clone()));
        }
        if there.as_ref() == Some(entry) {
            return Ok(place);
        }
        if place == *path {
            self.settled.tree.restore(path);
        } else {
            self.settled.tree.insert(place.clone(), entry.clone());
        }
        Ok(place)
    }

    /// A path with the links followed that lead to its folder.
    fn place(&mut self, path: &ImagePath) -> Result<ImagePath, SettleError> {
        let parent = path.parent().unwrap_or_else(ImagePath::root);
        let folder = self.folder(&parent, path, None)?;
        // Its text is shared then: of very many files that counts.
        if folder == parent { Ok(path.clone()) } else { Ok(folder.join(path.file_name())?) }
    }

    /// Where a folder is in truth; `what` is to go into it. One that is not there is made, as `entry` says.
    fn folder(&mut self, path: &ImagePath, what: &ImagePath, entry: Option<&Entry>) -> Result<ImagePath, SettleError> {
        if let (Some(place), None) = (self.folders.get(path), entry) {
            return Ok(place.clone());
        }
        let Some(parent) = path.parent() else { return Ok(path.clone()) };
        let mut place = self.folder(&parent, what, None)?.join(path.file_name())?;
        let mut there = self.there(&place)?;
        if let Some(Entry { node: Node::Link(target), .. }) = &there {
            let lost = || SettleError::Link { path: what.clone(), link: path.clone() };
            place = self.follow(&place, target, what)?.ok_or_else(lost)?;
            if place == ImagePath::root() {
                self.folders.insert(path.clone(), place.clone());
                return Ok(place);
            }
            there = self.there(&place)?;
        }
        let made = match (there, entry) {
            (Some(there), _) if there.node != Node::Folder => {
                return Err(SettleError::NoFolder { path: path.clone(), what: what.clone() });
            }
            (Some(there), Some(entry)) => {
                let said = self.said.get(path).copied().unwrap_or_default();
                let owner = if said.owner { entry.owner } else { there.owner };
                let mode = if said.mode { entry.mode } else { there.mode };
                let meant = Entry { mode, owner, node: Node::Folder };
                (meant != there).then_some(meant)
            }
            (Some(_), None) => None,
            (None, Some(entry)) => Some(entry.clone()),
            (None, None) => Some(new_folder()),
        };
        if let Some(made) = made {
            // A folder that was made on the way to something, and is described after that, is as it is described.
            if place == *path && entry == Some(&made) {
                self.settled.tree.restore(path);
            } else {
                self.settled.tree.insert(place.clone(), made);
            }
        }
        self.folders.insert(path.clone(), place.clone());
        Ok(place)
    }

    /// Where a link leads to, as a kernel follows it; `None` where that is nothing, or round.
    fn follow(&mut self, link: &ImagePath, target: &str, what: &ImagePath) -> Result<Option<ImagePath>, SettleError> {
        self.followed.entry(link.clone()).or_insert_with(|| what.clone());
        let mut at = link.parent().unwrap_or_else(ImagePath::root);
        let mut is_folder = true;
        let mut followed = 1;
        let mut ahead = Vec::new();
        if turn(target, &mut ahead) {
            at = ImagePath::root();
        }
        while let Some(part) = ahead.pop() {
            if !is_folder {
                return Ok(None);
            }
            if part == ".." {
                at = at.parent().unwrap_or_else(ImagePath::root);
                continue;
            }
            let place = at.join(&part)?;
            let Some(there) = self.there(&place)? else { return Ok(None) };
            let Node::Link(next) = &there.node else {
                (at, is_folder) = (place, there.node == Node::Folder);
                continue;
            };
            self.followed.entry(place).or_insert_with(|| what.clone());
            followed += 1;
            if followed > MOST_LINKS {
                return Ok(None);
            }
            if turn(next, &mut ahead) {
                at = ImagePath::root();
            }
        }
        Ok(Some(at))
    }

    /// What the image has at a path, once what is to be removed is gone.
    fn there(&self, place: &ImagePath) -> Result<Option<Entry>, SettleError> {
        if self.settled.removed.iter().any(|removed| place.is_within(removed)) {
            return Ok(None);
        }
        Ok(self.below.entry(place)?)
    }

    /// Adds the folders that lead to what the layer holds.
    fn finish(mut self) -> Result<Settled<'a>, SettleError> {
        let mut followed = self.followed.iter();
        if let Some((link, path)) = followed.find(|(link, _)| self.settled.tree.get(link).is_some()) {
            return Err(SettleError::Replaced { path: path.clone(), link: link.clone() });
        }
        let all = self.settled.tree.iter().map(|(path, _)| path).chain(&self.settled.removed);
        let mut parents = BTreeSet::new();
        for path in all {
            let mut parent = path.parent();
            while let Some(folder) = parent.filter(|folder| !folder.is_root()) {
                parent = folder.parent();
                if !parents.insert(folder) {
                    break;
                }
            }
        }
        for folder in parents {
            if self.settled.tree.get(&folder).is_none() {
                let entry = self.there(&folder)?.filter(|there| there.node == Node::Folder);
                self.settled.tree.insert(folder, entry.unwrap_or_else(new_folder));
            }
        }
        Ok(self.settled)
    }
}

fn new_folder() -> Entry {
    Entry { mode: Mode::new(0o755), owner: Owner::default(), node: Node::Folder }
}

/// Puts the parts of a link's text before those that are ahead, the next one last; tells whether it begins at the root.
fn turn(target: &str, ahead: &mut Vec<String>) -> bool {
    ahead.extend(target.split('/').rev().filter(|part| !matches!(*part, "" | ".")).map(str::to_owned));
    target.starts_with('/')
}

#[cfg(test)]
mod tests;
