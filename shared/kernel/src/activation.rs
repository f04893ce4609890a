//! What is done with a convolution's sum.

use crate::numbers::Numbers;
use crate::vector::Vector;

/// What is done with a convolution's sum.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Activation {
    /// Nothing.
    Linear,
    /// max(x, 0).
    Relu,
    /// max(x, 0) + slope * min(x, 0), with a slope for every channel.
    PRelu(Numbers),
}

impl Activation {
    pub(crate) fn ramp(&self) -> Ramp<'_> {
        match self {
            Activation::Linear => Ramp::Linear,
            Activation::Relu => Ramp::Relu,
            Activation::PRelu(slopes) => Ramp::PRelu(slopes.as_slice()),
        }
    }

    /// With as many slopes as numbers in that many vectors of any kernel.
    pub(crate) fn padded(self, channels: usize) -> Activation {
        match self {
            Activation::PRelu(slopes) => {
                assert_eq!(slopes.len(), channels, "a slope for every channel");
                Activation::PRelu(slopes.padded())
            }
            other => other,
        }
    }
}

/// An activation as the loops read it: slopes up to the end of the last vector.
#[derive(Clone, Copy)]
pub(crate) enum Ramp<'a> {
    Linear,
    Relu,
    PRelu(&'a [f32]),
}

/// An activation of one vector of channels.
#[derive(Clone, Copy)]
pub(crate) enum Finish<V> {
    Linear,
    Relu,
    PRelu(V),
}

impl<V: Vector> Finish<V> {
    /// Of the vector that begins at a channel.
    ///
    /// # Safety
    /// Called where V's features are enabled, with a channel that has a vector of slopes.
    #[inline(always)]
    pub(crate) unsafe fn of(ramp: Ramp<'_>, channel: usize) -> Finish<V> {
        match ramp {
            Ramp::Linear => Finish::Linear,
            Ramp::Relu => Finish::Relu,
            // SAFETY: the caller's contract.
            Ramp::PRelu(slopes) => Finish::PRelu(unsafe { V::load(slopes.as_ptr().add(channel)) }),
        }
    }

    /// The activation of a sum. Not a number stays not a number.
    ///
    /// # Safety
    /// Called where V's features are enabled.
    #[inline(always)]
    pub(crate) unsafe fn of_sum(self, sum: V) -> V {
        // SAFETY: the caller's contract. The sum stands second: x86 lets it through if unordered.
        unsafe {
            let zero = V::splat(0.0);
            match self {
                Finish::Linear => sum,
                Finish::Relu => zero.max(sum),
                Finish::PRelu(slopes) => zero.max(sum).plus_product(zero.min(sum), slopes),
            }
        }
    }
}
