//! MobileNet for faces: depthwise 3x3 and 1x1 by turns, maps four times as large as a photograph's
//! network has, PReLU, and an embedding that reads whole maps.
//!
//! Howard et al., "MobileNets: Efficient Convolutional Neural Networks for Mobile Vision
//! Applications" (arXiv:1704.04861), Table 1, with the strides of SFace (Zhong et al.,
//! arXiv:2205.12010; OpenCV's zoo), whose weights fit [`mobilenet`]: the first convolution keeps
//! 112x112. [`mobilenet_slim`] is what `usher-train prune` makes of it.

use super::Spec;
use super::builder::Builder;
use super::graph::LayerGraph;
use super::op::{Op, Window};
use super::shape::{Shape, ShapeError};

/// Side of the face, in pixels.
const SIDE_PX: usize = 112;

/// Channels of the first convolution, which every table keeps: pruning it would save nothing.
const STEM: usize = 32;

/// A block's output channels and stride.
type Block = (usize, usize);

/// Table 1.
const FULL: [Block; 13] = [
    (64, 1),
    (128, 2),
    (128, 1),
    (256, 2),
    (256, 1),
    (512, 2),
    (512, 1),
    (512, 1),
    (512, 1),
    (512, 1),
    (512, 1),
    (1024, 2),
    (1024, 1),
];

/// Ours: what of SFace's channels foretells the rest best, within a million parameters and 220
/// million multiply-adds. Early blocks keep more, where parameters are few; the last one least,
/// for the embedding needs few directions of it.
const SLIM: [Block; 13] = [
    (64, 1),
    (96, 2),
    (96, 1),
    (160, 2),
    (160, 1),
    (256, 2),
    (256, 1),
    (256, 1),
    (256, 1),
    (256, 1),
    (256, 1),
    (512, 2),
    (256, 1),
];

/// Channels that the last maps are projected to before the embedding reads them.
const SLIM_HEAD: usize = 48;

/// Ours for the weakest boards: half the parameters and multiply-adds of [`SLIM`].
const TINY: [Block; 13] = [
    (48, 1),
    (64, 2),
    (64, 1),
    (96, 2),
    (96, 1),
    (160, 2),
    (160, 1),
    (160, 1),
    (160, 1),
    (160, 1),
    (160, 1),
    (320, 2),
    (144, 1),
];
const TINY_HEAD: usize = 32;

/// The network of SFace: 9.6 M parameters, two thirds of them in the last layer.
///
/// # Errors
/// A [`ShapeError`] only if the table does not fit together.
pub fn mobilenet(spec: &Spec) -> Result<LayerGraph, ShapeError> {
    network("mobilenet", &FULL, None, spec)
}

/// The same with fewer channels and a projection before the last layer.
///
/// # Errors
/// A [`ShapeError`] only if the table does not fit together.
pub fn mobilenet_slim(spec: &Spec) -> Result<LayerGraph, ShapeError> {
    network("mobilenet-slim", &SLIM, Some(SLIM_HEAD), spec)
}

/// Narrower still.
///
/// # Errors
/// A [`ShapeError`] only if the table does not fit together.
pub fn mobilenet_tiny(spec: &Spec) -> Result<LayerGraph, ShapeError> {
    network("mobilenet-tiny", &TINY, Some(TINY_HEAD), spec)
}

fn network(
    name: &str,
    blocks: &[Block],
    head: Option<usize>,
    spec: &Spec,
) -> Result<LayerGraph, ShapeError> {
    let mut body = Builder::new(name, Shape::square(3, SIDE_PX), spec, true);
    let (face, channels) = (body.face(), body.scaled(STEM));
    let x = body.full("stem", face, channels, 3, 1)?;
    let mut x = body.prelu("stem", x)?;
    for (index, (channels, stride)) in blocks.iter().enumerate() {
        let filter = format!("block{}.filter", index + 1);
        let mix = format!("block{}.mix", index + 1);
        x = body.depthwise(&filter, x, Window::centered(3, *stride))?;
        x = body.prelu(&filter, x)?;
        let channels = body.scaled(*channels);
        x = body.full(&mix, x, channels, 1, 1)?;
        x = body.prelu(&mix, x)?;
    }
    if let Some(channels) = head {
        let channels = body.scaled(channels);
        x = body.full("head", x, channels, 1, 1)?;
    }
    let x = body.push("flatten", Op::Flatten, &[x])?;
    let x = body.project_normed("linear", x, spec.dimension)?;
    body.finish(x)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn costs_what_the_tables_add_up_to() {
        // Counted apart from this code: trained values with batch norm and slopes.
        let full = mobilenet(&Spec::new("mobilenet")).unwrap();
        assert_eq!(full.parameter_count(), 9_640_704);
        let slim = mobilenet_slim(&Spec::new("mobilenet-slim")).unwrap();
        assert_eq!(slim.parameter_count(), 1_044_320);
        assert_eq!(slim.multiply_adds(), 215_625_088);
        let tiny = mobilenet_tiny(&Spec::new("mobilenet-tiny")).unwrap();
        assert_eq!(
            (tiny.parameter_count(), tiny.multiply_adds()),
            (496_832, 107_613_408)
        );
    }
}
