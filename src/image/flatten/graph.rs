//! A file system as layers make it: folders with names, and what each name stands for.
//!
//! Unlike [`crate::image::stack`] it knows names that are no text and which names are hard links of each other, and it
//! remembers for each thing which entry of which layer it came from.

use std::collections::{BTreeMap, BTreeSet};

use crate::image::scan::Head;
use crate::tree::{Mode, Owner};

/// More entries than any image has.
pub(super) const MOST_ENTRIES: usize = 2_000_000;

/// More bytes of names than any image has: they are kept in memory.
pub(super) const MOST_NAMES: usize = 256 << 20;

/// Links followed on the way to one place, as Linux counts them.
const MOST_LINKS: usize = 40;

const WHITEOUT: &[u8] = b".wh.";
const OPAQUE: &[u8] = b".wh..wh..opq";
const ENGINES_OWN: &[u8] = b".wh..wh.";

const ROOT: usize = 0;

/// A file system.
pub(super) struct Graph {
    nodes: Vec<Node>,
}

/// A thing in it.
struct Node {
    head: Head,
    /// The layer that it came with, and the number of its entry there; `None` for a folder that nobody describes.
    from: Option<(usize, usize)>,
    names: BTreeMap<Box<[u8]>, usize>,
}

/// What is left in the end.
#[derive(Default)]
pub(super) struct Left<'g> {
    /// The folders by path, sorted, those before that others are in.
    pub(super) folders: Vec<(Vec<u8>, &'g Head)>,
    /// Everything else, by layer and number of the entry: all its paths, sorted.
    pub(super) entries: BTreeMap<usize, BTreeMap<usize, Vec<Vec<u8>>>>,
}

impl Default for Graph {
    fn default() -> Self {
        Self { nodes: vec![Node::folder()] }
    }
}

impl Node {
    fn folder() -> Self {
        let head = Head {
            name: Vec::new(),
            link: Vec::new(),
            size: 0,
            mode: Mode::new(0o755),
            owner: Owner::default(),
            kind: b'5',
            mtime: 0,
            device: (0, 0),
            attributes: Vec::new(),
        };
        Self { head, from: None, names: BTreeMap::new() }
    }

    fn is_folder(&self) -> bool {
        self.head.kind == b'5'
    }
}

impl Graph {
    /// Puts a layer on top: first it takes away what it removes, then it puts its own entries, in their order.
    pub(super) fn put(&mut self, layer: usize, heads: Vec<Head>) -> Result<(), String> {
        self.drop_replaced_links(&heads)?;
        for head in &heads {
            self.remove(head)?;
        }
        for (number, mut head) in heads.into_iter().enumerate() {
            let name = std::mem::take(&mut head.name);
            let path = parts(&name)?;
            if path.last().is_some_and(|last| last.starts_with(WHITEOUT)) {
                continue;
            }
            let refused = |why: &str| Err(format!("entry `{}`: {why}", shown(&name)));
            match (head.kind, path.split_last()) {
                (b'V', _) => {}
                (b'5', None) => {
                    self.nodes[ROOT].head = head;
                    self.nodes[ROOT].from = Some((layer, number));
                }
                (_, None) => return refused("it stands for the root and is no folder"),
                (b'0'..=b'6', Some((last, folder))) => {
                    let linked = if head.kind == b'1' { Some(self.target(&head.link)?) } else { None };
                    let folder = self.folder(folder)?;
                    self.insert(
                        folder,
                        last,
                        linked,
                        Node { head, from: Some((layer, number)), names: BTreeMap::new() },
                    );
                }
                (kind, _) => return refused(&format!("it is of the kind `{}`", kind.escape_ascii())),
            }
            if self.nodes.len() > MOST_ENTRIES {
                return Err(format!("the layers have more than {MOST_ENTRIES} entries"));
            }
        }
        Ok(())
    }

    fn insert(&mut self, folder: usize, name: &[u8], linked: Option<usize>, node: Node) {
        let there = self.nodes[folder].names.get(name).copied();
        match (there, linked) {
            (Some(old), None) if node.is_folder() && self.nodes[old].is_folder() => {
                (self.nodes[old].head, self.nodes[old].from) = (node.head, node.from);
            }
            (_, Some(target)) => drop(self.nodes[folder].names.insert(name.into(), target)),
            (_, None) => {
                self.nodes.push(node);
                let new = self.nodes.len() - 1;
                self.nodes[folder].names.insert(name.into(), new);
            }
        }
    }

    /// Drops the links in whose place the layer puts folders that it also removes something from: nothing of that is
    /// meant for what the links led to.
    fn drop_replaced_links(&mut self, heads: &[Head]) -> Result<(), String> {
        let mut replaced = BTreeSet::new();
        for head in heads {
            let path = parts(&head.name)?;
            let Some((_, folder)) = path.split_last().filter(|(last, _)| last.starts_with(WHITEOUT)) else { continue };
            replaced.extend((1..=folder.len()).map(|len| folder[..len].to_vec()));
        }
        if replaced.is_empty() {
            return Ok(());
        }
        let folders = heads.iter().filter(|head| head.kind == b'5').map(|head| parts(&head.name));
        let folders = folders.collect::<Result<BTreeSet<_>, _>>()?;
        // Those that others are in come first.
        for path in replaced.intersection(&folders) {
            let Some((last, parent)) = path.split_last() else { continue };
            let Some(parent) = self.walk(parent, false)? else { continue };
            let there = self.nodes[parent].names.get(*last).copied();
            if there.is_some_and(|there| self.nodes[there].head.kind == b'2') {
                self.nodes[parent].names.remove(*last);
            }
        }
        Ok(())
    }

    /// Takes away what an entry says is gone. What it stands in may itself not be there.
    fn remove(&mut self, head: &Head) -> Result<(), String> {
        let path = parts(&head.name)?;
        let Some((last, folder)) = path.split_last().filter(|(last, _)| last.starts_with(WHITEOUT)) else {
            return Ok(());
        };
        let Some(folder) = self.walk(folder, false)? else { return Ok(()) };
        if *last == OPAQUE {
            self.nodes[folder].names.clear();
        } else if !last.starts_with(ENGINES_OWN) {
            self.nodes[folder].names.remove(&last[WHITEOUT.len()..]);
        }
        Ok(())
    }

    /// What a hard link leads to.
    fn target(&mut self, link: &[u8]) -> Result<usize, String> {
        let path = parts(link)?;
        let found = match path.split_last() {
            Some((last, folder)) => self.walk(folder, false)?.and_then(|at| self.nodes[at].names.get(*last).copied()),
            None => None,
        };
        let found = found.filter(|at| !self.nodes[*at].is_folder());
        found.ok_or_else(|| format!("there is a hard link to `{}`, where no file is", shown(link)))
    }

    fn folder(&mut self, path: &[&[u8]]) -> Result<usize, String> {
        let folder = self.walk(path, true)?;
        folder.ok_or_else(|| format!("`{}` is no folder, and things are to lie in it", shown(&path.join(&b'/'))))
    }

    /// The folder that a path leads to, through links; what is missing on the way is made where that is wanted.
    fn walk(&mut self, path: &[&[u8]], make: bool) -> Result<Option<usize>, String> {
        let mut left: Vec<Vec<u8>> = path.iter().rev().map(|part| part.to_vec()).collect();
        let mut way = vec![ROOT];
        let mut links = 0;
        while let Some(part) = left.pop() {
            let at = way.last().copied().unwrap_or(ROOT);
            if part == b".." {
                if way.len() > 1 {
                    way.pop();
                }
                continue;
            }
            let next = match self.nodes[at].names.get(&part[..]) {
                Some(next) => *next,
                None if make => {
                    self.insert(at, &part, None, Node::folder());
                    self.nodes.len() - 1
                }
                None => return Ok(None),
            };
            match self.nodes[next].head.kind {
                b'5' => way.push(next),
                b'2' => {
                    links += 1;
                    if links > MOST_LINKS {
                        return Err(format!("`{}` goes through too many links", shown(&path.join(&b'/'))));
                    }
                    let target = &self.nodes[next].head.link;
                    if target.starts_with(b"/") {
                        way.truncate(1);
                    }
                    let parts = target.rsplit(|&byte| byte == b'/');
                    left.extend(parts.filter(|part| !matches!(*part, b"" | b".")).map(<[u8]>::to_vec));
                }
                _ => return Ok(None),
            }
        }
        Ok(way.last().copied())
    }

    /// What is left, from the root.
    pub(super) fn left(&self) -> Left<'_> {
        let mut left = Left::default();
        let mut open = vec![(Vec::new(), ROOT)];
        while let Some((path, at)) = open.pop() {
            let node = &self.nodes[at];
            if node.is_folder() {
                // A root that nobody describes is left to whoever unpacks.
                if at != ROOT || node.from.is_some() {
                    left.folders.push((path.clone(), &node.head));
                }
                open.extend(node.names.iter().rev().map(|(name, next)| {
                    let slash = if path.is_empty() { &b""[..] } else { b"/" };
                    ([&path, slash, name].concat(), *next)
                }));
            } else if let Some((layer, number)) = node.from {
                left.entries.entry(layer).or_default().entry(number).or_default().push(path);
            }
        }
        left
    }
}

/// The parts of a name. `./`, doubled and trailing slashes mean nothing.
fn parts(name: &[u8]) -> Result<Vec<&[u8]>, String> {
    let parts: Vec<_> = name.split(|&byte| byte == b'/').filter(|part| !matches!(*part, b"" | b".")).collect();
    if parts.contains(&&b".."[..]) {
        return Err(format!("entry `{}`: its name has `..` in it", shown(name)));
    }
    Ok(parts)
}

fn shown(name: &[u8]) -> String {
    String::from_utf8_lossy(name).chars().take(200).flat_map(char::escape_debug).collect()
}
