//! The image so far: what it builds on, with the layers of its own that are made already.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use crate::bake::base::Base;
use crate::bake::known;
use crate::contents::Spool;
use crate::digest::Digest;
use crate::image::below::{Below, BelowError};
use crate::image::layer::Layer;
use crate::image::listing::Listing;
use crate::image::scan::{self, Bounds, Scan};
use crate::name::ImagePath;
use crate::store::Store;
use crate::tree::{Entry, Node};

/// A base with layers on it.
pub(super) struct Overlay<'b> {
    base: &'b Base<'b>,
    store: &'b Store,
    layers: Vec<Upper>,
}

/// A layer on the base, and what it does, once somebody has asked: of the topmost one nobody does.
struct Upper {
    layer: Layer,
    listing: OnceLock<Listing>,
}

impl<'b> Overlay<'b> {
    pub(super) fn new(base: &'b Base<'b>, store: &'b Store) -> Self {
        Self { base, store, layers: Vec::new() }
    }

    /// Puts a layer on top.
    pub(super) fn push(&mut self, layer: &Layer) {
        self.layers.push(Upper { layer: layer.clone(), listing: OnceLock::new() });
    }

    fn listing<'u>(&self, upper: &'u Upper) -> Result<&'u Listing, BelowError> {
        if let Some(listing) = upper.listing.get() {
            return Ok(listing);
        }
        let lost = || format!("the listing of layer {} is not in the store", upper.layer.digest);
        let listing = known::listing(&upper.layer.listing, self.store)?.ok_or_else(lost)?;
        Ok(upper.listing.get_or_init(|| listing))
    }

    /// The bytes of a file of a layer, which is read once more for them: this is asked of a few small files only.
    fn taken_out(
        &self,
        layer: &Layer,
        path: &ImagePath,
        digest: &Digest,
        limit: u64,
    ) -> Result<Option<Vec<u8>>, BelowError> {
        let Some(blob) = self.store.read(&layer.digest)? else {
            return Err(format!("layer {} is not in the store any more", layer.digest).into());
        };
        // In a layer a file with several names has its bytes at one of them only.
        let listing = known::listing(&layer.listing, self.store)?.unwrap_or_default();
        let is_it = |node: &Node| matches!(node, Node::File { digest: there, .. } if there == digest);
        let wanted =
            |other: &ImagePath, _| other == path || listing.tree.get(other).is_some_and(|entry| is_it(&entry.node));
        let diff_id = Some(layer.diff_id);
        let scan = Scan { diff_id, wanted: &wanted, whole: false, packing: None, bounds: Bounds::OWN, packed: None };
        let scanned = scan::scan(&scan, blob, Spool::new(self.store.scratch()?))?;
        Ok(Some(scanned.contents.bytes(digest, limit)?))
    }

    /// The topmost layer that has a say about a path, and what it says.
    fn said(&self, path: &ImagePath) -> Result<Option<(&Layer, Option<&Entry>)>, BelowError> {
        for upper in self.layers.iter().rev() {
            if let Some(entry) = self.listing(upper)?.says(path) {
                return Ok(Some((&upper.layer, entry)));
            }
        }
        Ok(None)
    }
}

impl Below for Overlay<'_> {
    fn entry(&self, path: &ImagePath) -> Result<Option<Entry>, BelowError> {
        match self.said(path)? {
            Some((_, entry)) => Ok(entry.cloned()),
            None => self.base.entry(path),
        }
    }

    fn names(&self, folder: &ImagePath) -> Result<Vec<String>, BelowError> {
        let mut names: BTreeSet<String> = BTreeSet::new();
        if self.said(folder)?.is_none_or(|(_, entry)| entry.is_some_and(|entry| entry.node == Node::Folder)) {
            names.extend(self.base.names(folder)?);
        }
        for upper in &self.layers {
            names.extend(self.listing(upper)?.tree.names(folder).map(str::to_owned));
        }
        let mut there = Vec::new();
        for name in names {
            let Ok(path) = folder.join(&name) else { continue };
            if self.said(&path)?.is_none_or(|(_, entry)| entry.is_some()) {
                there.push(name);
            }
        }
        Ok(there)
    }

    fn bytes(&self, path: &ImagePath, limit: u64) -> Result<Option<Vec<u8>>, BelowError> {
        match self.said(path)? {
            None => self.base.bytes(path, limit),
            Some((layer, Some(Entry { node: Node::File { digest, .. }, .. }))) => {
                self.taken_out(layer, path, digest, limit)
            }
            Some(_) => Ok(None),
        }
    }
}
