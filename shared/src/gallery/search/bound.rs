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
//! best distance. Everything else is compared by [`SquaredL2::between`] itself, hence the same
//! bits. Until there is a runner-up nothing is left out.

use super::probe::Probe;
use crate::distance::SquaredL2;

/// |p|^2 of an embedding is short of 1 by at most 2e-6; a half more for underflow and f64.
const NOT_QUITE_UNIT: f64 = 3e-6;
/// More than a kernel's f32 arithmetic can be off, in dot product.
pub(super) const KERNEL_ROUNDING: f64 = 1e-6;

/// The smallest kernel value of a template that could be at `distance` or closer.
pub(super) fn floor(probe: &Probe, distance: SquaredL2) -> f64 {
    (cut(probe.dimension(), distance) - probe.margin()) / probe.scale()
}

/// The smallest dot product of two embeddings at `distance` or closer.
pub(super) fn cut(dimension: usize, distance: SquaredL2) -> f64 {
    let roundings = (dimension + 3) as f64 * f64::from(f32::EPSILON) / 2.0;
    1.0 - NOT_QUITE_UNIT - f64::from(distance.value()) / (2.0 * (1.0 - roundings))
}
