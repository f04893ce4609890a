//! What a distance means by a model's calibrated operating points: how many strangers are as near.

use serde::Serialize;
use shared::{OperatingPoint, SquaredL2};

/// The false match rate of a threshold at some distance, as far as operating points tell.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Meaning {
    /// Between two calibrated points, estimated by a straight line through (threshold, log FMR).
    About {
        /// The estimate, 0 to 1.
        fmr: f64,
        /// Point below.
        below: String,
        /// Point above.
        above: String,
    },
    /// Nearer than the strictest point: the rate is its rate or less.
    AtMost {
        /// Its rate, 0 to 1.
        fmr: f64,
        /// The point.
        point: String,
    },
    /// Farther than the laxest point: the rate is its rate or more.
    AtLeast {
        /// Its rate, 0 to 1.
        fmr: f64,
        /// The point.
        point: String,
    },
    /// No point has a measured rate.
    Unknown,
}

impl Meaning {
    /// What `distance` means by those points.
    pub fn of(distance: SquaredL2, points: &[OperatingPoint]) -> Self {
        let mut known: Vec<(f64, f64, &str)> = points
            .iter()
            .filter_map(|point| {
                let fmr = point.fmr.filter(|fmr| *fmr > 0.0)?;
                Some((f64::from(point.threshold.value()), fmr, point.name.as_str()))
            })
            .collect();
        known.sort_by(|a, b| a.0.total_cmp(&b.0));
        let distance = f64::from(distance.value());
        let above = known.iter().position(|point| point.0 >= distance);
        match (known.as_slice(), above) {
            ([], _) => Self::Unknown,
            ([(_, fmr, name), ..], Some(0)) => Self::AtMost {
                fmr: *fmr,
                point: (*name).to_owned(),
            },
            (known, Some(above)) => {
                let (low, high) = (known[above - 1], known[above]);
                let share = (distance - low.0) / (high.0 - low.0);
                Self::About {
                    fmr: (low.1.ln() + share * (high.1.ln() - low.1.ln())).exp(),
                    below: low.2.to_owned(),
                    above: high.2.to_owned(),
                }
            }
            ([.., (_, fmr, name)], None) => Self::AtLeast {
                fmr: *fmr,
                point: (*name).to_owned(),
            },
        }
    }
}

impl std::fmt::Display for Meaning {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let once_in = |fmr: f64| match fmr {
            fmr if fmr > 0.1 => format!("{:.0} of 100", fmr * 100.0),
            fmr => format!("1 of {:.0}", significant(1.0 / fmr)),
        };
        match self {
            Self::About { fmr, below, above } => write!(
                f,
                "about {} strangers would be as near (FMR about {fmr:.1e}, between the points {below} and {above})",
                once_in(*fmr)
            ),
            Self::AtMost { fmr, point } => write!(
                f,
                "at most {} strangers would be as near (FMR at most {fmr:.1e}, that of the point {point})",
                once_in(*fmr)
            ),
            Self::AtLeast { fmr, point } => write!(
                f,
                "at least {} strangers would be as near (FMR at least {fmr:.1e}, that of the point {point})",
                once_in(*fmr)
            ),
            Self::Unknown => write!(
                f,
                "how many strangers would be as near is not known: calibrate the model"
            ),
        }
    }
}

/// The number to two significant digits.
fn significant(number: f64) -> f64 {
    let unit = 10f64.powf(number.log10().floor() - 1.0).max(1.0);
    (number / unit).round() * unit
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::Threshold;

    fn point(name: &str, threshold: f32, fmr: Option<f64>) -> OperatingPoint {
        OperatingPoint {
            name: name.to_owned(),
            threshold: Threshold::new(threshold).unwrap(),
            fmr,
            fnmr: None,
            impostor_pairs: 1,
            genuine_pairs: 1,
            fmr_interval: None,
            fnmr_interval: None,
            data_sha256: None,
            data: "made by hand".to_owned(),
        }
    }

    #[test]
    fn a_distance_means_what_the_points_around_it_say() {
        let points = [
            point("lax", 1.0, Some(1e-2)),
            point("unmeasured", 0.7, None),
            point("strict", 0.5, Some(1e-4)),
        ];
        let of = |distance: f32| Meaning::of(SquaredL2::new(distance).unwrap(), &points);
        let Meaning::About { fmr, below, above } = of(0.75) else {
            panic!("{:?}", of(0.75));
        };
        // Halfway between 1e-4 and 1e-2 on a logarithmic scale.
        assert!((fmr - 1e-3).abs() < 1e-9, "{fmr}");
        assert_eq!((below.as_str(), above.as_str()), ("strict", "lax"));
        assert!(matches!(of(0.2), Meaning::AtMost { fmr: 1e-4, .. }));
        assert!(matches!(of(0.5), Meaning::AtMost { fmr: 1e-4, .. }));
        assert!(matches!(of(1.5), Meaning::AtLeast { fmr: 1e-2, .. }));
        let none = Meaning::of(SquaredL2::new(1.0).unwrap(), &points[1..2]);
        assert_eq!(none, Meaning::Unknown);
        assert!(
            of(0.75)
                .to_string()
                .starts_with("about 1 of 1000 strangers")
        );
        assert!(of(0.2).to_string().starts_with("at most 1 of 10000 "));
    }
}
