//! Where a gem's files lie in Logstash's image, and whose they are.

use super::pack::PackedGem;
use super::ruby;
use crate::contents::Contents;
use crate::name::{ImagePath, NameError};
use crate::tree::{Entry, Mode, Node, Owner, Tree};

/// All of Logstash belongs to the user it runs as, and to the group that any other user of a container has.
pub(super) const OWNER: Owner = Owner { uid: 1000, gid: 0 };

/// The image's own build ends with `chmod -R g=u` and `find -type d -exec chmod g+s`.
const FOLDER: Mode = Mode::new(0o2775);
const FILE: Mode = Mode::new(0o664);

/// Puts a gem where Logstash's own installer would: its files, its specification and the gem itself.
pub(super) fn put(
    home: &ImagePath,
    gem: &PackedGem,
    tree: &mut Tree,
    contents: &mut Contents,
) -> Result<(), NameError> {
    let full = gem.spec.full_name();
    let own = home.join("gems")?.join(&full)?;
    tree.insert(own.clone(), folder());
    for (path, entry) in gem.unpacked.tree.iter() {
        let mut place = own.clone();
        for part in path.components() {
            // A gem need not list its folders.
            if tree.get(&place).is_none() {
                tree.insert(place.clone(), folder());
            }
            place = place.join(part)?;
        }
        let entry = match &entry.node {
            Node::Folder => folder(),
            node => Entry { mode: shared(entry.mode), owner: OWNER, node: node.clone() },
        };
        tree.insert(place, entry);
    }
    contents.extend(gem.unpacked.contents.clone());
    let specification = contents.add_bytes(ruby::gemspec(&gem.spec).into_bytes());
    let file = |node| Entry { mode: FILE, owner: OWNER, node };
    tree.insert(home.join("specifications")?.join(&format!("{full}.gemspec"))?, file(specification));
    tree.insert(home.join("cache")?.join(&format!("{full}.gem"))?, file(gem.file.clone()));
    Ok(())
}

/// A folder of Logstash's.
pub(super) fn folder() -> Entry {
    Entry { mode: FOLDER, owner: OWNER, node: Node::Folder }
}

/// The group may do what the owner may.
fn shared(mode: Mode) -> Mode {
    let own = mode.bits() & 0o700;
    Mode::new(own | own >> 3 | mode.bits() & 0o007)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_group_may_do_what_the_owner_may() {
        for (bits, expected) in [(0o644, 0o664), (0o755, 0o775), (0o600, 0o660), (0o444, 0o444), (0o4755, 0o775)] {
            assert_eq!(shared(Mode::new(bits)), Mode::new(expected));
        }
    }
}
