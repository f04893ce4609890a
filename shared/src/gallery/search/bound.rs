//! The proof that re-scoring finds what comparing every template would find.
//!
//! Below, p is the probe, t a template, n their dimension, u = 2^-24 the unit roundoff of f32,
//! and |.| the L2 norm. An [`Embedding`](crate::Embedding) has | |p| - 1 | <= 1e-6.
//!
//! **1. From distance to dot product.** [`SquaredL2::between`] sums n squares of differences in
//! f32. Each square carries at most three roundings and goes through at most n additions, all of
//! numbers that are not negative, so its sum D and the true d = |p - t|^2 obey
//! D >= d (1 - u)^(n+3) >= d (1 - (n + 3) u), but for underflow below 1e-40; then D is cut off at 4.
//! As 2 p.t = |p|^2 + |t|^2 - d and |p|^2 >= 1 - 2e-6, a template with D <= T has
//!
//! > p.t >= cut(T) = 1 - 3e-6 - T / (2 (1 - (n + 3) u)).
//!
//! The millionth to spare covers underflow and f64. Where D was cut off T is 4, and cut(4) is
//! below -1 - 2.9e-6, which no dot product of two embeddings is: every template passes, as it must.
//!
//! **2. From codes to dot product.** The codes stand for p' = S q and t' = s c with
//! |p - p'| <= R and |t - t'| <= r. By Cauchy and Schwarz
//!
//! > p.t = p'.t' + p'.(t - t') + (p - p').t <= S s (q.c) + |p'| r + R (1 + 1e-6).
//!
//! q.c is summed in whole numbers (4096 * 127^2 fits i32), without error. A kernel computes
//! v = s * (q.c) + r * k in f32, where k >= |p'| / S ("reach"), by at most four roundings, each at
//! most u of a term: with |p'|, |t'| <= 1.26 and r <= 0.26 (half a step of 1 / 127 per number,
//! n <= 4096) the error of S v is below 4 u (1.26 * 1.26 + 1.26 * 0.26) < 5e-7. So
//!
//! > p.t <= S v + margin, margin = R (1 + 1e-6) + 1e-6.
//!
//! **3. Together.** A template whose v is below floor(T) = (cut(T) - margin) / S is farther than T:
//! its D, were it computed, would be greater. The largest v of a block bounds every template in it.
//!
//! **4. The search** keeps the two identities found so far. It takes blocks from the largest v on
//! and ends when that is below floor(runner-up's distance): no template left is as close, so none
//! can change the answer, be it by winning a tie. Within a block it leaves out templates whose own
//! v is below the floor of the runner-up's distance or, if they are of the best identity, of the
//! best distance. Until there is a runner-up nothing is left out, unless all templates are one
//! identity's: then the best distance decides alone.
//!
//! **5. In f32.** What is left is compared by [`loosely`], the same sum in another order, in
//! vectors: at most n + 3 roundings too, so its result L <= d (1 + 1.01 (n + 3) u),
//! and with step 1 a template with D <= T has L <= T (1 + 4 (n + 3) u), unless D was cut off at 4.
//! All others are compared by [`SquaredL2::between`] itself, hence the same bits.

use super::probe::Probe;
use crate::distance::SquaredL2;

/// |p|^2 of an embedding is short of 1 by at most 2e-6; a half more for underflow and f64.
const NOT_QUITE_UNIT: f64 = 3e-6;
/// More than a kernel's f32 arithmetic can be off, in dot product.
pub(super) const KERNEL_ROUNDING: f64 = 1e-6;

/// What a template's values have to reach for it to be at some distance or closer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limit {
    /// The smallest kernel value.
    pub(super) floor: f64,
    /// The largest result of [`loosely`].
    pub(super) ceiling: f64,
}

impl Limit {
    /// What every template reaches.
    pub(super) const NONE: Limit = Limit {
        floor: f64::NEG_INFINITY,
        ceiling: f64::INFINITY,
    };

    pub(super) fn new(probe: &Probe, distance: SquaredL2) -> Limit {
        Limit {
            floor: (cut(probe.dimension(), distance) - probe.margin()) / probe.scale(),
            ceiling: loose_ceiling(probe.dimension(), distance),
        }
    }
}

/// The smallest dot product of two embeddings at `distance` or closer.
fn cut(dimension: usize, distance: SquaredL2) -> f64 {
    1.0 - NOT_QUITE_UNIT - f64::from(distance.value()) / (2.0 * (1.0 - roundings(dimension)))
}

/// The squared distance summed in sixteen lanes: several times faster than in order, and as good
/// but for rounding.
pub(super) fn loosely(a: &[f32], b: &[f32]) -> f32 {
    let mut lanes = [0.0_f32; 16];
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<16>(), b.as_chunks::<16>());
    for (a, b) in a.iter().zip(b) {
        for i in 0..16 {
            let difference = a[i] - b[i];
            lanes[i] += difference * difference;
        }
    }
    for (a, b) in a_rest.iter().zip(b_rest) {
        lanes[0] += (a - b) * (a - b);
    }
    lanes.iter().sum()
}

/// The largest result of [`loosely`] for a template that could be at `distance` or closer.
fn loose_ceiling(dimension: usize, distance: SquaredL2) -> f64 {
    if distance.value() >= 4.0 {
        return f64::INFINITY; // cut off: what was summed may be more
    }
    f64::from(distance.value()) * (1.0 + 4.0 * roundings(dimension)) + 1e-30
}

/// How far, relative to it, a sum of that many squares of differences is off: (n + 3) u.
fn roundings(dimension: usize) -> f64 {
    (dimension + 3) as f64 * f64::from(f32::EPSILON) / 2.0
}
