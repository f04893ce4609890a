//! The inception block: convolutions of several sizes and a pool side by side (FaceNet, Table 2,
//! after Szegedy et al., "Going Deeper with Convolutions").

use super::builder::Builder;
use super::graph::NodeId;
use super::op::Op;
use super::shape::ShapeError;

/// One row of an inception table. Zero channels leave a branch out, as in the paper's tables.
#[derive(Debug, Clone, Copy)]
pub(super) struct Block {
    /// Such as `3a`.
    pub(super) name: &'static str,
    /// Channels of the 1x1 convolution.
    pub(super) one: usize,
    /// Channels of the 1x1 before the 3x3 convolution, and of that.
    pub(super) three: [usize; 2],
    /// Channels of the 1x1 before the 5x5 convolution, and of that.
    pub(super) five: [usize; 2],
    /// The 3x3 pool, with the channels it is projected to; zero passes it on as it is.
    pub(super) pool: Pool,
    /// Stride of the pool and the convolutions that are not 1x1.
    pub(super) stride: usize,
}

/// The pool of a block, with the channels of the 1x1 convolution after it.
#[derive(Debug, Clone, Copy)]
pub(super) enum Pool {
    /// Largest values.
    Max(usize),
    /// L2 norms.
    L2(usize),
}

/// A row of the table: name, #1x1, 3x3 reduce and 3x3, 5x5 reduce and 5x5, pool, stride.
pub(super) const fn row(
    name: &'static str,
    one: usize,
    three: [usize; 2],
    five: [usize; 2],
    pool: Pool,
    stride: usize,
) -> Block {
    Block {
        name,
        one,
        three,
        five,
        pool,
        stride,
    }
}

impl Block {
    /// The block as layers `inception<name>.*` and their concatenation `inception<name>`: 1x1,
    /// 3x3, 5x5, pool.
    pub(super) fn push(&self, body: &mut Builder, input: NodeId) -> Result<NodeId, ShapeError> {
        let name = format!("inception{}", self.name);
        let mut branches = Vec::with_capacity(4);
        if self.one > 0 {
            branches.push(body.conv_relu(&format!("{name}.1x1"), input, self.one, 1, 1)?);
        }
        for (kernel, [reduced, channels]) in [(3, self.three), (5, self.five)] {
            if channels == 0 {
                continue;
            }
            let branch = format!("{name}.{kernel}x{kernel}");
            let x = body.conv_relu(&format!("{branch}.reduce"), input, reduced, 1, 1)?;
            branches.push(body.conv_relu(&branch, x, channels, kernel, self.stride)?);
        }
        branches.push(self.push_pool(body, &format!("{name}.pool"), input)?);
        body.push(&name, Op::Concat, &branches)
    }

    fn push_pool(
        &self,
        body: &mut Builder,
        name: &str,
        input: NodeId,
    ) -> Result<NodeId, ShapeError> {
        let window = body.same(input, 3, self.stride);
        let (op, projection) = match self.pool {
            Pool::Max(projection) => (Op::MaxPool(window), projection),
            Pool::L2(projection) => (Op::L2Pool(window), projection),
        };
        let x = body.push(name, op, &[input])?;
        if projection == 0 {
            return Ok(x);
        }
        body.conv_relu(&format!("{name}.project"), x, projection, 1, 1)
    }
}
