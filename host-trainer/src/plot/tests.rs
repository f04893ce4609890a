//! Pictures of runs made here: what they hold, read back from the SVG.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;

/// A run as they go: losses fall, pairs separate, accuracies rise.
fn run(name: &str, seed: u64, steps: u64, validate_every: u64) -> Run {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut noise = |size: f64| size * (random.random::<f64>() + random.random::<f64>() - 1.0);
    let speed = 30.0 + 6.0 * seed as f64;
    let mut metrics = Metrics::default();
    let mut seconds = 0.0;
    for step in 1..=steps {
        let progress = step as f64 / steps as f64;
        // Fast at first, slower as the run goes on.
        let learnt = 1.0 - (-progress * (2.5 + 0.5 * seed as f64)).exp();
        seconds += 48.0 / (speed + noise(4.0));
        let triplet = 0.21 - 0.09 * learnt + noise(0.03);
        let softmax = 9.5 - 5.0 * learnt + noise(0.8);
        let warm = (progress / 0.05).min(1.0);
        metrics.steps.push(Step {
            step,
            epoch: step / 500,
            pictures: 48 * step,
            seconds,
            waited_seconds: 0.02 * seconds,
            side_px: 112,
            learning_rate: 0.05 * warm * 0.5 * (1.0 + (std::f64::consts::PI * progress).cos()),
            loss: triplet + softmax,
            triplet: Some(triplet),
            softmax: Some(softmax),
            active_share: (0.75 - 0.5 * learnt + noise(0.12)).clamp(0.0, 1.0),
            genuine: 1.45 - 0.85 * learnt + noise(0.12),
            impostor: 1.75 + 0.1 * learnt + noise(0.08),
            rank: (step % 20 == 0).then(|| 20.0 + 60.0 * learnt + noise(4.0)),
            gradient_norm: Some(1.0 + 3.0 * (1.0 - learnt) + noise(0.8)),
            ..Step::default()
        });
        if validate_every > 0 && step % validate_every == 0 {
            metrics.validations.push(Validated {
                step,
                pictures: 48 * step,
                seconds,
                accuracy: 0.58 + 0.25 * learnt + noise(0.015),
                pairs: 500,
                ..Validated::default()
            });
        }
    }
    Run {
        name: name.to_owned(),
        metrics,
    }
}

/// Points of every line of that color and width, in pixels times ten; not the keys' two.
fn lines(svg: &str, color: &str, width: &str) -> Vec<Vec<(i32, i32)>> {
    let attribute = |tag: &str, name: &str| {
        let (_, rest) = tag.split_once(&format!(" {name}=\""))?;
        Some(rest.split_once('"')?.0.to_owned())
    };
    svg.lines()
        .filter(|tag| tag.starts_with("<polyline"))
        .filter(|tag| attribute(tag, "stroke").as_deref() == Some(color))
        .filter(|tag| attribute(tag, "stroke-width").as_deref() == Some(width))
        .map(|tag| {
            let points = attribute(tag, "points").unwrap();
            let point = |point: &str| {
                let (x, y) = point.split_once(',').unwrap();
                (x.parse().unwrap(), y.parse().unwrap())
            };
            points.split_whitespace().map(point).collect()
        })
        .filter(|points: &Vec<(i32, i32)>| points.len() > 2)
        .collect()
}

const BLUE: &str = "#0072B2";
const VERMILION: &str = "#D55E00";
const RAW: &str = "8";
const SMOOTH: &str = "22";

#[test]
fn every_series_of_a_run_is_in_its_picture() {
    let run = run("first", 1, 700, 70);
    let svg = svg(std::slice::from_ref(&run), Along::Steps).unwrap();
    assert!(svg.starts_with("<svg width=\"1200\"") && svg.trim_end().ends_with("</svg>"));
    for words in [
        "Loss",
        "Active triplets",
        "Distance of the batch's pairs, squared L2"
            .replace('\'', "&apos;")
            .as_str(),
        "Validation accuracy",
        "Learning rate",
        "Faces per second",
        "Effective rank",
        "Gradient",
        "first",
        "700 steps  ·  33,600 pictures  ·  16 min",
    ] {
        assert!(svg.contains(words), "{words}");
    }
    // Loss, active share, genuine, gradient as measured: a point a step; the rank at each 20th.
    let raw: Vec<usize> = lines(&svg, BLUE, RAW).iter().map(Vec::len).collect();
    assert_eq!(raw, [700, 700, 700, 35, 700]);
    let impostor: Vec<usize> = lines(&svg, VERMILION, RAW).iter().map(Vec::len).collect();
    assert_eq!(impostor, [700]);
    // Ten validations: ten dots, the best in a ring with a dot of its own.
    let dots = |radius: &str| svg.matches(&format!("r=\"{radius}\"")).count();
    assert_eq!((dots("32"), dots("60"), dots("28")), (10, 1, 1));
    // A learning rate that rises, then falls: the highest point is the smallest y.
    let rate = lines(&svg, BLUE, SMOOTH)
        .into_iter()
        .find(|line| line.len() == 700 && line[699].1 > line[100].1 && line[0].1 > line[100].1)
        .unwrap();
    let highest = rate
        .iter()
        .enumerate()
        .min_by_key(|(_, (_, y))| *y)
        .unwrap()
        .0;
    assert!((30..=40).contains(&highest), "5 % of the run: {highest}");
}

#[test]
fn genuine_pairs_are_below_impostor_pairs_with_the_gap_between() {
    let run = run("first", 1, 700, 0);
    let svg = svg(&[run], Along::Steps).unwrap();
    let impostor = lines(&svg, VERMILION, SMOOTH).remove(0);
    let genuine = lines(&svg, BLUE, SMOOTH)
        .into_iter()
        .find(|line| line[0].0 == impostor[0].0 && line[0].1.abs_diff(impostor[0].1) < 900);
    let genuine = genuine.unwrap();
    assert_eq!((genuine.len(), impostor.len()), (300, 300));
    let below = genuine
        .iter()
        .zip(&impostor)
        .all(|(near, far)| near.0 == far.0 && near.1 > far.1);
    assert!(below, "y grows downwards");
    assert_eq!(svg.matches("<polygon").count(), 1);
}

#[test]
fn runs_are_told_apart_and_may_lack_validations() {
    let runs = [run("first", 1, 300, 0), run("second <&>", 2, 500, 0)];
    let compared = svg(&runs, Along::Minutes).unwrap();
    assert!(!compared.contains("Validation accuracy"));
    assert!(compared.contains("second &lt;&amp;&gt;") && compared.contains(">\nminutes\n<"));
    let first: Vec<usize> = lines(&compared, BLUE, RAW).iter().map(Vec::len).collect();
    let second: Vec<usize> = lines(&compared, VERMILION, RAW)
        .iter()
        .map(Vec::len)
        .collect();
    assert_eq!((first[0], second[0]), (300, 500));
    // One with validations is enough for the chart.
    let runs = [runs[0].clone(), run("second", 2, 500, 50)];
    let compared = svg(&runs, Along::Pictures).unwrap();
    assert!(compared.contains("Validation accuracy") && compared.contains("pictures seen"));
    assert_eq!(compared.matches("r=\"60\"").count(), 1);
}

#[test]
fn a_long_run_is_no_long_file() {
    let svg = svg(&[run("long", 1, 50_000, 500)], Along::Steps).unwrap();
    assert!(svg.len() < 300_000, "{} bytes", svg.len());
}

#[test]
fn a_wild_step_and_one_that_is_no_number_leave_the_rest_readable() {
    let mut wild = run("wild", 1, 400, 0);
    let calm = svg(&[wild.clone()], Along::Steps).unwrap();
    wild.metrics.steps[200].loss = 1e6;
    wild.metrics.steps[399].loss = f64::NAN;
    wild.metrics.steps[399].genuine = f64::NAN;
    let drawn = svg(&[wild], Along::Steps).unwrap();
    assert!(!drawn.contains("NaN") && !calm.contains("NaN"));
    assert_eq!(lines(&drawn, BLUE, RAW)[0].len(), 399);
}

#[test]
fn what_cannot_be_drawn_is_refused() {
    let said = |runs: &[Run]| svg(runs, Along::Steps).unwrap_err().to_string();
    assert!(said(&[]).contains("found 0"));
    assert!(said(&vec![run("r", 1, 5, 0); 8]).contains("found 8"));
    let short = said(&[run("short", 1, 1, 0)]);
    assert!(
        short.contains("run short") && short.contains("found 1"),
        "{short}"
    );
}
