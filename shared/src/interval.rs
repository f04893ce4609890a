//! How far a measured rate can be trusted: Clopper-Pearson's interval, and the rules of 3 and 30.

use statrs::function::beta::beta_reg;

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
/// is compared many times; there people have to be drawn anew (the bootstrap of `usher-train`).
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
        _ => quantile(errors, right + 1.0, tail),
    };
    let high = match right {
        0.0 => 1.0,
        _ => quantile(errors + 1.0, right, 1.0 - tail),
    };
    Some([low, high])
}

/// Where a beta distribution reaches that probability, found by halving.
///
/// statrs has an inverse, but among millions of comparisons it is off by a thousandth of the rate.
fn quantile(a: f64, b: f64, probability: f64) -> f64 {
    let (mut low, mut high) = (0.0f64, 1.0f64);
    loop {
        let middle = low + (high - low) / 2.0;
        if middle <= low || middle >= high || high - low <= 1e-12 * high {
            return middle;
        }
        match beta_reg(a, b, middle) < probability {
            true => low = middle,
            false => high = middle,
        }
    }
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
            assert!((high / bound - 1.0).abs() < 1e-6, "{comparisons}: {high}");
            let [low, high] = clopper_pearson(comparisons, comparisons).unwrap();
            assert_eq!(high, 1.0);
            assert!((low + bound - 1.0).abs() < 1e-9, "{comparisons}: {low}");
        }
    }

    #[test]
    fn bounds_among_millions_are_those_of_the_summed_binomial() {
        // Python: the tails summed term by term (math.lgamma, math.fsum), halved until 2.5 %.
        for (errors, comparisons, low, high) in [
            (30, 30_000, 6.747_943_316_9e-4, 1.427_256_965_2e-3),
            (593, 5_923_194, 9.221_848_311_5e-5, 1.085_066_192_6e-4),
            (6000, 6_000_000, 9.748_673_788_3e-4, 1.025_616_142_2e-3),
            (890_000, 5_923_194, 0.149_969_122_0, 0.150_544_760_4),
        ] {
            let [found_low, found_high] = clopper_pearson(errors, comparisons).unwrap();
            let name = format!("{errors} of {comparisons}: {found_low} to {found_high}");
            assert!((found_low / low - 1.0).abs() < 1e-6, "{name}");
            assert!((found_high / high - 1.0).abs() < 1e-6, "{name}");
        }
    }
}
