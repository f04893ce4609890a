//! Agreement cases of whole networks after a few real training steps.
//!
//! First values hide mistakes: a bias of zero, a slope or a statistic that all channels share looks
//! the same at any place. After a step no two are alike.

use tch::{Device, Kind, Tensor};

use super::cases::Case;
use crate::network::graph::LayerGraph;
use crate::network::{self, Spec};
use crate::torch::module::{self, Network};
use crate::torch::operator::Mode;
use crate::weights::Weights;

/// Training steps.
const STEPS: usize = 2;
/// Identities in the batch, two faces each.
const IDENTITIES: i64 = 2;
/// What a step moves a tensor by: this share of its root mean square.
const RATE: f64 = 0.05;

/// Every network in its true topology, those that are likely on a device at full width.
pub(super) fn networks() -> Vec<Case> {
    let table = [
        ("nn1 trained", "nn1", 0.1, None),
        ("nn1-maxout trained", "nn1-maxout", 0.1, None),
        ("nn1 with batch norm", "nn1", 0.05, Some(true)),
        ("nn2 trained", "nn2", 0.125, None),
        ("nn3 trained", "nn3", 0.125, None),
        ("nn4 trained", "nn4", 1.0, None),
        ("nn4 with batch norm", "nn4", 0.25, Some(true)),
        ("nns1 trained", "nns1", 0.25, None),
        ("nns2 trained", "nns2", 0.5, None),
        ("nns2 with batch norm", "nns2", 0.25, Some(true)),
        ("mobilefacenet trained", "mobilefacenet", 1.0, None),
        ("mobilefacenet, no norm", "mobilefacenet", 0.25, Some(false)),
        ("mobilefacenet-small", "mobilefacenet-small", 1.0, None),
        ("mobilenet, narrow", "mobilenet", 0.125, None),
        ("mobilenet-slim trained", "mobilenet-slim", 1.0, None),
        ("mobilenet-tiny", "mobilenet-tiny", 0.5, None),
    ];
    for name in network::NAMES {
        assert!(table.iter().any(|row| row.1 == name), "{name} is missing");
    }
    let case = |(title, name, width, batch_norm): (&'static str, &str, f64, Option<bool>)| {
        let graph = network::build(&Spec {
            dimension: 64,
            batch_norm,
            width,
            ..Spec::new(name)
        });
        trained(title, graph.unwrap())
    };
    table.into_iter().map(case).collect()
}

/// The network after [`STEPS`] on random faces, of which no tensor has a first value left.
fn trained(title: &'static str, graph: LayerGraph) -> Case {
    let first = Weights::initialize(&graph, 5);
    let network = Network::new(graph.clone(), &first, Device::Cpu).unwrap();
    tch::manual_seed(7); // dropout
    tch::set_num_threads(1); // the tests share few cores
    let shape = graph.input();
    let extents = [2 * IDENTITIES, 3, shape.height as i64, shape.width as i64];
    let faces = Tensor::rand(extents, (Kind::Float, Device::Cpu)) * 2.0 - 1.0;
    for _ in 0..STEPS {
        let embeddings = network.forward(&faces, Mode::Train);
        loss(&embeddings).backward();
        tch::no_grad(|| network.trained().for_each(|(_, tensor)| step(tensor)));
    }
    let mut weights = Weights::default();
    for (name, tensor) in network.tensors() {
        weights.insert(name, module::from_torch(tensor));
    }
    for named in graph.parameters() {
        let (before, after) = (first.get(&named.name), weights.get(&named.name));
        assert_ne!(before, after, "{title}: {} never moved", named.name);
    }
    Case {
        weights,
        ..Case::new(title, graph)
    }
}

/// Of each identity's first face the second is to be the nearest.
fn loss(embeddings: &Tensor) -> Tensor {
    let halves = embeddings.chunk(2, 0);
    let cosines = halves[0].matmul(&halves[1].tr());
    let truth = Tensor::arange(IDENTITIES, (Kind::Int64, Device::Cpu));
    (cosines * 8.0).cross_entropy_for_logits(&truth)
}

/// Moves a tensor against its gradient by [`RATE`], whatever the gradient's length.
fn step(tensor: &Tensor) {
    let length = |tensor: &Tensor| tensor.square().mean(Kind::Float).sqrt().double_value(&[]);
    let gradient = tensor.grad();
    let own = match length(tensor) {
        0.0 => 1.0, // biases before the first step
        own => own,
    };
    let mut moved = tensor.shallow_clone();
    moved -= &gradient * (RATE * own / length(&gradient).max(1e-20));
    moved.zero_grad();
}
