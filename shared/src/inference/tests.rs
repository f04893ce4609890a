//! Networks by our operators against the same networks by tract's alone.

#[path = "../../tests/skip/mod.rs"]
mod skip;

use std::path::Path;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tract_onnx::tract_core::internal::*;
use tract_onnx::tract_core::ops::array::TypedConcat;
use tract_onnx::tract_core::ops::binary::TypedBinOp;
use tract_onnx::tract_core::ops::cnn::{self, KernelFormat, PaddingSpec, PoolSpec};
use tract_onnx::tract_core::ops::einsum::EinSum;
use tract_onnx::tract_core::ops::logic::{Iff, comp_gt};
use tract_onnx::tract_core::ops::math::{add, div, max, min, mul, sqrt, sub};
use tract_onnx::tract_core::ops::nn::{DataFormat, NearestUpsample, Reduce, Reducer, sigmoid};

use super::operator::{Convolution, Join, Sums};
use super::*;
use kernel::Kernel;

/// Of the largest value of an output, or of what it could be.
const TOLERANCE: f32 = 1e-5;

/// A kernel, and a crew of so many.
fn means(kernel: Kernel, threads: usize) -> Means {
    Means {
        kernel,
        crew: crew(threads).unwrap(),
        memory: Default::default(),
    }
}

/// Runs a network by tract and by every instruction set; panics where they differ. Returns how many
/// operators of a network are ours.
fn agree(
    name: &str,
    file: &OnnxFile,
    shape: &[usize],
    draw: &mut ChaCha8Rng,
    (lowest, highest): (f32, f32),
) -> usize {
    let input: Vec<f32> = (0..shape.iter().product())
        .map(|_| draw.random_range(lowest..highest))
        .collect();
    let mut by_tract = file.prepare_by(shape, Operators::Tract).unwrap();
    let expected = by_tract.run(&input).unwrap();
    let mut ours = 0;
    for kernel in Kernel::of_this_machine() {
        let by_ours = |threads| file.prepare_by(shape, Operators::Ours(means(kernel, threads)));
        let mut model = by_ours(1).unwrap();
        assert_eq!(model.outputs(), by_tract.outputs(), "{name}");
        let nodes = model.state.model().nodes().iter();
        ours = nodes
            .filter(|node| node.op.name().starts_with("Usher"))
            .count();
        // Twice: the memory of the first run is used again.
        for _ in 0..2 {
            let found = model.run(&input).unwrap();
            for ((found, expected), output) in found.iter().zip(&expected).zip(model.outputs()) {
                // A score could be 1, however small it is.
                let is_score = ["cls", "obj"]
                    .iter()
                    .any(|kind| output.name.starts_with(kind));
                let least = if is_score { 1.0_f32 } else { 0.0 };
                let largest = expected
                    .iter()
                    .fold(least, |largest, e| largest.max(e.abs()));
                for (f, e) in found.iter().zip(expected) {
                    let off = (f - e).abs();
                    assert!(
                        off <= TOLERANCE * largest,
                        "{name}, {}, {}: {f}, tract {e}",
                        kernel.name(),
                        output.name
                    );
                }
            }
            assert!(
                by_ours(2).unwrap().run(&input).unwrap() == found,
                "{name}, two threads"
            );
        }
    }
    ours
}

/// A network of random operators in a row, as exporters write them: what the rewriting has to know,
/// and things beside it that it must leave alone.
fn random_network(draw: &mut ChaCha8Rng) -> TypedModel {
    let mut network = Network::new(draw);
    for step in 0..8 {
        network.step(step);
    }
    let output = network.last;
    network.model.select_output_outlets(&[output]).unwrap();
    network.model
}

struct Network<'a> {
    draw: &'a mut ChaCha8Rng,
    model: TypedModel,
    last: OutletId,
    /// Outlets so far, for sums and joins.
    earlier: Vec<OutletId>,
}

impl Network<'_> {
    fn new(draw: &mut ChaCha8Rng) -> Network<'_> {
        let mut model = TypedModel::default();
        let extents = [
            draw.random_range(1..3),
            draw.random_range(1..20),
            draw.random_range(7..20),
            draw.random_range(7..20),
        ];
        let last = model.add_source("input", f32::fact(extents)).unwrap();
        Network {
            draw,
            model,
            last,
            earlier: vec![last],
        }
    }

    fn extents(&self, outlet: OutletId) -> Vec<usize> {
        self.model
            .outlet_fact(outlet)
            .unwrap()
            .shape
            .as_concrete()
            .unwrap()
            .to_vec()
    }

    fn constant(&mut self, name: String, extents: &[usize]) -> OutletId {
        self.constant_up_to(1.0, name, extents)
    }

    fn constant_up_to(&mut self, most: f32, name: String, extents: &[usize]) -> OutletId {
        let numbers: Vec<f32> = (0..extents.iter().product())
            .map(|_| self.draw.random_range(-most..most))
            .collect();
        self.model
            .add_const(name, Tensor::from_shape(extents, &numbers).unwrap())
            .unwrap()
    }

    fn wire(
        &mut self,
        name: String,
        op: impl Into<Box<dyn TypedOp>>,
        inputs: &[OutletId],
    ) -> OutletId {
        self.model.wire_node(name, op, inputs).unwrap()[0]
    }

    /// A convolution of single pixels, its weights by their places.
    fn pointwise(
        &mut self,
        name: &str,
        of: OutletId,
        channels: usize,
        weight: impl Fn(usize) -> f32,
        bias: f32,
    ) -> OutletId {
        let weights: Vec<f32> = (0..channels * channels).map(weight).collect();
        let weights = Tensor::from_shape(&[channels, channels, 1, 1], &weights).unwrap();
        let bias = Tensor::from_shape(&[channels], &vec![bias; channels]).unwrap();
        let weights = self
            .model
            .add_const(format!("{name}.weights"), weights)
            .unwrap();
        let bias = self.model.add_const(format!("{name}.bias"), bias).unwrap();
        let convolution = cnn::Conv {
            pool_spec: PoolSpec {
                data_format: DataFormat::NCHW,
                kernel_shape: tvec![1, 1],
                padding: PaddingSpec::Valid,
                dilations: None,
                strides: None,
                input_channels: channels,
                output_channels: channels,
            },
            kernel_fmt: KernelFormat::OIHW,
            group: 1,
            q_params: None,
        };
        self.wire(name.to_owned(), convolution, &[of, weights, bias])
    }

    fn zero(&mut self, step: usize) -> OutletId {
        let zero = Tensor::zero::<f32>(&[1; 4]).unwrap();
        self.model.add_const(format!("{step}.zero"), zero).unwrap()
    }

    /// What tract makes of a batch normalization.
    fn normalization(&mut self, step: usize, of: OutletId, channels: usize) -> OutletId {
        let factor = self.constant(format!("{step}.factor"), &[1, channels, 1, 1]);
        let summand = self.constant(format!("{step}.summand"), &[1, channels, 1, 1]);
        let product = self.wire(format!("{step}.product"), mul(), &[factor, of]);
        self.wire(format!("{step}.normalized"), add(), &[summand, product])
    }

    /// What tract makes of a file's PRelu.
    fn chosen(&mut self, step: usize, of: OutletId, channels: usize) -> OutletId {
        let zero = self.zero(step);
        let slopes = self.constant(format!("{step}.slopes"), &[1, channels, 1, 1]);
        let sloped = self.wire(format!("{step}.by_slope"), mul(), &[of, slopes]);
        let negative = TypedBinOp(comp_gt(), None);
        let test = self.wire(format!("{step}.test"), negative, &[zero, of]);
        self.wire(format!("{step}.chosen"), Iff, &[test, sloped, of])
    }

    fn step(&mut self, step: usize) {
        let channels = self.extents(self.last)[1];
        self.last = match self.draw.random_range(0..10) {
            0 => self.pool(step, channels),
            1 => {
                let scales = tvec![1, 1, 2, 2];
                self.wire(
                    format!("{step}.repeat"),
                    NearestUpsample { scales },
                    &[self.last],
                )
            }
            2 => self.wire(format!("{step}.sigmoid"), sigmoid(), &[self.last]),
            3 => {
                let scale = self.constant(format!("{step}.scale"), &[1, channels, 1, 1]);
                self.wire(format!("{step}.scaled"), mul(), &[self.last, scale])
            }
            4 => {
                // Over the channels, which no operator of ours does.
                let axes = tvec![1];
                let reduce = Reduce {
                    axes,
                    reducer: Reducer::Max,
                };
                let most = self.wire(format!("{step}.most"), reduce, &[self.last]);
                self.wire(format!("{step}.less"), sub(), &[self.last, most])
            }
            _ => self.convolution(step, channels),
        };
        self.combine(step);
        self.earlier.push(self.last);
    }

    /// Adds an earlier picture of this size, or joins one of this height and width.
    fn combine(&mut self, step: usize) {
        let extents = self.extents(self.last);
        let other = self.earlier[self.draw.random_range(0..self.earlier.len())];
        let of_other = self.extents(other);
        if of_other == extents {
            self.last = self.wire(format!("{step}.sum"), add(), &[self.last, other]);
        } else if of_other[2..] == extents[2..] {
            let joined = TypedConcat { axis: 1 };
            self.last = self.wire(format!("{step}.joined"), joined, &[other, self.last]);
        }
    }

    fn window(&mut self, channels: usize, outputs: usize) -> PoolSpec {
        // No window is larger than the picture.
        let extents = self.extents(self.last);
        let side = self.draw.random_range(1..5);
        let other = if self.draw.random_bool(0.8) { side } else { 3 };
        let sides = [side.min(extents[2]), other.min(extents[3])];
        let mut padding = || {
            tvec![
                self.draw.random_range(0..sides[0]),
                self.draw.random_range(0..sides[1])
            ]
        };
        let padding = match padding() {
            before if before[0] == 0 => PaddingSpec::SameUpper,
            before => PaddingSpec::Explicit(before, padding()),
        };
        let strides = tvec![self.draw.random_range(1..3), self.draw.random_range(1..3)];
        PoolSpec {
            data_format: DataFormat::NCHW,
            kernel_shape: sides.as_slice().into(),
            padding,
            dilations: None,
            strides: Some(strides),
            input_channels: channels,
            output_channels: outputs,
        }
    }

    /// What Winograd's way is for, if there are channels enough; the window as it is for small pictures.
    fn square_in_steps_of_one(&mut self, window: PoolSpec) -> PoolSpec {
        let side = [3, 5][self.draw.random_range(0..2)];
        let extents = self.extents(self.last);
        if extents[2].min(extents[3]) < side {
            return window;
        }
        let mut padding = || {
            [0; 2]
                .map(|_| self.draw.random_range(0..side))
                .as_slice()
                .into()
        };
        PoolSpec {
            kernel_shape: tvec![side, side],
            padding: PaddingSpec::Explicit(padding(), padding()),
            strides: None,
            ..window
        }
    }

    fn pool(&mut self, step: usize, channels: usize) -> OutletId {
        let pool_spec = self.window(channels, channels);
        let name = format!("{step}.pool");
        if self.draw.random_bool(0.5) {
            let pool = cnn::MaxPool {
                pool_spec,
                with_index_outputs: None,
            };
            return self.wire(name, pool, &[self.last]);
        }
        let [count_include_pad, normalize] = [0, 1].map(|_| self.draw.random_bool(0.5));
        self.wire(
            name,
            cnn::SumPool {
                pool_spec,
                count_include_pad,
                normalize,
            },
            &[self.last],
        )
    }

    fn convolution(&mut self, step: usize, channels: usize) -> OutletId {
        let depthwise = self.draw.random_bool(0.4);
        let outputs = if depthwise {
            channels
        } else {
            self.draw.random_range(1..40)
        };
        let group = if depthwise { channels } else { 1 };
        let mut pool_spec = self.window(channels, outputs);
        if self.draw.random_bool(0.5) {
            pool_spec = PoolSpec {
                kernel_shape: tvec![1, 1],
                padding: PaddingSpec::Valid,
                strides: None,
                ..pool_spec
            };
        }
        if !depthwise && self.draw.random_bool(0.25) {
            pool_spec = self.square_in_steps_of_one(pool_spec);
        }
        let sides = &pool_spec.kernel_shape;
        let extents = [outputs, channels / group, sides[0], sides[1]];
        // Outputs about as large as inputs, as in a trained network: else a sigmoid that follows
        // makes of the last digit of a large number one of many in a small one.
        let inputs = extents[1..].iter().product::<usize>() as f32;
        let weights =
            self.constant_up_to((3.0 / inputs).sqrt(), format!("{step}.weights"), &extents);
        let bias = self.constant(format!("{step}.bias"), &[outputs]);
        let convolution = cnn::Conv {
            pool_spec,
            kernel_fmt: KernelFormat::OIHW,
            group,
            q_params: None,
        };
        let mut sum = self.wire(
            format!("{step}.convolution"),
            convolution,
            &[self.last, weights, bias],
        );
        if self.draw.random_bool(0.3) {
            sum = self.normalization(step, sum, outputs);
        }
        if self.draw.random_bool(0.3) {
            // Read by others, too.
            self.earlier.push(sum);
        }
        match self.draw.random_range(0..4) {
            0 => sum,
            1 => self.chosen(step, sum, outputs),
            2 => {
                let zero = self.zero(step);
                self.wire(format!("{step}.relu"), max(), &[zero, sum])
            }
            _ => {
                let zero = self.zero(step);
                let positive = self.wire(format!("{step}.positive"), max(), &[sum, zero]);
                let negative = self.wire(format!("{step}.negative"), min(), &[sum, zero]);
                let slopes = self.constant(format!("{step}.slopes"), &[1, outputs, 1, 1]);
                let sloped = self.wire(format!("{step}.sloped"), mul(), &[slopes, negative]);
                self.wire(format!("{step}.prelu"), add(), &[positive, sloped])
            }
        }
    }
}

#[test]
fn random_networks_agree() {
    let mut draw = ChaCha8Rng::seed_from_u64(93);
    let (mut ours, mut by_winograd, mut joined) = (0, 0, 0);
    for network in 0..150 {
        let model = random_network(&mut draw);
        let extents = model
            .input_fact(0)
            .unwrap()
            .shape
            .as_concrete()
            .unwrap()
            .to_vec();
        let input: Vec<f32> = (0..extents.iter().product())
            .map(|_| draw.random_range(-1.0..1.0))
            .collect();
        let input = Tensor::from_shape(&extents, &input).unwrap().into_tvalue();
        let run = |model: TypedModel| {
            let model = model.into_optimized().unwrap();
            let mut state = SimplePlan::new(model).unwrap().spawn().unwrap();
            state.run(tvec!(input.clone())).unwrap().remove(0)
        };
        let expected = run(model.clone());
        for kernel in Kernel::of_this_machine() {
            let rewritten = rewrite::rewrite(model.clone(), means(kernel, 1)).unwrap();
            for node in rewritten.nodes() {
                ours += usize::from(node.op.name().starts_with("Usher"));
                joined += usize::from(node.op_is::<Join>());
                let convolution = node.op_as::<Convolution>();
                let winograd = |it: &Convolution| matches!(it.sums, Sums::Winograd(_));
                by_winograd += usize::from(convolution.is_some_and(winograd));
            }
            let found = run(rewritten);
            assert_eq!(found.shape(), expected.shape());
            let [found, expected] = [&found, &expected].map(|value| {
                value
                    .try_as_plain_ram()
                    .unwrap()
                    .as_slice::<f32>()
                    .unwrap()
                    .to_vec()
            });
            let largest = expected
                .iter()
                .fold(0.0_f32, |largest, e| largest.max(e.abs()));
            for (f, e) in found.iter().zip(&expected) {
                let off = (f - e).abs();
                assert!(
                    off <= TOLERANCE * largest,
                    "network {network}, {}: {f}, tract {e} of {largest}",
                    kernel.name()
                );
            }
        }
    }
    assert!(ours > 1500, "{ours} operators of ours");
    assert!(by_winograd > 20, "{by_winograd} convolutions by Winograd");
    assert!(joined > 20, "{joined} joins");
}

#[test]
fn normalization_and_prelu_of_a_file_go_into_the_convolution() {
    let mut draw = ChaCha8Rng::seed_from_u64(94);
    let mut network = Network::new(&mut draw);
    let channels = network.extents(network.last)[1];
    let weights = network.constant("weights".to_owned(), &[6, channels, 1, 1]);
    let bias = network.constant("bias".to_owned(), &[6]);
    let pool_spec = PoolSpec {
        data_format: DataFormat::NCHW,
        kernel_shape: tvec![1, 1],
        padding: PaddingSpec::Valid,
        dilations: None,
        strides: None,
        input_channels: channels,
        output_channels: 6,
    };
    let convolution = cnn::Conv {
        pool_spec,
        kernel_fmt: KernelFormat::OIHW,
        group: 1,
        q_params: None,
    };
    let inputs = [network.last, weights, bias];
    let sum = network.wire("convolution".to_owned(), convolution, &inputs);
    let normalized = network.normalization(0, sum, 6);
    let output = network.chosen(0, normalized, 6);
    network.model.select_output_outlets(&[output]).unwrap();
    let rewritten = rewrite::rewrite(network.model, means(Kernel::best(), 1)).unwrap();
    let names: Vec<String> = rewritten
        .nodes()
        .iter()
        .map(|node| node.op.name().into_owned())
        .filter(|name| !name.starts_with("Move"))
        .collect();
    assert_eq!(names.len(), 2, "{names:?}");
    assert!(names[1].starts_with("Usher"), "{names:?}");
}

#[test]
fn fully_connected_layers_are_ours_where_they_are_plain() {
    let mut draw = ChaCha8Rng::seed_from_u64(95);
    for (batch, with_bias, with_relu, transposed) in [
        (1, true, true, true),
        (1, true, false, true),
        (1, false, true, true),
        (1, false, false, true),
        (2, true, true, true),
        (1, true, true, false),
    ] {
        let mut network = Network::new(&mut draw);
        let input = f32::fact([batch, 50]);
        let mut last = network.model.add_source("vector", input).unwrap();
        network.model.set_input_outlets(&[last]).unwrap();
        let extents = if transposed { [30, 50] } else { [50, 30] };
        let weights = network.constant("weights".to_owned(), &extents);
        let axes = AxesMapping::for_numpy_matmul(2, false, transposed, false).unwrap();
        let product = EinSum::new(axes, f32::datum_type());
        last = network.wire("product".to_owned(), product, &[last, weights]);
        if with_bias {
            let bias = network.constant("bias".to_owned(), &[1, 30]);
            last = network.wire("sum".to_owned(), add(), &[last, bias]);
        }
        if with_relu {
            let zero = Tensor::zero::<f32>(&[1, 1]).unwrap();
            let zero = network.model.add_const("zero", zero).unwrap();
            last = network.wire("relu".to_owned(), max(), &[last, zero]);
        }
        network.model.select_output_outlets(&[last]).unwrap();
        let model = network.model;
        let numbers: Vec<f32> = (0..batch * 50)
            .map(|_| draw.random_range(-1.0..1.0))
            .collect();
        let input = Tensor::from_shape(&[batch, 50], &numbers).unwrap();
        let ours = agrees_and_has(model, input, "UsherDense");
        assert_eq!(ours, batch == 1 && transposed, "{batch} {transposed}");
    }
}

/// Runs a network of one input as it is and rewritten; panics where they differ. Returns whether an operator of
/// ours is in it.
fn agrees_and_has(model: TypedModel, input: Tensor, operator: &str) -> bool {
    let run = |model: TypedModel| {
        let plan = model.into_optimized().unwrap().into_runnable().unwrap();
        plan.run(tvec!(input.clone().into_tvalue())).unwrap()
    };
    let rewritten = rewrite::rewrite(model.clone(), means(Kernel::best(), 1)).unwrap();
    let has = rewritten
        .nodes()
        .iter()
        .any(|node| node.op.name() == operator);
    let (found, expected) = (run(rewritten), run(model));
    for (found, expected) in found.iter().zip(&expected) {
        let [found, expected] = [found, expected].map(|output| operator::of(output).unwrap());
        let largest = expected
            .iter()
            .fold(0.0_f32, |largest, e| largest.max(e.abs()));
        for (f, e) in found.iter().zip(expected) {
            assert!((f - e).abs() <= TOLERANCE * largest, "{f}, tract {e}");
        }
        assert_eq!(found.len(), expected.len());
    }
    has
}

#[test]
fn a_normalization_is_ours_where_it_is_whole() {
    let mut draw = ChaCha8Rng::seed_from_u64(96);
    for (reach, spoilt) in [
        (2, ""),
        (0, ""),
        (2, "band"),
        (2, "square"),
        (2, "root"),
        (2, "read"),
    ] {
        let mut network = Network::new(&mut draw);
        let extents = [2, 12, 5, 4];
        let input = f32::fact(extents);
        let x = network.model.add_source("pictures", input).unwrap();
        network.model.set_input_outlets(&[x]).unwrap();
        // Something of ours before it, so that channels lie last.
        let before = network.pointwise("before", x, 12, |_| 0.1, 0.5);
        let square_of = if spoilt == "square" { x } else { before };
        let square = network.wire("square".to_owned(), mul(), &[square_of, square_of]);
        let in_band = |i: usize| (i / 12_usize).abs_diff(i % 12) <= reach;
        let band = |i: usize| match (spoilt == "band" && i == 25, in_band(i)) {
            (true, _) => 0.3,
            (false, true) => 0.2,
            (false, false) => 0.0,
        };
        let sum = network.pointwise("sum", square, 12, band, 1.5);
        let root = network.wire("root".to_owned(), sqrt(), &[sum]);
        let of_fourth = if spoilt == "root" { sum } else { root };
        let fourth = network.wire("fourth".to_owned(), sqrt(), &[of_fourth]);
        let divisor = network.wire("divisor".to_owned(), mul(), &[root, fourth]);
        let last = network.wire("quotient".to_owned(), div(), &[before, divisor]);
        let outputs = if spoilt == "read" {
            vec![last, sum]
        } else {
            vec![last]
        };
        network.model.select_output_outlets(&outputs).unwrap();
        let model = network.model;
        let numbers: Vec<f32> = (0..480).map(|_| draw.random_range(-1.0..1.0)).collect();
        let input = Tensor::from_shape(&extents, &numbers).unwrap();
        let ours = agrees_and_has(model, input, "UsherNormalize");
        assert_eq!(ours, spoilt.is_empty(), "{reach} {spoilt}");
    }
}

/// What is read piece by piece is what tract reads at once.
#[test]
fn a_file_read_in_pieces_is_the_same_network() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/usher-small.onnx");
    let bytes = std::fs::read(path).unwrap();
    let shape = [1, 3, 112, 112];
    let mut at_once = tract_onnx::onnx().model_for_read(&mut &*bytes).unwrap();
    at_once.set_input_fact(0, f32::fact(shape).into()).unwrap();
    let numbers: Vec<f32> = (0..3 * 112 * 112).map(|i| (i % 17) as f32 / 17.0).collect();
    let input = Tensor::from_shape(&shape, &numbers).unwrap();
    let plan = at_once.into_optimized().unwrap().into_runnable().unwrap();
    let expected = plan.run(tvec!(input.into_tvalue())).unwrap();
    let file = OnnxFile::parse(&bytes).unwrap();
    let found = file
        .prepare_by(&shape, Operators::Tract)
        .unwrap()
        .run(&numbers)
        .unwrap();
    assert_eq!(found[0], operator::of(&expected[0]).unwrap());

    // A reader that hands out little at a time, and one that ends early or says nothing.
    struct Slowly<'a>(&'a [u8]);
    impl std::io::Read for Slowly<'_> {
        fn read(&mut self, to: &mut [u8]) -> std::io::Result<usize> {
            let most = to.len().min(1000);
            std::io::Read::read(&mut self.0, &mut to[..most])
        }
    }
    let length = bytes.len() as u64;
    let parts = OnnxParts::read(Slowly(&bytes), length).unwrap();
    let slowly = OnnxFile::from_parts(parts).unwrap();
    let again = slowly
        .prepare_by(&shape, Operators::Tract)
        .unwrap()
        .run(&numbers)
        .unwrap();
    assert_eq!(again, found);
    assert!(OnnxParts::read(Slowly(&bytes[..bytes.len() / 2]), length).is_err());
    assert!(OnnxParts::read(Slowly(&bytes), length / 2).is_err());
    // Protobuf joins what comes twice: here a second graph.
    let twice = [&bytes[..], &[0x3a, 0]].concat();
    let said = OnnxFile::parse(&twice).err().unwrap().to_string();
    assert!(said.contains("several graphs"), "{said}");
}

/// A file of the repository's models.
fn model(path: &Path) -> OnnxFile {
    OnnxFile::parse(&std::fs::read(path).unwrap()).unwrap()
}

#[test]
fn the_detector_agrees() {
    let Some(yunet) = skip::yunet() else { return };
    let file = model(&yunet);
    let mut draw = ChaCha8Rng::seed_from_u64(91);
    for (height, width) in [(192, 320), (320, 256), (32, 32)] {
        let ours = agree(
            "yunet",
            &file,
            &[1, 3, height, width],
            &mut draw,
            (0.0, 255.0),
        );
        // 53 convolutions, of which 4 heads at 3 scales, of two each, are joined; 4 pools, 2 sums.
        assert_eq!(ours, 53 - 24 + 6 + 4 + 2, "{height} x {width}");
    }
}

#[test]
fn the_embedder_agrees() {
    let file = model(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/usher-small.onnx"));
    let mut draw = ChaCha8Rng::seed_from_u64(92);
    for batch in [1, 2] {
        agree(
            "usher-small",
            &file,
            &[batch, 3, 112, 112],
            &mut draw,
            (-1.0, 1.0),
        );
    }
}
