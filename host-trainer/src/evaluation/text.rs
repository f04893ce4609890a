//! A report in words, for a terminal and for a model's card.

use std::fmt::Write;
use std::path::Path;

use super::report::{Report, Sweep, SweepKind, WorstPair};
use crate::model_card::grouped;
use crate::verification::groups::{GroupRate, GroupTable};
use crate::verification::histogram::Histogram;
use crate::verification::identification::{Identification, Spread};
use crate::verification::interval::RULE_OF_30;
use crate::verification::rates::in_short;

/// Columns of a drawn histogram.
const COLUMNS: usize = 40;

/// A share as a percentage: one digit behind the point, two where there is nothing before it.
pub fn percent(share: f64) -> String {
    match share {
        share if share > 0.0 && share < 0.01 => format!("{:.2} %", share * 100.0),
        share => format!("{:.1} %", share * 100.0),
    }
}

/// An interval: "1.0e-3 to 2.0e-3"; a dash where there is none.
pub fn bounds(interval: Option<[f64; 2]>, show: impl Fn(f64) -> String) -> String {
    match interval {
        Some([low, high]) => format!("{} to {}", show(low).trim_end_matches(" %"), show(high)),
        None => "-".to_owned(),
    }
}

/// The whole report for a terminal.
pub fn text(report: &Report) -> String {
    // Writing to a String cannot fail.
    let mut text = String::new();
    let data = &report.data;
    let _ = write!(
        text,
        "{} on {}: {} pictures of {} people, {}\n\n",
        report.model,
        data.name,
        grouped(data.pictures as u64),
        grouped(data.people as u64),
        faces(report)
    );
    let mut line = |name: &str, value: String, said: String| {
        let _ = writeln!(text, "{name:<9} {value:<16} {said}");
    };
    let result = &report.measured.cross_validation;
    line(
        "accuracy",
        format!(
            "{:.2} % ± {:.2}",
            result.accuracy * 100.0,
            result.standard_error * 100.0
        ),
        format!(
            "of {} pairs; mean and standard error of {} folds, D of each chosen on the others",
            grouped(report.measured.pairs as u64),
            result.folds.len()
        ),
    );
    line(
        "",
        format!("{:.2} %", result.accuracy_of_all * 100.0),
        format!(
            "with {} pairs without a face counted as wrong",
            grouped(report.measured.pairs_not_found as u64)
        ),
    );
    line(
        "D",
        format!("{:.4}", result.threshold),
        "on average; squared L2, 0 to 4: up to it two faces count as one person".to_owned(),
    );
    let folds = result.folds.iter();
    line(
        "  by fold",
        String::new(),
        folds
            .clone()
            .map(|fold| format!("{:>6.3}", fold.threshold))
            .collect(),
    );
    line(
        "  right",
        String::new(),
        folds
            .map(|fold| format!("{:>6.1}", fold.accuracy * 100.0))
            .collect::<String>()
            + " %",
    );
    let at = &report.at_threshold;
    line(
        "at D",
        format!("FMR {}", percent(at.fmr)),
        format!(
            "{} (95 %, people drawn anew)",
            bounds(at.fmr_interval, percent)
        ),
    );
    line(
        "",
        format!("FNMR {}", percent(at.fnmr)),
        bounds(at.fnmr_interval, percent),
    );
    let curve = &report.curve;
    line(
        "AUC",
        format!("{:.4}", curve.auc),
        format!(
            "of {} comparisons of one person and {} of two{}",
            grouped(data.genuine),
            grouped(data.impostor),
            if data.all { ", all with all" } else { "" }
        ),
    );
    line(
        "EER",
        percent(curve.eer.rate),
        format!("at {:.4}", curve.eer.threshold),
    );
    let mut name = "VAL";
    for val in &report.measured.val {
        let few = match val.false_accepts < RULE_OF_30 {
            true => ": fewer than 30, so the FAR is uncertain itself",
            false => "",
        };
        line(
            name,
            percent(val.val),
            format!(
                "at FAR {} and distance {:.4} ({} false accepts{few})",
                in_short(val.far),
                val.threshold,
                grouped(val.false_accepts)
            ),
        );
        name = "";
    }
    for refused in &report.measured.val_refused {
        let said = format!(
            "at FAR {}: that takes {} comparisons of two people (rule of 3)",
            in_short(refused.far),
            grouped(refused.needed)
        );
        line(name, "-".to_owned(), said);
        name = "";
    }
    text.push_str(&distances(report));
    let tables = [
        report.open_set.as_ref().map(open_set),
        report.groups.as_ref().map(groups),
        (!report.robustness.is_empty()).then(|| report.robustness.iter().map(sweep).collect()),
        report.worst.as_ref().map(|worst| {
            worst_pairs(
                "Two people taken for one, nearest first",
                &worst.false_matches,
            ) + &worst_pairs(
                "One person not recognized, farthest first",
                &worst.false_non_matches,
            )
        }),
    ];
    text.extend(tables.into_iter().flatten());
    text
}

/// The result for a model's card, in Markdown.
pub fn card(report: &Report) -> String {
    let (measured, data) = (&report.measured, &report.data);
    let result = &measured.cross_validation;
    let mut text = format!(
        "{}, {} pairs: **{:.2} % ± {:.2}** right (mean and standard error of {} folds), D {:.4} on \
         average (squared L2); {:.2} % with the {} pairs without a face counted as wrong; {}.\n\n\
         AUC {:.4}, EER {}.",
        data.name,
        grouped(measured.pairs as u64),
        result.accuracy * 100.0,
        result.standard_error * 100.0,
        result.folds.len(),
        result.threshold,
        result.accuracy_of_all * 100.0,
        measured.pairs_not_found,
        faces(report),
        report.curve.auc,
        percent(report.curve.eer.rate),
    );
    for val in &measured.val {
        let _ = write!(
            text,
            " VAL {} at FAR {} ({} false accepts).",
            percent(val.val),
            in_short(val.far),
            val.false_accepts
        );
    }
    text.push('\n');
    text
}

fn faces(report: &Report) -> String {
    match (report.not_found, report.data.unreadable) {
        (0, _) => "a face found in every picture".to_owned(),
        (found, 0) => format!("no face found in {}", grouped(found as u64)),
        (found, unreadable) => format!(
            "no face found in {}, of them {} that cannot be read",
            grouped(found as u64),
            grouped(unreadable as u64)
        ),
    }
}

/// Both histograms as rows of blocks, each scaled to its own highest, and D below.
fn distances(report: &Report) -> String {
    let at = f64::from(report.at_threshold.threshold);
    let place = (at / 4.0 * COLUMNS as f64) as usize;
    let place = place.min(COLUMNS - 1);
    format!(
        "\ndistances           0{:>width$}\n  of one person     {}\n  of two people     {}\n{:>at$}\n",
        4,
        blocks(&report.histograms.genuine),
        blocks(&report.histograms.impostor),
        "^ D",
        width = COLUMNS - 1,
        at = 20 + place + 3,
    )
}

fn blocks(histogram: &Histogram) -> String {
    let counts = &histogram.counts;
    let columns: Vec<u64> = (0..COLUMNS)
        .map(|column| {
            let from = column * counts.len() / COLUMNS;
            let to = (column + 1) * counts.len() / COLUMNS;
            counts[from..to].iter().sum()
        })
        .collect();
    let most = columns.iter().max().copied().unwrap_or(0).max(1);
    let block = |count: &u64| match count {
        0 => ' ',
        // Eighths, rounded up, so that a single comparison is seen.
        count => {
            let eighths = (count * 8).div_ceil(most) as usize;
            [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'][eighths.min(8)]
        }
    };
    columns.iter().map(block).collect()
}

fn open_set(found: &Identification) -> String {
    let spread = |spread: Spread| {
        format!(
            "{:.1} % ± {:.1}",
            spread.mean * 100.0,
            spread.deviation * 100.0
        )
    };
    let galleries = &found.galleries;
    let mut text = format!(
        "\nOpen set: {} galleries of {} people, {} template{} each (seed {}); {:.0} probes of them, \
         {:.0} of strangers\n  {:<22} {:>16}   the right person is nearest, mean ± deviation\n",
        galleries.repeats,
        grouped(galleries.people as u64),
        galleries.templates,
        if galleries.templates == 1 { "" } else { "s" },
        galleries.seed,
        found.mated_probes,
        found.stranger_probes,
        "rank 1",
        spread(found.rank_1)
    );
    for at in &found.at {
        let _ = writeln!(
            text,
            "  {:<22} {:>16}   refused or taken for another, at D {:.4} ± {:.4}",
            format!("FNIR at FPIR {}", in_short(at.fpir)),
            spread(at.fnir),
            at.threshold.mean,
            at.threshold.deviation
        );
    }
    text
}

fn groups(table: &GroupTable) -> String {
    let width = table.groups.iter().map(|group| group.name.chars().count());
    let width = width.max().unwrap_or(0).max("group".len());
    let mut text = format!(
        "\nGroups at D {:.4} (impostors within the group)\n  {:<width$}  {:>8} {:>17} {:>6} {:>9}   \
         {:>8} {:>17} {:>6} {:>9}\n",
        table.threshold,
        "group",
        "FMR",
        "95 %",
        "x best",
        "pairs",
        "FNMR",
        "95 %",
        "x best",
        "pairs"
    );
    let cells = |rate: &GroupRate| {
        let ratio = match (rate.supported, rate.ratio_to_best) {
            (false, _) => "few".to_owned(),
            (true, Some(ratio)) => format!("{ratio:.2}"),
            (true, None) => "-".to_owned(),
        };
        format!(
            "{:>8} {:>17} {ratio:>6} {:>9}",
            rate.rate.map_or("-".to_owned(), percent),
            bounds(rate.interval, percent),
            grouped(rate.comparisons)
        )
    };
    for group in &table.groups {
        let (fmr, fnmr) = (cells(&group.fmr), cells(&group.fnmr));
        let _ = writeln!(text, "  {:<width$}  {fmr}   {fnmr}", group.name);
    }
    for (rate, worst) in [("FMR", &table.worst_fmr), ("FNMR", &table.worst_fnmr)] {
        if let Some(worst) = worst {
            let _ = writeln!(text, "  highest {rate}: {worst}");
        }
    }
    text + "  few: fewer than 30 errors would be expected there, so nothing is said of it\n"
}

fn sweep(sweep: &Sweep) -> String {
    let title = match sweep.kind {
        SweepKind::Shift => "Shift",
        SweepKind::Jpeg => "JPEG",
        SweepKind::Size => "Size",
        SweepKind::Blur => "Blur",
        SweepKind::Brightness => "Brightness",
    };
    let mut rows = [
        format!("\n{title}: {}\n  {:<22}", sweep.about, "value"),
        format!("  {:<22}", "right"),
        format!("  {:<22}", "no face counts wrong"),
        format!("  {:<22}", "pairs without a face"),
    ];
    for point in &sweep.points {
        let share = |share: f64| format!("{:.1} %", share * 100.0);
        let value = point
            .value
            .map_or("as is".to_owned(), |value| value.to_string());
        rows[0].push_str(&format!(" {value:>8}"));
        let right = point.accuracy.map_or("-".to_owned(), share);
        rows[1].push_str(&format!(" {right:>8}"));
        rows[2].push_str(&format!(" {:>8}", share(point.accuracy_of_all)));
        rows[3].push_str(&format!(" {:>8}", point.pairs_not_found));
    }
    format!(
        "{}\n  (of {} pairs at D {:.4})\n",
        rows.join("\n"),
        grouped(sweep.pairs as u64),
        sweep.threshold
    )
}

fn worst_pairs(title: &str, pairs: &[WorstPair]) -> String {
    let mut text = format!("\n{title}\n");
    for pair in pairs {
        let [first, second] = pair.pictures.each_ref().map(|path| printable(path));
        let _ = writeln!(text, "  {:.4}  {first}  {second}", pair.distance);
    }
    if pairs.is_empty() {
        text.push_str("  none\n");
    }
    text
}

/// A path with '?' for every control character, so that it stays on its line.
fn printable(path: &Path) -> String {
    path.to_string_lossy()
        .replace(|letter: char| letter.is_control(), "?")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_stays_on_its_line() {
        let pair = WorstPair {
            pictures: ["a\nb/1.jpg".into(), "c\t\u{1b}[2J/é.jpg".into()],
            places: [0, 1],
            distance: 0.5,
        };
        assert_eq!(
            worst_pairs("T", &[pair]),
            "\nT\n  0.5000  a?b/1.jpg  c??[2J/é.jpg\n"
        );
    }

    #[test]
    fn shares_and_bounds_are_short() {
        assert_eq!(percent(0.1234), "12.3 %");
        assert_eq!(percent(0.00123), "0.12 %");
        assert_eq!(percent(0.0), "0.0 %");
        assert_eq!(bounds(Some([0.1, 0.2]), percent), "10.0 to 20.0 %");
        assert_eq!(bounds(None, percent), "-");
    }

    #[test]
    fn a_histogram_shows_every_comparison() {
        let mut counts = vec![0; 80];
        (counts[0], counts[10], counts[79]) = (800, 1, 400);
        let row = blocks(&Histogram { counts });
        let columns: Vec<char> = row.chars().collect();
        assert_eq!(
            (columns.len(), columns[0], columns[5], columns[39]),
            (40, '█', '▁', '▄')
        );
        assert_eq!(columns.iter().filter(|column| **column != ' ').count(), 3);
    }
}
