//! Which of the cut faces stay: a pure function of what the journal tells.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};
use shared::model_id::hex;

use super::cause::Cause;
use super::cut::Measures;
use super::duplicates;
use super::journal::{Done, Found, Judgment, Outlier, Record};
use super::scan::Photo;
use super::settings::Settings;

/// What becomes of a photo.
#[derive(Clone, Debug)]
pub struct Decided<'a> {
    /// The photo.
    pub photo: &'a Photo,
    /// Why it is left out, and more of it in words; none when it is kept.
    pub left_out: Option<(Cause, String)>,
    /// What was measured, if a face was cut.
    pub measures: Option<&'a Measures>,
    /// That it is unlike its identity's others, kept or not.
    pub outlier: Option<&'a Outlier>,
}

impl Decided<'_> {
    /// Whether its face is in the set.
    pub fn is_kept(&self) -> bool {
        self.left_out.is_none()
    }
}

/// Decides on every photo that the journal knows; those of one identity stand together.
pub fn decide<'a>(photos: &'a [Photo], done: &'a Done, settings: &Settings) -> Vec<Decided<'a>> {
    let mut decided: Vec<Decided> = photos
        .iter()
        .filter_map(|photo| Some(first(photo, record(photo, done)?)))
        .collect();
    let drops = settings.outliers.as_ref().is_some_and(|o| o.left_out);
    for identity in decided.chunk_by_mut(same_identity) {
        if let Some(within) = settings.duplicate_bits {
            leave_out_duplicates(identity, within);
        }
        if settings.outliers.is_some() {
            let name = &identity[0].photo.identity;
            let judgment = done.judgments.get(name);
            if let Some(judgment) = judgment.filter(|j| j.of == candidates_digest(identity)) {
                mark_outliers(identity, judgment, drops);
            }
        }
    }
    decided
}

/// Whether two photos are of one identity.
pub fn same_identity(a: &Decided, b: &Decided) -> bool {
    a.photo.identity == b.photo.identity
}

/// Digest of an identity's pictures among which outliers are looked for.
pub fn candidates_digest(identity: &[Decided]) -> String {
    digest(identity.iter().filter(|one| is_candidate(one)))
}

/// Whether a picture is compared with its identity's others.
pub fn is_candidate(one: &Decided) -> bool {
    matches!(one.left_out, None | Some((Cause::Outlier, _)))
}

/// Digest of photos as they are: names, lengths, times of change.
pub fn digest<'a>(photos: impl Iterator<Item = &'a Decided<'a>>) -> String {
    let mut digest = Sha256::new();
    for Decided { photo, .. } in photos {
        let (identity, name) = (&photo.identity, &photo.name);
        // No name has a zero byte.
        digest.update(format!(
            "{identity}\0{name}\0{}\0{}\n",
            photo.bytes, photo.modified_ns
        ));
    }
    hex(&digest.finalize())
}

fn record<'a>(photo: &Photo, done: &'a Done) -> Option<&'a Record> {
    let key = (photo.identity.clone(), photo.name.clone());
    done.records.get(&key)
}

fn first<'a>(photo: &'a Photo, record: &'a Record) -> Decided<'a> {
    let (left_out, measures) = match &record.found {
        Found::Cut(measures) => (None, Some(measures)),
        Found::LeftOut { cause, detail } => (Some((*cause, detail.clone())), None),
    };
    Decided {
        photo,
        left_out,
        measures,
        outlier: None,
    }
}

/// Of pictures that show the same, the one with the most pixels between the eyes stays.
fn leave_out_duplicates(identity: &mut [Decided], within: u32) {
    let mut faces: Vec<(usize, &Measures)> = identity
        .iter()
        .enumerate()
        .filter_map(|(index, one)| Some((index, one.measures?)))
        .collect();
    // The sort is stable, so that equal ones stay in the order of names.
    faces.sort_by(|(_, a), (_, b)| b.eye_distance_px.total_cmp(&a.eye_distance_px));
    let hashes: Vec<_> = faces.iter().map(|(_, measures)| measures.hash).collect();
    let indices: Vec<usize> = faces.into_iter().map(|(index, _)| index).collect();
    for (index, of) in indices.iter().zip(duplicates::repeats(&hashes, within)) {
        if let Some(of) = of {
            let original = &identity[indices[of]].photo.name;
            let detail = format!("of {original}");
            identity[*index].left_out = Some((Cause::Duplicate, detail));
        }
    }
}

fn mark_outliers<'a>(identity: &mut [Decided<'a>], judgment: &'a Judgment, drops: bool) {
    let outliers: BTreeMap<&str, &Outlier> = judgment
        .outliers
        .iter()
        .map(|outlier| (&outlier.photo[..], outlier))
        .collect();
    for one in identity.iter_mut().filter(|one| one.is_kept()) {
        one.outlier = outliers.get(&one.photo.name[..]).copied();
        if let Some(outlier) = one.outlier.filter(|_| drops) {
            let detail = format!(
                "mean cosine {:.2}, the identity's median {:.2}",
                outlier.similarity, outlier.median
            );
            one.left_out = Some((Cause::Outlier, detail));
        }
    }
}

#[cfg(test)]
mod tests;
