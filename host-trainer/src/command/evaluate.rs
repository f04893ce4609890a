//! `usher-train evaluate`: how good a model is, by LFW's protocol or on pictures of one's own.

mod against;

use std::path::{Path, PathBuf};

use anyhow::Context;
use shared::atomic_file::{self, Readers};

use crate::command::calibrate::share;
use crate::command::embedding::EmbeddingArguments;
use crate::command::material::{MaterialArguments, Named};
use crate::command::place;
use crate::dataset::lfw::VIEW_2;
use crate::evaluation::evaluate::{Questions, evaluate};
use crate::evaluation::material::Material;
use crate::evaluation::page::{self, WorstFaces};
use crate::evaluation::people::groups;
use crate::evaluation::report::{Report, SweepKind};
use crate::evaluation::text::{card, text};
use crate::model_card;
use crate::verification::identification::Galleries;

/// False accept rates at which the share of accepted genuine pairs is told (FaceNet's VAL).
const FALSE_ACCEPT_RATES: [f64; 3] = [1e-2, 1e-3, 1e-4];

/// Measure a model: ten folds with the threshold D chosen on nine, and the error rates at any other
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  usher-train evaluate --model models/usher-small.toml --lfw LFW --json
  usher-train evaluate --lfw LFW --pairs-limit 600                       a look in seconds
  usher-train evaluate --lfw LFW --open-set --sweep shift,jpeg,size,blur,brightness
  usher-train evaluate --photos photos --groups groups.tsv --worst 5

--lfw is LFW's View 2. --photos compares all with all; D is chosen and measured in ten folds of
people, on as many pairs of two people as of one. --pairs is a file with a line for each pair: first
picture, second picture, `same` or `different`, and if you like the pair's group, separated by tabs.
--groups is a file with a line for each person: the name of her folder, a tab, her group.")]
pub struct Arguments {
    #[command(flatten)]
    embedding: EmbeddingArguments,
    #[command(flatten)]
    material: MaterialArguments,
    /// Compare no more pairs than that, evenly from all
    #[arg(long, value_name = "PAIRS", conflicts_with = "card", value_parser = clap::value_parser!(u32).range(40..))]
    pairs_limit: Option<u32>,
    /// A false accept rate to tell VAL at; repeatable [default: 1e-2, 1e-3 and 1e-4 if supported]
    #[arg(long, value_name = "RATE", value_parser = share)]
    far: Vec<f64>,
    /// File of people and their groups, to tell the error rates group by group
    #[arg(long, value_name = "FILE")]
    groups: Option<PathBuf>,
    #[command(flatten)]
    open_set: OpenSet,
    /// Also measure on pictures made worse
    #[arg(long, value_name = "KINDS", value_delimiter = ',', value_enum)]
    sweep: Vec<SweepKind>,
    /// Most pairs that those are measured on
    #[arg(long, value_name = "PAIRS", default_value = "300", value_parser = clap::value_parser!(u32).range(20..))]
    sweep_pairs: u32,
    /// List that many of the worst errors of either kind, with their pictures' paths
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    worst: Option<u32>,
    /// Write a page with charts into this HTML file: one file, works offline, may be shown to others
    #[arg(long, value_name = "FILE", conflicts_with = "against")]
    html: Option<PathBuf>,
    /// Put the faces of the worst errors onto that page: it is biometric data then
    #[arg(long, requires = "html", requires = "worst")]
    with_faces: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Write the result into the model's card
    #[arg(long, conflicts_with = "against")]
    card: bool,
    /// An older model's manifest: compare probes by --model with templates of that one too
    #[arg(long, value_name = "MANIFEST", requires = "lfw", conflicts_with_all = ["pairs_limit", "far", "groups", "open_set", "sweep", "worst"])]
    against: Option<PathBuf>,
}

/// Open-set identification.
#[derive(Debug, clap::Args)]
struct OpenSet {
    /// Also enroll some people at random, again and again, and probe with them and with strangers
    #[arg(long)]
    open_set: bool,
    /// People in each gallery
    #[arg(
        long,
        value_name = "PEOPLE",
        requires = "open_set",
        default_value = "100"
    )]
    gallery_size: usize,
    /// Pictures enrolled of each
    #[arg(long, value_name = "PICTURES", requires = "open_set", default_value = "1", value_parser = clap::value_parser!(u16).range(1..))]
    templates: u16,
    /// Galleries drawn
    #[arg(long, value_name = "GALLERIES", requires = "open_set", default_value = "20", value_parser = clap::value_parser!(u16).range(1..))]
    repeats: u16,
    /// What the draws start from
    #[arg(long, requires = "open_set", default_value = "1")]
    seed: u64,
    /// Shares of strangers taken for somebody at which FNIR is told
    #[arg(long, value_name = "RATES", requires = "open_set", value_delimiter = ',', default_value = "0.1,0.01", value_parser = share)]
    fpir: Vec<f64>,
}

/// Evaluates.
///
/// # Errors
/// If model or data are unusable, or too few for what was asked.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    if let (Some(old), Some(lfw)) = (&arguments.against, &arguments.material.lfw) {
        return against::run(arguments, lfw, old);
    }
    if let Some(page) = &arguments.html {
        place::file(page, "html", &[])?;
    }
    if arguments.card {
        let card = arguments.embedding.model.with_extension("md");
        anyhow::ensure!(
            card.is_file(),
            "expected the model's card at {}, found none; leave out --card, or export the model anew",
            card.display()
        );
    }
    let material = arguments.material()?;
    let questions = arguments.questions(&material)?;
    let report = evaluate(&material, &arguments.embedding.source(), &questions)?;
    if let Some(refused) = report.measured.val_refused.first()
        && !arguments.far.is_empty()
    {
        anyhow::bail!("VAL at FAR {}: {}", refused.far, refused.why);
    }
    if arguments.card {
        renew_card(&arguments.embedding.model.with_extension("md"), &report)?;
    }
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        print!("{}", text(&report));
    }
    if let Some(path) = &arguments.html {
        write_page(path, arguments, &report, &material)?;
        eprintln!("{}", path.display());
    }
    Ok(())
}

impl Arguments {
    /// As if given `--lfw LFW --card` and nothing more.
    pub(crate) fn on_lfw(embedding: EmbeddingArguments, lfw: PathBuf) -> Self {
        Self {
            embedding,
            material: MaterialArguments::of_lfw(lfw),
            pairs_limit: None,
            far: Vec::new(),
            groups: None,
            open_set: OpenSet {
                open_set: false,
                gallery_size: 100,
                templates: 1,
                repeats: 20,
                seed: 1,
                fpir: vec![0.1, 0.01],
            },
            sweep: Vec::new(),
            sweep_pairs: 300,
            worst: None,
            html: None,
            with_faces: false,
            json: false,
            card: true,
            against: None,
        }
    }

    fn material(&self) -> anyhow::Result<Material> {
        let limit = self.pairs_limit.map(|limit| limit as usize);
        Ok(match self.material.named()? {
            Named::Lfw(folder) => Material::lfw(("LFW View 2", folder, VIEW_2), limit, false)?,
            Named::Photos(folder) => Material::photos(folder, limit)?,
            Named::Pairs(file) => Material::pair_file(file, limit)?,
        })
    }

    fn questions(&self, material: &Material) -> anyhow::Result<Questions> {
        let groups = self.groups.as_ref();
        let groups = groups.map(|file| groups_of(file, material)).transpose()?;
        let asked = &self.open_set;
        let galleries = asked.open_set.then(|| Galleries {
            people: asked.gallery_size,
            templates: usize::from(asked.templates),
            repeats: usize::from(asked.repeats),
            seed: asked.seed,
            fpirs: asked.fpir.clone(),
        });
        Ok(Questions {
            fars: match self.far.is_empty() {
                true => FALSE_ACCEPT_RATES.to_vec(),
                false => self.far.clone(),
            },
            groups,
            open_set: galleries,
            worst: self.worst.map(|count| count as usize),
            sweeps: self.sweep.clone(),
            sweep_pairs: self.sweep_pairs as usize,
        })
    }
}

fn groups_of(file: &Path, material: &Material) -> anyhow::Result<Vec<Option<String>>> {
    let groups = groups(file, &material.names)?;
    let lacking = groups.iter().filter(|group| group.is_none()).count();
    if lacking > 0 {
        eprintln!("{lacking} people have no group and are in none of the table's");
    }
    Ok(groups)
}

fn write_page(
    path: &Path,
    arguments: &Arguments,
    report: &Report,
    material: &Material,
) -> anyhow::Result<()> {
    let source = arguments.embedding.source();
    let faces = match arguments.with_faces {
        true => Some(WorstFaces::cut(report, material, &source)?),
        false => None,
    };
    // With faces on it, or names of people's folders, it is biometric data.
    let readers = match arguments.worst {
        Some(_) => Readers::Owner,
        None => Readers::Everyone,
    };
    let page = page::html(report, &source.manifest()?.operating_points, faces.as_ref());
    atomic_file::replace(path, page.as_bytes(), readers)
        .with_context(|| format!("cannot write {}", path.display()))
}

fn renew_card(path: &Path, report: &Report) -> anyhow::Result<()> {
    let context = || format!("cannot renew {}", path.display());
    let old = std::fs::read_to_string(path).with_context(context)?;
    let new = model_card::with_section(&old, model_card::ACCURACY, &card(report));
    atomic_file::replace(path, new.as_bytes(), Readers::Everyone).with_context(context)
}

#[cfg(test)]
mod tests;
