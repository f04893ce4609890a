//! NN1, the Zeiler-Fergus network with 1x1 convolutions (FaceNet, Table 1): as the notebook has it
//! and, with maxout, as the paper has it.

use super::Spec;
use super::builder::Builder;
use super::graph::{LayerGraph, NodeId};
use super::op::Op;
use super::shape::{Shape, ShapeError};

/// Side of the face, in pixels (Table 1).
const SIDE_PX: usize = 220;
/// Units of `fc1` and of `fc2`: 32x128 (Table 1).
const HIDDEN: usize = 4096;
/// The notebook's rate on both fully connected layers.
const DROPOUT: f32 = 0.5;

/// NN1 as the notebook has it.
///
/// A departure from the paper: `fc1` and `fc2` are 4096-wide ReLU layers with dropout, where
/// Table 1 has maxout; 71.86 M parameters instead of 140 M. Another from the notebook: no ReLU and
/// no dropout after the last 128 values, which are the embedding.
///
/// # Errors
/// A [`ShapeError`] only if the table does not fit together.
pub fn nn1(spec: &Spec) -> Result<LayerGraph, ShapeError> {
    let (mut body, mut x) = convolutions("nn1", spec)?;
    for name in ["fc1", "fc2"] {
        let out = body.scaled(HIDDEN);
        x = body.push(name, Op::Linear { out, bias: true }, &[x])?;
        x = body.push(&format!("{name}.relu"), Op::Relu, &[x])?;
        let probability = DROPOUT;
        x = body.push(
            &format!("{name}.dropout"),
            Op::Dropout { probability },
            &[x],
        )?;
    }
    let x = body.project("fc7128", x, spec.dimension)?;
    body.finish(x)
}

/// NN1 as the paper has it: `fc1` and `fc2` are 32x128 maxout units of two pieces each.
///
/// # Errors
/// A [`ShapeError`] only if the table does not fit together.
pub fn nn1_maxout(spec: &Spec) -> Result<LayerGraph, ShapeError> {
    let (mut body, mut x) = convolutions("nn1-maxout", spec)?;
    for name in ["fc1", "fc2"] {
        let maxout = Op::Maxout {
            out: body.scaled(HIDDEN),
            pieces: 2,
            bias: true,
        };
        x = body.push(name, maxout, &[x])?;
    }
    let x = body.project("fc7128", x, spec.dimension)?;
    body.finish(x)
}

/// Table 1 from the face to `concat`, the last maps as a vector.
fn convolutions(name: &str, spec: &Spec) -> Result<(Builder, NodeId), ShapeError> {
    let mut body = Builder::new(name, Shape::square(3, SIDE_PX), spec, false);
    let x = body.conv_relu("conv1", body.face(), 64, 7, 2)?;
    let x = body.max_pool("pool1", x)?;
    let x = body.response_norm("rnorm1", x)?;
    let x = body.conv_relu("conv2a", x, 64, 1, 1)?;
    let x = body.conv_relu("conv2", x, 192, 3, 1)?;
    let x = body.response_norm("rnorm2", x)?;
    let x = body.max_pool("pool2", x)?;
    let x = body.conv_relu("conv3a", x, 192, 1, 1)?;
    let x = body.conv_relu("conv3", x, 384, 3, 1)?;
    let x = body.max_pool("pool3", x)?;
    let x = body.conv_relu("conv4a", x, 384, 1, 1)?;
    let x = body.conv_relu("conv4", x, 256, 3, 1)?;
    let x = body.conv_relu("conv5a", x, 256, 1, 1)?;
    let x = body.conv_relu("conv5", x, 256, 3, 1)?;
    let x = body.conv_relu("conv6a", x, 256, 1, 1)?;
    let x = body.conv_relu("conv6", x, 256, 3, 1)?;
    let x = body.max_pool("pool4", x)?;
    let x = body.push("concat", Op::Flatten, &[x])?;
    Ok((body, x))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn costs_what_the_table_says() {
        let graph = nn1(&Spec::new("nn1")).unwrap();
        assert_eq!(graph.parameter_count(), 71_860_032);
        assert_eq!(graph.multiply_adds(), 1_537_786_624);
        let graph = nn1_maxout(&Spec::new("nn1-maxout")).unwrap();
        assert_eq!(graph.parameter_count(), 140_025_664);
        assert_eq!(graph.multiply_adds(), 1_605_944_064);
    }

    #[test]
    fn has_the_sizes_of_the_table() {
        let graph = nn1(&Spec::new("nn1")).unwrap();
        let shape_of = |name: &str| {
            let node = graph.nodes().iter().find(|node| node.name == name);
            node.unwrap().shape.to_string()
        };
        for (layer, shape) in [
            ("conv1", "64x110x110"),
            ("pool1", "64x55x55"),
            ("conv2", "192x55x55"),
            ("pool2", "192x28x28"),
            ("conv3", "384x28x28"),
            ("pool3", "384x14x14"),
            ("conv4", "256x14x14"),
            ("conv6", "256x14x14"),
            ("pool4", "256x7x7"),
            ("concat", "12544x1x1"),
            ("fc1", "4096x1x1"),
            ("embedding", "128x1x1"),
        ] {
            assert_eq!(shape_of(layer), shape, "{layer}");
        }
    }

    #[test]
    fn convolutions_alone_cost_what_the_table_says() {
        let graph = nn1(&Spec::new("nn1")).unwrap();
        let convolutions: u64 = graph
            .nodes()
            .iter()
            .filter(|node| matches!(node.op, Op::Conv(_)))
            .map(|node| graph.node_multiply_adds(node))
            .sum();
        assert_eq!(convolutions / 1_000_000, 1_469);
    }
}
