//! Whom a new face looks like, and how likely that is by chance in a gallery of this size.

use shared::embedding::Embedding;
use shared::gallery::{Gallery, IdentityId, Nearest};
use shared::gallery_size::fpir;
use shared::manifest::{ManifestError, ModelManifest};
use shared::operating_point::OperatingPoint;

use crate::decision::DecisionPoint;

/// The point of a manifest that tells duplicates, where it has one.
const DUPLICATE_POINT: &str = "duplicate-check";
/// The point that tells whether several pictures show one person.
pub(crate) const AGREEMENT_POINT: &str = "verify";

/// The thresholds that a likeness is judged by.
#[derive(Clone, Debug, PartialEq)]
pub struct Judgement {
    /// What decides at the door.
    pub decides: OperatingPoint,
    /// What tells a duplicate.
    pub duplicate: OperatingPoint,
}

/// How a new face stands to the closest person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Far enough.
    Apart,
    /// One may be greeted by the other's name.
    Alike,
    /// Perhaps the same person.
    Duplicate,
}

/// What decides in this gallery, as at the door: see [`DecisionPoint::choose`].
///
/// # Errors
/// [`ManifestError::NoOperatingPoint`] when the model has no such point.
pub fn deciding(
    manifest: &ModelManifest,
    asked: Option<&str>,
    gallery: &Gallery,
    wished_fpir: f64,
) -> Result<OperatingPoint, ManifestError> {
    DecisionPoint::choose(manifest, asked, gallery, wished_fpir)
        .map(|decides| decides.point().clone())
}

impl Judgement {
    /// By what decides, and by the manifest's point for duplicates where it has one.
    pub fn new(manifest: &ModelManifest, decides: OperatingPoint) -> Self {
        let duplicate = manifest.operating_point(DUPLICATE_POINT).ok().cloned();
        Self {
            duplicate: duplicate.unwrap_or_else(|| decides.clone()),
            decides,
        }
    }

    /// How a face at this distance stands.
    pub fn of(&self, nearest: Nearest) -> Standing {
        if self.duplicate.threshold.accepts(nearest.distance) {
            Standing::Duplicate
        } else if self.decides.threshold.accepts(nearest.distance) {
            Standing::Alike
        } else {
            Standing::Apart
        }
    }
}

/// The person closest to any of the faces, but for one.
pub fn closest(
    gallery: &Gallery,
    faces: &[Embedding],
    except: Option<IdentityId>,
) -> Option<Nearest> {
    let found = gallery.search_batch(faces).into_iter();
    found
        .flat_map(|found| [found.best, found.runner_up])
        .flatten()
        .filter(|nearest| Some(nearest.identity) != except)
        .min_by_key(|nearest| (nearest.distance, nearest.identity))
}

/// How often a stranger passes a point in a gallery of so many: "1 stranger in 12 comes that close to one of 84 people";
/// none where the point's false match rate was not measured.
pub fn by_chance(point: &OperatingPoint, people: usize) -> Option<String> {
    let rate = fpir(point.fmr?, people as u64);
    let of = match people {
        1 => "the one person".to_owned(),
        _ => format!("one of the {people} people"),
    };
    Some(match one_in(rate) {
        Some(one_in) => format!("{one_in} strangers comes that close to {of} by chance"),
        None => format!("no stranger was measured to come that close to {of}"),
    })
}

/// A rate as "1 in N"; none for 0.
pub fn one_in(rate: f64) -> Option<String> {
    if rate <= 0.0 || !rate.is_finite() {
        return None;
    }
    let every = 1.0 / rate;
    Some(if every < 9.95 {
        format!("1 in {every:.1}")
    } else if every < 9_999.5 {
        format!("1 in {every:.0}")
    } else {
        // Two digits are all that a measured rate carries.
        let step = 10_f64.powf(every.log10().floor() - 1.0);
        format!("1 in {:.0}", (every / step).round() * step)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_as_a_person_says_them() {
        for (rate, expected) in [
            (0.5, Some("1 in 2.0")),
            (0.02, Some("1 in 50")),
            (1e-3, Some("1 in 1000")),
            (1.0 / 123_456.0, Some("1 in 120000")),
            (0.0, None),
        ] {
            assert_eq!(one_in(rate).as_deref(), expected, "{rate}");
        }
    }

    #[test]
    fn the_size_of_the_gallery_counts() {
        let point: OperatingPoint = toml::from_str(
            "name = \"greet\"\nthreshold = 0.3\nfmr = 0.001\nimpostor_pairs = 1\ngenuine_pairs = 1\ndata = \"none\"",
        )
        .unwrap();
        // 1 - 0.999^1000 = 0.632
        assert_eq!(
            by_chance(&point, 1000).unwrap(),
            "1 in 1.6 strangers comes that close to one of the 1000 people by chance"
        );
        assert!(by_chance(&point, 1).unwrap().starts_with("1 in 1000"));
        let unmeasured = OperatingPoint { fmr: None, ..point };
        assert_eq!(by_chance(&unmeasured, 5), None);
    }
}
