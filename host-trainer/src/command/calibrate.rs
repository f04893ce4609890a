//! `usher-train calibrate`: chooses a model's thresholds for false match rates, with bounds.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use shared::ModelManifest;
use shared::atomic_file::{self, Readers};

use crate::command::embedding::EmbeddingArguments;
use crate::command::material::{MaterialArguments, Named};
use crate::dataset::lfw::{VIEW_1_TEST, VIEW_1_TRAIN};
use crate::evaluation::calibration::{self, Calibration, VERIFY, calibrate, for_gallery};
use crate::evaluation::embedded::Embedded;
use crate::evaluation::material::Material;
use crate::evaluation::text::{bounds, percent};
use crate::model_card::{self, grouped};
use crate::verification::folds::right_at;
use crate::verification::rates::Distances;
use shared::gallery_size::fpir;

/// Most characters of a point's name.
const LONGEST_NAME: usize = 40;

/// Choose a model's thresholds for false match rates and write them into its manifest
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  usher-train calibrate --model models/usher-small.toml --lfw LFW
  usher-train calibrate --photos photos --fmr vault=1e-5
  usher-train calibrate --lfw LFW --gallery-size 200
  usher-train calibrate --lfw LFW --gallery-size 200 --fpir 0.01

Points that are chosen unless --fmr names them with another rate:
  verify                best accuracy on pairs, half of them of one person: for telling models apart
  door             1e-4 opens a lock: of 10,000 strangers who try as one person, one gets in
  greet            1e-3 the kiosk's own: to be greeted by a wrong name is a nuisance
  attendance       1e-3 writes down who was here
  duplicate-check  1e-2 finds people enrolled twice, for a person to look at
A point needs 30 false matches among the comparisons (rule of 30: then the rate is known to 30 % of
itself, 90 % confidence); without any in n comparisons it may still be 3/n (rule of 3). A default
point that the pictures cannot support is left out; one that --fmr asks for, or that the manifest
has, is an error. So is verify with fewer than 30 comparisons of either kind.")]
pub struct Arguments {
    #[command(flatten)]
    embedding: EmbeddingArguments,
    #[command(flatten)]
    material: MaterialArguments,
    /// A point and the false match rate that it may not exceed, such as vault=1e-5; repeatable
    #[arg(long, value_name = "NAME=RATE", value_parser = named_rate)]
    fmr: Vec<(String, f64)>,
    /// Also tell what share of strangers a gallery of that many people takes for somebody
    #[arg(long, value_name = "PEOPLE", value_parser = clap::value_parser!(u64).range(1..))]
    gallery_size: Option<u64>,
    /// The share that is wished: tells the threshold for it
    #[arg(long, value_name = "RATE", requires = "gallery_size", value_parser = share)]
    fpir: Option<f64>,
    /// Write even if points of the manifest are dropped that the pictures cannot support
    #[arg(long)]
    force: bool,
}

/// A share between 0 and 1, ends excluded.
pub(super) fn share(text: &str) -> Result<f64, String> {
    let share: f64 = text.parse().map_err(|error| format!("{error}"))?;
    match share > 0.0 && share < 1.0 {
        true => Ok(share),
        false => Err("expected a share between 0 and 1".to_owned()),
    }
}

fn named_rate(text: &str) -> Result<(String, f64), String> {
    let (name, rate) = text.split_once('=').ok_or("expected NAME=RATE")?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    match name {
        VERIFY => Err("verify is the point of best accuracy; choose another name".to_owned()),
        _ if !(1..=LONGEST_NAME).contains(&name.len()) || !name.bytes().all(plain) => Err(format!(
            "expected a name of 1 to {LONGEST_NAME} letters a to z, digits, '-' and '_' before the ="
        )),
        _ => Ok((name.to_owned(), share(rate)?)),
    }
}

/// The name that `--fmr` gives a second time, if there is one.
fn twice(fmr: &[(String, f64)]) -> Option<&str> {
    let mut known = BTreeSet::new();
    let mut names = fmr.iter().map(|(name, _)| name.as_str());
    names.find(|name| !known.insert(*name))
}

/// Calibrates.
///
/// # Errors
/// If model or data are unusable, or the data do not support a rate that was asked for or, without
/// `--force`, a point that the manifest has; the manifest is then as it was.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    if let Some(name) = twice(&arguments.fmr) {
        anyhow::bail!("--fmr: expected each name once, found {name} again; leave one out");
    }
    let model = &arguments.embedding.model;
    let mut manifest = ModelManifest::read(model)?;
    let source = arguments.embedding.source();
    let (material, what) = material(&arguments.material)?;
    let embedded = Embedded::new(&material, &source)?;
    let distances = embedded.meetings().distances();
    let wanted = calibration::wanted(&arguments.fmr);
    let calibration = calibrate(&embedded, &distances, &wanted, what)?;
    let known: Vec<&str> = manifest
        .operating_points
        .iter()
        .map(|it| &*it.name)
        .collect();
    let dropped = dropped(&known, &calibration);
    ensure!(
        arguments.force || dropped.unsupported.is_empty(),
        "{} has operating points that these pictures cannot support:\n{}\ngive more pictures, or drop \
         those points by --force; nothing is written",
        model.display(),
        dropped.unsupported.join("\n")
    );
    for name in &dropped.unasked {
        eprintln!("no longer in the manifest: {name}; --fmr {name}=RATE keeps it");
    }
    let test = match &arguments.material.lfw {
        Some(folder) => Some(Material::lfw(
            ("LFW View 1, test", folder, VIEW_1_TEST),
            None,
            true,
        )?),
        None => None,
    };
    let test = test.as_ref().map(|test| Embedded::new(test, &source));
    let test = test.transpose()?;

    let points = calibration.points.iter();
    manifest.operating_points = points.map(|chosen| chosen.point.clone()).collect();
    manifest.write(model)?;
    renew_card(&model.with_extension("md"), &manifest)?;

    print!("{}", summary(&manifest, &embedded, &distances));
    print!("{}", table(&calibration, test.as_ref()));
    match (arguments.gallery_size, arguments.fpir) {
        (Some(people), Some(fpir)) => print!("{}", gallery(&distances, people, fpir)),
        (Some(people), None) => print!("{}", in_gallery(&calibration, people)),
        (None, _) => (),
    }
    println!("\n{}", model.display());
    if let Some(lfw) = &arguments.material.lfw {
        eprintln!(
            "next: usher-train evaluate --model {} --lfw {}",
            model.display(),
            lfw.display()
        );
    }
    Ok(())
}

impl Arguments {
    /// As if given `--lfw LFW` and nothing more.
    pub(crate) fn on_lfw(embedding: EmbeddingArguments, lfw: PathBuf) -> Self {
        Self {
            embedding,
            material: MaterialArguments::of_lfw(lfw),
            fmr: Vec::new(),
            gallery_size: None,
            fpir: None,
            force: false,
        }
    }
}

/// Points of the manifest that a calibration does not have.
#[derive(Debug, PartialEq)]
struct Dropped {
    /// Each with the reason, where the comparisons do not support it.
    unsupported: Vec<String>,
    /// Names of those that were not asked for.
    unasked: Vec<String>,
}

fn dropped(known: &[&str], calibration: &Calibration) -> Dropped {
    let mut dropped = Dropped {
        unsupported: Vec::new(),
        unasked: Vec::new(),
    };
    for name in known {
        let mut left_out = calibration.left_out.iter();
        let mut chosen = calibration.points.iter();
        if let Some((_, why)) = left_out.find(|(wish, _)| wish.name == *name) {
            dropped.unsupported.push(format!("{name}: {why}"));
        } else if !chosen.any(|chosen| chosen.point.name == *name) {
            dropped.unasked.push((*name).to_owned());
        }
    }
    dropped
}

/// The material, and in words what is measured on it.
fn material(arguments: &MaterialArguments) -> anyhow::Result<(Material, &'static str)> {
    let (material, what) = match arguments.named()? {
        Named::Lfw(folder) => (
            Material::lfw(("LFW View 1", folder, VIEW_1_TRAIN), None, true)?,
            "measured on every pair among the pictures of LFW's View 1 training list",
        ),
        Named::Photos(folder) => (
            Material::photos(folder, None)?,
            "measured on every pair among the pictures of a folder per person",
        ),
        Named::Pairs(file) => (
            Material::pair_file(file, None)?,
            "measured on the pairs of a list",
        ),
    };
    ensure!(
        !material.pictures.is_empty(),
        "expected pictures to compare, found none; name another folder or list"
    );
    Ok((material, what))
}

/// Writes the points into the card beside the manifest, if there is one.
fn renew_card(path: &Path, manifest: &ModelManifest) -> anyhow::Result<()> {
    if !path.exists() {
        return Ok(());
    }
    let context = || format!("cannot renew {}", path.display());
    let card = std::fs::read_to_string(path).with_context(context)?;
    let body = model_card::operating_points(&manifest.operating_points);
    let card = model_card::with_section(&card, model_card::OPERATING_POINTS, &body);
    atomic_file::replace(path, card.as_bytes(), Readers::Everyone).with_context(context)
}

fn summary(manifest: &ModelManifest, embedded: &Embedded, distances: &Distances) -> String {
    let material = embedded.material;
    let without = match embedded.without_face() {
        0 => "a face found in every picture".to_owned(),
        count => format!("no face found in {} pictures", grouped(count as u64)),
    };
    format!(
        "{} {} on {}: {} pictures of {} people, {without}\n{} comparisons of one person, {} of two \
         people{}\n\n",
        manifest.name,
        manifest.model_id(),
        material.name,
        grouped(material.pictures.len() as u64),
        grouped(material.names.len() as u64),
        grouped(distances.genuine_count()),
        grouped(distances.impostor_count()),
        if material.all { ", all with all" } else { "" },
    )
}

fn table(calibration: &Calibration, test: Option<&Embedded>) -> String {
    let tested = test.map(|test| test.meetings().distances());
    let mut text = format!(
        "{:<16} {:>6}  {:>7}  {:<17}  {:<17}  {:>6}  {:<15}{}\n",
        "point",
        "D",
        "FMR",
        "95 % by people",
        "95 % by pairs",
        "FNMR",
        "95 % by people",
        if tested.is_some() {
            "   on the test list: FMR, FNMR"
        } else {
            ""
        }
    );
    for chosen in &calibration.points {
        let point = &chosen.point;
        let threshold = point.threshold.value();
        let shown = |rate: Option<f64>| rate.map_or("-".to_owned(), |rate| format!("{rate:.1e}"));
        text.push_str(&format!(
            "{:<16} {threshold:>6.4}  {:>7}  {:<17}  {:<17}  {:>6}  {:<15}",
            point.name,
            shown(point.fmr),
            bounds(chosen.by_people.fmr, |rate| format!("{rate:.1e}")),
            bounds(chosen.by_pairs, |rate| format!("{rate:.1e}")),
            point.fnmr.map_or("-".to_owned(), percent),
            bounds(chosen.by_people.fnmr, percent),
        ));
        if let Some(tested) = &tested {
            let fnmr = tested.fnmr(threshold).map_or("-".to_owned(), percent);
            text.push_str(&format!("   {:>7}, {fnmr}", shown(tested.fmr(threshold))));
        }
        text.push('\n');
    }
    for (wish, why) in &calibration.left_out {
        text.push_str(&format!("{:<16} left out: {why}\n", wish.name));
    }
    text.push_str(
        "By people: people drawn anew, with all their pictures; by pairs: as if pairs were \
         independent.\nThe manifest keeps what holds both.\n",
    );
    text.push_str(&format!(
        "Pairs decided rightly at {VERIFY}: {} of those it was chosen on",
        percent(calibration.best.accuracy)
    ));
    if let Some(test) = test {
        let (right, usable) = right_at(calibration.best.threshold, &test.folds().concat());
        let share = right as f64 / usable.max(1) as f64;
        text.push_str(&format!(", {} of {VIEW_1_TEST}", percent(share)));
    }
    text.push_str(".\n");
    text
}

fn gallery(distances: &Distances, people: u64, fpir: f64) -> String {
    let (fmr, threshold) = for_gallery(distances, people, fpir);
    let mut text = format!(
        "\nA gallery of {} people that takes {} of the strangers for somebody (FPIR = 1 - (1 - \
         FMR)^N)\nneeds an FMR of {fmr:.2e}",
        grouped(people),
        percent(fpir)
    );
    match threshold {
        Ok(threshold) => text.push_str(&format!(
            ": D {threshold:.4}, where {} of the comparisons of one person are refused.\n\
             To keep it: --fmr gallery-{people}={fmr:.4e}\n",
            distances.fnmr(threshold).map_or("-".to_owned(), percent)
        )),
        Err(why) => {
            text.push_str(&format!(", which these pictures cannot tell: {why}.\n"));
        }
    }
    text
}

/// How often a gallery of that size takes a stranger for somebody, point by point.
fn in_gallery(calibration: &Calibration, people: u64) -> String {
    let mut text = format!(
        "\nStrangers whom a gallery of {} people takes for somebody (FPIR = 1 - (1 - FMR)^N)\n",
        grouped(people)
    );
    for chosen in &calibration.points {
        let point = &chosen.point;
        let interval = point.fmr_interval;
        let interval = interval.map(|bounds| bounds.map(|fmr| fpir(fmr, people)));
        text.push_str(&format!(
            "{:<16} {:>7}  95 %: {}\n",
            point.name,
            point
                .fmr
                .map_or("-".to_owned(), |fmr| percent(fpir(fmr, people))),
            bounds(interval, percent)
        ));
    }
    text + "For a rate of your own: --fpir\n"
}

#[cfg(test)]
mod tests;
