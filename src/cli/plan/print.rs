//! Plans, for people and for programs.

use std::fmt::Write as _;

use serde_json::json;

use super::outcome::{Planned, Why};
use crate::cli::failure::{Failure, problems};
use crate::cli::size::{bytes, counted};
use crate::cli::ui::{Paint, Ui};
use crate::cli::world::AtHand;
use crate::plan::{HostPlan, ImagePlan, LayerKind, Monthly, PlannedAmi, PlannedLayer, PlatformPlan, Work};

/// One plan: a paragraph, or a JSON document.
pub(super) fn one(planned: &Planned, as_json: bool, ui: &Ui) -> String {
    if as_json {
        return json_of(planned).to_string();
    }
    let plan = &planned.plan;
    let mut text = String::new();
    let state = if planned.at_hand.result { "baked, in the store" } else { "not baked here" };
    let name = ui.paint(Paint::Bold, plan.name().as_str());
    let tag = ui.paint(Paint::Green, plan.tag().as_str());
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{name} {tag} ({state})\n  key {}", plan.key());
    match plan.work() {
        Work::Image(image) => image_lines(&mut text, image, &planned.at_hand),
        Work::Ami(host) => host_lines(&mut text, host),
    }
    if let Some(why) = &planned.why {
        why_lines(&mut text, why, &plan.key().to_string());
    }
    text
}

/// All plans in one JSON document, put together from their texts.
pub(super) fn document(printed: &[String], failures: &[Failure]) -> String {
    format!("{{\"plans\":[{}],\"problems\":{}}}\n", printed.join(",\n"), json!(problems(failures)))
}

fn json_of(planned: &Planned) -> serde_json::Value {
    let mut document = json!(planned.plan);
    document["at_hand"] = json!(planned.at_hand);
    if let Some(why) = &planned.why {
        document["why"] = json!(why);
    }
    document
}

fn image_lines(text: &mut String, image: &ImagePlan, at_hand: &AtHand) {
    let _ = writeln!(text, "  repository {}", image.repository);
    for platform in &image.platforms {
        platform_lines(text, image, platform, at_hand);
    }
}

fn platform_lines(text: &mut String, image: &ImagePlan, on: &PlatformPlan, at_hand: &AtHand) {
    let _ = writeln!(text, "  {}", on.platform);
    let base: Vec<_> = on.layers.iter().filter(|layer| layer.what == LayerKind::Base).collect();
    if !base.is_empty() {
        let known: Option<u64> = base.iter().map(|layer| layer.size).sum();
        let size = known.map_or_else(|| "?".to_owned(), bytes);
        line(text, "base", &format!("{} ({})", image.from, counted(base.len(), "layer")), &size, "reused");
    }
    for layer in on.layers.iter().filter(|layer| layer.what != LayerKind::Base) {
        let (kind, name, state) = made(layer, at_hand);
        let size = layer.source_size.map_or_else(|| "?".to_owned(), bytes);
        line(text, kind, name, &size, state);
        if let LayerKind::Plugin(name) = &layer.what {
            for permission in at_hand.permissions.get(name).into_iter().flatten() {
                let _ = writeln!(text, "             may {permission}");
            }
        }
    }
}

fn made<'l>(layer: &'l PlannedLayer, at_hand: &AtHand) -> (&'static str, &'l str, &'static str) {
    let input = |name: &String| {
        if at_hand.inputs.contains(name) { "to make, input at hand" } else { "to make, input to fetch" }
    };
    match &layer.what {
        LayerKind::Base => ("base", "", "reused"),
        LayerKind::Remove => ("remove", "paths of the base", "to make"),
        LayerKind::Archive(name) => ("archive", name, input(name)),
        LayerKind::Plugin(name) => ("plugin", name, input(name)),
        LayerKind::Jar(name) => ("jar", name, "to make"),
        LayerKind::Run(name) => ("run", name, "to run"),
        LayerKind::Files => ("files", "the recipe's own", "to make"),
    }
}

/// The name comes last: it may be long, and the rest has its columns.
fn line(text: &mut String, kind: &str, name: &str, size: &str, state: &str) {
    let _ = writeln!(text, "    {kind:<8} {size:>10}  {state:<23}  {name}");
}

fn host_lines(text: &mut String, host: &HostPlan) {
    for base in &host.base {
        let _ = writeln!(
            text,
            "  {} base {} ({}) in {}, snapshot {}",
            base.architecture, base.id, base.name, host.region, base.snapshot
        );
    }
    let _ = writeln!(text, "  engine {}", host.engine);
    for image in &host.images {
        image_line(text, image);
    }
    if !host.share.is_empty() {
        let with: Vec<_> = host.share.iter().map(String::as_str).collect();
        let _ = writeln!(text, "  shared with {}", with.join(", "));
    }
    for volume in &host.volumes {
        let figures = [(volume.size, "GiB"), (volume.iops, "IOPS"), (volume.throughput, "MiB/s")];
        let said: String =
            figures.iter().filter_map(|(figure, unit)| Some(format!(" {} {unit}", (*figure)?))).collect();
        let costs = volume.monthly.map_or_else(String::new, |costs| format!(", {costs} a month"));
        let _ = writeln!(text, "  volume {} {}{said}{costs}", volume.name, volume.kind);
    }
    for (package, version) in &host.packages {
        let _ = writeln!(text, "  package {package} {version}");
    }
    let _ = writeln!(text, "  {} files ({})", host.files, bytes(host.bytes));
    cost_lines(text, host);
}

fn image_line(text: &mut String, image: &PlannedAmi) {
    let what = if image.copy { "copy" } else { "image" };
    let _ = write!(text, "  {what} {} in {}", image.name, image.region);
    if let Some(parameter) = &image.parameter {
        let _ = write!(text, ", parameter {parameter}");
    }
    if let Some(template) = &image.launch_template {
        let _ = write!(text, ", launch template {template}");
    }
    text.push('\n');
}

fn cost_lines(text: &mut String, host: &HostPlan) {
    let Monthly { snapshots_at_most, root_size, volumes, incomplete, prices } = &host.monthly;
    let _ = writeln!(text, "  a month, by {prices}:");
    if !host.images.is_empty() {
        let (count, full) = (counted(host.images.len(), "snapshot"), "if full: they hold what was written");
        let _ = match (root_size, snapshots_at_most) {
            (Some(size), Some(most)) => writeln!(text, "    {count} of {size} GiB: at most {most}, {full}"),
            _ => writeln!(text, "    {count}: unknown, as the size of the base's root disk is"),
        };
    }
    let more = if *incomplete { ", and those without a size" } else { "" };
    let _ =
        writeln!(text, "    EBS volumes of each host: {volumes}{more}; the root disk counts where it is a [[volume]]");
}

fn why_lines(text: &mut String, why: &Why, key: &str) {
    let _ = match why {
        Why::NoRecord => writeln!(text, "  why: nothing is recorded of this recipe yet"),
        Why::SinceRecord { key: recorded, .. } if recorded == key => {
            writeln!(text, "  why: nothing changed since the last record")
        }
        Why::SinceRecord { changes, .. } => {
            let _ = writeln!(text, "  why: since the last record");
            changes.iter().try_for_each(|change| writeln!(text, "    {change}"))
        }
        Why::SinceLock { lock, moved } if moved.is_empty() => {
            writeln!(text, "  why: {} has the same pins", lock.display())
        }
        Why::SinceLock { lock, moved } => {
            let _ = writeln!(text, "  why: since {}", lock.display());
            moved.iter().try_for_each(|moved| writeln!(text, "    {moved}"))
        }
    };
}
