//! What came of images on their way, for people and for programs.

use serde_json::{Value, json};

use super::courier::{Load, Visit, Written};
use super::failure::Failure;
use super::route::{Route, Stop};
use super::size::bytes;
use super::ui::{Paint, Ui};
use crate::bake::push::Shipped;
use crate::digest::Digest;
use crate::name::{RecipeName, Tag};

/// Collects what came of all of them.
#[derive(Default)]
pub(super) struct Report {
    rows: Vec<Row>,
}

/// An image and its target.
pub(super) struct Row {
    target: String,
    tag: String,
    digest: String,
    key: String,
    name: RecipeName,
    written: Option<Written>,
    stops: Vec<(String, Option<String>, Visit)>,
    failures: Vec<Failure>,
}

impl Row {
    pub(super) fn new(
        recipe: &RecipeName,
        route: &Route<'_>,
        (tag, digest, key): (&Tag, Digest, Digest),
        written: Option<Written>,
        stops: &[Stop],
        visits: Vec<Result<Visit, Failure>>,
    ) -> Self {
        let (mut visited, mut failures) = (Vec::new(), Vec::new());
        for (stop, visit) in stops.iter().zip(visits) {
            match visit {
                Ok(visit) => visited.push((stop.name(), stop.region().map(ToString::to_string), visit)),
                Err(failure) => failures.push(failure),
            }
        }
        Self {
            target: route.name.clone(),
            tag: tag.to_string(),
            digest: digest.to_string(),
            key: key.to_string(),
            name: recipe.clone(),
            written,
            stops: visited,
            failures,
        }
    }
}

impl Row {
    /// Whether it got, or would get, everywhere.
    pub(super) fn is_whole(&self) -> bool {
        self.failures.is_empty()
    }
}

impl Report {
    /// Takes what came of an image, and gives back what failed of it.
    pub(super) fn add(&mut self, mut row: Row) -> Vec<Failure> {
        let failures = std::mem::take(&mut row.failures);
        if !row.stops.is_empty() {
            self.rows.push(row);
        }
        failures
    }

    /// What is recorded of a target now, of what went there or was there.
    pub(super) fn written_of(&self, target: &str) -> Vec<(&RecipeName, &Written)> {
        let rows = self.rows.iter().filter(|row| row.target == target);
        rows.filter_map(|row| Some((&row.name, row.written.as_ref()?))).collect()
    }

    pub(super) fn text(&self, ui: &Ui) -> String {
        let row = |row: &Row| {
            let (recipe, tag) = (ui.paint(Paint::Bold, row.name.as_str()), ui.paint(Paint::Green, &row.tag));
            let mut text = format!("{recipe} {tag} {} ({})\n", row.digest, row.target);
            for (place, _, visit) in &row.stops {
                text += &format!("  {place}: {}\n", said(visit));
            }
            text
        };
        self.rows.iter().map(row).collect()
    }

    pub(super) fn json(&self) -> Value {
        let row = |row: &Row| {
            let stops: Vec<_> = row.stops.iter().map(stop_json).collect();
            json!({
                "recipe": row.name,
                "target": row.target,
                "tag": row.tag,
                "digest": row.digest,
                "key": row.key,
                "reference": row.written.as_ref().and_then(|written| written.record.image()),
                "repositories": stops,
            })
        };
        self.rows.iter().map(row).collect()
    }
}

fn stop_json((place, region, visit): &(String, Option<String>, Visit)) -> Value {
    let mut json = match visit {
        Visit::Done(shipped) => json!(shipped),
        Visit::Would { send, mount } => json!({
            "would_send": send.blobs,
            "would_bytes": send.bytes,
            "may_mount": mount.blobs,
            "may_mount_bytes": mount.bytes,
        }),
        Visit::Brought => json!({ "replicated": true }),
    };
    json["repository"] = place.as_str().into();
    if let Some(region) = region {
        json["region"] = region.as_str().into();
    }
    json
}

fn said(visit: &Visit) -> String {
    let blobs = |count: usize| if count == 1 { "1 blob".to_owned() } else { format!("{count} blobs") };
    let shipped = match visit {
        Visit::Would { send, mount } => {
            let loaded = |load: &Load| format!("{}, {}", blobs(load.blobs), bytes(load.bytes));
            let send = format!("would send {}", loaded(send));
            return if mount.blobs == 0 { send } else { format!("{send}; {} may be mounted", loaded(mount)) };
        }
        Visit::Brought => return "replicated by the registry".to_owned(),
        Visit::Done(Shipped { was_there: true, .. }) => return "was there".to_owned(),
        Visit::Done(shipped) => shipped,
    };
    let mut parts = Vec::new();
    if shipped.sent > 0 {
        parts.push(format!("{} sent, {}", blobs(shipped.sent), bytes(shipped.bytes)));
    }
    if shipped.mounted > 0 {
        parts.push(format!("{} mounted", blobs(shipped.mounted)));
    }
    if shipped.present > 0 {
        parts.push(format!("{} there already", blobs(shipped.present)));
    }
    parts.join("; ")
}
