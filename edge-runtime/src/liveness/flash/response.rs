//! How much of the shown colors came back from each part of the face: least squares on the logarithm of light.
//!
//! A channel of a matt surface in the picture is `wb · exposure · albedo · (ambient + k · screen)`. The measure is the
//! logarithm of the face's light less that of the room around it, so that exposure and white balance, which are the
//! picture's as a whole, cancel wherever they go; the albedo becomes a constant, which the mean over time takes away.
//! What is common to the three channels goes too (a face that moves under a lamp becomes brighter, not redder). What
//! is left follows the screen, with a gain for each channel, for ambient light has a color:
//!
//! `y(t) = g_c · screen_c(t - lag) + trend + noise`.
//!
//! `x = k / ambient`, from the gain, says how strong the screen is against the room. It differs over a curved face, for
//! the screen's light falls straight on the nose and grazes the sides while the room's comes from elsewhere; over a
//! flat one it is the same everywhere.

/// Places measured on the face.
pub(super) const REGIONS: usize = 6;

/// Light of the face's places and of the room, at one time; linear, 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Sample {
    pub(super) at_ms: u64,
    pub(super) regions: [[f32; 3]; REGIONS],
    pub(super) room: [f32; 3],
}

/// A color and since when it was shown.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Step {
    pub(super) at_ms: u64,
    pub(super) light: [f64; 3],
}

/// What came back.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Response {
    /// Correlation of what was seen with the best fit of what was shown, 0 to 1.
    pub(super) correlation: f64,
    /// The same with the best fit of any colors whatever in the same rhythm.
    pub(super) any_colors: f64,
    /// Root mean square of what was seen, in logarithms.
    pub(super) seen: f64,
    /// `x`: the screen's light on the face, at full white, as a multiple of the room's; mean over the face.
    pub(super) strength: f64,
    /// Least gain of a channel over the mean gain.
    pub(super) least_channel: f64,
    /// Standard deviation of `x` over the face's places, over its mean, noise taken off.
    pub(super) unevenness: f64,
    /// Standard error of one place's `x`, over the mean.
    pub(super) uncertainty: f64,
    /// Largest `x` of a place over the median of all.
    pub(super) brightest: f64,
    /// From the prompt to the picture, in milliseconds.
    pub(super) lag_ms: u64,
}

/// A series of three channels.
type Series = Vec<[f64; 3]>;

/// Between two lags that are tried.
const LAG_STEP_MS: u64 = 20;

/// What a camera's exposure mixes of two colors, about.
const EXPOSURE_MS: f64 = 30.0;

/// Light below which a logarithm tells noise.
const DARKEST: f32 = 1e-4;

/// Finds the lag at which the colors fit best and measures there; none when there are too few samples to fit.
pub(super) fn measure(samples: &[Sample], steps: &[Step], most_lag_ms: u64) -> Option<Response> {
    // Three gains and two numbers of the trend from two free channels: ten samples are few enough.
    if samples.len() < 10 || steps.len() < 2 {
        return None;
    }
    let places: Vec<Series> = (0..REGIONS)
        .map(|place| {
            prepared(
                samples,
                samples.iter().map(|sample| against_room(sample, place)),
            )
        })
        .collect();
    let face: Series = (0..samples.len())
        .map(|t| std::array::from_fn(|c| mean(places.iter().map(|place| place[t][c]))))
        .collect();
    let total = square(&face);
    if total <= 0.0 || !total.is_finite() {
        return None;
    }
    let (mut best, mut any_colors) = (None::<(f64, u64, Fit)>, 0.0_f64);
    for lag_ms in (0..=most_lag_ms).step_by(LAG_STEP_MS as usize) {
        any_colors = any_colors.max(1.0 - free_rest(&face, samples, steps, lag_ms) / total);
        let Some(fit) = fit(&face, samples, steps, lag_ms) else {
            continue;
        };
        let explained = 1.0 - fit.rest / total;
        if best.as_ref().is_none_or(|(most, ..)| explained > *most) {
            best = Some((explained, lag_ms, fit));
        }
    }
    let (explained, lag_ms, fit) = best?;
    let (strengths, errors) = strengths(&places, &fit);
    let strength = mean(strengths.iter().copied());
    let spread = mean(strengths.iter().map(|x| (x - strength).powi(2)));
    let error = mean(errors.iter().map(|error| error * error));
    let mut sorted = strengths.clone();
    sorted.sort_by(f64::total_cmp);
    let median = (sorted[REGIONS / 2] + sorted[(REGIONS - 1) / 2]) / 2.0;
    let mean_gain = mean(fit.gains.iter().copied());
    let ratio = |value: f64, to: f64| if to > 1e-9 { value / to } else { 0.0 };
    Some(Response {
        correlation: explained.max(0.0).sqrt(),
        any_colors: any_colors.max(0.0).sqrt(),
        seen: (total / (3 * samples.len()) as f64).sqrt(),
        strength,
        least_channel: ratio(
            fit.gains.iter().copied().fold(f64::MAX, f64::min),
            mean_gain,
        ),
        unevenness: ratio((spread - error).max(0.0).sqrt(), strength),
        uncertainty: match strength > 1e-9 {
            true => error.sqrt() / strength,
            false => f64::INFINITY,
        },
        brightest: ratio(sorted[REGIONS - 1], median),
        lag_ms,
    })
}

/// The gains, what they predict, and the sum of squares that they leave.
struct Fit {
    gains: [f64; 3],
    predicted: Series,
    rest: f64,
}

fn fit(face: &Series, samples: &[Sample], steps: &[Step], lag_ms: u64) -> Option<Fit> {
    // One series for each channel's light alone, prepared as the face's was.
    let parts: [Series; 3] = std::array::from_fn(|channel| {
        prepared(
            samples,
            samples.iter().map(|sample| {
                let light = shown(steps, sample.at_ms, lag_ms);
                std::array::from_fn(|c| if c == channel { light[c] } else { 0.0 })
            }),
        )
    });
    let mut normal = [[0.0; 4]; 3];
    for (row, part) in normal.iter_mut().zip(&parts) {
        for (cell, other) in row.iter_mut().zip(&parts) {
            *cell = product(part, other);
        }
        row[3] = product(part, face);
    }
    let gains = solve(normal)?;
    let predicted: Series = (0..face.len())
        .map(|t| std::array::from_fn(|c| (0..3).map(|part| gains[part] * parts[part][t][c]).sum()))
        .collect();
    let rest = distance(face, &predicted, 1.0);
    Some(Fit {
        gains,
        predicted,
        rest,
    })
}

/// What is left when each step may have had any color: the best that any other sequence of this rhythm could do.
fn free_rest(face: &Series, samples: &[Sample], steps: &[Step], lag_ms: u64) -> f64 {
    let step_of = |at_ms: u64| {
        steps
            .iter()
            .rposition(|step| step.at_ms + lag_ms <= at_ms)
            .unwrap_or(0)
    };
    let mut sums = vec![([0.0; 3], 0.0_f64); steps.len()];
    for (sample, seen) in samples.iter().zip(face) {
        let (sum, count) = &mut sums[step_of(sample.at_ms)];
        for (sum, seen) in sum.iter_mut().zip(seen) {
            *sum += seen;
        }
        *count += 1.0;
    }
    samples
        .iter()
        .zip(face)
        .map(|(sample, seen)| {
            let (sum, count) = &sums[step_of(sample.at_ms)];
            (0..3)
                .map(|c| (seen[c] - sum[c] / count).powi(2))
                .sum::<f64>()
        })
        .sum()
}

/// `x` of each place and its standard error.
fn strengths(places: &[Series], fit: &Fit) -> (Vec<f64>, Vec<f64>) {
    let power = square(&fit.predicted).max(1e-12);
    let gain = mean(fit.gains.iter().copied());
    places
        .iter()
        .map(|place| {
            let share = product(place, &fit.predicted) / power;
            let freedom = (2 * place.len()) as f64 - 3.0;
            let noise = distance(place, &fit.predicted, share) / freedom.max(1.0);
            // Darkest to brightest of a channel over the palette, as the logarithm saw it, undone.
            let strength = from_swing(share * gain);
            let slope = (from_swing(share * gain + 1e-4) - strength) / 1e-4;
            (strength, slope * gain.abs() * (noise / power).sqrt())
        })
        .unzip()
}

/// Channels of the palette go from 0.02 to 1 in linear light.
const PALETTE_DARKEST: f64 = 0.02;

/// The `x` at which `ln(1 + x s)` rises by `swing` while s goes from darkest to brightest; 50 at most.
fn from_swing(swing: f64) -> f64 {
    let rise = (swing * (1.0 - PALETTE_DARKEST)).clamp(-1.0, 3.0).exp();
    ((rise - 1.0) / (1.0 - PALETTE_DARKEST * rise)).min(50.0)
}

fn against_room(sample: &Sample, place: usize) -> [f64; 3] {
    std::array::from_fn(|c| {
        let log = |light: f32| f64::from(light.max(DARKEST)).ln();
        log(sample.regions[place][c]) - log(sample.room[c])
    })
}

/// The mean light that the screen showed while the exposure lasted, `lag_ms` before.
fn shown(steps: &[Step], at_ms: u64, lag_ms: u64) -> [f64; 3] {
    let light = |ms: f64| {
        steps
            .iter()
            .rfind(|step| step.at_ms as f64 <= ms)
            .or(steps.first())
            .map_or([0.0; 3], |step| step.light)
    };
    let at = at_ms as f64 - lag_ms as f64;
    let moments = [0.0, 0.25, 0.5, 0.75].map(|part| light(at - part * EXPOSURE_MS));
    std::array::from_fn(|c| mean(moments.iter().map(|light| light[c])))
}

/// Takes off what is common to the channels, and each channel's mean and straight trend over time.
fn prepared(samples: &[Sample], values: impl Iterator<Item = [f64; 3]>) -> Series {
    let mut series: Series = values
        .map(|value| {
            let common = mean(value.iter().copied());
            value.map(|channel| channel - common)
        })
        .collect();
    let times: Vec<f64> = samples.iter().map(|sample| sample.at_ms as f64).collect();
    let middle = mean(times.iter().copied());
    let spread: f64 = times.iter().map(|time| (time - middle).powi(2)).sum();
    for channel in 0..3 {
        let level = mean(series.iter().map(|value| value[channel]));
        let along: f64 = series
            .iter()
            .zip(&times)
            .map(|(value, time)| (value[channel] - level) * (time - middle))
            .sum();
        let slope = if spread > 0.0 { along / spread } else { 0.0 };
        for (value, time) in series.iter_mut().zip(&times) {
            value[channel] -= level + slope * (time - middle);
        }
    }
    series
}

/// Solves three equations with the right side in the last column; none when they do not determine the unknowns.
///
/// The three series always add up to nothing but what the projection leaves of them, so the matrix is small but
/// regular as soon as each channel was shown at two levels independently.
fn solve(mut rows: [[f64; 4]; 3]) -> Option<[f64; 3]> {
    let scale = (0..3).map(|i| rows[i][i]).fold(0.0, f64::max);
    // Colors that never changed leave rounding alone.
    if scale <= 1e-9 {
        return None;
    }
    for column in 0..3 {
        let pivot =
            (column..3).max_by(|a, b| rows[*a][column].abs().total_cmp(&rows[*b][column].abs()))?;
        rows.swap(column, pivot);
        if rows[column][column].abs() <= 1e-9 * scale {
            return None;
        }
        for row in 0..3 {
            if row != column {
                let factor = rows[row][column] / rows[column][column];
                let from = rows[column];
                for (cell, from) in rows[row].iter_mut().zip(from) {
                    *cell -= factor * from;
                }
            }
        }
    }
    Some(std::array::from_fn(|i| rows[i][3] / rows[i][i]))
}

fn product(a: &Series, b: &Series) -> f64 {
    a.iter()
        .zip(b)
        .map(|(a, b)| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>())
        .sum()
}

fn square(series: &Series) -> f64 {
    product(series, series)
}

/// Sum of squares of `seen - share · predicted`.
fn distance(seen: &Series, predicted: &Series, share: f64) -> f64 {
    seen.iter()
        .zip(predicted)
        .map(|(seen, predicted)| {
            (0..3)
                .map(|c| (seen[c] - share * predicted[c]).powi(2))
                .sum::<f64>()
        })
        .sum()
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = values.fold((0.0, 0.0), |(sum, count), value| (sum + value, count + 1.0));
    if count > 0.0 { sum / count } else { 0.0 }
}

#[cfg(test)]
mod tests;
