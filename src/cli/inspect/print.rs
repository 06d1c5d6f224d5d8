//! An image, for people.

use std::fmt::Write as _;

use crate::bake::inspect::{BASE_DIGEST, BASE_NAME, Inspected, InspectedLayer, Inspection, Settings};
use crate::cli::plain::plain;
use crate::cli::size::{bytes, counted};
use crate::cli::ui::{Paint, Ui};
use crate::plan::LayerKind;
use crate::product::PluginFacts;

/// How wide the names of fields are.
const FIELD: usize = 12;

pub(super) fn all(inspections: &[Inspection], ui: &Ui) -> String {
    inspections.iter().map(|inspection| one(inspection, ui)).collect::<Vec<_>>().join("\n")
}

fn one(inspection: &Inspection, ui: &Ui) -> String {
    let mut text = ui.paint(Paint::Bold, &plain(&inspection.name));
    if let Some(reference) = &inspection.reference {
        text += &format!(" {}", ui.paint(Paint::Green, reference));
    }
    text.push('\n');
    if let Some(digest) = &inspection.digest {
        field(&mut text, "digest", &digest.to_string());
    }
    for image in &inspection.images {
        platform(&mut text, image, ui);
    }
    text
}

fn platform(text: &mut String, image: &Inspected, ui: &Ui) {
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{}", ui.paint(Paint::Bold, &plain(&image.platform)));
    if let Some(manifest) = &image.manifest {
        field(text, "manifest", &manifest.to_string());
    }
    field(text, "config", &image.config.digest.to_string());
    if let Some(base) = image.annotations.get(BASE_NAME) {
        let digest = image.annotations.get(BASE_DIGEST).map_or_else(String::new, |digest| format!("@{digest}"));
        field(text, "base", &format!("{base}{digest}"));
    }
    settings(text, &image.config);
    let annotations = image.annotations.iter().filter(|(name, _)| *name != BASE_NAME && *name != BASE_DIGEST);
    list(text, "annotations", annotations.map(|(name, value)| format!("{name}={value}")));
    list(text, "plugins", image.plugins.iter().flat_map(plugin));
    layers(text, image);
    biggest(text, image);
}

fn settings(text: &mut String, config: &Settings) {
    for (name, value) in [
        ("created", &config.created),
        ("user", &config.user),
        ("workdir", &config.workdir),
        ("stop signal", &config.stop_signal),
    ] {
        if let Some(value) = value {
            field(text, name, value);
        }
    }
    for (name, words) in [("entrypoint", &config.entrypoint), ("cmd", &config.cmd)] {
        if !words.is_empty() {
            field(text, name, &serde_json::json!(words).to_string());
        }
    }
    list(text, "env", config.env.iter().cloned());
    list(text, "ports", config.ports.iter().cloned());
    list(text, "volumes", config.volumes.iter().cloned());
    list(text, "labels", config.labels.iter().map(|(name, value)| format!("{name}={value}")));
}

fn field(text: &mut String, name: &str, value: &str) {
    let _ = writeln!(text, "  {name:<FIELD$} {}", plain(value));
}

/// A field with a line for each of its values.
fn list(text: &mut String, name: &str, values: impl Iterator<Item = String>) {
    let mut name = name;
    for value in values {
        field(text, name, &value);
        name = "";
    }
}

fn plugin(facts: &PluginFacts) -> Vec<String> {
    let mut lines = vec![format!("{} {}", facts.name, facts.version)];
    lines.extend(facts.permissions.iter().map(|permission| format!("  may {permission}")));
    if !facts.extends.is_empty() {
        lines.push(format!("  extends {}", facts.extends.join(", ")));
    }
    lines
}

fn layers(text: &mut String, image: &Inspected) {
    field(text, "size", &format!("{} in {}", bytes(image.size), counted(image.layers.len(), "layer")));
    for (number, layer) in image.layers.iter().enumerate() {
        let files = match (layer.files, layer.content) {
            (Some(files), Some(content)) => format!("  {} of {}", counted(files, "file"), bytes(content)),
            _ => String::new(),
        };
        let (size, digest) = (bytes(layer.size), layer.digest.short());
        let line = format!("{number:>4} {size:>10}  {digest}  {}{files}", plain(&cut(&made_by(layer))));
        let _ = writeln!(text, "  {}", line.trim_end());
    }
}

/// What made a layer.
fn made_by(layer: &InspectedLayer) -> String {
    match &layer.what {
        Some(LayerKind::Base) => match &layer.created_by {
            // Of a root file system, nobody knows more.
            Some(by) if by != "base" => format!("base: {by}"),
            _ => "base".to_owned(),
        },
        Some(LayerKind::Remove) => "removed paths".to_owned(),
        Some(LayerKind::Archive(name)) => format!("archive {name}"),
        Some(LayerKind::Plugin(name)) => format!("plugin {name}"),
        Some(LayerKind::Jar(name)) => format!("jar {name}"),
        Some(LayerKind::Run(name)) => format!("run {name}"),
        Some(LayerKind::Files) => "files".to_owned(),
        None => layer.created_by.clone().unwrap_or_default(),
    }
}

/// Shell lines of Dockerfiles are as long as their authors liked.
fn cut(words: &str) -> String {
    const SHOWN: usize = 60;
    let line = words.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

fn biggest(text: &mut String, image: &Inspected) {
    if image.biggest.is_empty() {
        return;
    }
    let of = if image.complete { "" } else { " (of the layers whose files are known; --files reads all)" };
    let _ = writeln!(text, "  biggest files{of}");
    for big in &image.biggest {
        let _ = writeln!(text, "{:>6} {:>10}  {}", big.layer, bytes(big.size), plain(big.path.as_str()));
    }
}
