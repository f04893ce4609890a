//! `evaluate --against`: whether a new model's probes match an older model's templates.

use std::path::Path;

use serde::Serialize;
use shared::ModelManifest;

use super::Arguments;
use crate::dataset::lfw::{Lfw, VIEW_2};
use crate::evaluation::evaluate::named;
use crate::evaluation::measure::measure;
use crate::evaluation::report::Measured;
use crate::verification::compatibility::{check, crossings};
use crate::verification::faces;

/// False accept rates that are compared.
const FALSE_ACCEPT_RATES: [f64; 2] = [1e-2, 1e-3];

#[derive(Serialize)]
struct Report {
    /// New against new, new against old, old against old.
    comparisons: Vec<Comparison>,
    /// Whether new probes match old templates at least as well as old probes do.
    compatible: bool,
}

/// One model's probes with the same or the other model's templates.
#[derive(Serialize)]
struct Comparison {
    probe: String,
    template: String,
    #[serde(flatten)]
    result: Measured,
}

/// Evaluates the model of `arguments` against the one at `old`.
///
/// # Errors
/// If a model or the data are unusable, or the models cannot be compared.
pub(super) fn run(arguments: &Arguments, lfw: &Path, old: &Path) -> anyhow::Result<()> {
    let new = &arguments.embedding.model;
    let manifests = [ModelManifest::read(new)?, ModelManifest::read(old)?];
    check(&manifests[0], &manifests[1])?;
    let lfw = Lfw::new(lfw);
    let list = lfw.pairs(VIEW_2)?;
    let pictures = lfw.pictures(&list.pictures())?;
    let new = faces::embed(&pictures, &arguments.embedding.source())?;
    let old = faces::embed(&pictures, &arguments.embedding.source_of(old.to_owned()))?;
    let [new_name, old_name] = manifests.each_ref().map(named);
    let names = [
        (&new_name, &new_name),
        (&new_name, &old_name),
        (&old_name, &old_name),
    ];
    let folds = crossings(&list, &new, &old);
    let comparisons = names
        .into_iter()
        .zip(folds)
        .map(|((probe, template), folds)| {
            Ok(Comparison {
                probe: probe.clone(),
                template: template.clone(),
                result: measure(&folds, None, &FALSE_ACCEPT_RATES)?,
            })
        });
    let comparisons: Vec<Comparison> = comparisons.collect::<anyhow::Result<_>>()?;
    let accuracy = |index: usize| comparisons[index].result.cross_validation.accuracy;
    let report = Report {
        compatible: accuracy(1) >= accuracy(2),
        comparisons,
    };
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        print!("{}", text(&report));
    }
    Ok(())
}

fn text(report: &Report) -> String {
    let names = report.comparisons.iter();
    let widest = names.map(|comparison| comparison.probe.len()).max();
    let width = widest.unwrap_or(0).max("template".len());
    let mut text = format!(
        "LFW View 2, {} pairs: the first picture by one model, the second by the same or the other.\n\
         {:<width$}  {:<width$}  {:>16}  {:>9}",
        report.comparisons[0].result.pairs, "probe", "template", "right", "threshold"
    );
    for far in FALSE_ACCEPT_RATES {
        text.push_str(&format!("  {:>13}", format!("VAL at {far:.0e}")));
    }
    for comparison in &report.comparisons {
        let result = &comparison.result.cross_validation;
        let right = format!(
            "{:.2} % ± {:.2}",
            result.accuracy * 100.0,
            result.standard_error * 100.0
        );
        text.push_str(&format!(
            "\n{:<width$}  {:<width$}  {right:>16}  {:>9.4}",
            comparison.probe, comparison.template, result.threshold
        ));
        for far in FALSE_ACCEPT_RATES {
            let val = comparison.result.val.iter().find(|val| val.far == far);
            let val = val.map_or("-".to_owned(), |val| format!("{:.2} %", val.val * 100.0));
            text.push_str(&format!("  {val:>13}"));
        }
    }
    text.push_str(if report.compatible {
        "\nCompatible: probes of the new model match the old one's templates as well as its own do.\n"
    } else {
        "\nNot compatible: probes of the new model match the old one's templates worse than its own \
         do; enroll again, or train with --compatible-with.\n"
    });
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verification::folds::Comparison as Pair;

    #[test]
    fn the_table_names_both_models_and_the_verdict() {
        let pairs = |genuine: f32| -> Vec<Pair> {
            let pair = |distance, genuine| Pair {
                distance: Some(distance),
                genuine,
            };
            vec![pair(genuine, true), pair(1.0, false), pair(2.0, false)]
        };
        let comparison = |probe: &str, template: &str, genuine| Comparison {
            probe: probe.to_owned(),
            template: template.to_owned(),
            result: measure(&[pairs(genuine), pairs(genuine)], None, &FALSE_ACCEPT_RATES).unwrap(),
        };
        let mut report = Report {
            comparisons: vec![
                comparison("v2 11", "v2 11", 0.5),
                comparison("v2 11", "v1 22", 0.5),
                comparison("v1 22", "v1 22", 0.5),
            ],
            compatible: true,
        };
        let shown = text(&report);
        let lines: Vec<&str> = shown.lines().collect();
        assert_eq!(
            lines[3],
            "v2 11     v1 22      100.00 % ± 0.00     0.7500              -              -"
        );
        assert!(lines[5].starts_with("Compatible"), "{shown}");
        report.compatible = false;
        assert!(text(&report).contains("enroll again"));
    }
}
