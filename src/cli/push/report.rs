//! What came of a push, for people and for programs.

use serde_json::{Value, json};

use super::delivery::{Delivery, Outcome};
use crate::bake::push::Shipped;
use crate::cli::courier::Visit;
use crate::cli::failure::Failure;
use crate::cli::size::bytes;
use crate::cli::ui::{Paint, Ui};

/// Collects what came of all deliveries.
pub(super) struct Report {
    dry_run: bool,
    rows: Vec<Row>,
}

struct Row {
    recipe: String,
    target: String,
    tag: String,
    digest: String,
    key: String,
    reference: Option<String>,
    stops: Vec<(String, Option<String>, Visit)>,
}

impl Report {
    pub(super) fn new(dry_run: bool) -> Self {
        Self { dry_run, rows: Vec::new() }
    }

    /// Takes what came of a delivery, and gives back what failed of it.
    pub(super) fn add(&mut self, delivery: &Delivery<'_>, outcome: Result<Outcome, Failure>) -> Vec<Failure> {
        let outcome = match outcome {
            Ok(outcome) => outcome,
            Err(failure) => return vec![failure],
        };
        let (mut stops, mut failures) = (Vec::new(), Vec::new());
        for (stop, visit) in delivery.stops.iter().zip(outcome.stops) {
            match visit {
                Ok(visit) => stops.push((stop.name(), stop.region().map(ToString::to_string), visit)),
                Err(failure) => failures.push(failure),
            }
        }
        let reference = outcome.record.and_then(|record| record.image());
        self.rows.push(Row {
            recipe: delivery.parcel.name.to_string(),
            target: delivery.route.name.clone(),
            tag: delivery.parcel.tag().to_string(),
            digest: outcome.digest.to_string(),
            key: delivery.parcel.key().to_string(),
            reference,
            stops,
        });
        failures
    }

    pub(super) fn text(&self, ui: &Ui) -> String {
        let row = |row: &Row| {
            let (recipe, tag) = (ui.paint(Paint::Bold, &row.recipe), ui.paint(Paint::Green, &row.tag));
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
                "recipe": row.recipe,
                "target": row.target,
                "tag": row.tag,
                "digest": row.digest,
                "key": row.key,
                "reference": row.reference,
                "repositories": stops,
            })
        };
        json!({ "dry_run": self.dry_run, "pushes": self.rows.iter().map(row).collect::<Vec<_>>() })
    }
}

fn stop_json((place, region, visit): &(String, Option<String>, Visit)) -> Value {
    let mut json = match visit {
        Visit::Done(shipped) => json!(shipped),
        Visit::Would(blobs, bytes) => json!({ "would_send": blobs, "would_bytes": bytes }),
    };
    json["repository"] = place.as_str().into();
    if let Some(region) = region {
        json["region"] = region.as_str().into();
    }
    json
}

fn said(visit: &Visit) -> String {
    let blobs = |count: usize| if count == 1 { "1 blob".to_owned() } else { format!("{count} blobs") };
    match visit {
        Visit::Done(Shipped { was_there: true, .. }) => "was there".to_owned(),
        Visit::Done(shipped) => {
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
        Visit::Would(count, size) => format!("would send {}, {}", blobs(*count), bytes(*size)),
    }
}
