//! What came of a host at a target, for people and for programs.

use serde_json::{Value, json};

use crate::bake::host::{Made, Sights};
use crate::cli::courier::Written;
use crate::cli::failure::Failure;
use crate::cli::ui::{Paint, Ui};
use crate::digest::Digest;
use crate::name::{RecipeName, Tag};
use crate::recipe::{Architecture, Region};
use crate::record::RecordedBoot;

/// A host and its target.
pub(in crate::cli) struct HostRow {
    pub(in crate::cli) name: RecipeName,
    pub(in crate::cli) target: String,
    pub(in crate::cli) tag: Tag,
    pub(in crate::cli) key: Digest,
    pub(in crate::cli) amis: Vec<Ami>,
    pub(in crate::cli) boots: Vec<RecordedBoot>,
    pub(in crate::cli) written: Option<Written>,
    pub(in crate::cli) failures: Vec<Failure>,
}

/// An AMI that is there, or would be.
pub(in crate::cli) enum Ami {
    There(Made),
    Would { region: Region, architecture: Architecture, what: Would },
}

/// What would be done about an AMI.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli) enum Would {
    /// It is there.
    Nothing,
    /// It is there as an earlier run has left it.
    Finish,
    /// An instance would be started.
    Make,
    /// The one of another region would be copied.
    Copy,
}

impl Would {
    const fn word(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Finish => "finish",
            Self::Make => "make",
            Self::Copy => "copy",
        }
    }

    const fn said(self) -> &'static str {
        match self {
            Self::Nothing => "is there",
            Self::Finish => "is begun and would be finished",
            Self::Make => "would be made by an instance",
            Self::Copy => "would be copied",
        }
    }
}

/// What would be done in all regions.
pub(super) fn would(sights: &Sights, home: &Region) -> Vec<Ami> {
    let one = |sight: &crate::bake::host::Sight| {
        let what = match &sight.machine {
            Some(_) if sight.finished => Would::Nothing,
            Some(_) => Would::Finish,
            None if sight.region == *home && !is_elsewhere(sights, sight.architecture) => Would::Make,
            None => Would::Copy,
        };
        Ami::Would { region: sight.region.clone(), architecture: sight.architecture, what }
    };
    sights.all().iter().map(one).collect()
}

fn is_elsewhere(sights: &Sights, architecture: Architecture) -> bool {
    sights.all().iter().any(|sight| sight.architecture == architecture && sight.finished)
}

impl HostRow {
    pub(in crate::cli) fn text(&self, ui: &Ui) -> String {
        let (name, tag) = (ui.paint(Paint::Bold, self.name.as_str()), ui.paint(Paint::Green, self.tag.as_str()));
        let mut text = format!("{name} {tag} ({})\n", self.target);
        for ami in &self.amis {
            text += &match ami {
                Ami::There(made) => {
                    let what = if made.was_there { "was there" } else { "made" };
                    let changed: String = made.changed.iter().map(|one| format!("; {one}")).collect();
                    format!("  {} {}: {} {what}{changed}\n", made.region, made.architecture, made.id)
                }
                Ami::Would { region, architecture, what } => format!("  {region} {architecture}: {}\n", what.said()),
            };
        }
        for boot in &self.boots {
            text += &format!("  {} {}: {} boots and is well\n", boot.region, boot.architecture, boot.id);
        }
        text
    }

    pub(in crate::cli) fn json(&self) -> Value {
        let amis: Vec<_> = self.amis.iter().map(ami_json).collect();
        json!({
            "recipe": self.name, "target": self.target, "tag": self.tag, "key": self.key,
            "amis": amis, "boots": self.boots, "recorded": self.written.is_some(),
        })
    }
}

fn ami_json(ami: &Ami) -> Value {
    match ami {
        Ami::There(made) => json!({
            "region": made.region, "architecture": made.architecture, "id": made.id, "name": made.name,
            "snapshot": made.root_snapshot(), "was_there": made.was_there, "changed": made.changed,
        }),
        Ami::Would { region, architecture, what } => {
            json!({ "region": region, "architecture": architecture, "would": what.word() })
        }
    }
}
