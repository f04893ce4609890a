//! What the measured response means: passed, cannot tell, or no face's.

use super::super::{Progress, Reason};
use super::response::Response;
use super::rules::FlashRules;

/// How far any other colors have to explain what was seen, while those shown do not, to call it a recording.
const OTHER_COLORS: f64 = 0.85;

/// How near the correlation with the colors shown has to come to that with any colors: a sequence of six that is like
/// another by chance does so once in 200 times, one of eight less than once in 2,000.
const AS_GOOD_AS_ANY: f64 = 0.95;

/// How many times the least strength's own trace the other colors' has to be, to be no accident of noise.
const CLEARLY: f64 = 2.0;

/// What the numbers mean. Order matters: what refuses needs the response to be measured well, what passes needs all.
pub(super) fn verdict(rules: &FlashRules, response: &Response) -> Progress {
    let least = |rule: f32, found: f64| found >= f64::from(rule);
    // Root mean square that the weakest allowed response would leave: about a third of its swing.
    let trace = f64::from(rules.least_strength) / 3.0;
    let explained = least(rules.least_correlation, response.correlation)
        && response.correlation >= AS_GOOD_AS_ANY * response.any_colors
        && response.least_channel >= 0.0;
    if !explained {
        let others = response.any_colors >= OTHER_COLORS
            && response.correlation < 0.8 * response.any_colors
            && response.seen >= CLEARLY * trace;
        return match others {
            true => Progress::Failed(Reason::WrongColors),
            false => Progress::Inconclusive(Reason::NoResponse),
        };
    }
    if !least(rules.least_strength, response.strength) {
        return Progress::Inconclusive(Reason::TooBright);
    }
    let certain = response.uncertainty <= f64::from(rules.most_uncertainty);
    if !certain {
        return Progress::Inconclusive(Reason::TooBright);
    }
    if response.brightest > f64::from(rules.most_brightest) {
        return Progress::Failed(Reason::Glossy);
    }
    if !least(rules.least_unevenness, response.unevenness) {
        // Flat beyond doubt refuses; flat within the noise may be tried again.
        let doubt = response.uncertainty > f64::from(rules.least_unevenness) / 2.0;
        return match doubt {
            true => Progress::Inconclusive(Reason::Flat),
            false => Progress::Failed(Reason::Flat),
        };
    }
    Progress::Passed
}

/// 0.5 where every measure is just at its rule, 1 where the weaker of the two is as good as it gets or twice the rule.
pub(super) fn score(rules: &FlashRules, response: &Response, progress: Progress) -> f32 {
    let correlation = (response.correlation as f32 - rules.least_correlation)
        / (1.0 - rules.least_correlation).max(1e-6);
    let unevenness = (response.unevenness as f32 - rules.least_unevenness) / rules.least_unevenness;
    let above = correlation.min(unevenness).clamp(-1.0, 1.0);
    match progress {
        Progress::Passed => 0.5 + 0.5 * above.max(0.0),
        _ => (0.5 + 0.5 * above).clamp(0.0, 0.49),
    }
}
