//! A removal's receipt: number and times, never the name.

use serde::Serialize;
use shared::gallery::RemovalReason;
use shared::gallery::store::Receipt;

use super::super::table::{counted, fields, minute};

/// A receipt for a machine.
#[derive(Serialize)]
pub(super) struct ReceiptDocument {
    number: u32,
    enrolled_at: String,
    removed_at: String,
    reason: &'static str,
    operator: String,
    templates_destroyed: usize,
    erased: bool,
    backups_that_hold_the_person: Vec<BackupLine>,
}

#[derive(Serialize)]
struct BackupLine {
    name: String,
    made_at: String,
}

/// Why somebody was removed, in words.
fn reason(reason: RemovalReason) -> &'static str {
    match reason {
        RemovalReason::Asked => "asked for",
        RemovalReason::ConsentExpired => "the consent ran out",
        RemovalReason::Merged => "merged with another entry of the same person",
    }
}

/// The receipt as a document.
pub(super) fn document(receipt: &Receipt, operator: &str) -> ReceiptDocument {
    ReceiptDocument {
        number: receipt.removal.person().number(),
        enrolled_at: receipt.removal.enrolled_at.to_rfc3339(),
        removed_at: receipt.removal.at.to_rfc3339(),
        reason: reason(receipt.removal.reason),
        operator: operator.to_owned(),
        templates_destroyed: receipt.templates,
        erased: receipt.erased,
        backups_that_hold_the_person: receipt
            .backups
            .iter()
            .map(|backup| BackupLine {
                name: backup.name.clone(),
                made_at: backup.at.to_rfc3339(),
            })
            .collect(),
    }
}

/// The receipt for a person to read.
pub(super) fn text(receipt: &Receipt, operator: &str) -> String {
    let removal = receipt.removal;
    let erased = if receipt.erased {
        "erased: the file holds neither records nor key of this person any more"
    } else {
        "PENDING: nobody is matched any more, but the records still lie in the file; run usher gallery compact"
    };
    let mut lines = vec![
        ("RECEIPT", format!("person #{}, removed", removal.person())),
        ("enrolled", minute(removal.enrolled_at)),
        (
            "removed",
            format!(
                "{} by {operator}, {}",
                minute(removal.at),
                reason(removal.reason)
            ),
        ),
        (
            "destroyed",
            format!(
                "name, consent, {}",
                counted(receipt.templates, "template", "templates")
            ),
        ),
        ("file", erased.to_owned()),
    ];
    if receipt.backups.is_empty() {
        lines.push(("backups", "none is known that holds this person".to_owned()));
    }
    for (place, backup) in receipt.backups.iter().enumerate() {
        let name = if place == 0 { "backups" } else { "" };
        lines.push((
            name,
            format!(
                "{} of {} still holds this person",
                backup.name,
                minute(backup.at)
            ),
        ));
    }
    if !receipt.backups.is_empty() {
        lines.push((
            "",
            "destroy them, or keep this receipt: a restore leaves the person out as long as the gallery is".to_owned(),
        ));
        lines.push((
            "",
            format!(
                "there to say so, and without it with --removed {}",
                removal.person()
            ),
        ));
    }
    fields(&lines)
}
