//! NN2, the inception network of FaceNet's Table 2, and its smaller siblings NN3 and NN4.

use super::Spec;
use super::builder::Builder;
use super::graph::LayerGraph;
use super::inception::{Block, Pool, row};
use super::op::Op;
use super::shape::{Shape, ShapeError};

/// Table 2, rows "inception (3a)" to "inception (5b)".
const TABLE_2: [Block; 10] = [
    row("3a", 64, [96, 128], [16, 32], Pool::Max(32), 1),
    row("3b", 64, [96, 128], [32, 64], Pool::L2(64), 1),
    row("3c", 0, [128, 256], [32, 64], Pool::Max(0), 2),
    row("4a", 256, [96, 192], [32, 64], Pool::L2(128), 1),
    row("4b", 224, [112, 224], [32, 64], Pool::L2(128), 1),
    row("4c", 192, [128, 256], [32, 64], Pool::L2(128), 1),
    row("4d", 160, [144, 288], [32, 64], Pool::L2(128), 1),
    row("4e", 0, [160, 256], [64, 128], Pool::Max(0), 2),
    row("5a", 384, [192, 384], [48, 128], Pool::L2(128), 1),
    row("5b", 384, [192, 384], [48, 128], Pool::Max(128), 1),
];

/// The blocks that have no 5x5 convolution in NN4.
const WITHOUT_5X5: [&str; 3] = ["4e", "5a", "5b"];

/// NN2: Table 2 over faces of 224 px.
///
/// # Errors
/// A [`ShapeError`] only if the table does not fit together.
pub fn nn2(spec: &Spec) -> Result<LayerGraph, ShapeError> {
    network("nn2", 224, &TABLE_2, spec)
}

/// NN3: NN2 over faces of 160 px (section 3.3).
///
/// # Errors
/// A [`ShapeError`] only if the table does not fit together.
pub fn nn3(spec: &Spec) -> Result<LayerGraph, ShapeError> {
    network("nn3", 160, &TABLE_2, spec)
}

/// NN4: NN2 over faces of 96 px without 5x5 convolutions "in the higher layers" (section 3.3),
/// which are 4e, 5a and 5b by Table 3's 6.6 M parameters and 285 M multiply-adds.
///
/// # Errors
/// A [`ShapeError`] only if the table does not fit together.
pub fn nn4(spec: &Spec) -> Result<LayerGraph, ShapeError> {
    let table = TABLE_2.map(|block| match WITHOUT_5X5.contains(&block.name) {
        true => Block {
            five: [0, 0],
            ..block
        },
        false => block,
    });
    network("nn4", 96, &table, spec)
}

/// The layers before and after the blocks are those of Table 2.
///
/// The paper has no batch normalization; every later implementation adds it, and so may the spec.
fn network(
    name: &str,
    side_px: usize,
    blocks: &[Block],
    spec: &Spec,
) -> Result<LayerGraph, ShapeError> {
    let mut body = Builder::new(name, Shape::square(3, side_px), spec, false);
    let x = body.conv_relu("conv1", body.face(), 64, 7, 2)?;
    let x = body.max_pool("pool1", x)?;
    let x = body.response_norm("rnorm1", x)?;
    let x = body.conv_relu("inception2.3x3.reduce", x, 64, 1, 1)?;
    let x = body.conv_relu("inception2.3x3", x, 192, 3, 1)?;
    let x = body.response_norm("rnorm2", x)?;
    let mut x = body.max_pool("pool2", x)?;
    for block in blocks {
        x = block.push(&mut body, x)?;
    }
    let x = body.push("average", Op::GlobalAveragePool, &[x])?;
    let x = body.push("flatten", Op::Flatten, &[x])?;
    let x = body.project("fc", x, spec.dimension)?;
    body.finish(x)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec() -> Spec {
        Spec::new("any")
    }

    #[test]
    fn cost_what_the_tables_say() {
        // Counted apart from this code; Table 3 rounds them to 7.5 M, 1.6 G; 815 M; 6.6 M, 285 M.
        for (graph, parameters, multiply_adds) in [
            (nn2(&spec()), 7_456_304, 1_596_530_688),
            (nn3(&spec()), 7_456_304, 814_620_672),
            (nn4(&spec()), 6_607_888, 284_741_632),
        ] {
            let graph = graph.unwrap();
            let found = (graph.parameter_count(), graph.multiply_adds());
            assert_eq!(found, (parameters, multiply_adds), "{}", graph.name());
            assert_eq!(graph.dimension(), 128);
        }
    }

    #[test]
    fn has_the_sizes_of_table_2() {
        let graph = nn2(&spec()).unwrap();
        let shape_of = |name: &str| {
            let node = graph.nodes().iter().find(|node| node.name == name);
            node.unwrap().shape.to_string()
        };
        for (layer, shape) in [
            ("conv1", "64x112x112"),
            ("rnorm1", "64x56x56"),
            ("inception2.3x3", "192x56x56"),
            ("pool2", "192x28x28"),
            ("inception3a", "256x28x28"),
            ("inception3b", "320x28x28"),
            ("inception3c", "640x14x14"),
            ("inception4a", "640x14x14"),
            ("inception4b", "640x14x14"),
            ("inception4c", "640x14x14"),
            ("inception4d", "640x14x14"),
            ("inception4e", "1024x7x7"),
            ("inception5a", "1024x7x7"),
            ("inception5b", "1024x7x7"),
            ("average", "1024x1x1"),
            ("embedding", "128x1x1"),
        ] {
            assert_eq!(shape_of(layer), shape, "{layer}");
        }
    }

    #[test]
    fn batch_norm_follows_each_convolution_in_place_of_its_bias() {
        let mut spec = spec();
        let plain = nn4(&spec).unwrap();
        spec.batch_norm = Some(true);
        let normed = nn4(&spec).unwrap();
        let count = |graph: &LayerGraph, op: &str| {
            let nodes = graph.nodes().iter();
            nodes.filter(|node| node.op.name() == op).count()
        };
        assert_eq!(count(&plain, "BatchNorm"), 0);
        assert_eq!(count(&normed, "BatchNorm"), count(&plain, "Conv"));
        let biases = |graph: &LayerGraph| -> u64 {
            let nodes = graph.nodes().iter();
            let convolutions = nodes.filter(|node| node.op.name() == "Conv");
            convolutions.map(|node| node.shape.channels as u64).sum()
        };
        // A scale and a shift where one bias was.
        let expected = plain.parameter_count() + biases(&plain);
        assert_eq!(normed.parameter_count(), expected);
        assert!(normed.has_batch_norm() && !plain.has_batch_norm());
    }
}
