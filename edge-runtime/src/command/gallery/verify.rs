//! `usher gallery verify`: whether the file is whole.

use anyhow::bail;
use clap::Args;
use serde::Serialize;
use shared::gallery::format::FormatError;
use shared::gallery::options::{Asking, Keys, words};
use shared::gallery::store::{Condition, Inspection, Opening};
use shared::gallery::{Gallery, GalleryError, GalleryStore};

use super::super::sealing::Held;
use super::super::table::{bytes, counted, fields};
use super::print_json;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  usher gallery verify --gallery people.gallery
  usher gallery verify --gallery people.gallery --accept-loss

Nothing is changed, but with --accept-loss, which takes a file as it is that lost acknowledged records, or that an older
file was put in the place of. The counter beside the gallery tells; who can replace both files cannot be noticed.
Exit status: 0 whole (or cut within a record that was never acknowledged), 1 anything else.")]
pub(in crate::command) struct Verify {
    #[command(flatten)]
    held: Held,
    /// Take the file as it is, though records are lost
    #[arg(long)]
    accept_loss: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What was found, for a machine.
#[derive(Default, Serialize)]
struct Found {
    condition: &'static str,
    people: Option<usize>,
    templates: Option<usize>,
    first_record: Option<u64>,
    last_record: Option<u64>,
    bytes: Option<u64>,
    torn_bytes: Option<u64>,
    acknowledged: Option<u64>,
    lost_records: Option<u64>,
    damaged_record: Option<u64>,
    damaged_at_byte: Option<u64>,
    message: Option<String>,
}

impl Verify {
    pub(in crate::command) fn execute(&self) -> anyhow::Result<()> {
        let keys = self.held.keys.keys(Asking::Once)?;
        if self.accept_loss {
            return self.accept(&keys);
        }
        match GalleryStore::inspect(&self.held.gallery, None, keys.sealing()) {
            Ok((gallery, inspection)) => self.tell(&gallery, &inspection),
            Err(error) => {
                if self.json {
                    print_json(&unreadable(&error))?;
                }
                Err(error.into())
            }
        }
    }

    fn tell(&self, gallery: &Gallery, inspection: &Inspection) -> anyhow::Result<()> {
        let condition = inspection.condition();
        let (word, words) = in_words(condition, inspection);
        if self.json {
            print_json(&Found {
                condition: word,
                people: Some(gallery.people()),
                templates: Some(gallery.templates()),
                first_record: Some(inspection.first_sequence),
                last_record: Some(inspection.last_sequence),
                bytes: Some(inspection.bytes),
                torn_bytes: Some(inspection.torn_bytes),
                acknowledged: inspection.acknowledged,
                lost_records: match condition {
                    Condition::RolledBack { lost } => Some(lost),
                    _ => None,
                },
                ..Found::default()
            })?;
        } else {
            print!("{}", text(gallery, inspection, &words));
        }
        let path = self.held.gallery.display();
        match condition {
            Condition::Whole | Condition::Cut => Ok(()),
            Condition::RolledBack { lost } => bail!(
                "expected {path} to hold all that was acknowledged, found {} missing at its end; restore the newest backup, or \
                 accept the loss by --accept-loss",
                counted(lost as usize, "record", "records")
            ),
            Condition::Counter => bail!(
                "expected the counter of this gallery beside {path}, found one that is damaged or another gallery's; put the \
                 right one there, or accept by --accept-loss that nobody can tell"
            ),
        }
    }

    fn accept(&self, keys: &Keys) -> anyhow::Result<()> {
        let opening = Opening {
            sealing: keys.sealing(),
            model: None,
            accept_loss: true,
        };
        let (store, report) = GalleryStore::open(&self.held.gallery, &opening)?;
        let (last, _) = store.extent();
        let people = store.gallery().people();
        if self.json {
            return print_json(&Found {
                condition: "accepted",
                people: Some(people),
                last_record: Some(last),
                torn_bytes: Some(report.cut_bytes),
                lost_records: Some(report.lost),
                ..Found::default()
            });
        }
        let lost = match report.lost {
            0 => "nothing that was acknowledged".to_owned(),
            lost => counted(lost as usize, "acknowledged record", "acknowledged records"),
        };
        let mut lines = vec![
            (
                "accepted",
                format!("{} as it is, to record {last}", self.held.gallery.display()),
            ),
            ("lost", lost),
            ("people", people.to_string()),
        ];
        if report.cut_bytes > 0 {
            lines.push(("cut off", bytes(report.cut_bytes)));
        }
        print!("{}", fields(&lines));
        Ok(())
    }
}

fn in_words(condition: Condition, inspection: &Inspection) -> (&'static str, String) {
    match condition {
        Condition::Whole if inspection.acknowledged.is_none() => (
            "whole",
            "whole; there is no counter beside it, so nobody can tell whether it is the newest state".to_owned(),
        ),
        Condition::Whole => ("whole", "whole".to_owned()),
        Condition::Cut => (
            "cut",
            format!(
                "cut within a record that was never acknowledged (a power cut?); its {} go when the gallery is next opened",
                bytes(inspection.torn_bytes)
            ),
        ),
        Condition::RolledBack { lost } => (
            "rolled_back",
            format!(
                "ROLLED BACK: {} missing that the counter knows of",
                counted(lost as usize, "acknowledged record is", "acknowledged records are")
            ),
        ),
        Condition::Counter => (
            "counter",
            "the records are whole, but the counter beside the file is damaged or another gallery's".to_owned(),
        ),
    }
}

fn text(gallery: &Gallery, inspection: &Inspection, condition: &str) -> String {
    fields(&[
        ("condition", condition.to_owned()),
        (
            "records",
            format!(
                "{} to {}, each with a sound digest and seal",
                inspection.first_sequence, inspection.last_sequence
            ),
        ),
        (
            "people",
            format!(
                "{}, {}",
                counted(gallery.people(), "person", "people"),
                counted(gallery.templates(), "template", "templates")
            ),
        ),
        (
            "file",
            format!("{}, {}", bytes(inspection.bytes), words(inspection.seal)),
        ),
    ])
}

fn unreadable(error: &GalleryError) -> Found {
    let (condition, damaged) = match error {
        GalleryError::File { source, .. } => match source {
            FormatError::Record { sequence, offset }
            | FormatError::Seal { sequence, offset }
            | FormatError::Content {
                sequence, offset, ..
            } => ("damaged", Some((*sequence, *offset))),
            _ => ("damaged", None),
        },
        _ => ("unreadable", None),
    };
    Found {
        condition,
        damaged_record: damaged.map(|(sequence, _)| sequence),
        damaged_at_byte: damaged.map(|(_, offset)| offset),
        message: Some(error.to_string()),
        ..Found::default()
    }
}
