//! From one comparison to a gallery of many: FPIR = 1 - (1 - FMR)^N, and back.
//!
//! It takes the comparisons of a stranger with N people as independent. They are not quite: one
//! stranger who looks like many is counted as many, so the true FPIR is rather smaller.

/// The chance that a stranger is taken for somebody in a gallery of `people`, 0 to 1.
pub fn fpir(fmr: f64, people: u64) -> f64 {
    if people == 0 {
        return 0.0;
    }
    // By logarithms, so that 1 - 1e-9 does not become 1.
    -(people as f64 * (-fmr).ln_1p()).exp_m1()
}

/// The false match rate of one comparison at which a gallery of `people` has that FPIR, 0 to 1.
///
/// # Panics
/// Without people.
pub fn fmr_for(fpir: f64, people: u64) -> f64 {
    assert!(people > 0, "a gallery has people");
    -((-fpir).ln_1p() / people as f64).exp_m1()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_by_hand() {
        for (fmr, people, expected) in [
            (1e-3, 1, 1e-3),
            (0.5, 2, 0.75),
            // 1 - 0.999^1000 = 0.6323045752290363
            (1e-3, 1000, 0.632_304_575_229_036_3),
            // Too small for 1 - (1 - x): 1e-17 is lost in it.
            (1e-17, 100, 1e-15),
            (0.0, 100, 0.0),
            (1.0, 3, 1.0),
            (1.0, 0, 0.0),
        ] {
            let found = fpir(fmr, people);
            assert!(
                (found - expected).abs() <= 1e-12 * expected,
                "{fmr}: {found}"
            );
        }
    }

    #[test]
    fn there_and_back() {
        for people in [1, 7, 1000, 10_000_000] {
            for wished in [1e-9, 1e-3, 0.3] {
                let found = fpir(fmr_for(wished, people), people);
                assert!((found / wished - 1.0).abs() < 1e-9, "{people}, {wished}");
            }
        }
        // 100 people, one stranger in a hundred: 1 - 0.99^(1/100).
        assert!((fmr_for(0.01, 100) - 1.004_983_1e-4).abs() < 1e-10);
    }
}
