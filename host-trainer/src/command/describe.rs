//! `usher-train describe`: what a network is and costs, or all of them beside the paper's figures.

use anyhow::Context;
use serde::Serialize;

use crate::network::graph::{self, LayerGraph};
use crate::network::{self, DEFAULT_DIMENSION, NAMES, Spec};

/// Print a network's layers, parameters and multiply-adds, or those of all networks
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  usher-train describe nn4 --batch-norm true\n  \
                        usher-train describe --all --json"
)]
pub struct Arguments {
    /// Name of the network
    #[arg(value_parser = clap::builder::PossibleValuesParser::new(NAMES), required_unless_present = "all")]
    network: Option<String>,
    /// Print one line for each network instead
    #[arg(long, conflicts_with = "network")]
    all: bool,
    /// Values in an embedding, 64 to 512
    #[arg(long, default_value_t = DEFAULT_DIMENSION)]
    dimension: usize,
    /// Factor of channels and hidden units
    #[arg(long, default_value_t = 1.0)]
    width: f64,
    /// Whether batch normalization follows each convolution [default: as the network's paper has it]
    #[arg(long)]
    batch_norm: Option<bool>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Arguments {
    fn build(&self, name: &str) -> anyhow::Result<LayerGraph> {
        let spec = Spec {
            name: name.to_owned(),
            dimension: self.dimension,
            batch_norm: self.batch_norm,
            width: self.width,
        };
        Ok(network::build(&spec)?)
    }
}

/// What a network's paper says of it, as rounded there.
const PAPERS: [(&str, &str, &str); 7] = [
    // FaceNet, Table 3, and section 3.3 for NNS1 and NNS2.
    ("nn1-maxout", "140 M", "1.6 G"),
    ("nn2", "7.5 M", "1.6 G"),
    ("nn3", "7.5 M", "815 M"),
    ("nn4", "6.6 M", "285 M"),
    ("nns1", "26 M", "220 M"),
    ("nns2", "4.3 M", "20 M"),
    // MobileFaceNets (arXiv:1804.07573).
    ("mobilefacenet", "0.99 M", "221 M"),
];

#[derive(Serialize)]
struct Description {
    network: String,
    input: [usize; 3],
    embedding: usize,
    batch_norm: bool,
    parameters: u64,
    multiply_adds: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    paper: Option<Paper>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    layers: Vec<Layer>,
}

/// The paper's figures.
#[derive(Serialize)]
struct Paper {
    parameters: &'static str,
    multiply_adds: &'static str,
}

#[derive(Serialize)]
struct Layer {
    name: String,
    op: &'static str,
    output: [usize; 3],
    parameters: u64,
    multiply_adds: u64,
}

/// The network in figures, its layers left out.
fn describe(network: &LayerGraph) -> Description {
    let input = network.input();
    let paper = PAPERS.iter().find(|row| row.0 == network.name());
    Description {
        network: network.name().to_owned(),
        input: [input.channels, input.height, input.width],
        embedding: network.dimension(),
        batch_norm: network.has_batch_norm(),
        parameters: network.parameter_count(),
        multiply_adds: network.multiply_adds(),
        paper: paper.map(|(_, parameters, multiply_adds)| Paper {
            parameters,
            multiply_adds,
        }),
        layers: Vec::new(),
    }
}

fn layers(network: &LayerGraph) -> Vec<Layer> {
    let layer = |node: &graph::Node| Layer {
        name: node.name.clone(),
        op: node.op.name(),
        output: [node.shape.channels, node.shape.height, node.shape.width],
        parameters: graph::count(&network.node_parameters(node)),
        multiply_adds: network.node_multiply_adds(node),
    };
    network.nodes().iter().map(layer).collect()
}

/// Prints the description.
///
/// # Errors
/// If there is no such network.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    if arguments.all {
        let networks = NAMES.iter().map(|name| arguments.build(name));
        let descriptions: anyhow::Result<Vec<Description>> =
            networks.map(|network| Ok(describe(&network?))).collect();
        return print_all(&descriptions?, arguments.json);
    }
    let name = arguments.network.as_deref();
    let network = arguments.build(name.context("expected a network's name, or --all")?)?;
    let description = Description {
        layers: layers(&network),
        ..describe(&network)
    };
    print_one(&description, arguments.json)
}

fn print_all(descriptions: &[Description], json: bool) -> anyhow::Result<()> {
    if json {
        println!("{}", serde_json::to_string_pretty(descriptions)?);
        return Ok(());
    }
    println!(
        "{:<20} {:>9} {:>5} {:>12} {:>7} {:>14} {:>7}",
        "network", "face", "norm", "parameters", "paper", "multiply-adds", "paper"
    );
    for it in descriptions {
        let [_, height, width] = it.input;
        let (parameters, multiply_adds) = it
            .paper
            .as_ref()
            .map_or(("", ""), |paper| (paper.parameters, paper.multiply_adds));
        println!(
            "{:<20} {:>9} {:>5} {:>12} {parameters:>7} {:>14} {multiply_adds:>7}",
            it.network,
            format!("{height}x{width}"),
            if it.batch_norm { "batch" } else { "" },
            it.parameters,
            it.multiply_adds,
        );
    }
    eprintln!("The paper gives no layers of nns1 and nns2: these are ours within its budgets.");
    Ok(())
}

fn print_one(description: &Description, json: bool) -> anyhow::Result<()> {
    if json {
        println!("{}", serde_json::to_string_pretty(description)?);
        return Ok(());
    }
    let names = description.layers.iter().map(|layer| layer.name.len());
    let wide = names.max().unwrap_or_default();
    let row = |name: &str, op: &str, output: &str, parameters: u64, multiply_adds: u64| {
        println!("{name:<wide$} {op:<17} {output:>12} {parameters:>12} {multiply_adds:>14}");
    };
    println!(
        "{:<wide$} {:<17} {:>12} {:>12} {:>14}",
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

#[cfg(test)]
mod tests {
    use super::*;

    /// A paper's figure, such as "1.6 G", and half of its last digit.
    fn parsed(figure: &str) -> (f64, f64) {
        let (number, unit) = figure.split_once(' ').unwrap();
        let unit = if unit == "G" { 1e9 } else { 1e6 };
        let digits = number.split_once('.').map_or(0, |(_, behind)| behind.len());
        let number: f64 = number.parse().unwrap();
        (number * unit, 0.5 * unit / 10f64.powi(digits as i32))
    }

    #[test]
    fn networks_round_to_their_papers_figures() {
        let exact = ["nn1-maxout", "nn2", "nn3", "nn4"];
        for (name, parameters, multiply_adds) in PAPERS {
            let network = network::build(&Spec::new(name)).unwrap();
            for (found, figure) in [
                (network.parameter_count(), parameters),
                (network.multiply_adds(), multiply_adds),
            ] {
                let (expected, half_a_digit) = parsed(figure);
                // Ours; or, for MobileFaceNet, counted with batch norm.
                let near = if exact.contains(&name) {
                    half_a_digit * 1.001
                } else {
                    expected * 0.02
                };
                let off = (found as f64 - expected).abs();
                assert!(off <= near, "{name}: {found} is not {figure}");
            }
        }
    }
}
