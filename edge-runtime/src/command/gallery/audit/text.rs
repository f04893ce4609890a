//! The audit as a person reads it.

use shared::gallery::Gallery;
use shared::operating_point::OperatingPoint;

use super::super::super::table::{Side, counted, table};
use super::{Audited, SOON_DAYS};
use crate::likeness::by_chance;

/// Sections under their heads, at most so many lines of history.
pub(super) fn text(
    gallery: &Gallery,
    audited: &Audited,
    point: Option<&OperatingPoint>,
    lines: usize,
) -> String {
    let sections = [
        history(gallery, audited, lines),
        consents(gallery, audited),
        pairs(gallery, audited, point),
        doubtful(gallery, audited, point),
        backups(audited),
    ];
    sections.join("\n")
}

/// The person of this number, by name while there is one.
fn who(gallery: &Gallery, number: u32) -> String {
    let known = gallery
        .identities()
        .find(|known| known.id().number() == number);
    match known {
        Some(known) => format!("{} (#{number})", known.name()),
        None => format!("#{number}"),
    }
}

/// "2026-11-24 09:30" of an RFC 3339 time.
fn short(time: &str) -> String {
    time.get(..16).unwrap_or(time).replace('T', " ")
}

fn history(gallery: &Gallery, audited: &Audited, lines: usize) -> String {
    let earlier = audited.history.len().saturating_sub(lines);
    let rows: Vec<_> = audited.history[earlier..]
        .iter()
        .map(|line| {
            [
                line.record.to_string(),
                short(&line.at),
                line.operator.clone(),
                line.act.to_owned(),
                line.person
                    .map_or(String::new(), |number| who(gallery, number)),
            ]
        })
        .collect();
    let head = [
        ("RECORD", Side::Right),
        ("TIME (UTC)", Side::Left),
        ("OPERATOR", Side::Left),
        ("ACT", Side::Left),
        ("PERSON", Side::Left),
    ];
    let more = match earlier {
        0 => String::new(),
        earlier => format!(
            "{} before; --lines 0 shows all\n",
            counted(earlier, "line", "lines")
        ),
    };
    format!("History\n{more}{}", table(head, &rows))
}

fn consents(gallery: &Gallery, audited: &Audited) -> String {
    if audited.consents.is_empty() {
        return format!("Consents\nnone has run out or does within {SOON_DAYS} days\n");
    }
    let rows: Vec<_> = audited
        .consents
        .iter()
        .map(|line| {
            let state = if line.expired {
                "EXPIRED: no longer greeted"
            } else {
                "runs out"
            };
            [
                who(gallery, line.person),
                short(&line.until),
                state.to_owned(),
            ]
        })
        .collect();
    let head = [
        ("PERSON", Side::Left),
        ("UNTIL (UTC)", Side::Left),
        ("", Side::Left),
    ];
    format!(
        "Consents that have run out or do within {SOON_DAYS} days\n{}",
        table(head, &rows)
    )
}

fn pairs(gallery: &Gallery, audited: &Audited, point: Option<&OperatingPoint>) -> String {
    let by = match point {
        None => {
            "no operating point is set; usher gallery point sets one, or name --model\n".to_owned()
        }
        Some(point) => format!(
            "a match is at most {:.2} ({}){}\n",
            point.threshold.value(),
            point.name,
            by_chance(point, gallery.people())
                .filter(|_| gallery.people() > 0)
                .map_or(String::new(), |chance| format!("; {chance}"))
        ),
    };
    if audited.closest_pairs.is_empty() {
        return format!("Closest pairs\n{by}there are no two people\n");
    }
    let rows: Vec<_> = audited
        .closest_pairs
        .iter()
        .map(|pair| {
            [
                format!("{:.2}", pair.distance),
                who(gallery, pair.first),
                who(gallery, pair.second),
                match pair.is_match {
                    Some(true) => "MATCH: twins, or one person twice".to_owned(),
                    Some(false) | None => String::new(),
                },
            ]
        })
        .collect();
    let head = [
        ("DISTANCE", Side::Right),
        ("PERSON", Side::Left),
        ("AND", Side::Left),
        ("", Side::Left),
    ];
    format!("Closest pairs\n{by}{}", table(head, &rows))
}

fn doubtful(gallery: &Gallery, audited: &Audited, point: Option<&OperatingPoint>) -> String {
    let which = match point {
        Some(point) => format!(
            "farther than {:.2} from all others of the same person, or closer to somebody else",
            point.threshold.value()
        ),
        None => "closer to somebody else than to any other of the same person".to_owned(),
    };
    if audited.doubtful_templates.is_empty() {
        return format!("Doubtful templates\nnone is {which}\n");
    }
    let rows: Vec<_> = audited
        .doubtful_templates
        .iter()
        .map(|doubt| {
            let closer = doubt.closer_to.zip(doubt.nearest_other);
            [
                who(gallery, doubt.person),
                doubt.template.to_string(),
                format!("{:.2}", doubt.nearest_own),
                closer.map_or(String::new(), |(other, distance)| {
                    format!("{} at {distance:.2}", who(gallery, other))
                }),
            ]
        })
        .collect();
    let head = [
        ("PERSON", Side::Left),
        ("TEMPLATE", Side::Right),
        ("NEAREST OWN", Side::Right),
        ("CLOSER TO", Side::Left),
    ];
    format!("Doubtful templates\n{which}\n{}", table(head, &rows))
}

fn backups(audited: &Audited) -> String {
    if audited.backups.is_empty() {
        return "Backups\nnone was made\n".to_owned();
    }
    let rows: Vec<_> = audited
        .backups
        .iter()
        .map(|backup| {
            let removed: Vec<_> = backup
                .removed_people_in_it
                .iter()
                .map(|number| format!("#{number}"))
                .collect();
            [
                short(&backup.made_at),
                backup.last_record.to_string(),
                if removed.is_empty() {
                    "-".to_owned()
                } else {
                    removed.join(", ")
                },
                backup.name.clone(),
            ]
        })
        .collect();
    let head = [
        ("MADE (UTC)", Side::Left),
        ("TO RECORD", Side::Right),
        ("HOLDS REMOVED", Side::Left),
        ("FILE", Side::Left),
    ];
    format!("Backups\n{}", table(head, &rows))
}
