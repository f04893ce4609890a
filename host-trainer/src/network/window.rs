//! A sliding square window and the padding around what it slides over.

use super::shape::Shape;

/// Rows and columns of padding, in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Padding {
    /// Rows above.
    pub top: usize,
    /// Columns before.
    pub left: usize,
    /// Rows below.
    pub bottom: usize,
    /// Columns after.
    pub right: usize,
}

impl Padding {
    /// The same on all four sides.
    pub fn even(side: usize) -> Self {
        Self {
            top: side,
            left: side,
            bottom: side,
            right: side,
        }
    }

    /// TensorFlow's SAME (ONNX's SAME_UPPER): output = ceil(input / stride), and where the total
    /// is odd the extra row goes below and the extra column after. The notebook's rule.
    pub fn same(input: Shape, kernel: usize, stride: usize) -> Self {
        let total = |extent: usize| {
            let out = extent.div_ceil(stride);
            ((out - 1) * stride + kernel).saturating_sub(extent)
        };
        let (rows, columns) = (total(input.height), total(input.width));
        Self {
            top: rows / 2,
            left: columns / 2,
            bottom: rows - rows / 2,
            right: columns - columns / 2,
        }
    }

    /// Whether all four sides are equal, which frameworks pad without a copy.
    pub fn is_even(&self) -> bool {
        self.top == self.left && self.top == self.bottom && self.top == self.right
    }
}

/// A sliding square window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Side of the window, in pixels.
    pub kernel: usize,
    /// Step, in pixels.
    pub stride: usize,
    /// Padding around the input.
    pub padding: Padding,
}

impl Window {
    /// Of an odd side, padded by half of it: the input's extent divided by the stride is kept.
    pub fn centered(kernel: usize, stride: usize) -> Self {
        Self {
            kernel,
            stride,
            padding: Padding::even(kernel / 2),
        }
    }

    /// Over whole maps of that side, so that one value is left of each.
    pub fn covering(side: usize) -> Self {
        Self {
            kernel: side,
            stride: 1,
            padding: Padding::even(0),
        }
    }

    /// Rows and columns of the output, or none if the window is larger than the padded input.
    pub(super) fn slide(&self, input: &Shape) -> Option<(usize, usize)> {
        let extent = |size: usize, before: usize, after: usize| {
            (size + before + after)
                .checked_sub(self.kernel)
                .map(|rest| rest / self.stride + 1)
        };
        Some((
            extent(input.height, self.padding.top, self.padding.bottom)?,
            extent(input.width, self.padding.left, self.padding.right)?,
        ))
    }
}
