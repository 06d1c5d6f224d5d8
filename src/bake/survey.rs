//! From a lock to one that knows what a build will ask of its base.
//!
//! A base's layers are read once, when it is locked: which version of the product is really in it, and what lies where
//! the recipe puts something. A fresh machine then bakes a recipe of files without fetching a layer of the base. All of
//! that follows from the base's digest and the recipe: it is no pin, moves nothing, and can be left out.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Mutex, PoisonError};

use crate::bake::base::{Base, Remembered};
use crate::bake::event::Event;
use crate::bake::port::PortError;
use crate::bake::resolve::{Fault, InputFault, ResolveError, World};
use crate::digest::Digest;
use crate::image::below::{Below, BelowError};
use crate::image::oci;
use crate::image::settle::{SettleError, Wish, settle};
use crate::local::Local;
use crate::lock::{Found, Input, Lock, LockedBelow, LockedPlatform};
use crate::name::{ImagePath, Platform, RecipeName};
use crate::parallel;
use crate::product;
use crate::recipe::{ImageRecipe, Product};
use crate::tree::{Entry, Mode, Node, Owner, Tree};

/// Platforms whose bases are read at one time; each reads several layers at once.
const AT_ONCE: usize = 2;

/// A recipe whose base is looked at.
#[derive(Clone, Copy)]
pub struct Survey<'a> {
    /// What the recipe is called.
    pub name: &'a RecipeName,
    /// What it says.
    pub image: &'a ImageRecipe,
    /// Its own files.
    pub local: &'a Local,
    /// What was locked before: what it knows of the same base need not be read again.
    pub earlier: Option<&'a Lock>,
    /// Where the recipe builds on others: the first of these, and its lock, which pins the base of all.
    pub root: Option<(&'a ImageRecipe, &'a Lock)>,
}

impl Survey<'_> {
    /// Adds to a lock what is to be known of its base. Where the layers are not at hand and may not be fetched, it says
    /// what it said before.
    ///
    /// # Errors
    /// When layers cannot be had, or are not what was promised.
    pub fn add(&self, mut lock: Lock, world: &World<'_>) -> Result<Lock, ResolveError> {
        let Some(base) = &mut lock.base else { return Ok(lock) };
        base.platform = self.each(&base.platform, |locked| self.look(locked, world))?;
        if let Some((root, pins)) = self.root {
            let is_for = |locked: &&LockedPlatform| self.image.platforms.contains(&locked.name);
            let platforms: Vec<_> = pins.base.iter().flat_map(|base| &base.platform).filter(is_for).collect();
            base.below = self.each(&platforms, |locked| self.look_below(root, locked, world))?;
            base.below.retain(|below| !below.there.is_empty());
        }
        Ok(lock)
    }

    /// The same on each platform; all that is wrong is told.
    fn each<T: Sync, R: Send>(
        &self,
        platforms: &[T],
        look: impl Fn(&T) -> Result<R, Fault> + Sync,
    ) -> Result<Vec<R>, ResolveError> {
        let (mut all, mut faults) = (Vec::new(), Vec::new());
        for seen in parallel::bounded(platforms, AT_ONCE, look) {
            match seen {
                Ok(seen) => all.push(seen),
                Err(fault) => faults.push(InputFault { input: Input::Base, fault }),
            }
        }
        if faults.is_empty() { Ok(all) } else { Err(ResolveError::Inputs { recipe: self.name.clone(), faults }) }
    }

    fn look(&self, locked: &LockedPlatform, world: &World<'_>) -> Result<LockedPlatform, Fault> {
        let known = self.with_earlier(locked);
        let read_for = Some(self.image.product).filter(|product| *product != Product::Generic);
        if known.read_for == read_for
            && let Ok(there) = self.ask(&known.name, &Remembered(&known.there))
        {
            return Ok(LockedPlatform { there, ..known });
        }
        match self.read(&known, world) {
            Ok(read) => Ok(LockedPlatform { read_for, ..read }),
            Err(Fault::Port(PortError::Offline { .. })) => {
                not_at_hand(self.image, &known.name, world);
                Ok(known)
            }
            Err(fault) => Err(fault),
        }
    }

    /// What lies in the base of the recipes below, where this one puts something. Whether those put something there
    /// too is not asked: what they know of it is known to a build in any case.
    fn look_below(&self, root: &ImageRecipe, locked: &LockedPlatform, world: &World<'_>) -> Result<LockedBelow, Fault> {
        let earlier = self.earlier.and_then(|lock| lock.base.as_ref()).map_or(&[][..], |base| &base.below[..]);
        let is_it = |old: &&LockedBelow| old.name == locked.name && old.manifest == locked.manifest;
        let known = earlier.iter().find(is_it).map(|old| old.there.clone()).unwrap_or_default();
        let of = |there| LockedBelow { name: locked.name.clone(), manifest: locked.manifest, there };
        if let Ok(there) = self.ask(&locked.name, &Remembered(&known)) {
            return Ok(of(there));
        }
        let base = Base::locked(&root.from, root.compression, locked, world, product::interest(root.product))?;
        match self.ask(&locked.name, &base).map_err(fault) {
            Ok(there) => Ok(of(there)),
            Err(Fault::Port(PortError::Offline { .. })) => {
                not_at_hand(root, &locked.name, world);
                Ok(of(known))
            }
            Err(fault) => Err(fault),
        }
    }

    /// What was known before of the same base.
    fn with_earlier(&self, locked: &LockedPlatform) -> LockedPlatform {
        let earlier = self.earlier.and_then(|lock| lock.base.as_ref()).map_or(&[][..], |base| &base.platform[..]);
        let same = earlier.iter().find(|old| old.name == locked.name && old.manifest == locked.manifest);
        let Some(old) = same.filter(|old| old.config == locked.config).cloned() else { return locked.clone() };
        LockedPlatform {
            product_version: old.product_version,
            java_version: old.java_version,
            read_for: old.read_for,
            modules: old.modules,
            there: old.there,
            ..locked.clone()
        }
    }

    fn read(&self, known: &LockedPlatform, world: &World<'_>) -> Result<LockedPlatform, Fault> {
        let unread = LockedPlatform { there: BTreeMap::new(), ..known.clone() };
        let interest = product::interest(self.image.product);
        let base = Base::locked(&self.image.from, self.image.compression, &unread, world, interest)?;
        let there = self.ask(&known.name, &base).map_err(fault)?;
        Ok(LockedPlatform { there, ..self.identified(unread, &base)? })
    }

    /// Adds what is in a base of the product.
    fn identified(&self, unread: LockedPlatform, base: &Base<'_>) -> Result<LockedPlatform, Fault> {
        let found = product::identify(self.image.product, base).map_err(fault)?;
        let labels = base.config().and_then(|bytes| oci::config(bytes).ok()).unwrap_or_default();
        let version = found.version.or_else(|| labels.product_version());
        Ok(LockedPlatform {
            product_version: version.map(|version| version.to_string()),
            java_version: found.java.or_else(|| labels.java_version().map(str::to_owned)),
            modules: found.modules,
            ..unread
        })
    }

    /// What a lock says of a base and the base does not bear out, on the platform where that is so first.
    ///
    /// # Errors
    /// When the base cannot be had.
    pub fn doubt(&self, lock: &Lock, world: &World<'_>) -> Result<Option<Doubt>, Fault> {
        for said in lock.base.iter().flat_map(|base| &base.platform) {
            if let Some(doubt) = self.doubt_on(said, world)? {
                return Ok(Some(doubt));
            }
        }
        Ok(None)
    }

    fn doubt_on(&self, said: &LockedPlatform, world: &World<'_>) -> Result<Option<Doubt>, Fault> {
        let unread = LockedPlatform { there: BTreeMap::new(), ..said.clone() };
        let interest = product::interest(self.image.product);
        let base = Base::locked(&self.image.from, self.image.compression, &unread, world, interest)?;
        let doubt = |what: String, said: Option<String>, is: Option<String>| {
            (said != is).then(|| Doubt { platform: unread.name.clone(), what, said, is })
        };
        for (path, found) in &said.there {
            let is = base.entry(path).map_err(fault)?.map_or(Found::Nothing, Found::Entry);
            if let Some(doubt) = doubt(path.to_string(), Some(found.to_string()), Some(is.to_string())) {
                return Ok(Some(doubt));
            }
        }
        if said.read_for.is_none() {
            return Ok(None);
        }
        let is = self.identified(unread.clone(), &base)?;
        let modules = |on: &LockedPlatform| Some(on.modules.iter().cloned().collect::<Vec<_>>().join(", "));
        Ok(doubt("product_version".to_owned(), said.product_version.clone(), is.product_version.clone())
            .or_else(|| doubt("java_version".to_owned(), said.java_version.clone(), is.java_version.clone()))
            .or_else(|| doubt("modules".to_owned(), modules(said), modules(&is))))
    }

    /// What a build would ask, with the answers.
    fn ask(&self, platform: &Platform, below: &dyn Below) -> Result<BTreeMap<ImagePath, Found>, BelowError> {
        let recorder = Recorder { below, heard: Mutex::default() };
        let (nothing, no_paths, nothing_said) = (Tree::default(), BTreeSet::new(), BTreeMap::new());
        // One after the other: what one of them does not fit with does not keep others from being asked for.
        for (path, entry) in self.wishes(platform) {
            let tree: Tree = [(path, entry)].into_iter().collect();
            recorder.hear(Wish { tree: &tree, said: &self.local.said, removed: &no_paths })?;
        }
        for path in &self.image.remove {
            let removed = [path.clone()].into();
            recorder.hear(Wish { tree: &nothing, said: &nothing_said, removed: &removed })?;
        }
        Ok(recorder.finish())
    }

    /// What is put where, as far as that is known before anything is unpacked.
    fn wishes(&self, platform: &Platform) -> Vec<(ImagePath, Entry)> {
        let is_for = |only: &BTreeSet<Platform>| only.is_empty() || only.contains(platform);
        let own = self.local.tree.iter().map(|(path, entry)| (path.clone(), entry.clone()));
        let archives = self.image.archive.iter().filter(|archive| is_for(&archive.platforms));
        let archives = archives.filter(|archive| !self.image.is_only_mounted(archive));
        let archives = archives.map(|archive| {
            let node = if archive.unpack { Node::Folder } else { Node::File { digest: Digest::of(b""), size: 0 } };
            (archive.into.clone(), some(node))
        });
        let plugins = self.image.plugin.iter().filter(|plugin| is_for(&plugin.platforms));
        let plugins = plugins.flat_map(|plugin| product::places(self.image.product, &plugin.name));
        own.chain(archives).chain(plugins.map(|path| (path, some(Node::Folder)))).collect()
    }
}

fn not_at_hand(image: &ImageRecipe, platform: &Platform, world: &World<'_>) {
    let from = &image.from;
    let note = format!("the layers of {from} for {platform} are not at hand: the lock does not say what is in them");
    (world.tell)(Event::Note(&note));
}

/// An entry of which only the kind is known.
fn some(node: Node) -> Entry {
    Entry { mode: Mode::new(0o755), owner: Owner::default(), node }
}

fn fault(error: BelowError) -> Fault {
    match error.downcast::<Fault>() {
        Ok(fault) => *fault,
        Err(error) => Fault::wrong(&"the base", error.to_string()),
    }
}

/// Something that a lock says of a base, and that is not so.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Doubt {
    /// On which platform.
    pub platform: Platform,
    /// Of what: a path of the base, or a key of the lock.
    pub what: String,
    /// What the lock says.
    pub said: Option<String>,
    /// What is so.
    pub is: Option<String>,
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word =
            |text: &Option<String>| text.as_ref().map_or_else(|| "nothing".to_owned(), |text| format!("`{text}`"));
        write!(f, "{}, {}: {}, and the base has {}", self.platform, self.what, word(&self.said), word(&self.is))
    }
}

/// Passes questions on, and remembers the answers.
struct Recorder<'b> {
    below: &'b dyn Below,
    heard: Mutex<BTreeMap<ImagePath, Found>>,
}

impl Recorder<'_> {
    /// Hears what is asked for a wish. Whether it fits is not judged here: a build does that, and says it better.
    fn hear(&self, wish: Wish<'_>) -> Result<(), BelowError> {
        match settle(wish, self) {
            Err(SettleError::Below(error)) => Err(error),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    fn finish(self) -> BTreeMap<ImagePath, Found> {
        Remembered::prune(self.heard.into_inner().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Below for Recorder<'_> {
    fn entry(&self, path: &ImagePath) -> Result<Option<Entry>, BelowError> {
        let entry = self.below.entry(path)?;
        let found = entry.clone().map_or(Found::Nothing, Found::Entry);
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).insert(path.clone(), found);
        Ok(entry)
    }

    fn names(&self, folder: &ImagePath) -> Result<Vec<String>, BelowError> {
        self.below.names(folder)
    }

    fn bytes(&self, path: &ImagePath, limit: u64) -> Result<Option<Vec<u8>>, BelowError> {
        self.below.bytes(path, limit)
    }
}

#[cfg(test)]
mod tests;
