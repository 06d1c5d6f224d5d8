//! Files of an image by pattern, without a look into folders where none can match.

use crate::image::below::{Below, BelowError};
use crate::name::ImagePath;
use crate::recipe::Glob;
use crate::tree::{Entry, Node};

/// The files whose paths match, by path. Links are not followed: what they lead to has a path of its own.
pub(super) fn files(pattern: &Glob, below: &dyn Below) -> Result<Vec<(ImagePath, Entry)>, BelowError> {
    let text = pattern.as_str().trim_start_matches('/');
    let matcher = pattern.matcher().ok_or("the pattern cannot be read")?;
    let is_plain = |part: &&str| !part.contains(['*', '?', '[', ']', '{', '}', '\\', '!']);
    // The last part is a file's name, however plain it is.
    let parts: Vec<&str> = text.split('/').collect();
    let fixed: Vec<&str> = parts[..parts.len() - 1].iter().copied().take_while(is_plain).collect();
    // Braces may hold a slash, so that nobody knows how deep their pattern goes.
    let deepest = if text.contains("**") || text.contains('{') { usize::MAX } else { parts.len() };
    let root: ImagePath = format!("/{}", fixed.join("/")).parse()?;
    let mut found = Vec::new();
    let mut folders = vec![root];
    while let Some(folder) = folders.pop() {
        let depth = folder.components().count() + 1;
        for name in below.names(&folder)? {
            let path = folder.join(&name)?;
            let matches = matcher.is_match(path.as_str().trim_start_matches('/'));
            if !matches && depth >= deepest {
                continue;
            }
            match below.entry(&path)? {
                Some(entry) if entry.node == Node::Folder => folders.extend((depth < deepest).then_some(path)),
                Some(entry) if matches && matches!(entry.node, Node::File { .. }) => found.push((path, entry)),
                // Not every image lists its folders.
                None => folders.extend((depth < deepest).then_some(path)),
                Some(_) => {}
            }
        }
    }
    found.sort_by(|(a, _), (b, _)| a.cmp(b));
    Ok(found)
}
