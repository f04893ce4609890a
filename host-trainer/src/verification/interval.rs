//! How far a measured rate can be trusted: Clopper-Pearson's interval, and the rules of 3 and 30.

use statrs::function::beta::inv_beta_reg;

/// Confidence of every interval that is told.
pub const CONFIDENCE: f64 = 0.95;

/// Errors that a rate should be counted on: then the true rate lies within 30 % of the measured one
/// at 90 % confidence (Doddington's rule of 30; Doddington et al. 2000, "The NIST speaker
/// recognition evaluation").
pub const RULE_OF_30: u64 = 30;

/// Without any error in n comparisons the true rate may still be 3/n, at 95 % confidence (Jovanovic
/// and Levy 1997, "A look at the rule of three"): smaller rates cannot be told from n comparisons.
pub const RULE_OF_3: u64 = 3;

/// The exact binomial interval of a rate at [`CONFIDENCE`], as lower and upper bound from 0 to 1;
/// none without comparisons.
///
/// Clopper and Pearson 1934: quantiles of beta distributions. It takes the comparisons as
/// independent, which pairs over the same pictures are not; so it is too narrow where each person
/// is compared many times: see [`super::bootstrap`].
///
/// # Panics
/// If there are more errors than comparisons.
pub fn clopper_pearson(errors: u64, comparisons: u64) -> Option<[f64; 2]> {
    assert!(errors <= comparisons, "errors are among the comparisons");
    if comparisons == 0 {
        return None;
    }
    let tail = (1.0 - CONFIDENCE) / 2.0;
    let (errors, right) = (errors as f64, (comparisons - errors) as f64);
    let low = match errors {
        0.0 => 0.0,
        _ => inv_beta_reg(errors, right + 1.0, tail),
    };
    let high = match right {
        0.0 => 1.0,
        _ => inv_beta_reg(errors + 1.0, right, 1.0 - tail),
    };
    Some([low, high])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_as_r_has_them() {
        // R: binom.test(errors, comparisons)$conf.int
        for (errors, comparisons, low, high) in [
            (10, 100, 0.049_004_69, 0.176_222_6),
            (0, 30, 0.0, 0.115_703_3),
            (30, 30, 0.884_296_7, 1.0),
            (1, 2, 0.012_579_12, 0.987_420_9),
        ] {
            let [found_low, found_high] = clopper_pearson(errors, comparisons).unwrap();
            let name = format!("{errors} of {comparisons}: {found_low} to {found_high}");
            assert!((found_low - low).abs() < 1e-7, "{name}");
            assert!((found_high - high).abs() < 1e-7, "{name}");
        }
        assert_eq!(clopper_pearson(0, 0), None);
    }

    #[test]
    fn no_error_among_many_has_a_closed_form() {
        // (1 - p)^n = 0.025, and its mirror.
        for comparisons in [1u64, 1000, 6_000_000] {
            let bound = -((0.025f64).ln() / comparisons as f64).exp_m1();
            let [low, high] = clopper_pearson(0, comparisons).unwrap();
            assert_eq!(low, 0.0);
            assert!((high / bound - 1.0).abs() < 1e-9, "{comparisons}: {high}");
            let [low, high] = clopper_pearson(comparisons, comparisons).unwrap();
            assert_eq!(high, 1.0);
            assert!((low + bound - 1.0).abs() < 1e-9, "{comparisons}: {low}");
        }
    }

    #[test]
    fn many_errors_are_near_the_normal_interval() {
        // 6,000 of 6,000,000: 1e-3 and 1.96 standard errors of 1.29e-5.
        let [low, high] = clopper_pearson(6000, 6_000_000).unwrap();
        assert!((low - 0.000_974_85).abs() < 2e-7, "{low}");
        assert!((high - 0.001_025_63).abs() < 2e-7, "{high}");
    }

    #[test]
    fn thirty_errors_are_good_for_thirty_percent() {
        // The rule says so at 90 %; at 95 % the interval is somewhat wider.
        let [low, high] = clopper_pearson(30, 30_000).unwrap();
        assert!(low > 0.6e-3 && low < 0.75e-3, "{low}");
        assert!(high > 1.3e-3 && high < 1.45e-3, "{high}");
    }
}
