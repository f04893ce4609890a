//! `study jpeg` and `study size`: one model on pictures made worse.

use std::path::PathBuf;

use shared::ModelManifest;

use super::{Output, tell};
use crate::dataset::lfw::Lfw;
use crate::study::change::Change;
use crate::study::measure::View1;
use crate::study::paper::{self, PaperVal};
use crate::study::{Kind, Row, Study, faces};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The model's manifest
    #[arg(long)]
    model: PathBuf,
    /// Folder with pairsDevTrain.txt, pairsDevTest.txt and the pictures
    #[arg(long)]
    lfw: PathBuf,
    /// The face detector
    #[arg(long, default_value = "models/yunet.onnx")]
    detector: PathBuf,
    /// Most pairs of either list, half genuine [default: all, 2,200 and 1,000]
    #[arg(long, value_parser = clap::value_parser!(u16).range(20..))]
    pairs: Option<u16>,
    #[command(flatten)]
    output: Output,
}

/// A value of the study: how it is shown, what it does, what the paper found.
type Value = (String, Change, Option<PaperVal>);

pub(super) fn run(kind: Kind, arguments: &Arguments) -> anyhow::Result<()> {
    let manifest = ModelManifest::read(&arguments.model)?;
    let side_px = manifest.preprocessing.side_px;
    let values = values(kind, side_px);
    let lfw = Lfw::new(&arguments.lfw);
    let view = View1::read(&lfw, arguments.pairs.map(usize::from))?;
    let pictures = lfw.pictures(&view.pictures())?;
    let changes: Vec<Change> = values.iter().map(|(_, change, _)| *change).collect();
    let faces = faces::embed(
        &pictures,
        &view.measured_pictures(),
        &changes,
        &arguments.detector,
        &arguments.model,
    )?;
    let threshold = view.threshold(&faces.as_is)?;
    let rows = values.into_iter().zip(&faces.changed);
    let rows = rows.map(|((value, _, paper), embeddings)| Row {
        value,
        measured: Some(view.measure(threshold, embeddings)),
        paper,
    });
    let rows = rows.collect();
    let compared = view.comparisons(&faces.as_is);
    let lost = faces.as_is.values().filter(|face| face.is_none()).count();
    let mut about = vec![
        format!(
            "{} {} on LFW's View 1 (never View 2): {} pairs of its test list, by the threshold {:.4} \
             (squared L2) that is best on {} pairs of its training list, pictures as they are.",
            manifest.name,
            manifest.model_id(),
            view.measure.len(),
            threshold,
            view.choose.len()
        ),
        format!(
            "AUC and VAL: every comparison among the test list's {} pictures, {} genuine and {} \
             impostor. No face found in {lost} pictures of both lists; they are left out.",
            view.measured_pictures().len(),
            compared.genuine_count(),
            compared.impostor_count()
        ),
    ];
    about.push(match kind {
        Kind::Size => format!(
            "The face is cut out at that size and scaled to the network's {side_px}x{side_px}. These \
             pictures show it at {0:.0}x{0:.0} (median): larger cuts add pixels, not detail.",
            faces.side_px
        ),
        _ => "The picture passes through a JPEG file, on top of its own compression; the alignment \
              found on the original is kept."
            .to_owned(),
    });
    about.push(
        "The paper's column, its Table 4: NN1 (220x220) on the first split of a private hold-out, \
         trained on 100-200 million private pictures. Other data, another network: compare the \
         course, not the height."
            .to_owned(),
    );
    let study = Study {
        study: kind,
        about,
        rows,
    };
    tell(&study, &arguments.output)
}

/// The paper's values from small to large, then, or where it belongs, the picture as it is.
fn values(kind: Kind, own_side: u32) -> Vec<Value> {
    let pixels = |side: u32| format!("{side}x{side}");
    if kind == Kind::Jpeg {
        let qualities = paper::JPEG.iter();
        let mut values: Vec<Value> = qualities
            .map(|(quality, val)| (quality.to_string(), Change::Jpeg(*quality), Some(*val)))
            .collect();
        values.push(("as it is".to_owned(), Change::AsIs, None));
        return values;
    }
    let mut sides: Vec<(u32, Value)> = paper::SIDE
        .iter()
        .map(|(side, val)| (*side, (pixels(*side), Change::Side(*side), Some(*val))))
        .collect();
    if sides.iter().all(|(side, _)| *side != own_side) {
        let own = format!("{} (own)", pixels(own_side));
        sides.push((own_side, (own, Change::AsIs, None)));
    }
    sides.sort_by_key(|(side, _)| *side);
    sides.into_iter().map(|(_, value)| value).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_of_the_paper_is_there_and_the_picture_as_it_is() {
        let jpeg = values(Kind::Jpeg, 112);
        assert_eq!(jpeg.len(), 7);
        assert_eq!(jpeg[0].1, Change::Jpeg(10));
        assert_eq!(jpeg[6].1, Change::AsIs);
        let sides = |own| -> Vec<String> {
            let values = values(Kind::Size, own).into_iter();
            values.map(|(name, ..)| name).collect()
        };
        let with = [
            "40x40",
            "80x80",
            "112x112 (own)",
            "120x120",
            "160x160",
            "256x256",
        ];
        assert_eq!(sides(112), with);
        // A network of a size that the paper has, too.
        assert_eq!(sides(160).len(), 5);
    }
}
