//! The model card: what a model is, was trained on and can do, in Markdown beside its manifest.

use std::fmt::Write;

use shared::{ColorOrder, ModelManifest, OperatingPoint};

use crate::history::Stage;

/// Heading of the thresholds, which `calibrate` fills in.
pub const OPERATING_POINTS: &str = "Operating points";
/// Heading of the accuracy, which `evaluate` fills in.
pub const ACCURACY: &str = "Accuracy";

/// A new model's card; nothing is measured yet. `stages` is empty for weights without a run.
pub fn render(manifest: &ModelManifest, stages: &[Stage], checkpoint: &str) -> String {
    let mut card = format!("# {}\n\n", manifest.name);
    let push = |card: &mut String, heading: &str, body: &str| {
        card.push_str(&format!("## {heading}\n\n{}\n\n", body.trim_end()));
    };
    card.push_str(&summary(manifest));
    push(&mut card, "Input", &input(manifest));
    push(&mut card, "Training data", &training_data(manifest));
    let unmeasured = |command: &str| {
        format!(
            "Not measured yet: `usher-train {command} --model {}.toml --lfw DIR`.",
            manifest.name
        )
    };
    push(&mut card, OPERATING_POINTS, &unmeasured("calibrate"));
    push(&mut card, ACCURACY, &unmeasured("evaluate"));
    push(&mut card, "Limits", LIMITS);
    push(
        &mut card,
        "How to make it again",
        &again(manifest, stages, checkpoint),
    );
    card.truncate(card.trim_end().len());
    card.push('\n');
    card
}

/// The card of a model that was trained elsewhere; nothing is measured yet.
pub fn render_imported(manifest: &ModelManifest, source: &str) -> String {
    let card = render(manifest, &[], "last");
    let card = with_section(&card, "Training data", "Not ours: see where it comes from.");
    let from = format!(
        "Trained by others and imported as it is. From: {source}\n\nLicence as stated on import: {}",
        manifest.licence
    );
    let recipe = &manifest.preprocessing;
    let order = match recipe.color_order {
        ColorOrder::Rgb => "rgb",
        ColorOrder::Bgr => "bgr",
    };
    let command = format!(
        "```\nusher-train import MODEL.onnx --name {} --size {} --scale {} --bias {} --order {order} \\\n  \
         --licence LICENCE --source SOURCE\n```",
        manifest.name,
        recipe.side_px,
        recipe.scale,
        // A plain 0 where there is none.
        0.0 - recipe.mean * recipe.scale,
    );
    let card = with_section(&card, "Where it comes from", &from);
    with_section(&card, "How to make it again", &command)
}

/// The card with another body under that heading; a heading that is not there is added at the end.
pub fn with_section(card: &str, heading: &str, body: &str) -> String {
    let title = format!("## {heading}");
    let mut lines = Vec::new();
    let mut inside = false;
    let mut found = false;
    for line in card.lines() {
        if line.starts_with("## ") {
            inside = line == title && !found;
            if inside {
                found = true;
                lines.extend([line, "", body.trim_end(), ""]);
                continue;
            }
        }
        if !inside {
            lines.push(line);
        }
    }
    if !found {
        lines.extend(["", &title, "", body.trim_end()]);
    }
    format!("{}\n", lines.join("\n").trim_end())
}

/// The thresholds as a table.
pub fn operating_points(points: &[OperatingPoint]) -> String {
    let mut table = "Distances are squared L2, 0 to 4; up to the threshold two faces count as one \
        person.\n\n| for | threshold | FMR | FNMR | impostor pairs | genuine pairs |\n\
        | --- | --- | --- | --- | --- | --- |\n"
        .to_owned();
    let rate = |rate: Option<f64>| {
        rate.map_or_else(|| "not measured".to_owned(), |rate| format!("{rate:.2e}"))
    };
    for point in points {
        // Writing to a String cannot fail.
        let _ = writeln!(
            table,
            "| {} | {:.4} | {} | {} | {} | {} |",
            point.name,
            point.threshold.value(),
            rate(point.fmr),
            rate(point.fnmr),
            point.impostor_pairs,
            point.genuine_pairs
        );
    }
    let mut told: Vec<&str> = Vec::new();
    for point in points {
        if !told.contains(&point.data.as_str()) {
            let _ = write!(table, "\n{}: {}\n", point.name, point.data);
            told.push(&point.data);
        }
    }
    table.push_str(
        "\nFMR is of one comparison. Against a gallery of N templates a stranger is met N times: \
         about 1 - (1 - FMR)^N.\n",
    );
    table
}

const LIMITS: &str = "An embedding says how alike two faces look, no more. The error rates hold \
for the pictures they were measured on: public figures in press photographs, most of them lit \
well, most of them adult, most of them white and male. They are worse for people who are rare in \
the training data, in bad light, in profile, behind a mask, and they say nothing about a \
photograph held up to the camera: the model does not tell a living face from a picture of one.";

fn summary(manifest: &ModelManifest) -> String {
    format!(
        "A face embedder: an aligned face becomes {} values of unit length; the squared L2 distance \
         of two says how alike they look.\n\n| | |\n| --- | --- |\n| network | {} |\n\
         | parameters | {} |\n| multiply-adds a face | {} |\n| file | {} |\n| SHA-256 | {} |\n\
         | licence | {} |\n\n",
        manifest.dimension,
        manifest.network,
        grouped(manifest.parameters),
        grouped(manifest.multiply_adds),
        manifest.onnx,
        manifest.sha256,
        manifest.licence
    )
}

fn input(manifest: &ModelManifest) -> String {
    let recipe = &manifest.preprocessing;
    format!(
        "`input`, f32 [N, 3, {side}, {side}]: the five landmarks moved onto the template {:?} by a \
         similarity, resampled by {:?}, color order {:?}, value = (byte - {}) * {}.\n\
         `embedding`, f32 [N, {}], each row of unit length.",
        recipe.alignment,
        recipe.resampling,
        recipe.color_order,
        recipe.mean,
        recipe.scale,
        manifest.dimension,
        side = recipe.side_px
    )
}

fn training_data(manifest: &ModelManifest) -> String {
    if manifest.training_data.is_empty() {
        return "Not known: the weights came without their run.".to_owned();
    }
    let mut table =
        "| source | pictures | identities | licence |\n| --- | --- | --- | --- |\n".to_owned();
    for data in &manifest.training_data {
        let _ = writeln!(
            table,
            "| {} | {} | {} | {} |",
            data.name,
            grouped(data.pictures),
            grouped(data.identities),
            data.licence
        );
    }
    table
}

fn again(manifest: &ModelManifest, stages: &[Stage], checkpoint: &str) -> String {
    let export = format!(
        "usher-train export --run RUN-{} --checkpoint {checkpoint} --name {} --models models",
        stages.len().max(1),
        manifest.name
    );
    let mut text = String::new();
    for (index, stage) in stages.iter().enumerate() {
        // The best checkpoint is the one that a validation found best.
        let validate = match checkpoint {
            "best" if index + 1 == stages.len() => " --validate LFW",
            _ => "",
        };
        let (run, init) = match index {
            0 => ("RUN-1".to_owned(), String::new()),
            _ => (
                format!("RUN-{}", index + 1),
                format!(" --init RUN-{index}/last.safetensors"),
            ),
        };
        let _ = write!(
            text,
            "With this as `config.toml`:\n\n```toml\n{}\n```\n\n```\nusher-train train --config \
             config.toml --data DATA --run {run}{init}{validate}\n```\n\n",
            stage.recipe.trim_end()
        );
        let sources = &stage.data.sources;
        let pictures: u64 = sources.iter().map(|source| source.pictures).sum();
        let names: Vec<&str> = sources.iter().map(|source| source.name.as_str()).collect();
        let _ = write!(
            text,
            "DATA were {} pictures (SHA-256 {}): {}.",
            grouped(pictures),
            stage.data.sha256,
            names.join("; ")
        );
        if let Some(effort) = stage.effort {
            let _ = write!(
                text,
                " The weights are those after {} steps: {} pictures seen in {:.0} minutes.",
                grouped(effort.step),
                grouped(effort.pictures),
                effort.seconds / 60.0
            );
        }
        text.push_str("\n\n");
    }
    text + &format!("```\n{export}\n```")
}

/// A number with its thousands apart: 1,003,136.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_is_replaced_and_the_rest_kept() {
        let card = "# x\n\n## A\n\nold\n\n- more\n\n## B\n\nkept\n";
        let card = with_section(card, "A", "new\n");
        assert_eq!(card, "# x\n\n## A\n\nnew\n\n## B\n\nkept\n");
        let card = with_section(&card, "B", "last");
        assert_eq!(card, "# x\n\n## A\n\nnew\n\n## B\n\nlast\n");
        let card = with_section(&card, "C", "added");
        assert!(card.ends_with("last\n\n## C\n\nadded\n"), "{card}");
    }

    #[test]
    fn thousands_stand_apart() {
        for (number, text) in [
            (0, "0"),
            (999, "999"),
            (1000, "1,000"),
            (71_860_032, "71,860,032"),
        ] {
            assert_eq!(grouped(number), text);
        }
    }
}
