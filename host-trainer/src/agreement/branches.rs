//! Agreement cases of what the later networks brought: maxout, L2 and average pools, branches.

use super::cases::{Case, conv, shape, window};
use crate::network::graph::{LayerGraph, NodeId};
use crate::network::op::{Op, Padding, Window};
use crate::network::shape::Shape;

fn maxout(pieces: usize, bias: bool) -> Op {
    let out = 5;
    Op::Maxout { out, pieces, bias }
}

fn maxouts() -> Vec<Case> {
    let vector = shape(7, 1, 1);
    let chain = Case::chain;
    vec![
        chain("maxout", vector, &[Op::Flatten, maxout(2, true)]),
        chain("maxout, no bias", vector, &[Op::Flatten, maxout(2, false)]),
        chain("maxout of 3", vector, &[Op::Flatten, maxout(3, true)]),
        chain("maxout of 1", vector, &[Op::Flatten, maxout(1, true)]),
        chain(
            "maxout of maps, maxout",
            shape(2, 3, 2),
            &[Op::Flatten, maxout(2, true), maxout(2, true)],
        ),
        // Where a scale is negative the largest piece becomes the smallest: not to be folded.
        chain(
            "maxout, norm",
            vector,
            &[Op::Flatten, maxout(2, true), Op::BatchNorm],
        ),
    ]
}

fn pools() -> Vec<Case> {
    let maps = shape(3, 6, 5);
    let chain = Case::chain;
    let same = |side: usize| Window {
        kernel: 3,
        stride: 2,
        padding: Padding::same(Shape::square(3, side), 3, 2),
    };
    let mut zeros = chain(
        "L2 pool of zeros",
        maps,
        &[Op::Relu, Op::L2Pool(window(3, 1, [1; 4]))],
    );
    zeros.faces[0].fill(-1.0);
    vec![
        zeros,
        chain("L2 pool", maps, &[Op::L2Pool(window(3, 1, [1; 4]))]),
        chain("L2 pool inside", maps, &[Op::L2Pool(window(2, 2, [0; 4]))]),
        chain(
            "L2 pool SAME even",
            Shape::square(3, 8),
            &[Op::L2Pool(same(8))],
        ),
        chain(
            "L2 pool SAME odd",
            Shape::square(3, 9),
            &[Op::L2Pool(same(9))],
        ),
        chain(
            "L2 pool uneven padding",
            maps,
            &[Op::L2Pool(window(3, 2, [2, 0, 1, 1]))],
        ),
        chain("average", maps, &[Op::GlobalAveragePool]),
        chain(
            "average of averages",
            maps,
            &[Op::GlobalAveragePool, Op::GlobalAveragePool],
        ),
        chain(
            "conv, norm, average",
            maps,
            &[
                conv(4, window(3, 2, [1; 4]), 1, false),
                Op::BatchNorm,
                Op::GlobalAveragePool,
                Op::Flatten,
                Op::L2Normalize,
            ],
        ),
    ]
}

/// A graph of branches: `build` gets it with its face, and gives its last node.
fn graph(
    name: &'static str,
    face: Shape,
    build: impl Fn(&mut LayerGraph, NodeId) -> NodeId,
) -> Case {
    let mut graph = LayerGraph::new(name, face);
    let face = graph.face();
    let last = build(&mut graph, face);
    graph.push("flat", Op::Flatten, &[last]).unwrap();
    Case::new(name, graph)
}

fn branches() -> Vec<Case> {
    let maps = shape(3, 5, 4);
    let pixel = |out| conv(out, window(1, 1, [0; 4]), 1, false);
    let three = conv(4, window(3, 1, [1; 4]), 1, true);
    vec![
        graph("concat of unequal depths", maps, |g, face| {
            let a = g.push("a", pixel(2), &[face]).unwrap();
            let b = g.push("b", three.clone(), &[face]).unwrap();
            g.push("join", Op::Concat, &[b, face, a]).unwrap()
        }),
        graph("concat of one twice", maps, |g, face| {
            g.push("join", Op::Concat, &[face, face]).unwrap()
        }),
        graph("concat of one", maps, |g, face| {
            g.push("join", Op::Concat, &[face]).unwrap()
        }),
        graph("concat of vectors", maps, |g, face| {
            let a = g.push("a", Op::Flatten, &[face]).unwrap();
            let b = g.push("b", maxout(2, true), &[a]).unwrap();
            g.push("join", Op::Concat, &[b, a]).unwrap()
        }),
        graph("concat, conv", maps, |g, face| {
            let a = g.push("a", pixel(2), &[face]).unwrap();
            let join = g.push("join", Op::Concat, &[a, face]).unwrap();
            g.push("after", three.clone(), &[join]).unwrap()
        }),
        graph("conv, norm in each branch", maps, |g, face| {
            let a = g.push("a", pixel(2), &[face]).unwrap();
            let a = g.push("a.norm", Op::BatchNorm, &[a]).unwrap();
            let b = g.push("b", three.clone(), &[face]).unwrap();
            let b = g.push("b.norm", Op::BatchNorm, &[b]).unwrap();
            g.push("join", Op::Concat, &[a, b]).unwrap()
        }),
        graph("conv, norm read by two", maps, |g, face| {
            let a = g.push("a", pixel(2), &[face]).unwrap();
            let norm = g.push("a.norm", Op::BatchNorm, &[a]).unwrap();
            let relu = g.push("relu", Op::Relu, &[norm]).unwrap();
            g.push("join", Op::Concat, &[norm, relu, norm]).unwrap()
        }),
        // None of these norms may be folded into the convolution.
        graph("concat, norm", maps, |g, face| {
            let a = g.push("a", pixel(2), &[face]).unwrap();
            let join = g.push("join", Op::Concat, &[a, face]).unwrap();
            g.push("norm", Op::BatchNorm, &[join]).unwrap()
        }),
        graph("conv read by a norm and a concat", maps, |g, face| {
            let a = g.push("a", pixel(2), &[face]).unwrap();
            let norm = g.push("a.norm", Op::BatchNorm, &[a]).unwrap();
            g.push("join", Op::Concat, &[a, norm]).unwrap()
        }),
        graph("conv read by two norms", maps, |g, face| {
            let a = g.push("a", pixel(2), &[face]).unwrap();
            let first = g.push("first", Op::BatchNorm, &[a]).unwrap();
            let second = g.push("second", Op::BatchNorm, &[a]).unwrap();
            g.push("join", Op::Concat, &[first, second]).unwrap()
        }),
    ]
}

/// Each in the positions that could go wrong.
pub(super) fn all() -> Vec<Case> {
    [maxouts(), pools(), branches()]
        .into_iter()
        .flatten()
        .collect()
}

/// A vector where maps are usual and the other way round; see [`super::cases::mixed`].
pub(super) fn mixed() -> Vec<Case> {
    let (maps, vector) = (shape(6, 4, 5), shape(7, 1, 1));
    let chain = Case::chain;
    vec![
        chain("maxout of maps of one pixel", vector, &[maxout(2, true)]),
        chain(
            "average of a vector",
            maps,
            &[Op::Flatten, Op::GlobalAveragePool],
        ),
        chain(
            "L2 pool of a vector",
            maps,
            &[Op::Flatten, Op::L2Pool(window(3, 1, [1; 4]))],
        ),
        graph("concat of a vector and maps", vector, |g, face| {
            let a = g.push("a", Op::Flatten, &[face]).unwrap();
            g.push("join", Op::Concat, &[face, a]).unwrap()
        }),
    ]
}
