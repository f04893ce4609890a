//! What clustering found, for JSON and for people.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use serde::Serialize;
use shared::Threshold;

use crate::cluster::Method;
use crate::cluster::metrics::Metrics;
use crate::cluster::store::folders::Folders;
use crate::cluster::store::{Grown, State};
use crate::embeddings::EmbeddingSet;

/// Most clusters that the table on stdout tells.
const TABLE_ROWS: usize = 20;

/// What a run did, and what there is now.
#[derive(Serialize)]
pub(super) struct Report {
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

impl Report {
    /// What a run did, and what there is now: faces there were before it, and what it added.
    pub(super) fn new(
        out: &Path,
        state: &State,
        (method, threshold): (Method, Threshold),
        set: &EmbeddingSet,
        (before, grown): (usize, Grown),
    ) -> anyhow::Result<Self> {
        let folders = Folders::find(out)?;
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
        Ok(Self {
            out: out.to_owned(),
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

    /// For a person to read.
    pub(super) fn text(&self) -> String {
        let report = self;
        let mut text = format!(
            "{} faces: {} clusters, {} lone faces ({}, {})\n",
            report.faces,
            report.clusters.len(),
            report.lone,
            match report.method {
                Method::Average => format!("average link, D = {:.3}", report.threshold),
                Method::Density => format!(
                    "density; photos added later join within D = {:.3}",
                    report.threshold
                ),
                Method::Graph => format!(
                    "average link between neighbors, D = {:.3}",
                    report.threshold
                ),
            },
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
}
