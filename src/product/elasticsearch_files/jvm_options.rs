//! `jvm.options` and `jvm.options.d/`.

use crate::product::rules::{JVM_FILE, JVM_LINE};
use crate::product::subject::{Found, Scene};
use crate::tree::Node;

pub(super) fn check(scene: &Scene<'_>, found: &mut Found) {
    for (path, entry) in scene.subject.local.tree.iter() {
        let folder = path.parent();
        let extra = folder.as_ref().is_some_and(|folder| folder.file_name() == "jvm.options.d");
        let read = path.file_name().strip_suffix(".options").is_some();
        if extra && !read && entry.node != Node::Folder && !path.file_name().starts_with('.') {
            found.add(&JVM_FILE, scene.file(path), format!("`{path}` does not end in `.options`"));
        }
    }
    for file in &scene.files {
        let folder = file.path.parent();
        let extra = folder.as_ref().is_some_and(|folder| folder.file_name() == "jvm.options.d");
        let name = file.path.file_name();
        if !(name == "jvm.options" || (extra && name.strip_suffix(".options").is_some())) {
            continue;
        }
        for (i, line) in file.text.lines().enumerate() {
            if !is_read(line) {
                found.add(&JVM_LINE, file.place(i + 1), format!("`{}`", line.trim_end()));
            }
        }
    }
}

/// Whether Elasticsearch's launcher takes a line: nothing, a comment, or an option, with or without the versions of
/// Java that it is for. Spaces before any of them count.
fn is_read(line: &str) -> bool {
    if line.starts_with('#') || line.trim().is_empty() || line.starts_with('-') {
        return true;
    }
    let Some((versions, option)) = line.split_once(':') else { return false };
    let (start, end) = match versions.split_once('-') {
        Some((start, end)) => (number(start), if end.is_empty() { Some(u32::MAX) } else { number(end) }),
        None => (number(versions), number(versions)),
    };
    option.starts_with('-') && start.zip(end).is_some_and(|(start, end)| start <= end)
}

fn number(text: &str) -> Option<u32> {
    text.parse::<i32>().ok().filter(|_| text.bytes().all(|c| c.is_ascii_digit())).map(i32::unsigned_abs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_the_launcher_takes() {
        for right in ["", "  ", "# a", "-Xmx1g", "8:-Xmx1g", "8-:-Xmx1g", "8-13:-Xmx1g", "-Da=b c:d", "9-9:-a"] {
            assert!(is_read(right), "{right}");
        }
        for wrong in [
            "Xmx1g",
            " -Xmx1g",
            " # a",
            "8: -Xmx1g",
            "8-13-Xmx1g",
            "13-8:-a",
            ":-a",
            "x:-a",
            "8:a",
            "+8:-a",
            "99999999999:-a",
        ] {
            assert!(!is_read(wrong), "{wrong}");
        }
    }
}
