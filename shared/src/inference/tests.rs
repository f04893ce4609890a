//! Networks by our operators against the same networks by tract's alone.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::kernel::Kernel;
use super::*;

/// Of the largest value of an output, or of what it could be.
const TOLERANCE: f32 = 1e-5;

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
        let mut model = file.prepare_by(shape, Operators::Ours(kernel)).unwrap();
        assert_eq!(model.outputs(), by_tract.outputs(), "{name}");
        let nodes = model.state.model().nodes().iter();
        ours = nodes
            .filter(|node| node.op.name().starts_with("Usher"))
            .count();
        // Twice: the memory of the first run is used again.
        for _ in 0..2 {
            let found = model.run(&input).unwrap();
            for ((found, expected), output) in found.iter().zip(&expected).zip(model.outputs()) {
                let largest = expected
                    .iter()
                    .fold(0.0_f32, |largest, e| largest.max(e.abs()));
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
        }
    }
    ours
}

fn model(name: &str) -> Option<OnnxFile> {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../models")
        .join(name);
    match std::fs::read(&path) {
        Ok(bytes) => Some(OnnxFile::parse(&bytes).unwrap()),
        Err(_) => {
            eprintln!("SKIPPED: no {name}; run scripts/setup");
            None
        }
    }
}

#[test]
fn the_detector_agrees() {
    let Some(file) = model("yunet.onnx") else {
        return;
    };
    let mut draw = ChaCha8Rng::seed_from_u64(91);
    for (height, width) in [(192, 320), (320, 256), (32, 32)] {
        let ours = agree(
            "yunet",
            &file,
            &[1, 3, height, width],
            &mut draw,
            (0.0, 255.0),
        );
        // 53 convolutions, 4 pools, 2 sums.
        assert_eq!(ours, 59, "{height} x {width}");
    }
}

#[test]
fn the_embedder_agrees() {
    let Some(file) = model("usher-small.onnx") else {
        return;
    };
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
