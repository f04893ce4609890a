//! `usher-train describe`: what a network is and costs.

use serde::Serialize;

use crate::network::graph::{self, LayerGraph};
use crate::network::{self, DEFAULT_DIMENSION, Spec};

/// Print a network's layers, parameters and multiply-adds
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: usher-train describe nn1 --json")]
pub struct Arguments {
    /// nn1 or mobilefacenet
    network: String,
    /// Values in an embedding
    #[arg(long, default_value_t = DEFAULT_DIMENSION)]
    dimension: usize,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Description {
    network: String,
    input: [usize; 3],
    embedding: usize,
    parameters: u64,
    multiply_adds: u64,
    layers: Vec<Layer>,
}

#[derive(Serialize)]
struct Layer {
    name: String,
    op: &'static str,
    output: [usize; 3],
    parameters: u64,
    multiply_adds: u64,
}

fn describe(network: &LayerGraph) -> Description {
    let layers = network.nodes().iter().map(|node| Layer {
        name: node.name.clone(),
        op: node.op.name(),
        output: [node.shape.channels, node.shape.height, node.shape.width],
        parameters: graph::count(&network.node_parameters(node)),
        multiply_adds: network.node_multiply_adds(node),
    });
    let input = network.input();
    Description {
        network: network.name().to_owned(),
        input: [input.channels, input.height, input.width],
        embedding: network.dimension(),
        parameters: network.parameter_count(),
        multiply_adds: network.multiply_adds(),
        layers: layers.collect(),
    }
}

/// Prints the description.
///
/// # Errors
/// If there is no network of that name.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let description = describe(&network::build(&Spec {
        dimension: arguments.dimension,
        ..Spec::new(&arguments.network)
    })?);
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&description)?);
        return Ok(());
    }
    let row = |name: &str, op: &str, output: &str, parameters: u64, multiply_adds: u64| {
        println!("{name:<26} {op:<14} {output:>12} {parameters:>12} {multiply_adds:>14}");
    };
    println!(
        "{:<26} {:<14} {:>12} {:>12} {:>14}",
        "layer", "operator", "output", "parameters", "multiply-adds"
    );
    for layer in &description.layers {
        let [channels, height, width] = layer.output;
        let output = format!("{channels}x{height}x{width}");
        row(
            &layer.name,
            layer.op,
            &output,
            layer.parameters,
            layer.multiply_adds,
        );
    }
    row(
        &description.network,
        "in all",
        &description.embedding.to_string(),
        description.parameters,
        description.multiply_adds,
    );
    Ok(())
}
