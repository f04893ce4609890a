//! The narrower network's weights, layer by layer: kept, or fitted to what the wider one computes.

use tch::{Device, Kind, Tensor};

use super::select::{Moments, moments};
use super::{BATCH, Plan, Seen, mixes, pixels, position, tensor};
use crate::network::graph::LayerGraph;
use crate::network::op::BATCH_NORM_EPSILON;
use crate::torch::module::{Network, from_torch};
use crate::weights::{Weights, WeightsError};

/// Added to the diagonal of least squares, as a share of its mean.
const RIDGE: f64 = 1e-4;

/// A batch normalization as y = x * factor + summand, f64 `[channels]` each.
pub(super) struct Norm {
    pub(super) factor: Tensor,
    summand: Tensor,
}

pub(super) fn norm(weights: &Weights, name: &str) -> Norm {
    let part = |part: &str| tensor(weights, &format!("{name}.{part}"));
    let deviation = (part("running_var") + f64::from(BATCH_NORM_EPSILON)).sqrt();
    let factor = part("weight") / deviation;
    let summand = part("bias") - part("running_mean") * &factor;
    Norm { factor, summand }
}

impl Norm {
    fn kept(&self, channels: &Tensor) -> Self {
        Self {
            factor: self.factor.index_select(0, channels),
            summand: self.summand.index_select(0, channels),
        }
    }

    /// The same function, written with the statistics of what it is given: training, which
    /// normalizes by a batch's own, then begins with it too.
    fn write(&self, weights: &mut Weights, name: &str, mean: &Tensor, variance: &Tensor) {
        let deviation = (variance + f64::from(BATCH_NORM_EPSILON)).sqrt();
        for (part, value) in [
            ("weight", &self.factor * deviation),
            ("bias", &self.summand + &self.factor * mean),
            ("running_mean", mean.shallow_clone()),
            ("running_var", variance.shallow_clone()),
        ] {
            put(weights, &format!("{name}.{part}"), &value);
        }
    }
}

fn put(weights: &mut Weights, name: &str, value: &Tensor) {
    weights.insert(name, from_torch(&value.to_kind(Kind::Float)));
}

/// The narrower network in the making.
pub(super) struct Fit<'a> {
    full: &'a Weights,
    slim: &'a LayerGraph,
    plan: &'a Plan,
    seen: &'a Seen,
    weights: Weights,
    /// What it has computed of the faces so far, and up to which node.
    state: Vec<Tensor>,
    node: usize,
}

impl<'a> Fit<'a> {
    pub(super) fn new(
        full: &'a Weights,
        slim: &'a LayerGraph,
        faces: &Tensor,
        plan: &'a Plan,
        seen: &'a Seen,
    ) -> Self {
        Self {
            full,
            slim,
            plan,
            seen,
            weights: Weights::initialize(slim, 0),
            state: faces.split(BATCH, 0),
            node: 0,
        }
    }

    pub(super) fn run(mut self) -> Result<Weights, WeightsError> {
        for (name, tensor) in self.full.iter() {
            if name.starts_with("stem.") {
                self.weights.insert(name, tensor.clone());
            }
        }
        let stem = tensor(&self.weights, "stem.weight").size()[0];
        let mut entering = Tensor::arange(stem, (Kind::Int64, Device::Cpu));
        for mix in mixes(self.slim) {
            let leaving = Tensor::from_slice(&self.plan.kept[&mix]);
            self.filter(&mix.replace(".mix", ".filter"), &entering)?;
            self.mix(&mix, &leaving)?;
            entering = leaving;
        }
        self.head()?;
        self.linear()?;
        Ok(self.weights)
    }

    fn network(&self) -> Result<Network, WeightsError> {
        Network::new(self.slim.clone(), &self.weights, Device::Cpu)
    }

    /// The output of that layer for each batch of faces.
    fn outputs(&self, layer: &str) -> Result<Vec<Tensor>, WeightsError> {
        let (network, to) = (self.network()?, position(self.slim, layer));
        let advance = |x: &Tensor| network.advance(self.node, to, x);
        Ok(self.state.iter().map(advance).collect())
    }

    /// Goes on from behind that layer from now on, if what it gives is not much more than a face.
    fn remember(&mut self, layer: &str) -> Result<(), WeightsError> {
        let to = position(self.slim, layer);
        let shape = self.slim.nodes()[to].shape;
        if shape.volume() <= 10 * self.slim.input().volume() {
            self.state = self.outputs(layer)?;
            self.node = to;
        }
        Ok(())
    }

    /// A depthwise convolution keeps the channels that enter it.
    fn filter(&mut self, name: &str, channels: &Tensor) -> Result<(), WeightsError> {
        for (part, end) in [("weight", ""), ("slope", ".prelu")] {
            let name = format!("{name}{end}.{part}");
            let kept = tensor(self.full, &name).index_select(0, channels);
            put(&mut self.weights, &name, &kept);
        }
        let zeros = || Tensor::zeros(channels.size(), (Kind::Double, Device::Cpu));
        let (mut count, mut sum, mut squares) = (0.0, zeros(), zeros());
        let (network, to) = (self.network()?, position(self.slim, name));
        for state in &self.state {
            let maps = network.advance(self.node, to, state);
            let over = [0i64, 2, 3];
            count += (maps.numel() / maps.size()[1] as usize) as f64;
            sum += maps.sum_dim_intlist(over.as_slice(), false, Kind::Double);
            squares += maps
                .square()
                .sum_dim_intlist(over.as_slice(), false, Kind::Double);
        }
        let mean = sum / count;
        let variance = squares / count - mean.square();
        let name = format!("{name}.norm");
        let kept = norm(self.full, &name).kept(channels);
        kept.write(&mut self.weights, &name, &mean, &variance.clamp_min(0.0));
        Ok(())
    }

    /// A 1x1 convolution is fitted to what the wider network's gives in the channels kept.
    fn mix(&mut self, name: &str, channels: &Tensor) -> Result<(), WeightsError> {
        let wanted = self.seen.of(name).index_select(1, channels);
        let source = name.replace(".mix", ".filter.prelu");
        let fitted = self.fitted(&source, &wanted)?;
        let norms = format!("{name}.norm");
        let kept = norm(self.full, &norms).kept(channels);
        self.convolution(name, &fitted, &kept);
        let slope = format!("{name}.prelu.slope");
        let kept = tensor(self.full, &slope).index_select(0, channels);
        put(&mut self.weights, &slope, &kept);
        self.remember(&format!("{name}.prelu"))
    }

    /// The projection is fitted to the directions by which the embedding is told.
    fn head(&mut self) -> Result<(), WeightsError> {
        let source = mixes(self.slim)
            .last()
            .map_or(String::new(), |mix| format!("{mix}.prelu"));
        let directions = &self.plan.head;
        let maps = self.seen.of(&source).to_kind(Kind::Double) - &directions.mean;
        let wanted = maps.matmul(&directions.project.tr()).to_kind(Kind::Float);
        let fitted = self.fitted(&source, &wanted)?;
        let ones = fitted.offset.ones_like();
        let summand = ones.zeros_like();
        self.convolution(
            "head",
            &fitted,
            &Norm {
                factor: ones,
                summand,
            },
        );
        self.remember("flatten")
    }

    /// The last layer reads those directions as the wider network's reads its channels.
    fn linear(&mut self) -> Result<(), WeightsError> {
        let teacher = norm(self.full, "linear.norm");
        let read = &self.plan.head.read / teacher.factor.view([-1, 1, 1]);
        put(&mut self.weights, "linear.weight", &read.flatten(1, 2));
        let outputs = Tensor::cat(&self.outputs("linear")?, 0).to_kind(Kind::Double);
        let mean = outputs.mean_dim([0i64].as_slice(), false, Kind::Double);
        let variance = outputs.var_dim([0i64].as_slice(), false, false);
        let summand = &self.seen.mean_embedding - &mean * &teacher.factor;
        let factor = teacher.factor;
        Norm { factor, summand }.write(&mut self.weights, "linear.norm", &mean, &variance);
        Ok(())
    }

    /// Least squares from what the narrower network has in `source` to what is wanted.
    fn fitted(&self, source: &str, wanted: &Tensor) -> Result<Fitted, WeightsError> {
        let outputs = self.outputs(source)?;
        let samples: Vec<Tensor> = (outputs.iter().enumerate())
            .map(|(batch, maps)| pixels(maps, batch))
            .collect();
        let found = Tensor::cat(&samples, 0);
        let Moments { mean, covariance } = moments(&found, &found);
        let across = moments(&found, wanted).covariance;
        let width = covariance.size()[0];
        let ridge = covariance.trace().double_value(&[]) / width as f64 * RIDGE;
        let eye = Tensor::eye(width, (Kind::Double, Device::Cpu));
        let weight = Tensor::linalg_solve(&(&covariance + eye * ridge), &across, true).tr();
        let told = weight.matmul(&mean);
        Ok(Fitted {
            variance: (weight.matmul(&covariance) * &weight).sum_dim_intlist(
                [1i64].as_slice(),
                false,
                Kind::Double,
            ),
            offset: wanted.mean_dim([0i64].as_slice(), false, Kind::Double) - &told,
            mean: told,
            weight,
        })
    }

    /// Writes a fitted 1x1 convolution with the normalization that follows what it is fitted to.
    fn convolution(&mut self, name: &str, fitted: &Fitted, wanted: &Norm) {
        let (rows, columns) = fitted.weight.size2().unwrap_or((0, 0));
        let weight = fitted.weight.view([rows, columns, 1, 1]);
        put(&mut self.weights, &format!("{name}.weight"), &weight);
        let norm = Norm {
            factor: wanted.factor.shallow_clone(),
            summand: &wanted.summand + &wanted.factor * &fitted.offset,
        };
        let name = format!("{name}.norm");
        norm.write(&mut self.weights, &name, &fitted.mean, &fitted.variance);
    }
}

/// A linear map without a constant: wanted = weight * x + offset.
struct Fitted {
    /// f64 [outputs, inputs].
    weight: Tensor,
    /// f64 `[outputs]`.
    offset: Tensor,
    /// Mean of weight * x.
    mean: Tensor,
    /// Variance of weight * x.
    variance: Tensor,
}
