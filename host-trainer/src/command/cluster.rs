//! `usher-train cluster`: sorts the faces of photos by who they are, without names.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde::Serialize;
use shared::atomic_file::{self, Readers};
use shared::{Detection, ModelManifest, Threshold};

use super::embedding::EmbeddingArguments;
use super::verify::DecisionArguments;
use crate::cluster::metrics::Metrics;
use crate::cluster::store::folders::{Folders, LONE, SHEETS, private_folder, put_pending};
use crate::cluster::store::{Grown, NewFace, State, grow};
use crate::cluster::{Method, store};
use crate::drawing;
use crate::embeddings::{EmbeddingSet, Faces, Photos, thumbnail};
use crate::parallel;

/// Side of a face on a contact sheet, in pixels.
const FACE_PX: u32 = 112;
/// Most faces on a sheet: the nearest to the center, and as many of the farthest.
const SHEET_FACES: usize = 96;
/// Most clusters that the table on stdout tells.
const TABLE_ROWS: usize = 20;

/// Sort the faces of photos by who they are: a folder and a contact sheet per person
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: usher-train cluster photos --out people\n\
    Then rename people/cluster-0001 to a name, and add more photos any time:\n\
    usher-train cluster new-photos --out people\n\
    Clusters keep their numbers and names; new faces join them or make new ones.\n\n\
    Photos are linked, not moved; --copy copies. Links break when the photos move. Hard links were\n\
    left out: an edit of one would change the other.\n\n\
    What is written is biometric data: lists, embeddings, folders and sheets can be read by you\n\
    alone. Keep them so, ask the people shown, and delete the folder when it has served.")]
pub struct Arguments {
    /// Photos: a folder, with folders in it or not
    photos: PathBuf,
    /// Where folders, sheets and clusters.json go: new, or made by this command before
    #[arg(long, value_name = "FOLDER")]
    out: PathBuf,
    #[command(flatten)]
    embedding: EmbeddingArguments,
    #[command(flatten)]
    decision: DecisionArguments,
    /// How: average link, density (HDBSCAN, without D), neighbor graph for large sets
    #[arg(long, value_enum, default_value = "auto")]
    method: Choice,
    /// Which faces of a photo: all, the one in its middle, or photos that are cut faces already
    #[arg(long, value_enum, default_value = "all")]
    faces: Which,
    /// Copy the photos in place of linking them
    #[arg(long)]
    copy: bool,
    /// Draw no contact sheets
    #[arg(long)]
    no_sheets: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// A method, or the one that fits the number of faces.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub enum Choice {
    /// Average link up to 20,000 faces, the graph beyond
    Auto,
    /// Average link, cut at D
    Average,
    /// HDBSCAN
    Density,
    /// Average link between neighbors, cut at D
    Graph,
}

impl Choice {
    /// The method for so many faces.
    pub fn method(self, faces: usize) -> Method {
        match self {
            Self::Auto => Method::automatic(faces),
            Self::Average => Method::Average,
            Self::Density => Method::Density,
            Self::Graph => Method::Graph,
        }
    }
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Which {
    All,
    Central,
    Aligned,
}

#[derive(Serialize)]
struct Report {
    out: PathBuf,
    model: String,
    method: Method,
    threshold: f32,
    /// New pictures without a face.
    without_face: usize,
    unreadable: usize,
    /// Faces in all, old ones with them.
    faces: usize,
    lone: usize,
    new: New,
    clusters: Vec<Cluster>,
    /// Where persons are known.
    metrics: Option<Metrics>,
}

#[derive(Serialize)]
struct New {
    faces: usize,
    joined_clusters: usize,
    made_clusters: usize,
    known_already: usize,
}

#[derive(Serialize)]
struct Cluster {
    number: u32,
    name: String,
    faces: usize,
    photos: usize,
    /// Mean squared L2 to its center.
    spread: f32,
}

/// Clusters.
///
/// # Errors
/// If photos, model or the folder to write are unusable; what was written until then is completed
/// by the next run into the same folder.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let out = &arguments.out;
    apart(&arguments.photos, out)?;
    let source = arguments.embedding.source();
    let manifest = source.manifest()?;
    let model = format!("{} {}", manifest.name, manifest.model_id());
    let old = State::read(out)?;
    if let Some((state, _)) = &old {
        if state.model != model {
            bail!(
                "{} was made by model {}, this is {model}; name that model by --model, or another --out",
                out.display(),
                state.model
            );
        }
        if state.copied != arguments.copy {
            let (was, wanted) = if state.copied {
                ("copies", "with")
            } else {
                ("links", "without")
            };
            bail!("{} holds {was}; run it {wanted} --copy", out.display());
        }
    }
    let threshold = threshold(arguments, &manifest, old.as_ref().map(|(state, _)| state))?;
    let photos = Photos::open(&arguments.photos)?;
    let which = match arguments.faces {
        Which::All => Faces::All,
        Which::Central => Faces::Central,
        Which::Aligned => Faces::Aligned,
    };
    let set = source.embed(&photos, which)?;
    eprint!("{}", set.left_out());
    let method = arguments.method.method(set.faces.len());
    let (mut state, mut rows) = match old {
        Some(old) => old,
        None if set.faces.is_empty() => bail!("found no face in {}", arguments.photos.display()),
        None => {
            let d = threshold.value();
            (
                State::new(model, set.dimension, d, method, arguments.copy),
                Vec::new(),
            )
        }
    };
    let before = state.faces.len();
    let new = new_faces(&set)?;
    let grown = grow(&mut state, &mut rows, new, method, threshold)?;
    write(arguments, &mut state, &rows)?;
    let report = report(arguments, &state, method, threshold, &set, (before, grown))?;
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        print!("{}", text(&report));
    }
    eprintln!(
        "{}\nnext: look at {}, rename the folders, and add photos by: usher-train cluster MORE --out {}",
        out.join(store::LIST).display(),
        out.join(SHEETS).display(),
        out.display()
    );
    Ok(())
}

/// Refuses to write among the photos or to read what was written.
fn apart(photos: &Path, out: &Path) -> anyhow::Result<()> {
    let photos = photos
        .canonicalize()
        .with_context(|| format!("cannot read {}", photos.display()))?;
    // What is not there yet lies in a folder that is.
    let absolute = std::path::absolute(out)?;
    let there = absolute.ancestors().find(|folder| folder.exists());
    let there = there.context("expected a path for --out")?;
    let rest = absolute.strip_prefix(there)?;
    let out = there.canonicalize()?.join(rest);
    if out.starts_with(&photos) || photos.starts_with(&out) {
        bail!(
            "expected --out apart from the photos, found {} and {}; name a folder elsewhere",
            out.display(),
            photos.display()
        );
    }
    Ok(())
}

/// D as asked, else that of the clusters there are, else the model's.
fn threshold(
    arguments: &Arguments,
    manifest: &ModelManifest,
    old: Option<&State>,
) -> anyhow::Result<Threshold> {
    match old {
        Some(state) if arguments.decision.threshold.is_none() => {
            Ok(Threshold::new(state.threshold)?)
        }
        _ => arguments.decision.threshold(manifest),
    }
}

fn new_faces(set: &EmbeddingSet) -> anyhow::Result<Vec<NewFace<'_>>> {
    let new = set.faces.iter().map(|face| {
        let path = std::path::absolute(&face.path)?;
        Ok(NewFace {
            path,
            digest: face
                .digest
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect(),
            index: face.index,
            label: face.label.clone(),
            place: face.detection.as_ref().map(Into::into),
            embedding: face.embedding.values(),
        })
    });
    new.collect()
}

/// State first, then folders and sheets, then the state that says they are done.
fn write(arguments: &Arguments, state: &mut State, rows: &[f32]) -> anyhow::Result<()> {
    let out = &arguments.out;
    if !out.exists() {
        let parent = out.parent().filter(|parent| !parent.as_os_str().is_empty());
        let made = parent.map_or(Ok(()), std::fs::create_dir_all);
        made.and_then(|()| private_folder(out))
            .with_context(|| format!("cannot make {}", out.display()))?;
    }
    let mut folders = Folders::find(out)?;
    state.write(out, rows)?;
    put_pending(state, out, &mut folders)?;
    if !arguments.no_sheets {
        draw(state, &folders, out)?;
    }
    state.pending.clear();
    state.write(out, rows)?;
    Ok(())
}

/// A contact sheet for each cluster that changed, and for the lone faces.
fn draw(state: &State, folders: &Folders, out: &Path) -> anyhow::Result<()> {
    let changed: HashSet<Option<u32>> = state
        .pending
        .iter()
        .map(|face| state.faces[*face].cluster)
        .collect();
    let mut faces = BTreeMap::<Option<u32>, Vec<usize>>::new();
    for (index, face) in state.faces.iter().enumerate() {
        if changed.contains(&face.cluster) {
            faces.entry(face.cluster).or_default().push(index);
        }
    }
    let sheets = out.join(SHEETS);
    if !sheets.exists() {
        private_folder(&sheets).with_context(|| format!("cannot make {}", sheets.display()))?;
    }
    let all: Vec<(Option<u32>, Vec<usize>)> = faces.into_iter().collect();
    let one = |(): &mut (), (cluster, members): &(Option<u32>, Vec<usize>)| -> anyhow::Result<()> {
        let mut members = members.clone();
        members.sort_by(|a, b| {
            state.faces[*a]
                .distance
                .total_cmp(&state.faces[*b].distance)
        });
        let count = members.len();
        if count > SHEET_FACES {
            members.drain(SHEET_FACES / 2..count - SHEET_FACES / 2);
        }
        let mut pictures = Vec::with_capacity(members.len());
        for member in members {
            let face = &state.faces[member];
            // A picture that went in the meantime leaves its place to the next.
            let detection = face.place.as_ref().map(Detection::from);
            pictures.extend(thumbnail(&face.path, detection.as_ref(), FACE_PX));
        }
        let shown = match pictures.len() {
            shown if shown < count => format!("{count} faces, {shown} shown"),
            _ => format!("{count} faces"),
        };
        let (file, title, note) = match cluster {
            Some(number) => (
                format!("cluster-{number:04}.png"),
                folders.name(*number),
                "nearest to the middle first",
            ),
            None => (
                format!("{LONE}.png"),
                "lone faces".to_owned(),
                "each like no other",
            ),
        };
        let sheet = drawing::contact_sheet(&pictures, &title, &format!("{shown}, {note}"));
        let path = sheets.join(file);
        atomic_file::replace(&path, &drawing::png(&sheet)?, Readers::Owner)
            .with_context(|| format!("cannot write {}", path.display()))
    };
    parallel::map(&all, parallel::cores(), ("sheets", |_| 1), || Ok(()), one)?;
    Ok(())
}

fn report(
    arguments: &Arguments,
    state: &State,
    method: Method,
    threshold: Threshold,
    set: &EmbeddingSet,
    (before, grown): (usize, Grown),
) -> anyhow::Result<Report> {
    let folders = Folders::find(&arguments.out)?;
    let mut clusters: Vec<Cluster> = state
        .clusters()
        .into_iter()
        .map(|(number, faces)| {
            let photos: HashSet<&Path> = faces
                .iter()
                .map(|face| state.faces[*face].path.as_path())
                .collect();
            let sum: f32 = faces.iter().map(|face| state.faces[*face].distance).sum();
            Cluster {
                number,
                name: folders.name(number),
                faces: faces.len(),
                photos: photos.len(),
                spread: sum / faces.len() as f32,
            }
        })
        .collect();
    clusters.sort_by_key(|cluster| (std::cmp::Reverse(cluster.faces), cluster.number));
    // A lone face is a cluster of its own.
    let marked = state.faces.iter().enumerate().map(|(index, face)| {
        let cluster = face.cluster.ok_or(index);
        face.label.as_deref().map(|label| (cluster, label))
    });
    let labeled: Option<Vec<_>> = marked.collect();
    let metrics = labeled
        .and_then(Metrics::of)
        .filter(|metrics| metrics.people > 1);
    Ok(Report {
        out: arguments.out.clone(),
        model: state.model.clone(),
        method,
        threshold: threshold.value(),
        without_face: set.without_face.len(),
        unreadable: set.unreadable.len(),
        faces: state.faces.len(),
        lone: state
            .faces
            .iter()
            .filter(|face| face.cluster.is_none())
            .count(),
        new: New {
            faces: state.faces.len() - before,
            joined_clusters: grown.joined,
            made_clusters: grown.clusters,
            known_already: grown.known,
        },
        clusters,
        metrics,
    })
}

fn text(report: &Report) -> String {
    let mut text = format!(
        "{} faces: {} clusters, {} lone faces ({}, D = {:.3}, {})\n",
        report.faces,
        report.clusters.len(),
        report.lone,
        match report.method {
            Method::Average => "average link",
            Method::Density => "density",
            Method::Graph => "average link between neighbors",
        },
        report.threshold,
        report.model
    );
    let new = &report.new;
    if new.faces < report.faces || new.known_already > 0 {
        text += &format!(
            "new: {} faces, of which {} joined clusters there were; {} new clusters; {} faces were there already\n",
            new.faces, new.joined_clusters, new.made_clusters, new.known_already
        );
    }
    if !report.clusters.is_empty() {
        text += &format!(
            "\n{:<24} {:>7} {:>7} {:>8}\n",
            "cluster", "faces", "photos", "spread"
        );
    }
    for cluster in report.clusters.iter().take(TABLE_ROWS) {
        text += &format!(
            "{:<24} {:>7} {:>7} {:>8.3}\n",
            cluster.name, cluster.faces, cluster.photos, cluster.spread
        );
    }
    if let Some(more) = report.clusters.len().checked_sub(TABLE_ROWS + 1) {
        text += &format!("and {} more\n", more + 1);
    }
    if let Some(metrics) = &report.metrics {
        text += &format!(
            "\nagainst the folders' {} people  precision  recall       F\n",
            metrics.people
        );
        for (name, scores) in [("B-cubed", metrics.b_cubed), ("pairs", metrics.pairwise)] {
            text += &format!(
                "{name:<30} {:>9.4} {:>8.4} {:>7.4}\n",
                scores.precision, scores.recall, scores.f
            );
        }
    }
    text
}
