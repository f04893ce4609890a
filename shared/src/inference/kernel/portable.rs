//! The twin for every machine: four numbers in an array, which compilers know how to vectorize.

use super::vector::Vector;
use super::{depthwise, pool, product};

#[derive(Clone, Copy)]
struct Four([f32; 4]);

impl Four {
    #[inline(always)]
    fn with(self, other: Self, combine: fn(f32, f32) -> f32) -> Self {
        let mut four = self.0;
        for (a, b) in four.iter_mut().zip(other.0) {
            *a = combine(*a, b);
        }
        Self(four)
    }
}

// SAFETY: no instructions beyond those of every machine; pointers as the trait demands.
unsafe impl Vector for Four {
    const LANES: usize = 4;
    const WIDTH: usize = 2;

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
        self.with(a.with(b, |a, b| a * b), |a, b| a + b)
    }
    #[inline(always)]
    unsafe fn plus(self, other: Self) -> Self {
        self.with(other, |a, b| a + b)
    }
    #[inline(always)]
    unsafe fn times(self, other: Self) -> Self {
        self.with(other, |a, b| a * b)
    }
    #[inline(always)]
    unsafe fn max(self, other: Self) -> Self {
        self.with(other, |a, b| if a > b { a } else { b })
    }
    #[inline(always)]
    unsafe fn min(self, other: Self) -> Self {
        self.with(other, |a, b| if a < b { a } else { b })
    }
}

entry_points!(Four);
