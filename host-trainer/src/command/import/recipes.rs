//! Whether another recipe than the one stated suits an imported network better.
//!
//! A network fed with the wrong color order or range still works, only worse: nothing fails, and
//! nobody is told. So some faces of LFW's View 1 are embedded by the likely recipes.

use std::collections::BTreeSet;
use std::path::Path;

use shared::{
    AlignedFace, ColorOrder, Detector, Embedder, Embedding, ModelManifest, Preprocessing,
    SquaredL2, picture,
};

use crate::dataset::lfw::{Lfw, VIEW_1_TRAIN};
use crate::embeddings::{PORTRAIT_DETECTOR_SIDE_PX, most_central};
use crate::parallel;
use crate::verification::pairs::{Pair, PictureId};

/// Pairs compared, half of them genuine.
const PAIRS: usize = 60;
/// Likely ranges: (mean, scale), in words.
const RANGES: [(f32, f32, &str); 3] = [
    (0.0, 1.0, "--scale 1 --bias 0"),
    (0.0, 1.0 / 255.0, "--scale 0.00392157 --bias 0"),
    (127.5, 1.0 / 127.5, "--scale 0.00784314 --bias -1"),
];
/// What is better by less may be chance on so few pairs.
const NOTABLE: f64 = 1.1;

/// Prints how far apart each recipe keeps genuine and impostor pairs, and warns if another does
/// better than the one stated.
///
/// # Errors
/// If LFW, the detector or the network is unusable.
pub(super) fn compare(
    path: &Path,
    manifest: &ModelManifest,
    detector: &Path,
    lfw: &Path,
) -> anyhow::Result<()> {
    let (pairs, faces) = faces(&manifest.preprocessing, detector, lfw)?;
    let mut results = Vec::new();
    for (recipe, words) in recipes(&manifest.preprocessing) {
        let trial = path.with_file_name("recipe.toml");
        let manifest = ModelManifest {
            preprocessing: recipe,
            ..manifest.clone()
        };
        manifest.write(&trial)?;
        let start = || Ok::<_, anyhow::Error>(Embedder::load(&trial)?);
        let embed = |embedder: &mut Embedder, face: &Option<AlignedFace>| {
            let recipe = &embedder.manifest().preprocessing;
            let input = face.as_ref().map(|face| recipe.normalize(face));
            // A recipe that is far off may leave an embedding without direction: no use either.
            Ok(input.and_then(|input| embedder.embed(&input).ok()))
        };
        let embeddings = parallel::map(&faces, parallel::cores(), ("faces", |_| 1), start, embed)?;
        std::fs::remove_file(&trial)?;
        let separation = separation(&pairs, &embeddings).unwrap_or_default();
        eprintln!("separation {separation:.2}: {words}");
        results.push((separation, words));
    }
    let stated = results[0].0;
    let best = results.iter().max_by(|a, b| a.0.total_cmp(&b.0));
    if let Some((separation, words)) = best
        && *separation > stated.max(0.0) * NOTABLE
    {
        eprintln!(
            "warning: {words} keeps people apart better than the recipe stated ({separation:.2} against {stated:.2}): is it the one it was trained with? Import again so, with --force"
        );
    }
    Ok(())
}

/// Pairs of View 1, as indices, and the faces that they compare.
type Compared = (Vec<(usize, usize, bool)>, Vec<Option<AlignedFace>>);

fn faces(recipe: &Preprocessing, detector: &Path, lfw: &Path) -> anyhow::Result<Compared> {
    let lfw = Lfw::new(lfw);
    let pairs: Vec<Pair> = lfw.pairs(VIEW_1_TRAIN)?.folds.concat();
    // Genuine pairs lead the list, impostors end it.
    let half = (PAIRS / 2).min(pairs.len() / 2);
    let pairs = [&pairs[..half], &pairs[pairs.len() - half..]].concat();
    let wanted: BTreeSet<PictureId> = pairs
        .iter()
        .flat_map(|pair| [pair.first.clone(), pair.second.clone()])
        .collect();
    let pictures = lfw.pictures(&wanted)?;
    let mut detector = Detector::load(detector, PORTRAIT_DETECTOR_SIDE_PX)?;
    let mut faces = Vec::new();
    for (id, bytes) in &pictures {
        let frame = picture::decode(bytes, &id.path())?;
        let found = detector.detect(&frame)?;
        let face = most_central(&found, frame.width_px(), frame.height_px());
        faces.push(face.and_then(|face| recipe.align(&frame, &face.landmarks).ok()));
    }
    let place = |id: &PictureId| pictures.keys().position(|known| known == id);
    let indexed = pairs
        .iter()
        .filter_map(|pair| Some((place(&pair.first)?, place(&pair.second)?, pair.is_genuine())));
    Ok((indexed.collect(), faces))
}

/// The recipe stated, then likely others, each with its options in words.
fn recipes(stated: &Preprocessing) -> Vec<(Preprocessing, String)> {
    let mut recipes = vec![(stated.clone(), "as stated".to_owned())];
    for (order, flag) in [(ColorOrder::Rgb, "rgb"), (ColorOrder::Bgr, "bgr")] {
        for (mean, scale, range) in RANGES {
            let near = |a: f32, b: f32| (a - b).abs() <= 0.02 * a.abs().max(b.abs());
            let same =
                order == stated.color_order && near(mean, stated.mean) && near(scale, stated.scale);
            if !same {
                let recipe = Preprocessing {
                    color_order: order,
                    mean,
                    scale,
                    ..stated.clone()
                };
                recipes.push((recipe, format!("{range} --order {flag}")));
            }
        }
    }
    recipes
}

/// How far impostor distances lie above genuine ones, in their common standard deviation (d'); none
/// with fewer than two of either kind.
fn separation(pairs: &[(usize, usize, bool)], embeddings: &[Option<Embedding>]) -> Option<f64> {
    let mut distances = [Vec::new(), Vec::new()];
    for (first, second, genuine) in pairs {
        if let (Some(first), Some(second)) = (&embeddings[*first], &embeddings[*second]) {
            let distance = f64::from(SquaredL2::between(first, second).value());
            distances[usize::from(*genuine)].push(distance);
        }
    }
    let moments = |values: &[f64]| {
        let count = values.len() as f64;
        let mean = values.iter().sum::<f64>() / count;
        let squares = values.iter().map(|value| (value - mean).powi(2));
        (values.len() > 1).then(|| (mean, squares.sum::<f64>() / (count - 1.0)))
    };
    let [impostor, genuine] = &distances;
    let ((far, far_variance), (near, near_variance)) = (moments(impostor)?, moments(genuine)?);
    let deviation = ((far_variance + near_variance) / 2.0).sqrt();
    (deviation > 0.0).then(|| (far - near) / deviation)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn separation_is_in_standard_deviations() {
        let at = |x: f32| Some(Embedding::from_raw(vec![x, 1.0]).unwrap());
        let embeddings = [at(0.0), at(0.1), at(0.2), at(3.0), at(5.0), None];
        let genuine = [(0, 1, true), (0, 2, true), (0, 5, true)];
        let impostor = [(0, 3, false), (0, 4, false)];
        let pairs = [&genuine[..], &impostor].concat();
        // Squared distances 2 - 2 cos: genuine .0099258, .0388386; impostor 1.367544, 1.607768.
        let found = separation(&pairs, &embeddings).unwrap();
        // numpy: (1.487656 - .0243822) / sqrt((.0288538 + .000417977) / 2)
        assert!((found - 12.0954).abs() < 0.01, "{found}");
        assert_eq!(separation(&genuine, &embeddings), None);
    }

    #[test]
    fn the_stated_recipe_is_not_tried_twice() {
        let stated = Preprocessing::usher(112);
        let recipes = recipes(&stated);
        // 1/128 and 1/127.5 are one range: of six likely recipes one is the stated.
        assert_eq!(recipes.len(), 6);
        assert_eq!(recipes[0].0, stated);
    }
}
