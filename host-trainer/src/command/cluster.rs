//! `usher-train cluster`: sorts the faces of photos by who they are, without names.

mod report;
mod sheets;

use std::path::PathBuf;

use anyhow::{Context, bail};
use shared::atomic_file;
use shared::model_id::hex;
use shared::{ModelManifest, Threshold};

use super::embedding::EmbeddingArguments;
use super::place;
use super::verify::DecisionArguments;
use crate::cluster::store::folders::{Folders, SHEETS, put_pending};
use crate::cluster::store::{NewFace, State, grow};
use crate::cluster::{Method, store};
use crate::embeddings::{EmbeddingSet, Faces, Photos};
use report::Report;

/// Sort the faces of photos by who they are: a folder and a contact sheet per person
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: usher-train cluster photos --out people\n\
    D of `verify` is for two pictures; for purer clusters take a smaller --threshold.\n\n\
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
    faces: Faces,
    /// Only people with at least that many photos, where these lie in a folder per person
    #[arg(long, default_value_t = 1, value_name = "PHOTOS")]
    at_least: usize,
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

/// Clusters.
///
/// # Errors
/// If photos, model or the folder to write are unusable; what was written until then is completed
/// by the next run into the same folder.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let out = &arguments.out;
    place::apart(&arguments.photos, out)?;
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
    let there = old.as_ref().map_or(0, |(state, _)| state.faces.len());
    let photos = Photos::open(&arguments.photos)?.with_at_least(arguments.at_least);
    let set = source.embed(&photos, arguments.faces)?;
    eprint!("{}", set.left_out());
    let wanted = arguments.method.method(there + set.faces.len());
    let (mut state, mut rows) = match old {
        Some(old) => old,
        None if set.faces.is_empty() => bail!("found no face in {}", arguments.photos.display()),
        None => {
            let d = threshold.value();
            (
                State::new(model, set.dimension, d, wanted, arguments.copy),
                Vec::new(),
            )
        }
    };
    let before = state.faces.len();
    let new = new_faces(&set)?;
    // Another method than before only where the faces have become too many for it.
    let method = match arguments.method {
        Choice::Auto => wanted,
        _ if there > 0 && wanted != state.method => bail!(
            "{} was made by another --method; leave it out, or name another --out",
            out.display()
        ),
        _ => wanted,
    };
    let grown = grow(&mut state, &mut rows, new, method, threshold)?;
    write(arguments, &mut state, &rows)?;
    let report = Report::new(out, &state, (method, threshold), &set, (before, grown))?;
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        print!("{}", report.text());
    }
    let look = match arguments.no_sheets {
        true => out.join(store::LIST),
        false => out.join(SHEETS),
    };
    eprintln!(
        "{}\nnext: look at {}, rename the folders, and add photos by: usher-train cluster MORE --out {}",
        out.join(store::LIST).display(),
        look.display(),
        out.display()
    );
    Ok(())
}

/// That of the clusters there are, else as asked, else the model's.
fn threshold(
    arguments: &Arguments,
    manifest: &ModelManifest,
    old: Option<&State>,
) -> anyhow::Result<Threshold> {
    match old {
        Some(state) => {
            if let Some(asked) = arguments.decision.threshold
                && asked != state.threshold
            {
                bail!(
                    "{} was made with D = {}, found --threshold {asked}; leave it out, or name another --out",
                    arguments.out.display(),
                    state.threshold
                );
            }
            Ok(Threshold::new(state.threshold)?)
        }
        None => arguments.decision.threshold(manifest),
    }
}

fn new_faces(set: &EmbeddingSet) -> anyhow::Result<Vec<NewFace<'_>>> {
    let new = set.faces.iter().map(|face| {
        let path = std::path::absolute(&face.path)?;
        Ok(NewFace {
            path,
            digest: hex(&face.digest),
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
    let cannot = || format!("cannot make {} a folder of yours alone", out.display());
    atomic_file::private_folder(out).with_context(cannot)?;
    // An empty folder that was there already: the names of those in it are nobody else's business.
    #[cfg(unix)]
    std::fs::set_permissions(out, std::os::unix::fs::PermissionsExt::from_mode(0o700))
        .with_context(cannot)?;
    let mut folders = Folders::find(out)?;
    state.write(out, rows)?;
    put_pending(state, out, &mut folders)?;
    if !arguments.no_sheets {
        sheets::draw(state, &folders, out)?;
    }
    state.pending.clear();
    state.write(out, rows)?;
    Ok(())
}
