//! The measure on series made by its own model: what it finds again, and how often chance looks like it.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha20Rng;

use super::super::sequence;
use super::*;

fn steps(random: &mut ChaCha20Rng, count: usize) -> Vec<Step> {
    let colors = sequence::draw(random, count);
    let lead = Step {
        at_ms: 0,
        light: sequence::light(sequence::NEUTRAL),
    };
    let step = |(number, color): (u64, [u8; 3])| Step {
        at_ms: 600 + 400 * number,
        light: sequence::light(color),
    };
    let end = Step {
        at_ms: 600 + 400 * count as u64,
        ..lead
    };
    let colored = (0..).zip(colors).map(step);
    std::iter::once(lead).chain(colored).chain([end]).collect()
}

/// Samples of places on which the screen is so strong, at 12 a second, with noise.
fn samples(
    steps: &[Step],
    strengths: [f32; REGIONS],
    lag_ms: u64,
    noise: f32,
    random: &mut ChaCha20Rng,
) -> Vec<Sample> {
    let last = steps.last().unwrap().at_ms;
    (0..)
        .map(|number| number * 1000 / 12)
        .take_while(|at_ms| *at_ms < last + 400)
        .map(|at_ms| {
            let light = shown(steps, at_ms, lag_ms);
            // Exposure and white balance wander, and every place has a color of its own.
            let balance = [0, 1, 2].map(|c| 1.0 + 0.2 * ((at_ms + 900 * c) as f32 / 1500.0).sin());
            let regions = std::array::from_fn(|place| {
                std::array::from_fn(|c| {
                    let albedo = 0.1 + 0.05 * place as f32 + 0.04 * c as f32;
                    let room = [1.0, 0.8, 0.6][c];
                    let lit = 1.0 + strengths[place] / room * light[c] as f32;
                    let noise = 1.0 + noise * random.random_range(-1.73..1.73_f32);
                    balance[c] * albedo * room * lit * noise
                })
            });
            let room = std::array::from_fn(|c| balance[c] * [0.5, 0.4, 0.3][c]);
            Sample {
                at_ms,
                regions,
                room,
            }
        })
        .collect()
}

#[test]
fn what_was_put_in_is_found_again() {
    let mut random = ChaCha20Rng::seed_from_u64(1);
    for (name, strengths, lag_ms, unevenness) in [
        ("even and weak", [0.05; 6], 0, 0.0),
        ("even and strong", [2.0; 6], 200, 0.0),
        (
            "uneven and weak",
            [0.06, 0.06, 0.05, 0.05, 0.03, 0.03],
            120,
            0.27,
        ),
        (
            "uneven and strong",
            [1.2, 1.2, 1.0, 1.0, 0.6, 0.6],
            400,
            0.27,
        ),
    ] {
        let steps = steps(&mut random, 5);
        let samples = samples(&steps, strengths, lag_ms, 0.001, &mut random);
        let found = measure(&samples, &steps, 400).unwrap();
        let mean = f64::from(strengths.iter().sum::<f32>()) / 6.0;
        assert!(found.correlation > 0.95, "{name}: {found:?}");
        // The room's color makes red weaker and blue stronger than white would be.
        assert!(
            (found.strength / mean).ln().abs() < 0.4,
            "{name}: {found:?}"
        );
        assert!(
            (found.unevenness - unevenness).abs() < 0.06,
            "{name}: {found:?}"
        );
        assert!(found.lag_ms.abs_diff(lag_ms) <= 60, "{name}: {found:?}");
    }
}

#[test]
fn noise_alone_looks_like_nothing() {
    let mut random = ChaCha20Rng::seed_from_u64(2);
    for seed in 0..300 {
        let steps = steps(&mut random, 5);
        let samples = samples(&steps, [0.0; REGIONS], 0, 0.01, &mut random);
        let found = measure(&samples, &steps, 400).unwrap();
        assert!(found.correlation < 0.75, "{seed}: {found:?}");
    }
}

/// A video of a face under another sequence, begun in step with this one: how often chance makes it pass.
#[test]
fn another_sequence_rarely_looks_like_this_one() {
    let mut random = ChaCha20Rng::seed_from_u64(3);
    let tries = 2_000;
    for (colors, most) in [(4, 80), (6, 14), (8, 2)] {
        let mut alike = 0;
        for _ in 0..tries {
            let (ours, theirs) = (steps(&mut random, colors), steps(&mut random, colors));
            let samples = samples(&theirs, [0.5; REGIONS], 100, 0.001, &mut random);
            let found = measure(&samples, &ours, 400).unwrap();
            let good = found.correlation >= 0.95 * found.any_colors && found.least_channel >= 0.0;
            alike += u32::from(found.correlation >= 0.85 && good);
        }
        println!("{colors} colors: {alike} of {tries} other sequences look like this one");
        assert!(alike <= most, "{colors} colors: {alike} of {tries}");
    }
}

#[test]
fn what_cannot_be_fitted_is_none() {
    let mut random = ChaCha20Rng::seed_from_u64(4);
    let steps = steps(&mut random, 5);
    let samples = samples(&steps, [0.5; REGIONS], 0, 0.001, &mut random);
    assert_eq!(measure(&samples[..9], &steps, 400), None);
    assert_eq!(measure(&samples, &steps[..1], 400), None);
    let gray = steps
        .iter()
        .map(|step| Step {
            light: [0.3; 3],
            ..*step
        })
        .collect::<Vec<_>>();
    assert_eq!(
        measure(&samples, &gray, 400),
        None,
        "gray tells no channel from another"
    );
    let mut black = samples;
    for sample in &mut black {
        (sample.regions, sample.room) = ([[0.0; 3]; REGIONS], [0.0; 3]);
    }
    assert_eq!(measure(&black, &steps, 400), None);
}
