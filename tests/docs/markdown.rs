//! As much of Markdown as the documents use.

use std::path::Path;

/// A document, and what stands in it between fences.
pub struct Document {
    pub name: String,
    pub text: String,
    pub blocks: Vec<Block>,
}

/// Lines between two fences.
pub struct Block {
    /// Document and line.
    pub place: String,
    /// The word after the first fence.
    pub kind: String,
    pub text: String,
    /// What is done before it.
    pub before: Vec<String>,
    /// The file that it is.
    pub file: Option<String>,
}

const FENCE: &str = "```";

impl Document {
    pub fn read(home: &Path, name: String) -> Self {
        let text = std::fs::read_to_string(home.join(&name)).unwrap();
        let (mut blocks, mut before, mut above) = (Vec::new(), Vec::new(), "");
        let mut lines = text.lines().enumerate();
        while let Some((number, line)) = lines.next() {
            if let Some(command) = line.strip_prefix("<!-- before: ").and_then(|rest| rest.strip_suffix(" -->")) {
                before.push(command.to_owned());
            } else if let Some(kind) = line.strip_prefix(FENCE) {
                let inside: Vec<_> = lines.by_ref().map(|(_, line)| line).take_while(|line| *line != FENCE).collect();
                let place = format!("{name}:{}", number + 1);
                let is_file = !["sh", "console", "text"].contains(&kind);
                let file = above.strip_suffix("`:").and_then(|rest| rest.rsplit_once('`')).map(|(_, path)| path);
                blocks.push(Block {
                    place,
                    kind: kind.to_owned(),
                    text: inside.join("\n") + "\n",
                    before: std::mem::take(&mut before),
                    file: file.filter(|_| is_file).map(str::to_owned),
                });
            } else if !line.is_empty() {
                above = line;
            }
        }
        assert!(before.is_empty(), "{name}: nothing comes after {before:?}");
        Self { name, text, blocks }
    }

    /// The lines outside of blocks, with their places.
    fn prose(&self) -> impl Iterator<Item = (String, &str)> {
        let mut within = false;
        let lines = self.text.lines().enumerate().filter(move |(_, line)| {
            let fence = line.starts_with(FENCE);
            within ^= fence;
            !within && !fence
        });
        lines.map(|(number, line)| (format!("{}:{}", self.name, number + 1), line))
    }

    /// What stands between backquotes on one line.
    pub fn spans(&self) -> impl Iterator<Item = (String, &str)> {
        self.prose().flat_map(|(place, line)| {
            line.split('`').skip(1).step_by(2).map(move |span| (place.clone(), span)).collect::<Vec<_>>()
        })
    }

    /// Where links lead to.
    pub fn links(&self) -> impl Iterator<Item = (String, &str)> {
        self.prose().flat_map(|(place, line)| {
            let targets = line.split("](").skip(1).filter_map(|rest| rest.split(')').next());
            targets.map(move |target| (place.clone(), target)).collect::<Vec<_>>()
        })
    }
}

/// By which name a heading can be linked to.
pub fn anchor(line: &str) -> Option<String> {
    let heading = line.strip_prefix('#')?.trim_start_matches('#').strip_prefix(' ')?;
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || [' ', '-', '_'].contains(c));
    Some(kept.collect::<String>().to_lowercase().replace(' ', "-"))
}
