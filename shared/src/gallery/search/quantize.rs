//! Numbers as int8 codes with one scale, and how far the codes are from the numbers.

use crate::embedding::Embedding;

/// Largest code: the range is symmetric, so that a product of two codes fits 15 bits.
const MAX_CODE: f32 = 127.0;
/// Smallest largest code that [`compact`] tries; finer scales win on average, so few are enough.
const LEAST_MAX_CODE: u8 = 112;
/// Added to every residual's norm: more than f64 loses while summing it.
const RESIDUAL_SLACK: f64 = 1e-9;

/// Numbers as int8 codes: `scale * code` is within `radius` of them, as vectors by L2 norm.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Quantized {
    /// One per number, -127 to 127.
    pub(super) codes: Vec<i8>,
    /// The number that code 1 stands for; positive unless all numbers are zero.
    pub(super) scale: f32,
    /// Upper bound of the residual's L2 norm; infinite where the numbers are not finite.
    pub(super) radius: f32,
}

impl Quantized {
    /// The codes closest to `values` whose largest is 127.
    ///
    /// Takes any values: with a NaN or an infinity among them the radius is infinite, which bounds
    /// nothing and so is never wrong.
    pub(super) fn nearest(values: &[f32]) -> Quantized {
        let largest = values
            .iter()
            .fold(0.0_f32, |largest, value| largest.max(value.abs()));
        let scale = largest / MAX_CODE;
        let codes = round(values, scale);
        Quantized::of(codes, scale, values)
    }

    /// The codes of a template that [`compact`] made, with `values` the template they stand for.
    pub(super) fn exact(codes: Vec<i8>, values: &[f32]) -> Quantized {
        let squares: f64 = codes.iter().map(|&c| f64::from(c) * f64::from(c)).sum();
        Quantized::of(codes, (1.0 / squares.sqrt()) as f32, values)
    }

    fn of(codes: Vec<i8>, scale: f32, values: &[f32]) -> Quantized {
        let mut squares = 0.0_f64;
        for (&code, &value) in codes.iter().zip(values) {
            let residual = f64::from(value) - f64::from(scale) * f64::from(code);
            squares += residual * residual;
        }
        // One part in a million covers the rounding to f32.
        let radius = ((squares.sqrt() + RESIDUAL_SLACK) * (1.0 + 1e-6)) as f32;
        if radius.is_finite() && scale.is_finite() {
            Quantized {
                codes,
                scale,
                radius,
            }
        } else {
            Quantized {
                codes: vec![0; values.len()],
                scale: 0.0,
                radius: f32::INFINITY,
            }
        }
    }
}

/// The 128 bytes (one per number) that keep a template compactly: int8 codes of its direction.
///
/// The template they stand for is `Embedding::from_raw` of the codes as f32; its codes are these
/// again. Of a few scales the one with the least angular error is taken; common factors of the
/// codes are divided out, so that a direction has one form.
pub fn compact(template: &Embedding) -> Vec<i8> {
    let values = template.values();
    let largest = values
        .iter()
        .fold(0.0_f32, |largest, value| largest.max(value.abs()));
    let mut best = (f64::NEG_INFINITY, Vec::new());
    for most in (LEAST_MAX_CODE..=MAX_CODE as u8).rev() {
        let codes = round(values, largest / f32::from(most));
        let (mut product, mut squares) = (0.0_f64, 0.0_f64);
        for (&code, &value) in codes.iter().zip(values) {
            product += f64::from(code) * f64::from(value);
            squares += f64::from(code) * f64::from(code);
        }
        let cosine = product / squares.sqrt();
        if cosine > best.0 {
            best = (cosine, codes);
        }
    }
    let mut codes = best.1;
    let divisor = codes
        .iter()
        .fold(0, |a, b| common_divisor(a, b.unsigned_abs()));
    for code in &mut codes {
        *code = (i16::from(*code) / i16::from(divisor)) as i8;
    }
    codes
}

/// The template that [`compact`] codes stand for; None if there is no code but zero, or too many.
pub fn expand(codes: &[i8]) -> Option<Embedding> {
    Embedding::from_raw(codes.iter().map(|&code| f32::from(code)).collect()).ok()
}

fn common_divisor(a: u8, b: u8) -> u8 {
    if b == 0 { a } else { common_divisor(b, a % b) }
}

fn round(values: &[f32], scale: f32) -> Vec<i8> {
    // Zero numbers: code 0. The cast takes NaN to 0.
    let per_code = if scale > 0.0 { 1.0 / scale } else { 0.0 };
    let code = |value: &f32| {
        let steps = (value * per_code).clamp(-MAX_CODE, MAX_CODE);
        (steps + 0.5_f32.copysign(steps)) as i8
    };
    values.iter().map(code).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gallery::search::tests::{random_unit, seeded};

    #[test]
    fn codes_are_within_the_radius() {
        let mut random = seeded(1);
        for dimension in [1, 2, 3, 31, 128, 520] {
            for _ in 0..100 {
                let unit = random_unit(&mut random, dimension);
                let quantized = Quantized::nearest(unit.values());
                let squares: f64 = quantized
                    .codes
                    .iter()
                    .zip(unit.values())
                    .map(|(&c, &v)| f64::from(v) - f64::from(quantized.scale) * f64::from(c))
                    .map(|residual| residual * residual)
                    .sum();
                assert!(squares.sqrt() <= f64::from(quantized.radius));
                assert_eq!(
                    quantized.codes.iter().map(|c| c.unsigned_abs()).max(),
                    Some(127)
                );
                // Each residual is at most half a step.
                let most = 0.51 * f64::from(quantized.scale) * (dimension as f64).sqrt();
                assert!(f64::from(quantized.radius) <= most + 1e-8);
            }
        }
    }

    #[test]
    fn odd_numbers_bound_nothing_and_panic_nowhere() {
        for (name, values) in [
            ("NaN", vec![f32::NAN, 0.5]),
            ("infinite", vec![0.5, f32::NEG_INFINITY]),
            ("all NaN", vec![f32::NAN; 3]),
        ] {
            assert_eq!(Quantized::nearest(&values).radius, f32::INFINITY, "{name}");
        }
        for (name, values) in [
            ("none", vec![]),
            ("zero", vec![0.0; 5]),
            ("subnormal", vec![1e-45, -3e-42]),
            ("smallest normal", vec![f32::MIN_POSITIVE; 2]),
        ] {
            let quantized = Quantized::nearest(&values);
            assert!(quantized.radius < 1e-8, "{name}: {quantized:?}");
        }
        assert!(Quantized::nearest(&[f32::MAX, -f32::MAX, 1.0]).radius > 0.0);
    }

    #[test]
    fn a_compact_template_keeps_its_codes() {
        let mut random = seeded(2);
        let named = [
            vec![1.0, 0.0, 0.0],
            vec![2.0, 4.0, -6.0],
            vec![1.0; 7],
            vec![-3.0],
            vec![124.0, 62.0],
            vec![1e-20, 1.0],
        ];
        let mut templates: Vec<Embedding> = named
            .into_iter()
            .map(|raw| Embedding::from_raw(raw).unwrap())
            .collect();
        for dimension in [1, 2, 3, 5, 128, 300] {
            templates.extend((0..200).map(|_| random_unit(&mut random, dimension)));
        }
        for template in templates {
            let codes = compact(&template);
            let kept = expand(&codes).unwrap();
            assert_eq!(compact(&kept), codes);
            let cosine: f64 = kept
                .values()
                .iter()
                .zip(template.values())
                .map(|(&a, &b)| f64::from(a) * f64::from(b))
                .sum();
            assert!(cosine > 0.9998, "{cosine} with {} codes", codes.len());
        }
        assert_eq!(expand(&[0, 0]), None);
        assert_eq!(expand(&[]), None);
    }

    #[test]
    fn trying_scales_lessens_the_error() {
        let mut random = seeded(3);
        let (mut tried, mut plain) = (0.0, 0.0);
        for _ in 0..200 {
            let template = random_unit(&mut random, 128);
            let error = |codes: &[i8]| {
                let kept = expand(codes).unwrap();
                crate::distance::SquaredL2::between(&kept, &template).value()
            };
            tried += error(&compact(&template));
            plain += error(&Quantized::nearest(template.values()).codes);
        }
        assert!(tried < plain, "{tried} against {plain}");
    }
}
