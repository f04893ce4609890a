//! One face against the gallery: whose it is, nobody's, or not sure; and the threshold that says so.
//!
//! The threshold D is the model's operating point that is loose enough to know people and strict enough that no more
//! than [`RecognitionRules::fpir`] of strangers are taken for anybody in a gallery of the present size
//! ([`shared::gallery_size`]). A point asked for by name, or set for the gallery, goes before that.
//!
//! ```text
//!   distance to the closest person    0 ────────── D ─────── D + unsure_margin ─────────── 4
//!                                        Match      NotSure                   NoMatch
//!   the next person less than least_gap farther:  NotSure instead of Match
//!   the face just good enough to compare:         NotSure instead of Match
//!   a negative anchor or a stranger of the cohort is closer, or the consent has ended:  NoMatch
//! ```

use shared::distance::SquaredL2;
use shared::embedding::Embedding;
use shared::gallery::{Decision, Gallery, IdentityId};
use shared::gallery_size::fpir;
use shared::manifest::{ManifestError, ModelManifest};
use shared::operating_point::{OperatingPoint, Threshold};

use crate::recognition::RecognitionRules;

/// The point that decides where none was measured well enough to choose by.
const GREET_POINT: &str = "greet";

/// Who chose an operating point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChosenBy {
    /// It was asked for by name.
    Name,
    /// It was set for this gallery.
    Gallery,
    /// It is the loosest that keeps to the wished rate.
    Wish,
    /// None keeps to the wished rate: it is the strictest there is.
    Strictest,
    /// No point's rate was measured: it is the one for greeting.
    Unmeasured,
}

/// The operating point that decides, and what it means in a gallery of this size.
#[derive(Clone, Debug, PartialEq)]
pub struct DecisionPoint {
    point: OperatingPoint,
    chosen_by: ChosenBy,
    people: usize,
    wished_fpir: f64,
}

impl DecisionPoint {
    /// Chooses the point for a gallery.
    ///
    /// # Errors
    /// [`ManifestError::NoOperatingPoint`] when the model has none of the name that was asked for, or none at all.
    pub fn choose(
        manifest: &ModelManifest,
        asked: Option<&str>,
        gallery: &Gallery,
        wished_fpir: f64,
    ) -> Result<Self, ManifestError> {
        let people = gallery.people();
        let (point, chosen_by) = match (asked, gallery.operating_point()) {
            (Some(name), _) => (manifest.operating_point(name)?, ChosenBy::Name),
            (None, Some(point)) => (point, ChosenBy::Gallery),
            (None, None) => wished(manifest, people, wished_fpir)?,
        };
        Ok(Self {
            point: point.clone(),
            chosen_by,
            people,
            wished_fpir,
        })
    }

    /// The operating point.
    pub fn point(&self) -> &OperatingPoint {
        &self.point
    }

    /// The most that is a match.
    pub fn threshold(&self) -> Threshold {
        self.point.threshold
    }

    /// Who chose it.
    pub fn chosen_by(&self) -> ChosenBy {
        self.chosen_by
    }

    /// Share of strangers taken for anybody, for each comparison, 0 to 1; none where the point was not measured.
    pub fn fpir(&self) -> Option<f64> {
        rate(&self.point).map(|fmr| fpir(fmr, self.people as u64))
    }

    /// One stranger in so many is taken for somebody; none without people or where the point was not measured.
    pub fn one_in(&self) -> Option<f64> {
        self.fpir()
            .filter(|rate| *rate > 0.0)
            .map(|rate| 1.0 / rate)
    }

    /// What the owner should know: that the wished rate is not kept to, with numbers; none when it is.
    pub fn warning(&self) -> Option<String> {
        let (name, people, wished) = (&self.point.name, self.people, self.wished_fpir);
        match self.fpir() {
            Some(rate) if rate > wished => Some(format!(
                "operating point {name} takes 1 stranger in {:.1} for one of {people} people, wished was 1 in {:.0}; \
                 calibrate the model for a stricter point (usher-train calibrate --gallery-size {people} --fpir {wished}) or \
                 install a better model",
                1.0 / rate,
                1.0 / wished,
            )),
            None => Some(format!(
                "nobody has measured how many strangers operating point {name} takes for somebody; calibrate the model \
                 (usher-train calibrate)"
            )),
            Some(_) => None,
        }
    }
}

/// The loosest measured point within the wished rate, else the strictest, else the one for greeting.
fn wished(
    manifest: &ModelManifest,
    people: usize,
    wished_fpir: f64,
) -> Result<(&OperatingPoint, ChosenBy), ManifestError> {
    // The first one enrolled counts already: a rate of 0 in an empty gallery would choose the loosest point.
    let people = people.max(1) as u64;
    let measured = || {
        let points = manifest.operating_points.iter();
        points.filter_map(|point| Some((point, rate(point)?)))
    };
    let by_threshold = |a: &&OperatingPoint, b: &&OperatingPoint| {
        a.threshold.value().total_cmp(&b.threshold.value())
    };
    let loosest = measured()
        .filter(|(_, fmr)| fpir(*fmr, people) <= wished_fpir)
        .map(|(point, _)| point)
        .max_by(by_threshold);
    if let Some(point) = loosest {
        return Ok((point, ChosenBy::Wish));
    }
    let strictest = measured().map(|(point, _)| point).min_by(by_threshold);
    match strictest {
        Some(point) => Ok((point, ChosenBy::Strictest)),
        None => Ok((manifest.operating_point(GREET_POINT)?, ChosenBy::Unmeasured)),
    }
}

/// A point's false match rate; where none matched, what the data can still not rule out.
fn rate(point: &OperatingPoint) -> Option<f64> {
    let fmr = point.fmr?;
    if fmr > 0.0 {
        return Some(fmr);
    }
    let bound = point.fmr_interval.map(|[_, upper]| upper);
    // The rule of three: 95 % sure that the rate is below 3 / n when none of n matched.
    bound.or_else(|| (point.impostor_pairs > 0).then(|| 3.0 / point.impostor_pairs as f64))
}

/// Why a comparison decides nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Unsure {
    /// The distance is just beyond the threshold.
    Near,
    /// Two people are almost equally close.
    SmallGap,
    /// The face was hardly good enough to compare.
    PoorFace,
    /// A better face in the same frame is this person.
    Taken,
}

/// What one comparison says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Outcome {
    /// It is this person.
    Match {
        /// Who.
        identity: IdentityId,
        /// How far the closest template is: at most the threshold.
        distance: SquaredL2,
    },
    /// It is nobody enrolled.
    NoMatch {
        /// How far the closest template is; absent in an empty gallery.
        nearest: Option<SquaredL2>,
    },
    /// Neither can be said.
    NotSure {
        /// How far the closest template is.
        nearest: SquaredL2,
        /// Why.
        reason: Unsure,
    },
}

impl Outcome {
    /// How far the closest template is; absent in an empty gallery.
    pub fn nearest(&self) -> Option<SquaredL2> {
        match self {
            Self::Match { distance, .. } => Some(*distance),
            Self::NoMatch { nearest } => *nearest,
            Self::NotSure { nearest, .. } => Some(*nearest),
        }
    }

    /// Who it is, and how far.
    pub fn named(&self) -> Option<(IdentityId, SquaredL2)> {
        match self {
            Self::Match { identity, distance } => Some((*identity, *distance)),
            Self::NoMatch { .. } | Self::NotSure { .. } => None,
        }
    }
}

/// Compares a probe whose face has this weight with the gallery.
///
/// # Panics
/// When the probe has another dimension than the gallery: it comes from another model.
pub fn decide(
    gallery: &Gallery,
    threshold: Threshold,
    rules: &RecognitionRules,
    probe: &Embedding,
    weight: f32,
) -> Outcome {
    let found = gallery.search(probe);
    let Some(best) = found.best else {
        return Outcome::NoMatch { nearest: None };
    };
    let nearest = best.distance;
    let not_sure = |reason| Outcome::NotSure { nearest, reason };
    if !threshold.accepts(nearest) {
        return if nearest.value() - threshold.value() <= rules.unsure_margin {
            not_sure(Unsure::Near)
        } else {
            Outcome::NoMatch {
                nearest: Some(nearest),
            }
        };
    }
    // The gallery knows who may not be named: expired consents, negative anchors, the cohort.
    match gallery.decide(probe, &threshold) {
        Decision::NoMatch { nearest } => Outcome::NoMatch { nearest },
        Decision::Match { identity, distance } => {
            let gap = found.runner_up.map_or(f32::INFINITY, |next| {
                next.distance.value() - nearest.value()
            });
            if gap < rules.least_gap {
                not_sure(Unsure::SmallGap)
            } else if weight < rules.least_weight {
                not_sure(Unsure::PoorFace)
            } else {
                Outcome::Match { identity, distance }
            }
        }
    }
}

#[cfg(test)]
mod tests;
