//! The twin for every machine: four numbers in an array, which compilers know how to vectorize.

use super::vector::Vector;
use super::{dense, depthwise, normalize, pool, product, winograd};

#[derive(Clone, Copy)]
struct Four([f32; 4]);

/// The same operation on all four places, written out: also little optimized builds, whose tests
/// run this twin, have it in registers.
macro_rules! four {
    ($combine:expr, $($operand:expr),+) => {
        Four([
            $combine($($operand.0[0]),+),
            $combine($($operand.0[1]),+),
            $combine($($operand.0[2]),+),
            $combine($($operand.0[3]),+),
        ])
    };
}

// SAFETY: no instructions beyond those of every machine; pointers as the trait demands.
unsafe impl Vector for Four {
    const LANES: usize = 4;
    const WIDTH: usize = 2;
    const UNROLLED: usize = 1;

    #[inline(always)]
    unsafe fn splat(value: f32) -> Self {
        Self([value; 4])
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: the trait's contract: four numbers, aligned as f32.
        Self(unsafe { from.cast::<[f32; 4]>().read() })
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: the trait's contract: room for four numbers, aligned as f32.
        unsafe { to.cast::<[f32; 4]>().write(self.0) }
    }
    #[inline(always)]
    unsafe fn load_part(from: *const f32, count: usize) -> Self {
        let mut four = [0.0; 4];
        // SAFETY: the trait's contract: there are `count` numbers, at most four.
        unsafe { std::ptr::copy_nonoverlapping(from, four.as_mut_ptr(), count) };
        Self(four)
    }
    #[inline(always)]
    unsafe fn store_part(self, to: *mut f32, count: usize) {
        // SAFETY: the trait's contract: there is room for `count` numbers, at most four.
        unsafe { std::ptr::copy_nonoverlapping(self.0.as_ptr(), to, count) };
    }
    #[inline(always)]
    unsafe fn plus_product(self, a: Self, b: Self) -> Self {
        four!(|sum: f32, a: f32, b: f32| sum + a * b, self, a, b)
    }
    #[inline(always)]
    unsafe fn plus(self, other: Self) -> Self {
        four!(|a: f32, b: f32| a + b, self, other)
    }
    #[inline(always)]
    unsafe fn over(self, other: Self) -> Self {
        four!(|a: f32, b: f32| a / b, self, other)
    }
    #[inline(always)]
    unsafe fn root(self) -> Self {
        four!(|a: f32| a.sqrt(), self)
    }
    #[inline(always)]
    unsafe fn max(self, other: Self) -> Self {
        four!(|a: f32, b: f32| if a > b { a } else { b }, self, other)
    }
    #[inline(always)]
    unsafe fn min(self, other: Self) -> Self {
        four!(|a: f32, b: f32| if a < b { a } else { b }, self, other)
    }
    #[inline(always)]
    unsafe fn prefetch(_: *const f32) {}
}

entry_points!(Four);
