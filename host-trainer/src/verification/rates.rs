//! Error rates over many comparisons, and the threshold for a false match rate.

use super::interval::{RULE_OF_3, RULE_OF_30};

/// Distances of comparisons, each list sorted from small to large.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Distances {
    genuine: Vec<f32>,
    impostor: Vec<f32>,
}

/// A false match rate that cannot be told from so few comparisons.
#[derive(Debug, thiserror::Error)]
#[error(
    "expected at least {needed} impostor comparisons to set a false match rate of {}, found {found}, of which that rate lets {} through; {}; ask for a larger rate or compare more people",
    in_short(*fmr),
    (fmr * *found as f64).floor(),
    self.why()
)]
pub struct Unsupported {
    /// The rate asked for.
    pub fmr: f64,
    /// Impostor comparisons that it needs.
    pub needed: u64,
    /// Impostor comparisons there are.
    pub found: u64,
    /// False matches that the rate has to let through.
    pub least_errors: u64,
}

impl Unsupported {
    /// The rule that the comparisons do not meet, in words.
    fn why(&self) -> String {
        let bound = RULE_OF_3 as f64 / self.found as f64;
        match self.found {
            0 => "without comparisons nothing can be said".to_owned(),
            _ if self.fmr < bound => format!(
                "rule of 3: even no false match among them would leave rates up to 3/{} = {bound:.1e} \
                 possible (95 % confidence)",
                self.found
            ),
            _ => format!(
                "rule of 30: only a rate counted on {} errors is known to 30 % of itself (90 % \
                 confidence)",
                self.least_errors.max(RULE_OF_30)
            ),
        }
    }
}

/// A rate as people write it, to three digits: 1e-4, 2.5e-3.
pub fn in_short(rate: f64) -> String {
    let text = format!("{rate:.2e}");
    match text.split_once('e') {
        Some((digits, power)) => {
            let digits = digits.trim_end_matches('0').trim_end_matches('.');
            format!("{digits}e{power}")
        }
        None => text,
    }
}

impl Distances {
    /// Takes squared L2 distances of genuine and impostor comparisons, in any order.
    pub fn new(mut genuine: Vec<f32>, mut impostor: Vec<f32>) -> Self {
        genuine.sort_unstable_by(f32::total_cmp);
        impostor.sort_unstable_by(f32::total_cmp);
        Self { genuine, impostor }
    }

    /// Distances of genuine comparisons, rising.
    pub fn genuine(&self) -> &[f32] {
        &self.genuine
    }

    /// Distances of impostor comparisons, rising.
    pub fn impostor(&self) -> &[f32] {
        &self.impostor
    }

    /// Genuine comparisons.
    pub fn genuine_count(&self) -> u64 {
        self.genuine.len() as u64
    }

    /// Impostor comparisons.
    pub fn impostor_count(&self) -> u64 {
        self.impostor.len() as u64
    }

    /// Mean distance of genuine comparisons; none without comparisons.
    pub fn genuine_mean(&self) -> Option<f64> {
        mean(&self.genuine)
    }

    /// Mean distance of impostor comparisons; none without comparisons.
    pub fn impostor_mean(&self) -> Option<f64> {
        mean(&self.impostor)
    }

    /// Area under the ROC curve: the chance that a genuine comparison is nearer than an impostor
    /// one, equal distances counted half; none without comparisons of either kind.
    pub fn auc(&self) -> Option<f64> {
        let farther: f64 = self
            .genuine
            .iter()
            .map(|genuine| {
                let nearer = self.impostor.partition_point(|impostor| impostor < genuine);
                let not_farther = self
                    .impostor
                    .partition_point(|impostor| impostor <= genuine);
                let equal = not_farther - nearer;
                (self.impostor.len() - not_farther) as f64 + equal as f64 / 2.0
            })
            .sum();
        let comparisons = (self.genuine.len() * self.impostor.len()) as f64;
        (comparisons > 0.0).then(|| farther / comparisons)
    }

    /// Share of impostor comparisons accepted at a threshold, 0 to 1; none without comparisons.
    pub fn fmr(&self, threshold: f32) -> Option<f64> {
        share_accepted(&self.impostor, threshold)
    }

    /// Impostor comparisons accepted at a threshold.
    pub fn accepted_impostors(&self, threshold: f32) -> u64 {
        self.impostor
            .partition_point(|distance| *distance <= threshold) as u64
    }

    /// Share of genuine comparisons refused at a threshold, 0 to 1; none without comparisons.
    pub fn fnmr(&self, threshold: f32) -> Option<f64> {
        share_accepted(&self.genuine, threshold).map(|accepted| 1.0 - accepted)
    }

    /// The largest threshold that accepts no more than `fmr` of the impostor comparisons: an order
    /// statistic of their distances.
    ///
    /// # Errors
    /// [`Unsupported`] if that share is fewer than `least_errors` comparisons: see [`RULE_OF_30`]
    /// and [`RULE_OF_3`].
    pub fn threshold_at(&self, fmr: f64, least_errors: u64) -> Result<f32, Unsupported> {
        let found = self.impostor_count();
        // A rate such as 0.29 times 100 must give 29, not 28.999...
        let accepted = (fmr * found as f64 + 1e-9).floor() as usize;
        match self.impostor.get(accepted) {
            Some(first_refused) if accepted as u64 >= least_errors => {
                Ok(first_refused.next_down().max(0.0))
            }
            _ => Err(Unsupported {
                fmr,
                needed: (least_errors as f64 / fmr).ceil() as u64,
                found,
                least_errors,
            }),
        }
    }
}

fn mean(distances: &[f32]) -> Option<f64> {
    let sum: f64 = distances.iter().copied().map(f64::from).sum();
    (!distances.is_empty()).then(|| sum / distances.len() as f64)
}

fn share_accepted(sorted: &[f32], threshold: f32) -> Option<f64> {
    let accepted = sorted.partition_point(|distance| *distance <= threshold);
    (!sorted.is_empty()).then(|| accepted as f64 / sorted.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hundred() -> Distances {
        // Impostors at 1.01, 1.02 ... 2.00; genuine at 0.5, 1.055, 1.5, 1.9.
        let impostor = (1..=100).rev().map(|i| 1.0 + i as f32 / 100.0).collect();
        Distances::new(vec![1.9, 0.5, 1.5, 1.055], impostor)
    }

    #[test]
    fn the_threshold_is_an_order_statistic() {
        let distances = hundred();
        for (fmr, accepted) in [(0.01, 1), (0.05, 5), (0.29, 29), (0.999, 99)] {
            let threshold = distances.threshold_at(fmr, 1).unwrap();
            assert_eq!(
                distances.fmr(threshold),
                Some(accepted as f64 / 100.0),
                "{fmr}"
            );
            // And it is the largest: the next number up accepts one more.
            let above = distances.fmr(threshold.next_up());
            assert_eq!(above, Some((accepted + 1) as f64 / 100.0), "{fmr}");
        }
    }

    #[test]
    fn genuine_comparisons_above_it_are_refused() {
        let distances = hundred();
        let threshold = distances.threshold_at(0.05, 1).unwrap();
        // 0.5 and 1.055 lie below the sixth impostor at 1.06.
        assert_eq!(distances.fnmr(threshold), Some(0.5));
    }

    #[test]
    fn the_area_under_the_curve_counts_ordered_pairs() {
        for (name, genuine, impostor, expected) in [
            ("apart", &[0.1, 0.2][..], &[1.0, 2.0][..], Some(1.0)),
            ("the wrong way round", &[1.0, 2.0], &[0.1], Some(0.0)),
            ("all equal", &[1.0, 1.0], &[1.0], Some(0.5)),
            // Of (1, 2), (1, 3), (2, 2), (2, 3), (4, 2), (4, 3): 3 ordered, one tie.
            ("mixed", &[4.0, 1.0, 2.0], &[3.0, 2.0], Some(3.5 / 6.0)),
            ("no impostor", &[1.0], &[], None),
        ] {
            let distances = Distances::new(genuine.to_vec(), impostor.to_vec());
            assert_eq!(distances.auc(), expected, "{name}");
        }
        assert_eq!(
            hundred()
                .impostor_mean()
                .map(|mean| (mean * 1000.0).round()),
            Some(1505.0)
        );
        assert_eq!(Distances::default().genuine_mean(), None);
    }

    #[test]
    fn rates_are_short() {
        for (value, text) in [
            (1e-4, "1e-4"),
            (2.5e-3, "2.5e-3"),
            (0.01, "1e-2"),
            (1.234e-4, "1.23e-4"),
        ] {
            assert_eq!(in_short(value), text);
        }
    }

    #[test]
    fn ties_never_exceed_the_rate() {
        let distances = Distances::new(vec![0.1], vec![1.0; 100]);
        let threshold = distances.threshold_at(0.5, 1).unwrap();
        assert_eq!(distances.fmr(threshold), Some(0.0));
    }

    #[test]
    fn a_rate_beyond_the_data_is_refused() {
        let distances = hundred();
        assert!(distances.threshold_at(0.009, 1).is_err());
        let error = distances.threshold_at(0.1, 30).unwrap_err();
        assert_eq!((error.needed, error.found), (300, 100));
        assert!(error.to_string().contains("rule of 30"), "{error}");
        let error = distances.threshold_at(0.02, 30).unwrap_err().to_string();
        assert!(
            error.contains("rule of 3:") && error.contains("3/100 = 3.0e-2"),
            "{error}"
        );
        assert!(distances.threshold_at(0.3, 30).is_ok());
        assert!(Distances::default().threshold_at(0.1, 1).is_err());
        assert_eq!(Distances::default().fmr(1.0), None);
    }
}
