//! `usher gallery audit`: what whoever answers for a gallery should look at now and then.

mod likeness;
mod text;

use clap::Args;
use serde::Serialize;
use shared::gallery::Gallery;
use shared::gallery::consent::WallTime;
use shared::operating_point::OperatingPoint;

use super::super::WhichModel;
use super::super::sealing::{Held, now};
use super::{print, print_json};
use crate::likeness::deciding;
use likeness::{Doubtful, Pair};

/// Consents that run out within so many days are named.
const SOON_DAYS: u64 = 30;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  usher gallery audit --gallery people.gallery --model models/usher-small.toml
  usher gallery audit --gallery people.gallery --json > audit.json

The operating point that pairs and templates are judged by is --operating-point of --model, else the gallery's own, else
the one of --model that would decide at a kiosk; without any of them distances stand alone.")]
pub(in crate::command) struct Audit {
    #[command(flatten)]
    held: Held,
    #[command(flatten)]
    which: WhichModel,
    /// Which of the model's thresholds to judge by
    #[arg(long, value_name = "NAME", requires = "WhichModel")]
    operating_point: Option<String>,
    /// How many lines of history, pairs and templates to show; 0 for all of the history
    #[arg(long, value_name = "N", default_value_t = 20)]
    lines: usize,
    /// Print JSON, with the whole history
    #[arg(long)]
    json: bool,
}

/// Everything that an audit finds.
#[derive(Serialize)]
struct Audited {
    people: usize,
    templates: usize,
    operating_point: Option<JudgedBy>,
    history: Vec<HistoryLine>,
    consents: Vec<ConsentLine>,
    closest_pairs: Vec<Pair>,
    doubtful_templates: Vec<Doubtful>,
    backups: Vec<BackupLine>,
}

#[derive(Serialize)]
struct JudgedBy {
    name: String,
    threshold: f32,
    fmr: Option<f64>,
    fpir: Option<f64>,
}

#[derive(Serialize)]
struct HistoryLine {
    record: u64,
    at: String,
    operator: String,
    act: &'static str,
    person: Option<u32>,
}

#[derive(Serialize)]
struct ConsentLine {
    person: u32,
    until: String,
    expired: bool,
}

#[derive(Serialize)]
struct BackupLine {
    name: String,
    made_at: String,
    last_record: u64,
    removed_people_in_it: Vec<u32>,
}

impl Audit {
    pub(in crate::command) fn execute(&self) -> anyhow::Result<()> {
        let manifest = self.which.manifest()?;
        let (gallery, _inspection) = self.held.read()?;
        if let Some(manifest) = &manifest {
            anyhow::ensure!(
                manifest.model_id() == gallery.model(),
                "expected a gallery of model {}, found templates of {}; name the gallery's model",
                manifest.model_id(),
                gallery.model()
            );
        }
        let point = match &manifest {
            Some(manifest) => Some(deciding(
                manifest,
                self.operating_point.as_deref(),
                &gallery,
                self.which.fpir()?,
            )?),
            None => gallery.operating_point().cloned(),
        };
        let audited = audited(&gallery, point.as_ref(), (now(), self.lines.max(1)));
        if self.json {
            return print_json(&audited);
        }
        let lines = if self.lines == 0 {
            usize::MAX
        } else {
            self.lines
        };
        print(&text::text(&gallery, &audited, point.as_ref(), lines))
    }
}

fn audited(
    gallery: &Gallery,
    point: Option<&OperatingPoint>,
    (now, most): (WallTime, usize),
) -> Audited {
    let now = now.max(gallery.newest_record());
    let (closest_pairs, doubtful_templates) = likeness::look(gallery, point, most);
    let people = gallery.people();
    Audited {
        people,
        templates: gallery.templates(),
        operating_point: point.map(|point| JudgedBy {
            name: point.name.clone(),
            threshold: point.threshold.value(),
            fmr: point.fmr,
            fpir: point
                .fmr
                .map(|fmr| shared::gallery_size::fpir(fmr, people as u64)),
        }),
        history: gallery
            .history()
            .map(|entry| HistoryLine {
                record: entry.sequence,
                at: entry.at.to_rfc3339(),
                operator: entry.operator.clone(),
                act: entry.act.words(),
                person: entry.person().map(|person| person.number()),
            })
            .collect(),
        consents: gallery
            .identities()
            .filter(|known| known.consent().has_expired(now.plus_days(SOON_DAYS)))
            .map(|known| ConsentLine {
                person: known.id().number(),
                until: known.consent().expires_at().to_rfc3339(),
                expired: known.consent().has_expired(now),
            })
            .collect(),
        closest_pairs,
        doubtful_templates,
        backups: backups(gallery),
    }
}

fn backups(gallery: &Gallery) -> Vec<BackupLine> {
    let backups = gallery.backups().iter();
    backups
        .map(|backup| BackupLine {
            name: backup.name.clone(),
            made_at: backup.at.to_rfc3339(),
            last_record: backup.sequence,
            removed_people_in_it: gallery
                .removals()
                .iter()
                .map(|removal| removal.person())
                .filter(|person| gallery.backups_with(*person).contains(&backup))
                .map(|person| person.number())
                .collect(),
        })
        .collect()
}
