use super::*;
use crate::network::{self, Spec};
use crate::torch::module::from_torch;
use crate::torch::operator::Mode;

fn graph(name: &str) -> LayerGraph {
    let spec = Spec {
        dimension: 64,
        width: 0.125,
        ..Spec::new(name)
    };
    network::build(&spec).unwrap()
}

/// Statistics of the faces themselves, as training would have left them.
fn trained(graph: &LayerGraph, faces: &Tensor) -> Weights {
    let network = Network::new(graph.clone(), &Weights::initialize(graph, 5), Device::Cpu);
    let network = network.unwrap();
    tch::no_grad(|| (0..25).for_each(|_| drop(network.forward(faces, Mode::Train))));
    let mut weights = Weights::default();
    for (name, tensor) in network.tensors() {
        weights.insert(name, from_torch(tensor));
    }
    weights
}

#[test]
fn a_pruned_network_is_nearer_than_one_that_knows_nothing() {
    tch::manual_seed(3);
    let (full, slim) = (graph("mobilenet"), graph("mobilenet-slim"));
    // Faces differ by few things, not in each pixel.
    let few = Tensor::randn([48, 3, 7, 7], (Kind::Float, Device::Cpu));
    let faces = few.upsample_bilinear2d([112, 112], false, None, None);
    let weights = trained(&full, &faces);
    let values = from_torch(&faces).values;
    let pruned = prune(&full, &weights, &slim, &values).unwrap();
    let embed = |graph: &LayerGraph, weights: &Weights, mode| {
        let network = Network::new(graph.clone(), weights, Device::Cpu).unwrap();
        tch::no_grad(|| network.forward(&faces, mode))
    };
    let apart =
        |a: &Tensor, b: &Tensor| (a - b).square().sum(Kind::Double).double_value(&[]) / 48.0;
    let wide = embed(&full, &weights, Mode::Inference);
    let narrow = embed(&slim, &pruned.weights, Mode::Inference);
    assert!((apart(&wide, &narrow) - pruned.distance).abs() < 1e-6);
    let nothing = embed(&slim, &Weights::initialize(&slim, 5), Mode::Inference);
    let before = apart(&wide, &nothing);
    // Random layers carry every small difference on; trained ones forgive most of it.
    assert!(
        pruned.distance < 0.7 * before,
        "{} of {before}",
        pruned.distance
    );
    // Training begins with the same function: each normalization has its input's statistics.
    let rehearsed = embed(&slim, &pruned.weights, Mode::Rehearse);
    let moved = apart(&narrow, &rehearsed);
    assert!(moved < pruned.distance, "{moved} of {}", pruned.distance);
    assert_eq!(pruned.blocks.len(), 14);
    assert_eq!((pruned.blocks[12].kept, pruned.blocks[12].of), (32, 128));
}
