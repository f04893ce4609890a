//! `usher gallery list`: who is enrolled.

use clap::Args;
use serde::Serialize;
use shared::gallery::consent::WallTime;
use shared::gallery::options::words;
use shared::gallery::search::TemplateForm;
use shared::gallery::store::Inspection;
use shared::gallery::{Gallery, Identity};

use super::super::sealing::{Held, now};
use super::super::table::{Side, bytes, counted, day, fields, table};
use super::{print, print_json};

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  usher gallery list --gallery people.gallery
  usher gallery list --gallery people.gallery --json | jq -r '.people[].name'")]
pub(in crate::command) struct List {
    #[command(flatten)]
    held: Held,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// The list for a machine.
#[derive(Serialize)]
struct Listed<'a> {
    model: String,
    dimension: usize,
    sealed: &'static str,
    rotated: bool,
    compact: bool,
    operating_point: Option<&'a str>,
    records: u64,
    people: Vec<ListedPerson<'a>>,
}

#[derive(Serialize)]
struct ListedPerson<'a> {
    number: u32,
    name: &'a str,
    templates: usize,
    labels: Vec<&'a str>,
    negative_anchors: usize,
    enrolled_at: String,
    consent_until: String,
    consent_expired: bool,
}

impl List {
    pub(in crate::command) fn execute(&self) -> anyhow::Result<()> {
        let (gallery, inspection) = self.held.read()?;
        if self.json {
            return print_json(&listed(&gallery, &inspection, now()));
        }
        let people = match gallery.people() {
            0 => String::new(),
            _ => people(&gallery, now()) + "\n",
        };
        print(&(people + &about(&gallery, &inspection)))
    }
}

fn listed<'a>(gallery: &'a Gallery, inspection: &Inspection, now: WallTime) -> Listed<'a> {
    let point = gallery.operating_point();
    Listed {
        model: gallery.model().hex(),
        dimension: gallery.dimension(),
        sealed: inspection.seal.words(),
        rotated: gallery.is_rotated(),
        compact: gallery.form() == TemplateForm::Compact,
        operating_point: point.map(|point| point.name.as_str()),
        records: inspection.last_sequence,
        people: gallery
            .identities()
            .map(|known| ListedPerson {
                number: known.id().number(),
                name: known.name(),
                templates: known.templates().len(),
                labels: labels(known),
                negative_anchors: known.negative_anchors(),
                enrolled_at: known.enrolled_at().to_rfc3339(),
                consent_until: known.consent().expires_at().to_rfc3339(),
                consent_expired: known
                    .consent()
                    .has_expired(now.max(gallery.newest_record())),
            })
            .collect(),
    }
}

/// What is different about a person's templates, each word once.
pub(super) fn labels(known: &Identity) -> Vec<&str> {
    let mut labels: Vec<_> = known
        .templates()
        .iter()
        .filter_map(|template| template.label())
        .collect();
    labels.sort_unstable();
    labels.dedup();
    labels
}

fn people(gallery: &Gallery, now: WallTime) -> String {
    let rows: Vec<_> = gallery
        .identities()
        .map(|known| {
            let until = day(known.consent().expires_at());
            let expired = known
                .consent()
                .has_expired(now.max(gallery.newest_record()));
            [
                known.id().to_string(),
                known.name().to_owned(),
                known.templates().len().to_string(),
                labels(known).join(", "),
                day(known.enrolled_at()),
                if expired {
                    format!("{until} EXPIRED")
                } else {
                    until
                },
            ]
        })
        .collect();
    table(
        [
            ("#", Side::Right),
            ("NAME", Side::Left),
            ("TEMPLATES", Side::Right),
            ("LABELS", Side::Left),
            ("ENROLLED", Side::Left),
            ("CONSENT UNTIL", Side::Left),
        ],
        &rows,
    )
}

/// What holds for the whole gallery.
fn about(gallery: &Gallery, inspection: &Inspection) -> String {
    let mut kept = vec![words(inspection.seal)];
    kept.extend(gallery.is_rotated().then_some("templates rotated"));
    kept.extend(
        (gallery.form() == TemplateForm::Compact).then_some("templates of a byte per number"),
    );
    let point = gallery.operating_point().map_or_else(
        || {
            "none of its own; usher run takes the model's loosest that keeps to recognition.fpir"
                .to_owned()
        },
        |point| {
            format!(
                "{}, distance at most {:.2}",
                point.name,
                point.threshold.value()
            )
        },
    );
    fields(&[
        (
            "people",
            format!(
                "{}, {}",
                counted(gallery.people(), "person", "people"),
                counted(gallery.templates(), "template", "templates")
            ),
        ),
        (
            "model",
            format!("{}, {} numbers", gallery.model(), gallery.dimension()),
        ),
        ("kept", kept.join(", ")),
        ("point", point),
        (
            "file",
            format!(
                "{}, last record {}",
                bytes(inspection.bytes),
                inspection.last_sequence
            ),
        ),
    ])
}
