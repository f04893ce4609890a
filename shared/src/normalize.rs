//! The network's input: three planes of f32.

use std::fmt;

/// One face as a network reads it: f32 [3, side, side], planar, values by its recipe.
///
/// [`crate::Preprocessing::normalize`] makes it; nothing else does.
#[derive(Clone, PartialEq)]
pub struct FaceTensor {
    side_px: u32,
    values: Vec<f32>,
}

impl FaceTensor {
    /// A tensor of 3 x side x side values.
    pub(crate) fn from_planes(side_px: u32, values: Vec<f32>) -> FaceTensor {
        assert_eq!(values.len(), 3 * (side_px as usize).pow(2));
        FaceTensor { side_px, values }
    }

    /// Width and height, in pixels.
    pub fn side_px(&self) -> u32 {
        self.side_px
    }

    /// All values: plane by plane in the recipe's color order, each row-major.
    pub fn values(&self) -> &[f32] {
        &self.values
    }
}

impl fmt::Debug for FaceTensor {
    /// The shape alone, so that no face reaches a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FaceTensor(3x{}x{})", self.side_px, self.side_px)
    }
}
