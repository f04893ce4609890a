use tch::{Device, Kind};

use super::*;
use crate::config::Precision;
use crate::network;

const SIDE_PX: i64 = 32;
const IDENTITIES: [i64; 8] = [0, 0, 1, 1, 2, 2, 3, 3];
const PICTURES: [usize; 8] = [0, 1, 2, 3, 4, 5, 6, 7];

/// A narrow NN4 with plain descent, so that weights move by their gradients alone.
fn config(more: &str) -> Config {
    let text = format!(
        "network = 'nn4'\nwidth = 0.1\ndimension = 64\nseed = 5\nsteps = 10\n{more}\n\
         optimizer = {{ kind = 'sgd', learning_rate = 0.1, momentum = 0.0 }}\n\
         schedule = {{ warmup = 0.0, course = 'constant' }}\n"
    );
    toml::from_str(&text).unwrap()
}

const BATCH: &str = "batch = { identities = 4, per_identity = 2 }";
const CHUNKED: &str = "batch = { identities = 4, per_identity = 2, chunk = 3 }";

fn learner(config: &Config) -> Learner {
    let graph = network::build(&config.spec()).unwrap();
    let first = Weights::initialize(&graph, config.seed);
    let network = Network::new(graph, &first, Device::Cpu).unwrap();
    let centers = config
        .softmax
        .map(|_| first_centers(&first, [4, config.dimension], 7, Device::Cpu));
    Learner::new(
        network.with_precision(config.precision),
        centers,
        config.clone(),
    )
}

/// Faces that are noise of a seed.
fn noise() -> Tensor {
    tch::manual_seed(3);
    Tensor::randn([8, 3, SIDE_PX, SIDE_PX], (Kind::Float, Device::Cpu))
}

fn step(learner: &mut Learner, all: &Tensor) -> anyhow::Result<Step> {
    let rows = |rows: &[usize]| {
        let rows: Vec<i64> = rows.iter().map(|row| *row as i64).collect();
        all.index_select(0, &Tensor::from_slice(&rows))
    };
    let faces = Faces {
        rows: &rows,
        labels: Labels {
            identities: &IDENTITIES,
            pictures: &PICTURES,
            among: &[],
        },
    };
    learner.step(&faces, Others::default(), 0, 0.0)
}

#[test]
fn frozen_layers_stay_and_the_others_move() {
    let text = toml::to_string(&config(BATCH))
        .unwrap()
        .replace("nn4", "mobilefacenet");
    let config: Config = toml::from_str(&text).unwrap();
    let graph = network::build(&config.spec()).unwrap();
    let first = Weights::initialize(&graph, config.seed);
    // Parts of a name count whole: stage is none of stage2.
    assert!(graph.nodes_up_to("stage9").is_none() && graph.nodes_up_to("stage").is_none());
    let network = Network::new(graph.clone(), &first, Device::Cpu).unwrap();
    let frozen = network.with_frozen(graph.nodes_up_to("stage2").unwrap());
    let mut learner = Learner::new(frozen, None, config);
    step(&mut learner, &noise()).unwrap();
    let last = graph
        .nodes()
        .iter()
        .rposition(|node| node.name.starts_with("stage2"));
    let (mut stayed, mut moved) = (0, 0);
    for (index, node) in graph.nodes().iter().enumerate() {
        for parameter in graph.node_parameters(node) {
            let name = format!("{}.{}", node.name, parameter.name);
            let same = Some(&module::from_torch(&learner.weights()[&name])) == first.get(&name);
            assert!(same || Some(index) > last, "{name} moved");
            *if same { &mut stayed } else { &mut moved } += 1;
        }
    }
    assert!(stayed > 0 && moved > 50, "{stayed} stayed, {moved} moved");
}

#[test]
fn kept_statistics_stay_and_embeddings_are_those_of_inference() {
    let text = toml::to_string(&config(BATCH))
        .unwrap()
        .replace("nn4", "mobilefacenet");
    let config: Config = toml::from_str(&text).unwrap();
    let graph = network::build(&config.spec()).unwrap();
    // Statistics as training leaves them, not the zeros and ones of the beginning.
    let mut lively = learner(&config);
    step(&mut lively, &noise()).unwrap();
    let mut first = Weights::default();
    for (name, tensor) in lively.weights() {
        first.insert(&name, module::from_torch(&tensor));
    }
    let network = || Network::new(graph.clone(), &first, Device::Cpu).unwrap();
    let expected = network().forward(&noise(), Mode::Inference);
    let mut learner = Learner::new(network().with_kept_statistics(true), None, config);
    let step = step(&mut learner, &noise()).unwrap();
    let off = (step.embeddings - expected).abs().max().double_value(&[]);
    assert!(off < 1e-5, "{off}");
    let weights = learner.weights();
    for (node, parameter) in graph.nodes().iter().flat_map(|node| {
        let parameters = graph.node_parameters(node).into_iter();
        parameters.map(move |parameter| (node, parameter))
    }) {
        let name = format!("{}.{}", node.name, parameter.name);
        let same = Some(&module::from_torch(&weights[&name])) == first.get(&name);
        let is_statistic = matches!(parameter.role, Role::Statistic(_));
        assert!(same == is_statistic, "{name}: same {same}");
    }
}

/// Largest difference between the trained tensors of two learners, and how far the first moved.
fn difference(a: &Learner, b: &Learner, config: &Config) -> (f64, f64) {
    let (mut apart, mut moved) = (0f64, 0f64);
    let start = learner(config).weights();
    for (name, tensor) in a.weights() {
        let far = |other: &Tensor| (&tensor - other).abs().max().double_value(&[]);
        apart = apart.max(far(&b.weights()[&name]));
        moved = moved.max(far(&start[&name]));
    }
    (apart, moved)
}

#[test]
fn two_passes_over_chunks_move_weights_as_the_whole_batch_does() {
    let softmax = "softmax = { scale = 16.0, margin = 0.1, weight = 1.0 }";
    for more in [
        softmax,
        "triplet = { mining = 'batch_hard', margin = 'soft' }",
    ] {
        let whole = config(&format!("{BATCH}\n{more}"));
        let (mut at_once, mut in_chunks) = (
            learner(&whole),
            learner(&config(&format!("{CHUNKED}\n{more}"))),
        );
        let one = step(&mut at_once, &noise()).unwrap();
        let two = step(&mut in_chunks, &noise()).unwrap();
        assert!((one.outcome.parts.sum() - two.outcome.parts.sum()).abs() < 1e-5);
        let (apart, moved) = difference(&at_once, &in_chunks, &whole);
        assert!(
            moved > 1e-5 && apart < moved * 1e-3,
            "{more}: {apart} of {moved}"
        );
    }
}

#[test]
fn what_no_loss_asks_for_is_not_computed_again() {
    // A margin so small that hardly a triplet is semi-hard: most faces are embedded once.
    let config = config(&format!("{CHUNKED}\ntriplet = {{ alpha = 0.0001 }}"));
    let mut learner = learner(&config);
    let (seen, all) = (std::cell::Cell::new(0), noise());
    let rows = |rows: &[usize]| {
        seen.set(seen.get() + rows.len());
        let rows: Vec<i64> = rows.iter().map(|row| *row as i64).collect();
        all.index_select(0, &Tensor::from_slice(&rows))
    };
    let labels = Labels {
        identities: &IDENTITIES,
        pictures: &PICTURES,
        among: &[],
    };
    let faces = Faces {
        rows: &rows,
        labels,
    };
    let done = learner.step(&faces, Others::default(), 0, 0.0).unwrap();
    let mut chosen: Vec<usize> = Vec::new();
    for triplet in &done.outcome.mined.triplets {
        chosen.extend([triplet.anchor, triplet.positive, triplet.negative]);
    }
    chosen.sort_unstable();
    chosen.dedup();
    assert!((1..8).contains(&chosen.len()), "{chosen:?}");
    assert_eq!(seen.get(), 8 + chosen.len());
}

#[test]
fn batch_normalization_follows_the_second_pass_alone() {
    let normed = config(&format!("batch_norm = true\n{CHUNKED}"));
    let mut learner = learner(&normed);
    step(&mut learner, &noise()).unwrap();
    let statistics = |name: &str| learner.weights()[name].mean(Kind::Float).double_value(&[]);
    let first = learner
        .weights()
        .into_keys()
        .find(|name| name.ends_with("running_var"));
    let after = statistics(&first.unwrap());
    // Three chunks, each with a tenth of its own variance: 0.9^3 of the first value is left.
    assert!(after > 0.7 && (after - 1.0).abs() > 1e-3, "{after}");
}

#[test]
fn no_number_stops_before_anything_moves() {
    let softmax = "softmax = { scale = 16.0, margin = 0.1, weight = 1.0 }";
    let config = config(&format!("{BATCH}\n{softmax}"));
    let mut learner = learner(&config);
    let error = step(&mut learner, &(noise() * f64::NAN)).unwrap_err();
    assert!(error.downcast_ref::<NotANumber>().is_some(), "{error}");
    let (_, moved) = difference(&learner, &self::learner(&config), &config);
    assert_eq!(moved, 0.0);
    // And the next batch is learnt from as if nothing had been.
    step(&mut learner, &noise()).unwrap();
}

#[test]
fn gradients_are_cut_to_the_norm_asked_for() {
    let config = config(&format!("gradient_clip = 0.01\n{BATCH}"));
    let mut learner = learner(&config);
    let done = step(&mut learner, &noise()).unwrap();
    let norm = done.gradient_norm.unwrap();
    assert!(norm > 0.02, "{norm}");
    let start = self::learner(&config).weights();
    let moved = |(name, tensor): (&String, &Tensor)| {
        let far = (tensor - &start[name]).norm().double_value(&[]);
        (far, name.clone())
    };
    let mut far: Vec<(f64, String)> = learner.weights().iter().map(moved).collect();
    far.sort_by(|a, b| b.0.total_cmp(&a.0));
    let moved = far.iter().map(|(far, _)| far * far).sum::<f64>().sqrt();
    let most = &far[..3];
    assert!(
        (moved - 0.1 * 0.01).abs() < 1e-5,
        "{moved} of {norm}: {most:?}"
    );
}

#[test]
fn bf16_activations_lead_where_f32_leads() {
    let f32_config = config(BATCH);
    let mut bf16_config = f32_config.clone();
    bf16_config.precision = Precision::Bf16; // slow without instructions for it, not wrong
    let embed = |config: &Config| {
        let learner = learner(config);
        let rows = learner.network().forward(&noise(), Mode::Inference);
        assert_eq!(rows.kind(), Kind::Float);
        rows
    };
    let apart = (embed(&f32_config) - embed(&bf16_config))
        .abs()
        .max()
        .double_value(&[]);
    assert!(apart > 0.0 && apart < 0.05, "{apart}");
    let mut learner = learner(&bf16_config);
    step(&mut learner, &noise()).unwrap();
    assert!(
        learner
            .network()
            .trained()
            .all(|(_, tensor)| tensor.kind() == Kind::Float)
    );
}

#[test]
fn the_last_layer_is_the_last_linear_and_its_norm() {
    let learner = learner(&config(&format!("batch_norm = true\n{BATCH}")));
    let names = &learner.last_layer;
    assert!(
        names.iter().any(|name| name.ends_with("weight")),
        "{names:?}"
    );
    assert!(names.len() < 6, "{names:?}");
}
