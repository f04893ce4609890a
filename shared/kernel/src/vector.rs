//! What an instruction set must offer: a vector of f32, and the few operations that networks need.

/// A register of f32.
///
/// All methods are inlined into functions compiled for the instruction set.
///
/// # Safety
/// Implementors may use instructions that the machine lacks: every method is to be called only from
/// a function with the target features of the implementing module. `load` and `store` read and
/// write [`Vector::LANES`] numbers, the `_part` twins `count` of them, from 1 to `LANES`.
pub(crate) unsafe trait Vector: Copy {
    /// Numbers in a vector.
    const LANES: usize;
    /// Vectors of output channels that a tile of a product is wide.
    const WIDTH: usize;
    /// Numbers of a pixel that a product takes in one round of its innermost loop.
    const UNROLLED: usize;

    unsafe fn splat(value: f32) -> Self;
    unsafe fn load(from: *const f32) -> Self;
    unsafe fn store(self, to: *mut f32);
    /// The first `count` numbers; the others are zero.
    unsafe fn load_part(from: *const f32, count: usize) -> Self;
    unsafe fn store_part(self, to: *mut f32, count: usize);
    /// `self + a * b`, rounded once where the instruction set can.
    unsafe fn plus_product(self, a: Self, b: Self) -> Self;
    unsafe fn plus(self, other: Self) -> Self;
    /// `self / other`.
    unsafe fn over(self, other: Self) -> Self;
    /// The square root.
    unsafe fn root(self) -> Self;
    unsafe fn max(self, other: Self) -> Self;
    unsafe fn min(self, other: Self) -> Self;
    /// Asks for the cache line at an address, which need not be one.
    unsafe fn prefetch(at: *const f32);
}

/// A vector, or as much of one as there is.
///
/// # Safety
/// As [`Vector::load_part`].
#[inline(always)]
pub(crate) unsafe fn some<V: Vector>(from: *const f32, count: usize) -> V {
    // SAFETY: the caller's contract.
    unsafe {
        if count == V::LANES {
            V::load(from)
        } else {
            V::load_part(from, count)
        }
    }
}

/// Puts a vector, or as much of one as there is room for.
///
/// # Safety
/// As [`Vector::store_part`].
#[inline(always)]
pub(crate) unsafe fn put<V: Vector>(vector: V, to: *mut f32, count: usize) {
    // SAFETY: the caller's contract.
    unsafe {
        if count == V::LANES {
            vector.store(to);
        } else {
            vector.store_part(to, count);
        }
    }
}
