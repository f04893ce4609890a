//! What int8 templates cost: decisions on LFW's View 2 that differ from those with f32 templates.
//!
//! A measurement, since LFW's pictures are embedded for it (minutes, unless the cache has them):
//! `cargo test --workspace --test compact_templates -- --ignored --nocapture`. Needs LFW beside the checkout
//! (`../shared/data/lfw`, or the folder in `USHER_LFW`).
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::path::{Path, PathBuf};

use host_trainer::embeddings::Source;
use host_trainer::evaluation::embedded::Embedded;
use host_trainer::evaluation::material::Material;
use shared::gallery::search::{compact, expand};
use shared::{ModelManifest, SquaredL2};

#[test]
#[ignore = "a measurement: cargo test --workspace --test compact_templates -- --ignored --nocapture"]
fn int8_templates_decide_as_f32_ones_but_at_the_threshold_itself() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let beside = || root.join("../shared/data/lfw");
    let lfw = std::env::var_os("USHER_LFW").map_or_else(beside, PathBuf::from);
    let model = root.join("models/usher-small.toml");
    let manifest = ModelManifest::read(&model).unwrap();
    let source = Source {
        model,
        detector: root.join("models/yunet.onnx"),
        detector_side_px: None,
        cache: std::env::home_dir().map(|home| home.join(".cache/usher/embeddings")),
    };
    let material = Material::lfw(("View 2", &lfw, "pairs.txt"), None, false).unwrap();
    let embedded = Embedded::new(&material, &source).unwrap();
    let mut distances = Vec::new();
    for [first, second] in material.pairs() {
        let face = |place: usize| embedded.embeddings[place].as_ref();
        let (Some(template), Some(probe)) = (face(first), face(second)) else {
            continue;
        };
        let int8 = expand(&compact(template)).unwrap();
        distances.push((
            SquaredL2::between(template, probe).value(),
            SquaredL2::between(&int8, probe).value(),
        ));
    }
    assert_eq!(distances.len(), 6000);
    let most = distances
        .iter()
        .map(|(f32, int8)| (f32 - int8).abs())
        .fold(0.0, f32::max);
    println!("6,000 pairs, one of each as int8: distances differ by {most:.4} at most");
    for point in &manifest.operating_points {
        let threshold = point.threshold;
        let accepts = |distance| distance <= threshold.value();
        let flipped: Vec<f32> = distances
            .iter()
            .filter(|(f32, int8)| accepts(*f32) != accepts(*int8))
            .map(|(f32, _)| (f32 - threshold.value()).abs())
            .collect();
        let outside = flipped.iter().filter(|&&from| from > 1e-3).count();
        println!(
            "{:>16}, D {:.4}: {} decisions differ, {outside} of them more than 1e-3 from D",
            point.name,
            threshold.value(),
            flipped.len(),
        );
        assert_eq!(outside, 0, "at the point {}", point.name);
    }
}
