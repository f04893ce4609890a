//! NEON: four numbers, and tiles of 6 pixels by 16 channels in 24 of the 32 registers.

use std::arch::aarch64::*;

use super::vector::Vector;
use super::{dense, depthwise, normalize, pool, product, winograd};

#[derive(Clone, Copy)]
struct Four(float32x4_t);

// SAFETY: as the trait demands, each method is called only where NEON is enabled, with pointers to
// as many numbers as it touches.
unsafe impl Vector for Four {
    const LANES: usize = 4;
    const WIDTH: usize = 4;
    const UNROLLED: usize = 4;

    #[inline(always)]
    unsafe fn splat(value: f32) -> Self {
        // SAFETY: the trait's contract.
        Self(unsafe { vdupq_n_f32(value) })
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: the trait's contract.
        Self(unsafe { vld1q_f32(from) })
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: the trait's contract.
        unsafe { vst1q_f32(to, self.0) }
    }
    #[inline(always)]
    unsafe fn load_part(from: *const f32, count: usize) -> Self {
        let mut four = [0.0; 4];
        // SAFETY: the trait's contract: there are `count` numbers, at most four.
        unsafe {
            std::ptr::copy_nonoverlapping(from, four.as_mut_ptr(), count);
            Self::load(four.as_ptr())
        }
    }
    #[inline(always)]
    unsafe fn store_part(self, to: *mut f32, count: usize) {
        let mut four = [0.0; 4];
        // SAFETY: the trait's contract: there is room for `count` numbers, at most four.
        unsafe {
            self.store(four.as_mut_ptr());
            std::ptr::copy_nonoverlapping(four.as_ptr(), to, count);
        }
    }
    #[inline(always)]
    unsafe fn plus_product(self, a: Self, b: Self) -> Self {
        // SAFETY: the trait's contract.
        Self(unsafe { vfmaq_f32(self.0, a.0, b.0) })
    }
    #[inline(always)]
    unsafe fn plus(self, other: Self) -> Self {
        // SAFETY: the trait's contract.
        Self(unsafe { vaddq_f32(self.0, other.0) })
    }
    #[inline(always)]
    unsafe fn over(self, other: Self) -> Self {
        // SAFETY: the trait's contract.
        Self(unsafe { vdivq_f32(self.0, other.0) })
    }
    #[inline(always)]
    unsafe fn root(self) -> Self {
        // SAFETY: the trait's contract.
        Self(unsafe { vsqrtq_f32(self.0) })
    }
    #[inline(always)]
    unsafe fn max(self, other: Self) -> Self {
        // SAFETY: the trait's contract.
        Self(unsafe { vmaxq_f32(self.0, other.0) })
    }
    #[inline(always)]
    unsafe fn min(self, other: Self) -> Self {
        // SAFETY: the trait's contract.
        Self(unsafe { vminq_f32(self.0, other.0) })
    }
    #[inline(always)]
    unsafe fn prefetch(_: *const f32) {}
}

entry_points!(Four, "neon");
