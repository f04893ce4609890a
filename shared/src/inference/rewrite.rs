//! A typed network rewritten to our operators: pictures with their channels last, and convolutions
//! that bring their activation and what is added to them along.
//!
//! The network is walked once in the order of evaluation. What we have an operator for is wired
//! anew; everything else stays as it is, and where the two meet the axes are moved. tract's own
//! optimizer runs afterwards, over what little is left.

mod pattern;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use tract_onnx::tract_core::internal::*;
use tract_onnx::tract_core::ops::array::TypedConcat;
use tract_onnx::tract_core::ops::cnn;
use tract_onnx::tract_core::ops::element_wise::ElementWiseOp;
use tract_onnx::tract_core::ops::nn::NearestUpsample;
use tract_onnx::tract_core::ops::source::TypedSource;

use super::kernel::{Filter, Kernel, Mixing};
use super::memory::Memory;
use super::operator::{Convolution, Depthwise, Sum};
use pattern::{Group, constant, is_add, pictures};

/// From channels first to channels last, and back.
const TO_LAST: AxisOp = AxisOp::Move(1, 3);
const TO_FIRST: AxisOp = AxisOp::Move(3, 1);

/// The same network, by our operators where we have one.
///
/// # Errors
/// When tract refuses a wire: a bug of ours, or a network at odds with itself.
pub(super) fn rewrite(mut source: TypedModel, kernel: Kernel) -> TractResult<TypedModel> {
    simplify_resizing(&mut source)?;
    let groups = pattern::groups(&source)?;
    let inside = groups
        .values()
        .flat_map(|group| group.inside.iter().copied());
    let mut rewriter = Rewriter {
        source: &source,
        kernel,
        groups: &groups,
        inside: inside.collect(),
        memory: Memory::default(),
        target: TypedModel::default(),
        as_is: HashMap::new(),
        last: HashMap::new(),
        repeated: HashMap::new(),
    };
    rewriter.target.symbols = source.symbols.clone();
    for id in source.eval_order()? {
        rewriter.node(source.node(id))?;
    }
    let mut inputs = vec![];
    for input in source.input_outlets()? {
        inputs.push(rewriter.as_is(*input)?);
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
    rewriter.target.inputs = inputs;
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
    kernel: Kernel,
    memory: Memory,
    /// Nodes that become one operator, by the last of them.
    groups: &'a HashMap<usize, Group>,
    /// Nodes of groups but for the last ones.
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
    fn node(&mut self, node: &TypedNode) -> TractResult<()> {
        let outlet = OutletId::new(node.id, 0);
        if let Some(group) = self.groups.get(&node.id) {
            return self.group(node, group);
        }
        // Constants are wired where they are needed, many are not.
        if self.inside.contains(&node.id) || constant(self.source, outlet)?.is_some() {
            return Ok(());
        }
        if node.op_is::<TypedSource>() {
            let wire = self
                .target
                .add_source(&*node.name, node.outputs[0].fact.clone())?;
            self.as_is.insert(outlet, wire);
            return Ok(());
        }
        if self.has_channels_last(&node.inputs) && self.with_channels_last(node)? {
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

    fn has_channels_last(&self, outlets: &[OutletId]) -> bool {
        let has = |outlet| self.last.contains_key(outlet) || self.repeated.contains_key(outlet);
        !outlets.is_empty() && outlets.iter().all(has)
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
        let op: Box<dyn TypedOp> = if node.op_is::<ElementWiseOp>() {
            node.op.clone()
        } else if let Some(pool) = node.op_as::<cnn::MaxPool>()
            && let Some(op) =
                pattern::max_pool(self.source, node, pool, (self.kernel, &self.memory))
        {
            Box::new(op)
        } else if node
            .op_as::<TypedConcat>()
            .is_some_and(|concat| concat.axis == 1)
        {
            Box::new(TypedConcat { axis: 3 })
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
            kernel: self.kernel,
            factor,
            output,
            memory: self.memory.clone(),
        };
        Ok(Some(
            self.target.wire_node(&*node.name, op, &[one, other])?[0],
        ))
    }

    /// Wires a convolution with what follows it.
    fn group(&mut self, end: &TypedNode, group: &Group) -> TractResult<()> {
        let planar = !group.depthwise && !self.has_channels_last(&[group.from]);
        let op: Box<dyn TypedOp> = if group.depthwise {
            Box::new(Depthwise {
                filter: Arc::new(Filter::new(
                    self.kernel,
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
                memory: self.memory.clone(),
            })
        } else {
            Box::new(Convolution {
                mixing: Arc::new(Mixing::new(
                    self.kernel,
                    &pattern::mixing_weights(group)?,
                    group.bias.as_slice(),
                    group.activation.clone(),
                )),
                input: group.input,
                planar,
                kernel: group.kernel,
                stride: group.stride,
                padding: group.padding,
                output: group.output,
                memory: self.memory.clone(),
            })
        };
        let mut inputs = tvec![if planar {
            self.as_is(group.from)?
        } else {
            self.last(group.from)?
        }];
        if let Some(added) = group.added {
            inputs.push(self.last(added)?);
        }
        let wire = self.target.wire_node(&*end.name, op, &inputs)?[0];
        self.last.insert(OutletId::new(end.id, 0), wire);
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
        let wire = if let Some(&(wire, factor)) = self.repeated.get(&outlet) {
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
