//! `usher gallery show`: what is kept of one person.

use clap::Args;
use serde::Serialize;
use shared::distance::SquaredL2;
use shared::gallery::{Gallery, Identity};
use shared::model_id::hex;

use super::super::sealing::{Held, now};
use super::super::table::{Side, Who, called, counted, day, fields, minute, table};
use super::{print, print_json};
use crate::likeness::closest;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  usher gallery show \"Ada Lovelace\" --gallery people.gallery
  usher gallery show \"#3\" --gallery people.gallery --json

A template's NEAREST OWN is the squared distance to the closest of the person's other templates.")]
pub(in crate::command) struct Show {
    /// The person, by name or #number
    who: Who,
    #[command(flatten)]
    held: Held,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Shown<'a> {
    number: u32,
    name: &'a str,
    enrolled_at: String,
    consent: ShownConsent<'a>,
    templates: Vec<ShownTemplate<'a>>,
    negative_anchors: usize,
    closest: Option<ShownClosest>,
    backups: Vec<&'a str>,
}

#[derive(Serialize)]
struct ShownConsent<'a> {
    text_sha256: String,
    given_at: String,
    operator: &'a str,
    expires_at: String,
    expired: bool,
}

#[derive(Serialize)]
struct ShownTemplate<'a> {
    label: Option<&'a str>,
    taken_at: String,
    nearest_own: Option<f32>,
}

#[derive(Serialize)]
struct ShownClosest {
    number: u32,
    distance: f32,
}

impl Show {
    pub(in crate::command) fn execute(&self) -> anyhow::Result<()> {
        let (gallery, _inspection) = self.held.read()?;
        let known = self.who.in_gallery(&gallery)?;
        let shown = shown(&gallery, known);
        if self.json {
            return print_json(&shown);
        }
        print(&text(&gallery, known, &shown))
    }
}

fn shown<'a>(gallery: &'a Gallery, known: &'a Identity) -> Shown<'a> {
    let embeddings = gallery.embeddings(known.id());
    let nearest_own = |place: usize| {
        let others = embeddings
            .iter()
            .enumerate()
            .filter(|(other, _)| *other != place);
        others
            .map(|(_, other)| SquaredL2::between(&embeddings[place], other))
            .min()
            .map(SquaredL2::value)
    };
    let consent = known.consent();
    let nearest = closest(gallery, &embeddings, Some(known.id()));
    Shown {
        number: known.id().number(),
        name: known.name(),
        enrolled_at: known.enrolled_at().to_rfc3339(),
        consent: ShownConsent {
            text_sha256: hex(consent.text_sha256()),
            given_at: consent.given_at().to_rfc3339(),
            operator: consent.operator(),
            expires_at: consent.expires_at().to_rfc3339(),
            expired: consent.has_expired(now().max(gallery.newest_record())),
        },
        templates: known
            .templates()
            .iter()
            .enumerate()
            .map(|(place, template)| ShownTemplate {
                label: template.label(),
                taken_at: template.taken_at().to_rfc3339(),
                nearest_own: nearest_own(place),
            })
            .collect(),
        negative_anchors: known.negative_anchors(),
        closest: nearest.map(|nearest| ShownClosest {
            number: nearest.identity.number(),
            distance: nearest.distance.value(),
        }),
        backups: backups(gallery, known),
    }
}

fn backups<'a>(gallery: &'a Gallery, known: &Identity) -> Vec<&'a str> {
    let with = gallery.backups_with(known.id());
    with.into_iter()
        .map(|backup| backup.name.as_str())
        .collect()
}

fn text(gallery: &Gallery, known: &Identity, shown: &Shown<'_>) -> String {
    let consent = known.consent();
    let expired = if shown.consent.expired {
        " EXPIRED"
    } else {
        ""
    };
    let mut lines = vec![
        ("person", called(gallery, known.id())),
        ("enrolled", minute(known.enrolled_at())),
        (
            "consent",
            format!(
                "until {}{expired}, given {} before {}",
                day(consent.expires_at()),
                minute(consent.given_at()),
                consent.operator()
            ),
        ),
        (
            "",
            format!("to the text with SHA-256 {}", shown.consent.text_sha256),
        ),
    ];
    if known.negative_anchors() > 0 {
        let faces = counted(known.negative_anchors(), "face", "faces");
        lines.push(("not", format!("{faces} noted as not this person")));
    }
    let nearest = closest(gallery, &gallery.embeddings(known.id()), Some(known.id()));
    lines.push((
        "closest",
        nearest.map_or_else(
            || "nobody else is enrolled".to_owned(),
            |nearest| {
                let other = called(gallery, nearest.identity);
                format!("{other} at distance {:.2}", nearest.distance.value())
            },
        ),
    ));
    lines.push((
        "backups",
        match shown.backups.as_slice() {
            [] => "none holds this person".to_owned(),
            backups => backups.join(", "),
        },
    ));
    let templates = shown.templates.iter().enumerate().map(|(place, template)| {
        [
            (place + 1).to_string(),
            template.label.unwrap_or("-").to_owned(),
            minute(known.templates()[place].taken_at()),
            template
                .nearest_own
                .map_or("-".to_owned(), |distance| format!("{distance:.2}")),
        ]
    });
    let rows: Vec<_> = templates.collect();
    let head = [
        ("TEMPLATE", Side::Right),
        ("LABEL", Side::Left),
        ("TAKEN", Side::Left),
        ("NEAREST OWN", Side::Right),
    ];
    format!("{}\n{}", fields(&lines), table(head, &rows))
}
