//! `usher-train visualize`: the faces of a folder as a picture to explore.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use shared::atomic_file::{self, Readers};

use super::embedding::EmbeddingArguments;
use super::place;
use crate::drawing;
use crate::embeddings::{EmbeddingSet, Faces, Photos};
use crate::explore::page::Page;
use crate::explore::sprites::{self, Sheets};
use crate::explore::{Groups, clusters, picture};
use crate::tsne::preservation::preservation;
use crate::tsne::{self, Settings};

/// Draw every face of a folder as a dot, alike ones beside each other (t-SNE), as a page to explore
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example: usher-train visualize photos --model models/usher-small.toml --out picture\n\
    Writes index.html (one file, works offline, asks nobody), picture.svg and picture.png. All three \
    tell who looks like whom, and the page holds faces: biometric data, readable by their owner alone."
)]
pub struct Arguments {
    /// A folder of pictures, or of a folder per person
    photos: PathBuf,
    #[command(flatten)]
    embedding: EmbeddingArguments,
    /// The folder to write into
    #[arg(long, value_name = "FOLDER")]
    out: PathBuf,
    /// Which faces of a picture count
    #[arg(long, value_enum, default_value = "all")]
    faces: Faces,
    /// Only people with at least that many pictures
    #[arg(long, default_value_t = 1, value_name = "PICTURES")]
    at_least: usize,
    /// Color by these clusters too: clusters.json of `usher-train cluster`
    #[arg(long, value_name = "FILE")]
    clusters: Option<PathBuf>,
    /// Leave the faces out of the page
    #[arg(long)]
    no_thumbnails: bool,
    /// How many neighbors a face holds on to, about
    #[arg(long, default_value_t = Settings::default().perplexity)]
    perplexity: f32,
    /// Heading of the page [default: the folder's name]
    #[arg(long)]
    title: Option<String>,
    /// Seed of the picture
    #[arg(long, default_value_t = Settings::default().seed)]
    seed: u64,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Draws.
///
/// # Errors
/// If the pictures cannot be embedded, there is no face, or the folder cannot be written.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    if !(arguments.perplexity.is_finite() && arguments.perplexity >= 1.0) {
        bail!(
            "expected a perplexity of 1 or more, found {}",
            arguments.perplexity
        );
    }
    place::apart(&arguments.photos, &arguments.out)?;
    let source = arguments.embedding.source();
    let manifest = source.manifest()?;
    let photos = Photos::open(&arguments.photos)?.with_at_least(arguments.at_least);
    let set = source.embed(&photos, arguments.faces)?;
    eprint!("{}", set.left_out());
    if set.faces.is_empty() {
        bail!(
            "expected faces in {}, found none in its {} pictures",
            arguments.photos.display(),
            photos.photos.len()
        );
    }
    let clusters = match &arguments.clusters {
        Some(path) => Some(clusters::read(path, &set.faces)?),
        None => None,
    };
    let settings = Settings {
        perplexity: arguments.perplexity,
        seed: arguments.seed,
        ..Settings::default()
    };
    let drawn = tsne::tsne(&set.matrix(), set.dimension, &settings)?;
    let kept = preservation(&drawn.neighbors, &drawn.points);
    let sheets = match arguments.no_thumbnails {
        true => Sheets::default(),
        false => sprites::sheets(&set.faces)?,
    };
    let people = Groups::of(&set.labels());
    let clusters = clusters.map(|clusters| {
        let clusters: Vec<Option<&str>> = clusters.iter().map(Option::as_deref).collect();
        Groups::of(&clusters)
    });
    let title = arguments
        .title
        .clone()
        .unwrap_or_else(|| name(&arguments.photos));
    let html = Page {
        title: &title,
        model: &format!("{} {}", manifest.name, set.model),
        points: &drawn.points,
        files: &files(&set),
        people: &people,
        clusters: clusters.as_ref(),
        preservation: &kept,
        sheets: &sheets,
    }
    .html();
    let colored = match (&clusters, people.groups.is_empty()) {
        (Some(clusters), true) => clusters,
        _ => &people,
    };
    let svg = picture::svg(&drawn.points, colored, &title);
    let png = drawing::png(&picture::png(&drawn.points, colored))?;
    atomic_file::private_folder(&arguments.out)
        .with_context(|| format!("cannot make {}", arguments.out.display()))?;
    let mut written = Vec::new();
    for (file, bytes) in [
        ("index.html", html.as_bytes()),
        ("picture.svg", svg.as_bytes()),
        ("picture.png", &png),
    ] {
        let path = arguments.out.join(file);
        atomic_file::replace(&path, bytes, Readers::Owner)
            .with_context(|| format!("cannot write {}", path.display()))?;
        written.push(path);
    }
    if arguments.json {
        let report = serde_json::json!({
            "model": manifest.name,
            "faces": set.faces.len(),
            "people": people.groups.len(),
            "neighbors": kept.of,
            "neighbors_kept": kept.mean(),
            "page_bytes": html.len(),
            "files": written,
        });
        println!("{}", serde_json::to_string_pretty(&report)?);
        return Ok(());
    }
    if let Some(mean) = kept.mean() {
        println!(
            "{:.1} % of the {} nearest in truth are among the {} nearest in the picture ({} faces)",
            100.0 * mean,
            kept.of,
            kept.of,
            set.faces.len()
        );
    }
    for path in &written {
        println!("{}", path.display());
    }
    eprintln!(
        "biometric data: keep it as you keep the photos; next: open {} in a browser",
        written[0].display()
    );
    Ok(())
}

/// The files' own names; a picture's further faces by number.
fn files(set: &EmbeddingSet) -> Vec<String> {
    let file = |face: &crate::embeddings::Face| match face.index {
        0 => name(&face.path),
        index => format!("{}, face {}", name(&face.path), index + 1),
    };
    set.faces.iter().map(file).collect()
}

fn name(path: &Path) -> String {
    let name = path.file_name().unwrap_or(path.as_os_str());
    name.to_string_lossy().into_owned()
}
