//! A typed network rewritten to our operators: pictures with their channels last, and convolutions
//! that bring their activation and what is added to them along.
//!
//! The network is walked once in the order of evaluation. What we have an operator for is wired
//! anew; everything else stays as it is, and where the two meet the axes are moved. tract's own
//! optimizer runs afterwards, over what little is left.

mod dense;
mod normalization;
mod pattern;
mod siblings;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use kernel::{Filter, Mixing, Winograd};
use tract_onnx::tract_core::internal::*;
use tract_onnx::tract_core::ops::array::{Slice, TypedConcat};
use tract_onnx::tract_core::ops::binary::TypedBinOp;
use tract_onnx::tract_core::ops::cnn;
use tract_onnx::tract_core::ops::element_wise::ElementWiseOp;
use tract_onnx::tract_core::ops::nn::NearestUpsample;
use tract_onnx::tract_core::ops::source::TypedSource;

use super::operator::{Convolution, Depthwise, Means, Sum, Sums};
use dense::Layer;
use normalization::Normalization;
use pattern::{Group, constant, is_add, pictures};
use siblings::Siblings;

/// From channels first to channels last, and back.
const TO_LAST: AxisOp = AxisOp::Move(1, 3);
const TO_FIRST: AxisOp = AxisOp::Move(3, 1);

/// The same network, by our operators where we have one.
///
/// # Errors
/// When tract refuses a wire: a bug of ours, or a network at odds with itself.
pub(super) fn rewrite(mut source: TypedModel, means: Means) -> TractResult<TypedModel> {
    simplify_resizing(&mut source)?;
    let mut groups = pattern::groups(&source)?;
    let layers = dense::layers(&source)?;
    let normalizations = normalization::normalizations(&source, &mut groups)?;
    let siblings = siblings::joined(&source, &mut groups)?;
    let joined = siblings
        .iter()
        .flat_map(|siblings| [&siblings.mixing, &siblings.depthwise]);
    let inside = groups
        .values()
        .chain(joined)
        .flat_map(|group| group.inside.iter().copied())
        .chain(
            normalizations
                .values()
                .flat_map(|normalization| normalization.inside.iter().copied()),
        )
        .chain(
            layers
                .values()
                .flat_map(|layer| layer.inside.iter().copied()),
        )
        .collect();
    let mut rewriter = Rewriter {
        source: &source,
        means,
        groups: &groups,
        layers: &layers,
        normalizations: &normalizations,
        siblings: &siblings,
        inside,
        target: TypedModel::default(),
        as_is: HashMap::new(),
        last: HashMap::new(),
        repeated: HashMap::new(),
    };
    rewriter.target.symbols = source.symbols.clone();
    // Also an input that nothing reads stays one.
    for input in source.input_outlets()? {
        rewriter.input(*input)?;
    }
    for id in source.eval_order()? {
        if !source.node(id).op_is::<TypedSource>() {
            rewriter.node(source.node(id))?;
        }
    }
    let mut outputs = vec![];
    for &output in source.output_outlets()? {
        let wire = rewriter.as_is(output)?;
        let name = match source.outlet_label(output) {
            Some(label) => label.to_owned(),
            None => source.node(output.node).name.clone(),
        };
        rewriter.target.set_outlet_label(wire, name)?;
        outputs.push(wire);
    }
    rewriter.target.outputs = outputs;
    Ok(rewriter.target)
}

/// Lets tract say which resizings only repeat pixels.
fn simplify_resizing(model: &mut TypedModel) -> TractResult<()> {
    // The file's operator becomes tract's, and that one the repetition: two rounds.
    for _ in 0..2 {
        for id in 0..model.nodes().len() {
            let node = model.node(id);
            if node.op.name() == "Resize"
                && let Some(patch) = node.op.declutter(model, node)?
            {
                patch.apply(model)?;
            }
        }
    }
    model.compact()
}

struct Rewriter<'a> {
    source: &'a TypedModel,
    means: Means,
    /// Nodes that become one operator, by the last of them.
    groups: &'a HashMap<usize, Group>,
    /// The same for fully connected layers.
    layers: &'a HashMap<usize, Layer>,
    /// The same for normalizations.
    normalizations: &'a HashMap<usize, Normalization>,
    /// Groups that become one, side by side.
    siblings: &'a [Siblings],
    /// Nodes of groups, layers and normalizations but for the last ones, and all of siblings.
    inside: HashSet<usize>,
    target: TypedModel,
    /// Where an outlet of the source is found in the target, its axes as they were.
    as_is: HashMap<OutletId, OutletId>,
    /// The same for pictures, their channels last.
    last: HashMap<OutletId, OutletId>,
    /// Pictures that are others, channels last, with each pixel so often along both axes.
    repeated: HashMap<OutletId, (OutletId, usize)>,
}

impl Rewriter<'_> {
    fn input(&mut self, outlet: OutletId) -> TractResult<()> {
        let fact = self.source.outlet_fact(outlet)?.clone();
        let wire = self.target.add_source(self.name(outlet), fact)?;
        self.as_is.insert(outlet, wire);
        Ok(())
    }

    fn node(&mut self, node: &TypedNode) -> TractResult<()> {
        let outlet = OutletId::new(node.id, 0);
        if let Some(group) = self.groups.get(&node.id) {
            let wire = self.group(&node.name, group)?;
            self.last.insert(outlet, wire);
            return Ok(());
        }
        if let Some(layer) = self.layers.get(&node.id) {
            let (input, op) = (self.as_is(layer.from)?, layer.operator(&self.means)?);
            let wire = self.target.wire_node(&*node.name, op, &[input])?[0];
            self.as_is.insert(outlet, wire);
            return Ok(());
        }
        if let Some(normalization) = self.normalizations.get(&node.id) {
            let input = self.last(normalization.from)?;
            let op = normalization.operator(&self.means);
            let wire = self.target.wire_node(&*node.name, op, &[input])?[0];
            self.last.insert(outlet, wire);
            return Ok(());
        }
        let is_branch =
            |siblings: &&Siblings| siblings.branches.iter().any(|(end, _)| *end == node.id);
        if let Some(siblings) = self.siblings.iter().find(is_branch) {
            return self.siblings(siblings);
        }
        // Constants are wired where they are needed, many are not.
        if self.inside.contains(&node.id) || constant(self.source, outlet)?.is_some() {
            return Ok(());
        }
        if self.has_channels_last(&node.inputs)? && self.with_channels_last(node)? {
            return Ok(());
        }
        let mut inputs = tvec![];
        for &input in &node.inputs {
            inputs.push(self.as_is(input)?);
        }
        let wires = self
            .target
            .wire_node(&*node.name, node.op.clone(), &inputs)?;
        for (slot, wire) in wires.into_iter().enumerate() {
            self.as_is.insert(OutletId::new(node.id, slot), wire);
        }
        Ok(())
    }

    /// Whether these are pictures that are there with channels last, or constants beside such.
    fn has_channels_last(&self, outlets: &[OutletId]) -> TractResult<bool> {
        let has = |outlet| self.last.contains_key(outlet) || self.repeated.contains_key(outlet);
        for outlet in outlets.iter().filter(|outlet| !has(outlet)) {
            let constant = constant(self.source, *outlet)?;
            if constant.is_none_or(|tensor| tensor.rank() != 4) {
                return Ok(false);
            }
        }
        Ok(outlets.iter().any(has))
    }

    /// Wires a node whose inputs are there with channels last; false if it cannot be.
    fn with_channels_last(&mut self, node: &TypedNode) -> TractResult<bool> {
        let outlet = OutletId::new(node.id, 0);
        if let Some(op) = node.op_as::<AxisOp>() {
            if *op == TO_LAST {
                let wire = self.last(node.inputs[0])?;
                self.as_is.insert(outlet, wire);
            }
            return Ok(*op == TO_LAST);
        }
        if let Some(factor) = node.op_as::<NearestUpsample>().and_then(pattern::factor) {
            let wire = self.last(node.inputs[0])?;
            self.repeated.insert(outlet, (wire, factor));
            return Ok(true);
        }
        if let Some(sum) = self.sum(node)? {
            self.last.insert(outlet, sum);
            return Ok(true);
        }
        let op: Box<dyn TypedOp> = if node.op_is::<ElementWiseOp>() || node.op_is::<TypedBinOp>() {
            node.op.clone()
        } else if let Some(pool) = node.op_as::<cnn::MaxPool>()
            && let Some(op) = pattern::max_pool(self.source, node, pool, &self.means)
        {
            Box::new(op)
        } else if let Some(pool) = node.op_as::<cnn::SumPool>()
            && let Some(op) = pattern::sum_pool(self.source, node, pool, &self.means)
        {
            Box::new(op)
        } else if node
            .op_as::<TypedConcat>()
            .is_some_and(|concat| concat.axis == 1)
            && let Some(op) = pattern::join(self.source, node, &self.means)
        {
            Box::new(op)
        } else {
            return Ok(false);
        };
        let mut inputs = tvec![];
        for &input in &node.inputs {
            inputs.push(self.last(input)?);
        }
        let wire = self.target.wire_node(&*node.name, op, &inputs)?[0];
        self.last.insert(outlet, wire);
        Ok(true)
    }

    /// Wires the sum of two pictures of one size.
    fn sum(&mut self, node: &TypedNode) -> TractResult<Option<OutletId>> {
        if !is_add(node) {
            return Ok(None);
        }
        let sizes = [0, 1].map(|i| pictures(self.source, node.inputs[i]));
        let [Some(output), Some(other)] = sizes else {
            return Ok(None);
        };
        if output != other {
            return Ok(None);
        }
        let [mut one, mut other] = [node.inputs[0], node.inputs[1]];
        if self.repeated.contains_key(&one) {
            (one, other) = (other, one);
        }
        let (other, factor) = match self.repeated.get(&other) {
            Some(&repeated) => repeated,
            None => (self.last(other)?, 1),
        };
        let one = self.last(one)?;
        let op = Sum {
            factor,
            output,
            means: self.means.clone(),
        };
        Ok(Some(
            self.target.wire_node(&*node.name, op, &[one, other])?[0],
        ))
    }

    /// Wires a convolution with what follows it.
    fn group(&mut self, name: &str, group: &Group) -> TractResult<OutletId> {
        let planar = !group.depthwise && !self.has_channels_last(&[group.from])?;
        let op: Box<dyn TypedOp> = if group.depthwise {
            Box::new(Depthwise {
                filter: Arc::new(Filter::new(
                    self.means.kernel,
                    (
                        group.kernel,
                        group.stride,
                        group.padding.map(|[before, _]| before),
                    ),
                    &pattern::depthwise_weights(group)?,
                    group.bias.as_slice(),
                    group.activation.clone(),
                )),
                input: group.input,
                output: group.output,
                means: self.means.clone(),
            })
        } else {
            Box::new(self.convolution(group, planar)?)
        };
        let mut inputs = tvec![if planar {
            self.as_is(group.from)?
        } else {
            self.last(group.from)?
        }];
        if let Some(added) = group.added {
            inputs.push(self.last(added)?);
        }
        Ok(self.target.wire_node(name, op, &inputs)?[0])
    }

    /// A convolution that mixes channels.
    fn convolution(&self, group: &Group, planar: bool) -> TractResult<Convolution> {
        let (weights, bias) = (pattern::mixing_weights(group)?, group.bias.as_slice());
        let activation = group.activation.clone();
        let extents = [group.output.height, group.output.width];
        let channels = [group.input.channels, group.output.channels];
        let mut padding = group.padding;
        let sums = if group.stride == [1, 1] && Winograd::pays(group.kernel, extents, channels) {
            let side = group.kernel[0];
            let lengths = [group.input.height, group.input.width];
            for axis in [0, 1] {
                let [before, after] = &mut padding[axis];
                *after = Winograd::padded(side, extents[axis]) - lengths[axis] - *before;
            }
            let winograd = Winograd::new(self.means.kernel, side, &weights, bias, activation);
            Sums::Winograd(Arc::new(winograd))
        } else {
            Sums::Plain(Arc::new(Mixing::new(
                self.means.kernel,
                &weights,
                bias,
                activation,
            )))
        };
        Ok(Convolution {
            sums,
            input: group.input,
            planar,
            kernel: group.kernel,
            stride: group.stride,
            padding,
            output: group.output,
            means: self.means.clone(),
        })
    }

    /// Wires siblings when the first of their branches comes up.
    fn siblings(&mut self, siblings: &Siblings) -> TractResult<()> {
        let Siblings {
            mixing,
            depthwise,
            branches,
        } = siblings;
        if self.last.contains_key(&OutletId::new(branches[0].0, 0)) {
            return Ok(());
        }
        let name = |end: usize| format!("{}.joined", self.source.node(end).name);
        let (mixing_name, depthwise_name) = (name(mixing.end), name(depthwise.end));
        let mixed = self.group(&mixing_name, mixing)?;
        self.last.insert(OutletId::new(mixing.end, 0), mixed);
        let wire = self.group(&depthwise_name, depthwise)?;
        let mut first = 0;
        for &(end, channels) in branches {
            let slice = Slice::new(3, first, first + channels);
            let part = self
                .target
                .wire_node(&*self.source.node(end).name, slice, &[wire])?[0];
            self.last.insert(OutletId::new(end, 0), part);
            first += channels;
        }
        Ok(())
    }

    /// An outlet of the source, its axes as they were.
    fn as_is(&mut self, outlet: OutletId) -> TractResult<OutletId> {
        if let Some(wire) = self.as_is.get(&outlet) {
            return Ok(*wire);
        }
        let name = self.name(outlet);
        let wire = if let Some(tensor) = constant(self.source, outlet)? {
            self.target.add_const(name, tensor)?
        } else {
            let last = self.last(outlet)?;
            self.target
                .wire_node(name + ".channels-first", TO_FIRST, &[last])?[0]
        };
        self.as_is.insert(outlet, wire);
        Ok(wire)
    }

    /// Pictures of the source, their channels last.
    fn last(&mut self, outlet: OutletId) -> TractResult<OutletId> {
        if let Some(wire) = self.last.get(&outlet) {
            return Ok(*wire);
        }
        let name = self.name(outlet);
        let wire = if let Some(tensor) = constant(self.source, outlet)? {
            let turned = tensor.into_tensor().move_axis(1, 3)?;
            self.target.add_const(name + ".channels-last", turned)?
        } else if let Some(&(wire, factor)) = self.repeated.get(&outlet) {
            let scales = tvec![1, factor, factor, 1];
            self.target
                .wire_node(name + ".repeated", NearestUpsample { scales }, &[wire])?[0]
        } else {
            let as_is = match self.as_is.get(&outlet) {
                Some(wire) => *wire,
                None => bail!("{name} is used before it is made"),
            };
            self.target
                .wire_node(name + ".channels-last", TO_LAST, &[as_is])?[0]
        };
        self.last.insert(outlet, wire);
        Ok(wire)
    }

    fn name(&self, outlet: OutletId) -> String {
        match (outlet.slot, &self.source.node(outlet.node).name) {
            (0, name) => name.clone(),
            (slot, name) => format!("{name}.{slot}"),
        }
    }
}
