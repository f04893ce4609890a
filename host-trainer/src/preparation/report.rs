//! What came of a preparation, counted: `report.json` and a table to read.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use shared::atomic_file::{self, Readers};

use super::cause::Cause;
use super::decision::{Decided, digest, same_identity};
use super::duplicates;
use super::scan::{Scan, Skipped};
use super::settings::Settings;

/// Name of the report in the folder of the aligned set.
pub const NAME: &str = "report.json";
/// Most pairs of different identities that are told.
const MOST_PAIRS: usize = 1000;

/// What came of a preparation. Photos are told as `<identity>/<file>`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Photos looked at, with what was skipped unseen.
    pub photos: usize,
    /// Faces in the set.
    pub kept: usize,
    /// Photos left out, by cause.
    pub left_out: BTreeMap<Cause, usize>,
    /// Files that are not photos by their names, not counted above.
    pub other_files: usize,
    /// Every identity's counts.
    pub identities: Vec<IdentityCount>,
    /// Identities of which fewer than two faces are kept; training leaves them out.
    pub too_few: Vec<String>,
    /// Photos left out.
    pub photos_left_out: Vec<LeftOutPhoto>,
    /// Photos whose content is of another format than their names say; used all the same.
    pub misnamed: Vec<Misnamed>,
    /// Pairs of faces of different identities that look the same: one of the two is mislabeled, or
    /// two folders are one person. The first thousand.
    pub alike_across_identities: Vec<[String; 2]>,
    /// Photos unlike their identity's others, kept or not.
    pub unlike_their_identity: Vec<Unlike>,
    /// Shards written, if shards were asked for.
    pub shards: Option<usize>,
    /// Digest of the kept photos' names, lengths and times of change.
    pub kept_digest: String,
    /// What decided.
    pub settings: Settings,
}

/// An identity's counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdentityCount {
    /// Name of its folder.
    pub identity: String,
    /// Photos looked at.
    pub photos: usize,
    /// Faces in the set.
    pub kept: usize,
}

/// A photo left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOutPhoto {
    /// The photo.
    pub photo: String,
    /// Why.
    pub cause: Cause,
    /// More of it in words.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
}

/// A photo with a wrong extension.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Misnamed {
    /// The photo.
    pub photo: String,
    /// Its content's format.
    pub really: String,
}

/// A photo unlike its identity's others.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Unlike {
    /// The photo.
    pub photo: String,
    /// Its mean cosine to the identity's others.
    pub similarity: f32,
    /// The median of that over the identity's pictures.
    pub median: f32,
}

impl Report {
    /// Counts what was decided.
    pub fn new(scan: &Scan, decided: &[Decided], settings: &Settings) -> Report {
        let mut photos_left_out: Vec<LeftOutPhoto> = scan.skipped.iter().map(skipped).collect();
        photos_left_out.extend(decided.iter().filter_map(left_out));
        photos_left_out.sort_by(|a, b| a.photo.cmp(&b.photo));
        let mut counts = BTreeMap::new();
        for photo in &photos_left_out {
            *counts.entry(photo.cause).or_insert(0) += 1;
        }
        let identities: Vec<IdentityCount> = decided.chunk_by(same_identity).map(count).collect();
        let too_few = identities.iter().filter(|identity| identity.kept < 2);
        Report {
            photos: scan.len(),
            kept: decided.iter().filter(|one| one.is_kept()).count(),
            left_out: counts,
            other_files: scan.other_files,
            too_few: too_few.map(|one| one.identity.clone()).collect(),
            identities,
            photos_left_out,
            misnamed: decided.iter().filter_map(misnamed).collect(),
            alike_across_identities: alike(decided, settings.duplicate_bits),
            unlike_their_identity: decided.iter().filter_map(unlike).collect(),
            shards: None,
            kept_digest: digest(decided.iter().filter(|one| one.is_kept())),
            settings: settings.clone(),
        }
    }

    /// The report of a finished run; none if there is none that can be read.
    pub fn read(folder: &Path) -> Option<Report> {
        let text = std::fs::read(folder.join(NAME)).ok()?;
        serde_json::from_slice(&text).ok()
    }

    /// Writes `report.json` into the folder.
    ///
    /// # Errors
    /// If it cannot be written; the old one is unharmed then.
    pub fn write(&self, folder: &Path) -> io::Result<PathBuf> {
        let path = folder.join(NAME);
        let mut text = serde_json::to_string_pretty(self)?;
        text.push('\n');
        atomic_file::replace(&path, text.as_bytes(), Readers::Everyone)?;
        Ok(path)
    }
}

fn alike(decided: &[Decided], within: Option<u32>) -> Vec<[String; 2]> {
    let Some(within) = within else {
        return Vec::new();
    };
    let (kept, hashes): (Vec<&Decided>, Vec<_>) = decided
        .iter()
        .filter(|one| one.is_kept())
        .filter_map(|one| Some((one, one.measures?.hash)))
        .unzip();
    let across = |a: usize, b: usize| !same_identity(kept[a], kept[b]);
    duplicates::pairs(&hashes, within, MOST_PAIRS, across)
        .into_iter()
        .map(|(a, b)| [name(kept[a]), name(kept[b])])
        .collect()
}

fn name(one: &Decided) -> String {
    format!("{}/{}", one.photo.identity, one.photo.name)
}

fn skipped(skipped: &Skipped) -> LeftOutPhoto {
    LeftOutPhoto {
        photo: skipped.path.to_string_lossy().into_owned(),
        cause: skipped.cause,
        detail: String::new(),
    }
}

fn left_out(one: &Decided) -> Option<LeftOutPhoto> {
    let (cause, detail) = one.left_out.clone()?;
    Some(LeftOutPhoto {
        photo: name(one),
        cause,
        detail,
    })
}

fn misnamed(one: &Decided) -> Option<Misnamed> {
    Some(Misnamed {
        photo: name(one),
        really: one.measures?.really.clone()?,
    })
}

fn unlike(one: &Decided) -> Option<Unlike> {
    let outlier = one.outlier?;
    Some(Unlike {
        photo: name(one),
        similarity: outlier.similarity,
        median: outlier.median,
    })
}

fn count(identity: &[Decided]) -> IdentityCount {
    IdentityCount {
        identity: identity[0].photo.identity.clone(),
        photos: identity.len(),
        kept: identity.iter().filter(|one| one.is_kept()).count(),
    }
}

impl fmt::Display for Report {
    /// A table: what, how many, an example.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut row = |what: &dyn fmt::Display, count: usize, example: Option<String>| {
            let example = example.map_or(String::new(), |example| {
                format!("   e.g. {}", example.escape_debug())
            });
            writeln!(f, "{what:<28} {count:>8}{example}")
        };
        row(&"photos", self.photos, None)?;
        row(&"kept", self.kept, None)?;
        for (cause, count) in &self.left_out {
            let example = self.photos_left_out.iter().find(|one| one.cause == *cause);
            let example = example.map(|one| match &one.detail[..] {
                "" => one.photo.clone(),
                detail => format!("{} ({detail})", one.photo),
            });
            row(&format!("  left out: {cause}"), *count, example)?;
        }
        let first = |list: &[String]| list.first().cloned();
        let identities = self.identities.iter().filter(|one| one.kept > 0).count();
        row(&"identities", identities, None)?;
        row(
            &"  of fewer than two faces",
            self.too_few.len(),
            first(&self.too_few),
        )?;
        let notes = [
            (
                "wrong extension, used",
                self.misnamed.len(),
                self.misnamed
                    .first()
                    .map(|one| format!("{} ({})", one.photo, one.really)),
            ),
            (
                "alike across identities",
                self.alike_across_identities.len(),
                self.alike_across_identities
                    .first()
                    .map(|pair| pair.join(" and ")),
            ),
            (
                "unlike their identity",
                self.unlike_their_identity.len(),
                self.unlike_their_identity
                    .first()
                    .map(|one| one.photo.clone()),
            ),
            ("files that are no photos", self.other_files, None),
        ];
        for (what, count, example) in notes.into_iter().filter(|(_, count, _)| *count > 0) {
            row(&what, count, example)?;
        }
        Ok(())
    }
}
